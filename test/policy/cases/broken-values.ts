import { type State, type Topic, allow, from, intoWeb, named, policy, tier } from '../case.ts'

const web = named('web')

/** What a GlobalNetworkPolicy's key holds, in which something is wrong. */
const unreadable = (spec: object): NonNullable<State['broken']>[number] => ({
  kind: 'GlobalNetworkPolicy',
  name: 'p',
  value: { kind: 'GlobalNetworkPolicy', metadata: { name: 'p' }, spec },
})

export const brokenValues: Topic = {
  topic: 'values that nobody can read',
  cases: [
    {
      name: 'a policy whose rule is broken denies what it would have selected',
      broken: [unreadable({ selector: web, types: ['Ingress'], ingress: [{ action: 'Alow' }] })],
      allowed: ['web > client tcp 80', 'client > db tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a policy whose selector is broken denies everybody of its types',
      broken: [unreadable({ selector: 'role ==', types: ['Egress'], egress: [{ action: 'Allow' }] })],
      allowed: ['outside > web tcp 80', 'host > web tcp 80'],
      denied: ['client > web tcp 80', 'web > outside tcp 80'],
    },
    {
      name: 'a policy of a namespace whose selector is broken denies within it',
      workloads: { web: { namespace: 'prod' } },
      broken: [
        {
          kind: 'NetworkPolicy',
          name: 'prod/p',
          value: {
            kind: 'NetworkPolicy',
            metadata: { name: 'p', namespace: 'prod' },
            spec: { selector: '!', ingress: [allow] },
          },
        },
      ],
      allowed: ['client > db tcp 80', 'web > db tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a broken profile is one that nobody defined',
      broken: [{ kind: 'Profile', name: 'odd', value: { spec: { ingress: 'everything' } } }],
      workloads: { web: { profiles: ['odd', 'open'] } },
      allowed: ['client > db tcp 80'],
      denied: ['client > web tcp 80', 'web > client tcp 80'],
    },
    {
      name: 'a policy in an earlier tier still decides before the broken one',
      resources: [
        tier('first', 1),
        policy('a', { tier: 'first', selector: web, ingress: [from('Allow', 'client'), { action: 'Pass' }] }),
      ],
      broken: [unreadable({ selector: web, ingress: [{ action: 'Allow', protocol: 'IPX' }] })],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'it is mended',
      broken: [unreadable({ selector: web, ingress: [{ action: 'Alow' }] })],
      denied: ['client > web tcp 80'],
      then: [{ resources: [intoWeb(allow)], allowed: ['client > web tcp 81'] }],
    },
  ],
}
