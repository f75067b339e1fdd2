import { type Topic, allow, deny, from, intoWeb, named, outOfWeb, policy, profile, tcp, to } from '../case.ts'

const web = named('web')

export const types: Topic = {
  topic: 'ingress and egress types',
  cases: [
    {
      name: 'inbound from one: others are blocked, outbound is free',
      resources: [intoWeb(from('Allow', 'client'))],
      allowed: ['client > web tcp 80', 'web > db tcp 80', 'web > outside tcp 80', 'db > client tcp 80'],
      denied: ['db > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'outbound to one: others are blocked, inbound is free',
      resources: [outOfWeb(to('Allow', 'client'))],
      allowed: ['web > client tcp 80', 'db > web tcp 80', 'outside > web tcp 80'],
      denied: ['web > db tcp 80', 'web > far tcp 80', 'web > outside tcp 80'],
    },
    {
      name: 'both types with inbound rules alone: nothing goes out',
      resources: [policy('p', { selector: web, types: ['Ingress', 'Egress'], ingress: [allow] })],
      allowed: ['client > web tcp 80'],
      denied: ['web > client tcp 80', 'web > outside echo'],
    },
    {
      name: 'type Ingress with an outbound rule that denies: outbound is free',
      resources: [policy('p', { selector: web, types: ['Ingress'], ingress: [allow], egress: [deny] })],
      allowed: ['client > web tcp 80', 'web > client tcp 80', 'web > outside tcp 80'],
    },
    {
      name: 'type Egress with inbound rules: inbound is free, nothing goes out',
      resources: [policy('p', { selector: web, types: ['Egress'], ingress: [deny] })],
      allowed: ['client > web tcp 80'],
      denied: ['web > client tcp 80'],
    },
    {
      name: 'without rules and types: nobody comes in, outbound is free',
      resources: [policy('p', { selector: web })],
      allowed: ['web > client tcp 80', 'web > outside udp 53'],
      denied: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'type Egress without rules: nothing goes out, inbound is free',
      resources: [policy('p', { selector: web, types: ['Egress'] })],
      allowed: ['client > web tcp 80'],
      denied: ['web > client tcp 80', 'web > outside udp 53'],
    },
    {
      name: 'both kinds of rules without types: both are judged',
      resources: [policy('p', { selector: web, ingress: [tcp('Allow', 80)], egress: [tcp('Allow', 5432)] })],
      allowed: ['client > web tcp 80', 'web > db tcp 5432'],
      denied: ['client > web tcp 81', 'web > db tcp 80'],
    },
    {
      name: 'outbound rules alone without types: inbound is not judged',
      resources: [outOfWeb(deny)],
      allowed: ['client > web tcp 80'],
      denied: ['web > client tcp 80'],
    },
    {
      name: 'an inbound rule is taken away and outbound rules are left: inbound opens',
      resources: [policy('p', { selector: web, ingress: [deny], egress: [allow] })],
      denied: ['client > web tcp 80'],
      then: [{ resources: [outOfWeb(allow)], allowed: ['client > web tcp 81'] }],
    },
  ],
}

export const bothDirections: Topic = {
  topic: 'both directions on one host',
  cases: [
    {
      name: "the source's outbound policy denies what the destination's inbound allows",
      resources: [policy('p', { selector: named('client'), egress: [to('Deny', 'web'), allow] })],
      allowed: ['client > db tcp 80', 'db > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: "the destination's inbound policy denies what the source's outbound allows",
      resources: [
        policy('out', { selector: named('client'), egress: [allow] }),
        policy('in', { selector: web, ingress: [from('Deny', 'client'), allow] }),
      ],
      allowed: ['db > web tcp 80', 'client > db tcp 80'],
      denied: ['client > web tcp 80', 'client > web echo'],
    },
    {
      name: 'both must allow',
      resources: [
        policy('out', { selector: named('client'), egress: [tcp('Allow', 80, 443)] }),
        policy('in', { selector: web, ingress: [tcp('Allow', 443, 8080)] }),
      ],
      allowed: ['client > web tcp 443'],
      denied: ['client > web tcp 80', 'client > web tcp 8080', 'client > web tcp 22'],
    },
    {
      name: "profiles too: one side's profile is not the other's",
      workloads: { client: { profiles: ['out'] }, web: { profiles: ['in'] } },
      resources: [profile('out', { egress: [allow] }), profile('in', { ingress: [allow] })],
      allowed: ['client > web tcp 80'],
      denied: ['web > client tcp 80', 'db > client tcp 80', 'web > db tcp 80'],
    },
    {
      name: 'of a flow to another node only the outbound half is judged here',
      resources: [policy('p', { selector: named('client', 'web'), egress: [to('Allow', 'far')] })],
      allowed: ['client > far tcp 80', 'web > far tcp 80', 'far > web tcp 80'],
      denied: ['client > away tcp 80', 'client > web tcp 80', 'client > outside tcp 80'],
    },
    {
      name: 'of a flow from another node only the inbound half is judged here',
      resources: [policy('p', { selector: named('client', 'web'), ingress: [from('Allow', 'far')] })],
      allowed: ['far > client tcp 80', 'far > web tcp 80', 'client > away tcp 80'],
      denied: ['away > client tcp 80', 'peer > web tcp 80', 'outside > web tcp 80', 'client > web tcp 80'],
    },
    {
      name: 'one policy that selects both judges each direction at its own end',
      resources: [
        policy('p', {
          selector: named('client', 'web'),
          ingress: [from('Allow', 'client')],
          egress: [to('Allow', 'web')],
        }),
      ],
      allowed: ['client > web tcp 80', 'db > db2 tcp 80'],
      denied: ['web > client tcp 80', 'client > db tcp 80', 'db > web tcp 80', 'client > outside tcp 80'],
    },
    {
      name: 'strangers are met by the inbound half alone',
      resources: [intoWeb({ action: 'Allow', source: { nets: ['10.251.0.0/24', 'fd00:251::/64'] } })],
      allowed: ['outside > web tcp 80'],
      denied: ['peer > web tcp 80', 'far > web tcp 80'],
    },
  ],
}
