import { type Topic, allow, deny, from, named, pass, policy, tier } from '../case.ts'

const web = named('web')

export const tiers: Topic = {
  topic: 'tiers',
  cases: [
    {
      name: 'the tier of the lower order is judged first',
      resources: [
        tier('first', 10),
        tier('second', 20),
        policy('not-client', { tier: 'first', selector: web, ingress: [from('Deny', 'client'), pass] }),
        policy('everyone', { tier: 'second', selector: web, ingress: [allow] }),
      ],
      allowed: ['db > web tcp 80', 'far > web tcp 80', 'outside > web udp 53'],
      denied: ['client > web tcp 80', 'client > web echo'],
    },
    {
      name: 'orders count, and not names',
      resources: [
        tier('zeta', 1),
        tier('alpha', 2),
        policy('closed', { tier: 'alpha', selector: web, ingress: [deny] }),
        policy('opened', { tier: 'zeta', selector: web, ingress: [from('Allow', 'client'), pass] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a tier without an order comes last',
      resources: [
        tier('aaa'),
        tier('zzz', 999),
        policy('closed', { tier: 'aaa', selector: web, ingress: [deny] }),
        policy('opened', { tier: 'zzz', selector: web, ingress: [from('Allow', 'client'), pass] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'of two tiers with one order the name decides',
      resources: [
        tier('a', 5),
        tier('b', 5),
        policy('in-b', { tier: 'b', selector: web, ingress: [deny] }),
        policy('in-a', { tier: 'a', selector: web, ingress: [allow] }),
      ],
      allowed: ['client > web tcp 80'],
    },
    {
      name: 'of two tiers without an order the name decides',
      resources: [
        tier('b'),
        tier('a'),
        policy('in-b', { tier: 'b', selector: web, ingress: [allow] }),
        policy('in-a', { tier: 'a', selector: web, ingress: [deny] }),
      ],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a tier whose policies select the endpoint and decide nothing denies',
      resources: [
        tier('first', 10),
        tier('second', 20),
        policy('silent', { tier: 'first', selector: web, ingress: [from('Allow', 'client')] }),
        policy('everyone', { tier: 'second', selector: web, ingress: [allow] }),
      ],
      allowed: ['client > web tcp 80', 'db > client tcp 80'],
      denied: ['db > web tcp 80', 'far > web echo'],
    },
    {
      name: 'a policy without rules decides nothing, so its tier denies',
      resources: [tier('first', 10), policy('silent', { tier: 'first', selector: web, types: ['Ingress'] })],
      allowed: ['web > db tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'a tier that passes at its end leads to the next',
      resources: [
        tier('first', 10, 'Pass'),
        tier('second', 20),
        policy('silent', { tier: 'first', selector: web, ingress: [from('Deny', 'client')] }),
        policy('only-db', { tier: 'second', selector: web, ingress: [from('Allow', 'db', 'client')] }),
      ],
      allowed: ['db > web tcp 80'],
      denied: ['client > web tcp 80', 'db2 > web tcp 80'],
    },
    {
      name: 'a last tier that passes at its end leads to the profiles',
      resources: [
        tier('only', 10, 'Pass'),
        policy('not-client', { tier: 'only', selector: web, ingress: [from('Deny', 'client')] }),
      ],
      allowed: ['db > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'after tiers that pass an endpoint without profiles is closed',
      workloads: { web: { profiles: [] } },
      resources: [
        tier('only', 10, 'Pass'),
        policy('client', { tier: 'only', selector: web, ingress: [from('Allow', 'client')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'a tier none of whose policies selects the endpoint is skipped',
      resources: [
        tier('first', 10),
        policy('others', { tier: 'first', selector: named('db'), ingress: [deny] }),
      ],
      allowed: ['client > web tcp 80', 'web > client tcp 80'],
      denied: ['client > db tcp 80'],
    },
    {
      name: 'a tier judges only the directions of its policies',
      resources: [
        tier('first', 10),
        policy('in', { tier: 'first', selector: web, types: ['Ingress'], ingress: [] }),
      ],
      allowed: ['web > db tcp 80', 'web > outside tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'policies of a tier that nobody defined are judged last, and it denies',
      resources: [
        tier('known', 2_000_000),
        policy('in-known', { tier: 'known', selector: web, ingress: [from('Allow', 'client'), pass] }),
        policy('in-unknown', {
          tier: 'nobody',
          selector: web,
          ingress: [from('Deny', 'client'), from('Allow', 'db')],
        }),
      ],
      allowed: ['client > web tcp 80', 'db > web tcp 80'],
      denied: ['db2 > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'the default tier stands at 1000000 without anyone storing it',
      resources: [
        tier('before', 999_999),
        tier('after', 1_000_001),
        policy('late', { tier: 'after', selector: web, ingress: [deny] }),
        policy('middle', { selector: web, ingress: [from('Allow', 'client', 'db'), pass] }),
        policy('early', { tier: 'before', selector: web, ingress: [from('Deny', 'db'), pass] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'db2 > web tcp 80'],
    },
    {
      name: 'negative and broken orders are orders',
      resources: [
        tier('last', 0.5),
        tier('middle', 0.25),
        tier('first', -3),
        policy('c', { tier: 'last', selector: web, ingress: [allow] }),
        policy('b', { tier: 'middle', selector: web, ingress: [from('Deny', 'db', 'client'), pass] }),
        policy('a', { tier: 'first', selector: web, ingress: [from('Allow', 'client'), pass] }),
      ],
      allowed: ['client > web tcp 80', 'db2 > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'a chain of five tiers, each with a say',
      resources: [
        ...[1, 2, 3, 4, 5].map((order) => tier(`t${String(order)}`, order)),
        policy('p1', { tier: 't1', selector: web, ingress: [from('Deny', 'client'), pass] }),
        policy('p2', { tier: 't2', selector: web, ingress: [from('Allow', 'client', 'db'), pass] }),
        policy('p3', { tier: 't3', selector: web, ingress: [from('Deny', 'db', 'db2'), pass] }),
        policy('p4', { tier: 't4', selector: web, ingress: [pass] }),
        policy('p5', { tier: 't5', selector: web, ingress: [from('Allow', 'db2', 'far')] }),
      ],
      allowed: ['db > web tcp 80', 'far > web tcp 80'],
      denied: ['client > web tcp 80', 'db2 > web tcp 80', 'away > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a tier changes places with another',
      resources: [
        tier('one', 1),
        tier('two', 2),
        policy('no', { tier: 'one', selector: web, ingress: [deny] }),
        policy('yes', { tier: 'two', selector: web, ingress: [allow] }),
      ],
      denied: ['client > web tcp 80'],
      then: [
        {
          resources: [
            tier('one', 3),
            tier('two', 2),
            policy('no', { tier: 'one', selector: web, ingress: [deny] }),
            policy('yes', { tier: 'two', selector: web, ingress: [allow] }),
          ],
          allowed: ['client > web tcp 81'],
        },
        {
          resources: [
            tier('one', 3),
            policy('no', { tier: 'one', selector: web, ingress: [deny] }),
            policy('yes', { tier: 'two', selector: web, ingress: [allow] }),
          ],
          denied: ['client > web tcp 82'],
        },
      ],
    },
    {
      name: "a tier's end turns from denying to passing",
      resources: [tier('one', 1), policy('silent', { tier: 'one', selector: web })],
      denied: ['client > web tcp 80'],
      then: [
        {
          resources: [tier('one', 1, 'Pass'), policy('silent', { tier: 'one', selector: web })],
          allowed: ['client > web tcp 81'],
        },
      ],
    },
  ],
}
