import type { Rule } from '@network/datastore/model'
import { type Topic, allow, deny, from, intoWeb, named, namespaced, pass, policy, tcp } from '../case.ts'

const web = named('web')

export const order: Topic = {
  topic: 'order of policies and rules',
  cases: [
    {
      name: 'the policy of the lower order is judged first',
      resources: [
        policy('a-no', { order: 2, selector: web, ingress: [deny] }),
        policy('z-yes', { order: 1, selector: web, ingress: [from('Allow', 'client')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'a policy without an order comes last',
      resources: [
        policy('a-no', { selector: web, ingress: [deny] }),
        policy('z-yes', { order: 1000, selector: web, ingress: [from('Allow', 'client')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'order 0 is an order',
      resources: [
        policy('a', { selector: web, ingress: [deny] }),
        policy('b', { order: 0, selector: web, ingress: [allow] }),
      ],
      allowed: ['client > web tcp 80'],
    },
    {
      name: 'at one order the name decides',
      resources: [
        policy('b', { order: 7, selector: web, ingress: [deny] }),
        policy('a', { order: 7, selector: web, ingress: [from('Allow', 'client')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'without orders the name decides, capital letters as they stand in ASCII',
      resources: [
        policy('web-10', { selector: web, ingress: [deny] }),
        policy('web-1', { selector: web, ingress: [from('Allow', 'client')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'of one name and order the policy of the whole cluster comes before that of a namespace',
      resources: [
        namespaced('default', 'same', { order: 1, selector: web, ingress: [deny] }),
        policy('same', { order: 1, selector: web, ingress: [from('Allow', 'client')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'broken and negative orders',
      resources: [
        policy('a', { order: 1.5, selector: web, ingress: [deny] }),
        policy('b', { order: 1.25, selector: web, ingress: [from('Allow', 'client', 'db')] }),
        policy('c', { order: -10, selector: web, ingress: [from('Deny', 'db')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'db2 > web tcp 80'],
    },
    {
      name: 'the first rule that matches decides: deny before allow',
      resources: [intoWeb(from('Deny', 'client'), allow)],
      allowed: ['db > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'the first rule that matches decides: allow before deny',
      resources: [intoWeb(from('Allow', 'client'), deny)],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'a policy that decides nothing leaves it to the next of its tier',
      resources: [
        policy('one', { order: 1, selector: web, ingress: [tcp('Allow', 80)] }),
        policy('two', { order: 2, selector: web, ingress: [tcp('Allow', 443)] }),
        policy('three', { order: 3, selector: web, ingress: [tcp('Deny', 8080), from('Allow', 'client')] }),
      ],
      allowed: ['db > web tcp 80', 'db > web tcp 443', 'client > web tcp 9090', 'client > web udp 8080'],
      denied: ['db > web tcp 9090', 'client > web tcp 8080'],
    },
    {
      name: 'policies of different selectors meet at one endpoint in their order',
      workloads: { web: { labels: { tier: 'front', env: 'prod' } } },
      resources: [
        policy('env', { order: 20, selector: "env == 'prod'", ingress: [deny] }),
        policy('front', { order: 10, selector: "tier == 'front'", ingress: [tcp('Allow', 80)] }),
        policy('all', { order: 5, selector: 'all()', ingress: [from('Deny', 'far')] }),
        policy('rest', { order: 30, selector: 'all()', ingress: [allow] }),
      ],
      allowed: ['client > web tcp 80', 'client > db tcp 22'],
      denied: ['client > web tcp 81', 'far > web tcp 80', 'far > db tcp 80'],
    },
    {
      name: 'two policies change places',
      resources: [
        policy('yes', { order: 1, selector: web, ingress: [allow] }),
        policy('no', { order: 2, selector: web, ingress: [deny] }),
      ],
      allowed: ['client > web tcp 80'],
      then: [
        {
          resources: [
            policy('yes', { order: 3, selector: web, ingress: [allow] }),
            policy('no', { order: 2, selector: web, ingress: [deny] }),
          ],
          denied: ['client > web tcp 81'],
        },
        {
          resources: [
            policy('yes', { order: 3, selector: web, ingress: [allow] }),
            policy('no', { selector: web, ingress: [deny] }),
          ],
          allowed: ['client > web tcp 82'],
        },
      ],
    },
    {
      name: 'the last of three hundred rules decides what the others leave',
      resources: [
        policy('long', {
          selector: web,
          ingress: [
            ...Array.from({ length: 299 }, (_, n): Rule => tcp(n % 2 === 0 ? 'Allow' : 'Deny', 1000 + n)),
            tcp('Allow', 5000),
          ],
        }),
      ],
      allowed: ['client > web tcp 1000', 'client > web tcp 1298', 'client > web tcp 5000'],
      denied: [
        'client > web tcp 1001',
        'client > web tcp 1297',
        'client > web tcp 5001',
        'client > web udp 1000',
      ],
    },
    {
      name: 'one policy for ten selectors of ports, each of them another policy',
      resources: Array.from({ length: 10 }, (_, n) =>
        policy(`p${String(n)}`, { order: n, selector: web, ingress: [tcp('Allow', 7000 + n)] }),
      ),
      allowed: ['client > web tcp 7000', 'far > web tcp 7005', 'outside > web tcp 7009'],
      denied: ['client > web tcp 7010', 'client > web udp 7000'],
    },
  ],
}

export const passing: Topic = {
  topic: 'pass',
  cases: [
    {
      name: 'pass in the last tier leads to the profiles',
      workloads: { web: { profiles: ['from-client'] } },
      resources: [
        { kind: 'Profile', name: 'from-client', spec: { ingress: [from('Allow', 'client')] } },
        intoWeb(pass),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'pass leaves out the rest of the tier',
      resources: [
        { kind: 'Tier', name: 'first', spec: { order: 1 } },
        policy('a', { tier: 'first', order: 1, selector: web, ingress: [from('Pass', 'client')] }),
        policy('b', { tier: 'first', order: 2, selector: web, ingress: [deny] }),
        policy('c', { selector: web, ingress: [tcp('Allow', 80)] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['client > web tcp 81', 'db > web tcp 80'],
    },
    {
      name: 'pass leaves out the rest of its own policy',
      resources: [policy('a', { selector: web, ingress: [tcp('Pass', 80), deny] })],
      allowed: ['client > web tcp 80'],
      denied: ['client > web tcp 81'],
    },
    {
      name: 'pass on the way out',
      resources: [
        { kind: 'Tier', name: 'first', spec: { order: 1 } },
        policy('a', { tier: 'first', selector: web, egress: [{ action: 'Pass', protocol: 'TCP' }, deny] }),
        policy('b', { selector: web, types: ['Egress'], egress: [tcp('Allow', 5432)] }),
      ],
      allowed: ['web > db tcp 5432', 'client > web udp 1'],
      denied: ['web > db tcp 80', 'web > db udp 5432', 'web > outside echo'],
    },
    {
      name: 'pass over two tiers, the second one with a denying end',
      resources: [
        { kind: 'Tier', name: 'first', spec: { order: 1 } },
        { kind: 'Tier', name: 'second', spec: { order: 2 } },
        policy('a', { tier: 'first', selector: web, ingress: [pass] }),
        policy('b', { tier: 'second', selector: web, ingress: [from('Pass', 'client')] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'pass after log',
      resources: [
        policy('a', {
          selector: web,
          ingress: [{ action: 'Log' }, from('Pass', 'client'), { action: 'Log' }, deny],
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'what one direction passes the other still judges',
      resources: [policy('in', { selector: web, ingress: [pass], egress: [from('Deny', 'web')] })],
      allowed: ['client > web tcp 80'],
      denied: ['web > client tcp 80'],
    },
  ],
}
