import {
  type Draft,
  type Topic,
  allow,
  deny,
  from,
  intoWeb,
  named,
  namespaced,
  policy,
  tier,
} from '../case.ts'

const web = named('web')
const staged = (name: string, spec: object): Draft => ({
  kind: 'StagedGlobalNetworkPolicy',
  name,
  spec: { ...spec },
})
const stagedInDefault = (name: string, spec: object): Draft => ({
  kind: 'StagedNetworkPolicy',
  namespace: 'default',
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
        stagedInDefault('q', { selector: 'all()', ingress: [deny] }),
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
      resources: [intoWeb(deny), staged('p', { selector: web, stagedAction: 'Delete' })],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a staged policy of the name of one in force changes nothing',
      resources: [
        namespaced('default', 'p', { selector: web, ingress: [allow] }),
        stagedInDefault('p', { selector: web, ingress: [deny] }),
      ],
      allowed: ['client > web tcp 80'],
    },
  ],
}
