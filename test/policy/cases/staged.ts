import { type Draft, type Topic, allow, deny, from, named, namespaced, policy, tier } from '../case.ts'

const web = named('web')
const staged = (name: string, spec: object): Draft => ({
  kind: 'StagedGlobalNetworkPolicy',
  name,
  spec: { ...spec },
})

export const stagedPolicies: Topic = {
  topic: 'staged policies',
  cases: [
    {
      name: 'a staged policy never acts',
      resources: [
        staged('p', { selector: web, ingress: [deny] }),
        {
          kind: 'StagedNetworkPolicy',
          namespace: 'default',
          name: 'q',
          spec: { selector: 'all()', ingress: [deny] },
        },
      ],
      allowed: ['client > web tcp 80', 'web > client tcp 80'],
    },
    {
      name: 'a tier with staged policies alone is skipped',
      resources: [
        tier('first', 1),
        staged('p', { tier: 'first', selector: web, ingress: [from('Allow', 'client')] }),
        policy('q', { selector: web, ingress: [from('Allow', 'db')] }),
      ],
      allowed: ['db > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a staged deletion leaves the policy in force',
      resources: [
        policy('p', { selector: web, ingress: [deny] }),
        staged('p', { selector: web, stagedAction: 'Delete' }),
      ],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a staged policy of the name of one in force changes nothing',
      resources: [
        namespaced('default', 'p', { selector: web, ingress: [allow] }),
        {
          kind: 'StagedNetworkPolicy',
          namespace: 'default',
          name: 'p',
          spec: { selector: web, ingress: [deny] },
        },
      ],
      allowed: ['client > web tcp 80'],
    },
  ],
}

export const brokenValues: Topic = {
  topic: 'values that nobody can read',
  cases: [
    {
      name: 'a policy whose rule is broken denies what it would have selected',
      broken: [
        {
          kind: 'GlobalNetworkPolicy',
          name: 'p',
          value: {
            kind: 'GlobalNetworkPolicy',
            metadata: { name: 'p' },
            spec: { selector: web, types: ['Ingress'], ingress: [{ action: 'Alow' }] },
          },
        },
      ],
      allowed: ['web > client tcp 80', 'client > db tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a policy whose selector is broken denies everybody of its types',
      broken: [
        {
          kind: 'GlobalNetworkPolicy',
          name: 'p',
          value: {
            kind: 'GlobalNetworkPolicy',
            metadata: { name: 'p' },
            spec: { selector: 'role ==', types: ['Egress'], egress: [{ action: 'Allow' }] },
          },
        },
      ],
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
      broken: [
        {
          kind: 'GlobalNetworkPolicy',
          name: 'p',
          value: {
            kind: 'GlobalNetworkPolicy',
            metadata: { name: 'p' },
            spec: { selector: web, ingress: [{ action: 'Allow', protocol: 'IPX' }] },
          },
        },
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'it is mended',
      broken: [
        {
          kind: 'GlobalNetworkPolicy',
          name: 'p',
          value: {
            kind: 'GlobalNetworkPolicy',
            metadata: { name: 'p' },
            spec: { selector: web, ingress: [{ action: 'Alow' }] },
          },
        },
      ],
      denied: ['client > web tcp 80'],
      then: [
        { resources: [policy('p', { selector: web, ingress: [allow] })], allowed: ['client > web tcp 81'] },
      ],
    },
  ],
}
