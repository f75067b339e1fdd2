import { type Topic, deny, from, intoWeb, named, pass, policy, tcp, to } from '../case.ts'

const web = named('web')

export const emptySelectors: Topic = {
  topic: 'empty selectors',
  cases: [
    {
      name: 'the empty selector of a policy selects everything',
      resources: [policy('p', { selector: '', ingress: [tcp('Allow', 80)] })],
      allowed: ['client > web tcp 80', 'web > db tcp 80'],
      denied: ['client > web tcp 81', 'web > db2 tcp 81'],
    },
    {
      name: 'a policy without a selector selects everything',
      resources: [policy('p', { ingress: [from('Allow', 'client')] })],
      allowed: ['client > web tcp 80', 'client > db tcp 80'],
      denied: ['web > db tcp 80', 'db > client tcp 80'],
    },
    {
      name: 'the empty selector of a rule asks for nothing: strangers match',
      resources: [
        intoWeb({
          action: 'Allow',
          protocol: 'TCP',
          source: { selector: '' },
          destination: { ports: [80] },
        }),
      ],
      allowed: ['client > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 81'],
    },
    {
      name: 'all() in a rule is endpoints of ours',
      resources: [intoWeb({ action: 'Allow', source: { selector: 'all()' } })],
      allowed: ['client > web tcp 80', 'far > web tcp 80'],
      denied: ['outside > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: '!all() is nobody',
      resources: [
        policy('p', { selector: '!all()', ingress: [deny] }),
        policy('q', { selector: web, ingress: [{ action: 'Allow', source: { selector: '!all()' } }] }),
      ],
      allowed: ['client > db tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a rule that names nothing matches everything',
      resources: [intoWeb({ action: 'Allow', source: {}, destination: {} })],
      allowed: ['client > web tcp 80', 'outside > web echo', 'peer > web protocol 99'],
    },
    {
      name: 'a selector that selects nobody makes a rule that never matches',
      resources: [
        intoWeb(
          { action: 'Deny', source: { selector: 'has(nothing)' } },
          { action: 'Allow', source: { selector: "nothing == 'x'" } },
          to('Allow', 'web'),
        ),
      ],
      allowed: ['client > web tcp 80'],
    },
    {
      name: 'the first endpoint that a selector selects fills its set',
      resources: [intoWeb({ action: 'Allow', source: { selector: 'has(vip)' } })],
      denied: ['client > web tcp 80'],
      then: [
        {
          workloads: { client: { labels: { vip: '' } } },
          resources: [intoWeb({ action: 'Allow', source: { selector: 'has(vip)' } })],
          allowed: ['client > web tcp 81'],
          denied: ['db > web tcp 81'],
        },
        {
          resources: [intoWeb({ action: 'Allow', source: { selector: 'has(vip)' } })],
          denied: ['client > web tcp 82'],
        },
      ],
    },
    {
      name: 'a policy that passes everything, everywhere',
      resources: [policy('p', { ingress: [pass], egress: [pass] })],
      allowed: ['client > web tcp 80', 'web > outside tcp 80', 'outside > web echo'],
    },
  ],
}
