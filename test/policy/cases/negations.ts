import { type Topic, allow, intoWeb, named, outOfWeb } from '../case.ts'

export const negations: Topic = {
  topic: 'negated selectors and networks',
  cases: [
    {
      name: 'none of these networks',
      resources: [intoWeb({ action: 'Allow', source: { notNets: ['10.65.0.0/24', 'fd65::/112'] } })],
      allowed: ['far > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 80', 'db > web echo'],
    },
    {
      name: 'none of these networks of one family: the other family is not in them',
      resources: [intoWeb({ action: 'Allow', source: { notNets: ['10.65.0.0/24'] } })],
      allowed: ['client > web tcp 80 ipv6', 'far > web tcp 80'],
      denied: ['client > web tcp 80 ipv4'],
    },
    {
      name: 'in one of these networks and in none of those',
      resources: [
        intoWeb({
          action: 'Allow',
          source: {
            nets: ['10.65.0.0/16', 'fd65::/48'],
            notNets: ['10.65.0.4', 'fd65::4', '10.65.1.0/31', 'fd65::1:0/127'],
          },
        }),
      ],
      allowed: ['db > web tcp 80', 'away > web tcp 80'],
      denied: ['client > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'not in several networks at once',
      resources: [
        intoWeb({
          action: 'Allow',
          source: {
            notNets: [
              '10.65.0.4',
              'fd65::4',
              '10.65.1.0/24',
              'fd65::1:0/112',
              '10.251.0.0/24',
              'fd00:251::/64',
            ],
          },
        }),
      ],
      allowed: ['db > web tcp 80', 'peer > web tcp 80'],
      denied: ['client > web tcp 80', 'far > web tcp 80', 'away > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'not the network of all addresses: nobody',
      resources: [intoWeb({ action: 'Allow', source: { notNets: ['0.0.0.0/0'] } })],
      allowed: ['client > web tcp 80 ipv6'],
      denied: ['client > web tcp 80 ipv4', 'outside > web tcp 80 ipv4'],
    },
    {
      name: 'destinations that are not these networks',
      resources: [outOfWeb({ action: 'Allow', destination: { notNets: ['10.65.0.0/16', 'fd65::/48'] } })],
      allowed: ['web > outside tcp 80', 'web > peer tcp 80'],
      denied: ['web > client tcp 80', 'web > far tcp 80'],
    },
    {
      name: 'a negation inside the selector means endpoints of ours without the label; strangers are none',
      workloads: { client: { labels: { vip: 'yes' } } },
      resources: [intoWeb({ action: 'Allow', source: { selector: '!has(vip)' } })],
      allowed: ['db > web tcp 80', 'far > web tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'a negated selector means whatever is not such an endpoint, strangers included',
      workloads: { client: { labels: { vip: 'yes' } } },
      resources: [intoWeb({ action: 'Allow', source: { notSelector: 'has(vip)' } })],
      allowed: ['db > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80', 'peer > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a selector and a negated one',
      workloads: { client: { labels: { vip: 'yes' } }, far: { labels: { vip: 'yes', far: 'yes' } } },
      resources: [intoWeb({ action: 'Allow', source: { selector: 'has(vip)', notSelector: 'has(far)' } })],
      allowed: ['client > web tcp 80'],
      denied: ['far > web tcp 80', 'db > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a negated selector that selects nobody holds for all',
      resources: [intoWeb({ action: 'Allow', source: { notSelector: 'has(nothing)' } })],
      allowed: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a negated selector of everything holds for strangers alone',
      resources: [intoWeb({ action: 'Allow', source: { notSelector: 'all()' } })],
      allowed: ['outside > web tcp 80', 'peer > web tcp 80'],
      denied: ['client > web tcp 80', 'far > web tcp 80'],
    },
    {
      name: 'a negated selector at the destination',
      resources: [outOfWeb({ action: 'Allow', destination: { notSelector: named('db', 'far') } })],
      allowed: ['web > client tcp 80', 'web > away tcp 80', 'web > outside tcp 80'],
      denied: ['web > db tcp 80', 'web > far tcp 80'],
    },
    {
      name: 'a negated selector and networks',
      resources: [
        intoWeb(
          { action: 'Deny', source: { nets: ['10.65.0.0/16', 'fd65::/48'], notSelector: named('client') } },
          allow,
        ),
      ],
      allowed: ['client > web tcp 80', 'outside > web tcp 80'],
      denied: [
        'db > web tcp 80',
        'far > web tcp 80',
        'far as 10.65.7.7 > web tcp 80',
        'far as fd65::7:7 > web tcp 80',
      ],
    },
    {
      name: 'a comparison that is not holds where the label is absent',
      workloads: { client: { labels: { color: 'red' } }, db: { labels: { color: 'blue' } } },
      resources: [intoWeb({ action: 'Allow', source: { selector: "color != 'red'" } })],
      allowed: ['db > web tcp 80', 'db2 > web tcp 80', 'far > web tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'an endpoint loses the label that a negation asks for',
      workloads: { client: { labels: { vip: 'yes' } } },
      resources: [intoWeb({ action: 'Allow', source: { notSelector: 'has(vip)' } })],
      denied: ['client > web tcp 80'],
      then: [
        {
          resources: [intoWeb({ action: 'Allow', source: { notSelector: 'has(vip)' } })],
          allowed: ['client > web tcp 81'],
        },
      ],
    },
  ],
}
