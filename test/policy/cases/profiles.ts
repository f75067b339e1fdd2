import { type Topic, allow, deny, from, intoWeb, named, pass, policy, profile, tcp, to } from '../case.ts'

export const profiles: Topic = {
  topic: 'profiles',
  cases: [
    {
      name: 'without a profile and a policy nothing comes in and nothing goes out',
      workloads: { web: { profiles: [] } },
      allowed: ['client > db tcp 80'],
      denied: ['client > web tcp 80', 'web > client tcp 80', 'outside > web echo', 'web > outside udp 53'],
    },
    {
      name: 'the host reaches its own workload whatever its profiles say',
      workloads: { web: { profiles: [] } },
      allowed: ['host > web tcp 80', 'host > web echo', 'host > web sctp 5'],
    },
    {
      name: 'a profile with inbound rules alone lets nothing out',
      workloads: { web: { profiles: ['in'] } },
      resources: [profile('in', { ingress: [allow] })],
      allowed: ['client > web tcp 80', 'far > web udp 1'],
      denied: ['web > client tcp 80', 'web > outside tcp 80'],
    },
    {
      name: 'a profile with outbound rules alone lets nothing in',
      workloads: { web: { profiles: ['out'] } },
      resources: [profile('out', { egress: [allow] })],
      allowed: ['web > client tcp 80', 'web > outside tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'an empty profile denies',
      workloads: { web: { profiles: ['empty'] } },
      resources: [profile('empty', {})],
      denied: ['client > web tcp 80', 'web > client tcp 80'],
    },
    {
      name: 'of two profiles the one listed first decides',
      workloads: { web: { profiles: ['no-client', 'open'] }, db: { profiles: ['open', 'no-client'] } },
      resources: [profile('no-client', { ingress: [from('Deny', 'client')] })],
      allowed: ['client > db tcp 80', 'far > web tcp 80', 'web > far tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'what the first profile leaves the second decides',
      workloads: { web: { profiles: ['http', 'ssh'] } },
      resources: [
        profile('http', { ingress: [tcp('Allow', 80)] }),
        profile('ssh', { ingress: [tcp('Allow', 22)] }),
      ],
      allowed: ['client > web tcp 80', 'client > web tcp 22'],
      denied: ['client > web tcp 443', 'web > client tcp 80'],
    },
    {
      name: "the order of an endpoint's profiles changes",
      workloads: { web: { profiles: ['no', 'open'] } },
      resources: [profile('no', { ingress: [deny] })],
      denied: ['client > web tcp 80'],
      then: [
        {
          workloads: { web: { profiles: ['open', 'no'] } },
          resources: [profile('no', { ingress: [deny] })],
          allowed: ['client > web tcp 81'],
        },
      ],
    },
    {
      name: 'policy comes before profiles',
      resources: [intoWeb(tcp('Deny', 80), pass)],
      allowed: ['client > web tcp 81'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a policy that allows needs no profile',
      workloads: { web: { profiles: [] } },
      resources: [policy('p', { selector: named('web'), ingress: [allow], egress: [allow] })],
      allowed: ['client > web tcp 80', 'web > outside tcp 80'],
    },
    {
      name: 'one profile at several endpoints, by label and ports as an operator writes it',
      workloads: {
        web: { labels: { role: 'web' }, profiles: ['front'] },
        db: { profiles: ['store'] },
        db2: { profiles: ['store'] },
        far: { labels: { role: 'web' } },
      },
      resources: [
        profile('front', { ingress: [tcp('Allow', 80, 443)], egress: [to('Allow', 'db', 'db2')] }),
        profile('store', {
          ingress: [
            {
              action: 'Allow',
              protocol: 'TCP',
              source: { selector: "role == 'web'" },
              destination: { ports: [5432] },
            },
          ],
        }),
      ],
      allowed: ['outside > web tcp 443', 'web > db tcp 5432', 'web > db2 tcp 5432', 'far > db tcp 5432'],
      denied: [
        'client > db tcp 5432',
        'web > db tcp 5433',
        'web > client tcp 80',
        'db > web tcp 80',
        'outside > web tcp 22',
      ],
    },
    {
      name: 'pass in a profile leaves it to the next profile',
      workloads: { web: { profiles: ['first', 'second'] } },
      resources: [
        profile('first', { ingress: [tcp('Pass', 80, 443), deny] }),
        profile('second', { ingress: [tcp('Pass', 443), allow] }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['client > web tcp 443', 'client > web tcp 22'],
    },
    {
      name: 'what a tier has passed a profile judges from its first rule',
      workloads: { web: { profiles: ['some'] } },
      resources: [intoWeb(pass), profile('some', { ingress: [tcp('Pass', 443), allow] })],
      allowed: ['client > web tcp 80'],
      denied: ['client > web tcp 443'],
    },
    {
      name: 'a label that a profile gives is found by rules',
      workloads: { web: { profiles: ['open', 'labelled'] } },
      resources: [
        profile('labelled', { labelsToApply: { color: 'red' } }),
        policy('p', {
          selector: named('db'),
          ingress: [{ action: 'Allow', source: { selector: "color == 'red'" } }],
        }),
      ],
      allowed: ['web > db tcp 80'],
      denied: ['client > db tcp 80'],
    },
    {
      name: 'a label that a profile gives lets a policy select',
      workloads: { web: { profiles: ['open', 'labelled'] } },
      resources: [
        profile('labelled', { labelsToApply: { color: 'red' } }),
        policy('p', { selector: "color == 'red'", ingress: [deny] }),
      ],
      allowed: ['web > db tcp 80', 'client > db tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: "an endpoint's own label wins over its profile's",
      workloads: { web: { labels: { color: 'blue' }, profiles: ['open', 'labelled'] } },
      resources: [
        profile('labelled', { labelsToApply: { color: 'red' } }),
        policy('red', { selector: "color == 'red'", ingress: [deny] }),
        policy('p', {
          selector: named('db'),
          ingress: [{ action: 'Allow', source: { selector: "color == 'blue'" } }],
        }),
      ],
      allowed: ['client > web tcp 80', 'web > db tcp 80'],
    },
    {
      name: 'of two profiles that give one label the one listed first wins',
      workloads: {
        web: { profiles: ['red', 'blue', 'open'] },
        client: { profiles: ['blue', 'red', 'open'] },
      },
      resources: [
        profile('red', { labelsToApply: { color: 'red' } }),
        profile('blue', { labelsToApply: { color: 'blue' } }),
        policy('p', {
          selector: named('db'),
          ingress: [{ action: 'Allow', source: { selector: "color == 'red'" } }],
        }),
      ],
      allowed: ['web > db tcp 80'],
      denied: ['client > db tcp 80'],
    },
    {
      name: 'a label is put into a profile and taken out again',
      workloads: { far: { profiles: ['open', 'labelled'] } },
      resources: [
        profile('labelled', {}),
        policy('p', {
          selector: named('db'),
          ingress: [{ action: 'Allow', source: { selector: 'has(color)' } }],
        }),
      ],
      denied: ['far > db tcp 80'],
      then: [
        {
          workloads: { far: { profiles: ['open', 'labelled'] } },
          resources: [
            profile('labelled', { labelsToApply: { color: 'red' } }),
            policy('p', {
              selector: named('db'),
              ingress: [{ action: 'Allow', source: { selector: 'has(color)' } }],
            }),
          ],
          allowed: ['far > db tcp 81'],
          denied: ['away > db tcp 81'],
        },
        {
          workloads: { far: { profiles: ['open', 'labelled'] } },
          resources: [
            policy('p', {
              selector: named('db'),
              ingress: [{ action: 'Allow', source: { selector: 'has(color)' } }],
            }),
          ],
          denied: ['far > db tcp 82'],
        },
      ],
    },
  ],
}

export const missingProfiles: Topic = {
  topic: 'profiles that nobody defined',
  cases: [
    {
      name: 'a profile that nobody defined denies',
      workloads: { web: { profiles: ['nobody'] } },
      denied: ['client > web tcp 80', 'web > client tcp 80', 'outside > web echo'],
      allowed: ['host > web tcp 80'],
    },
    {
      name: 'it denies before a profile behind it could allow',
      workloads: { web: { profiles: ['nobody', 'open'] } },
      denied: ['client > web tcp 80', 'web > client tcp 80'],
    },
    {
      name: 'what a profile before it decides stands',
      workloads: { web: { profiles: ['http', 'nobody', 'open'] } },
      resources: [profile('http', { ingress: [tcp('Allow', 80)] })],
      allowed: ['client > web tcp 80'],
      denied: ['client > web tcp 81', 'web > client tcp 80'],
    },
    {
      name: 'what policy decides stands',
      workloads: { web: { profiles: ['nobody'] } },
      resources: [intoWeb(tcp('Allow', 80), pass)],
      allowed: ['client > web tcp 80'],
      denied: ['client > web tcp 81'],
    },
    {
      name: 'it opens when somebody defines it, and closes when it goes',
      workloads: { web: { profiles: ['later'] } },
      denied: ['client > web tcp 80'],
      then: [
        {
          workloads: { web: { profiles: ['later'] } },
          resources: [profile('later', { ingress: [allow] })],
          allowed: ['client > web tcp 81'],
          denied: ['web > client tcp 81'],
        },
        {
          workloads: { web: { profiles: ['later'] } },
          denied: ['client > web tcp 82', 'web > client tcp 82'],
        },
      ],
    },
  ],
}
