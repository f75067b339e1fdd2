import { type Draft, type Topic, intoWeb, named, networkSet, outOfWeb, policy } from '../case.ts'

const outsideNets = ['10.251.0.0/24', 'fd00:251::/64']
const outsideAddresses = ['10.251.0.10', 'fd00:251::10']
const partnerLabels = { kind: 'partner' }
const partner = "kind == 'partner'"
const partners = (nets: readonly string[]): Draft => networkSet('partners', partnerLabels, nets)
const fromPartners = intoWeb({ action: 'Allow', source: { selector: partner } })

export const networkSets: Topic = {
  topic: 'network sets',
  cases: [
    {
      name: 'a set of networks under a label, found by selector',
      resources: [partners(outsideNets), fromPartners],
      allowed: ['outside > web tcp 80'],
      denied: ['client > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'sets and endpoints in one selector',
      workloads: { client: { labels: partnerLabels } },
      resources: [partners(outsideAddresses), fromPartners],
      allowed: ['outside > web tcp 80', 'client > web tcp 80'],
      denied: [
        'outside as 10.251.0.11 > web tcp 80',
        'outside as fd00:251::11 > web tcp 80',
        'db > web tcp 80',
      ],
    },
    {
      name: 'a set of all addresses',
      resources: [
        networkSet('world', { kind: 'world' }, ['0.0.0.0/0', '::/0']),
        intoWeb({ action: 'Allow', source: { selector: "kind == 'world'" } }),
      ],
      allowed: [
        'outside > web tcp 80',
        'client > web tcp 80',
        'outside as 200.1.2.3 > web tcp 80',
        'outside as 9.1.2.3 > web udp 80',
      ],
    },
    {
      name: 'on the way out',
      resources: [
        networkSet('world', partnerLabels, ['10.251.0.0/16', 'fd00:251::/48']),
        outOfWeb({
          action: 'Allow',
          protocol: 'TCP',
          destination: { selector: partner, ports: [443] },
        }),
      ],
      allowed: ['web > outside tcp 443'],
      denied: ['web > outside tcp 80', 'web > client tcp 443', 'web > peer tcp 443'],
    },
    {
      name: 'a set of one family',
      resources: [partners(['fd00:251::/64']), fromPartners],
      allowed: ['outside > web tcp 80 ipv6'],
      denied: ['outside > web tcp 80 ipv4'],
    },
    {
      name: 'a negated selector leaves out what is in the set',
      resources: [
        networkSet('bad', { kind: 'bad' }, outsideNets),
        intoWeb({ action: 'Allow', source: { notSelector: "kind == 'bad'" } }),
      ],
      allowed: ['client > web tcp 80', 'peer > web tcp 80'],
      denied: ['outside > web tcp 80'],
    },
    {
      name: 'all() finds every set and every endpoint, and no stranger',
      resources: [
        networkSet('any', {}, outsideNets),
        intoWeb({ action: 'Allow', source: { selector: 'all()' } }),
      ],
      allowed: ['client > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80'],
      denied: ['peer > web tcp 80', 'outside as 10.252.0.1 > web tcp 80'],
    },
    {
      name: 'a set grows, shrinks and goes',
      resources: [partners(outsideAddresses), fromPartners],
      allowed: ['outside > web tcp 80'],
      denied: ['peer > web tcp 80'],
      then: [
        {
          resources: [partners(['10.251.0.10', 'fd00:251::10', '10.250.0.2', 'fd00:250::2']), fromPartners],
          allowed: ['outside > web tcp 81', 'peer > web tcp 81'],
        },
        {
          resources: [partners(['10.250.0.0/24', 'fd00:250::/64']), fromPartners],
          allowed: ['peer > web tcp 82'],
          denied: ['outside > web tcp 82'],
        },
        {
          resources: [fromPartners],
          denied: ['outside > web tcp 83', 'peer > web tcp 83'],
        },
      ],
    },
    {
      name: 'an address in two sets stays while one of them has it',
      resources: [
        networkSet('a', partnerLabels, outsideAddresses),
        networkSet('b', partnerLabels, outsideAddresses),
        fromPartners,
      ],
      allowed: ['outside > web tcp 80'],
      then: [
        {
          resources: [networkSet('b', partnerLabels, outsideAddresses), fromPartners],
          allowed: ['outside > web tcp 81'],
        },
      ],
    },
    {
      name: 'a network inside another of the set, taken out again',
      resources: [
        networkSet('a', partnerLabels, ['10.251.0.0/16', 'fd00:251::/48', '10.251.0.0/24', 'fd00:251::/64']),
        fromPartners,
      ],
      allowed: ['outside > web tcp 80'],
      then: [
        {
          resources: [networkSet('a', partnerLabels, outsideNets), fromPartners],
          allowed: ['outside > web tcp 81'],
          denied: ['outside as 10.251.1.1 > web tcp 81', 'outside as fd00:251:0:1::1 > web tcp 81'],
        },
      ],
    },
    {
      name: 'two sides, each a set',
      resources: [
        networkSet('theirs', { side: 'theirs' }, outsideNets),
        networkSet('ours', { side: 'ours' }, ['10.65.0.0/31', 'fd65::/127']),
        policy('p', {
          selector: named('web', 'db'),
          ingress: [
            {
              action: 'Allow',
              source: { selector: "side == 'theirs'" },
              destination: { selector: "side == 'ours'" },
            },
          ],
        }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['outside > db tcp 80', 'client > web tcp 80'],
    },
  ],
}
