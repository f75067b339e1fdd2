import type { Rule } from '@network/datastore/model'
import { type Topic, allow, deny, from, named, networkSet, pass, policy, tcp, to } from '../case.ts'

const web = named('web')
const ingress = (...rules: readonly Rule[]): readonly ReturnType<typeof policy>[] => [
  policy('p', { selector: web, ingress: rules }),
]
const clientNets = ['10.65.0.4', 'fd65::4']

export const nets: Topic = {
  topic: 'networks',
  cases: [
    {
      name: 'one address of each family at the source',
      resources: ingress({ action: 'Allow', source: { nets: clientNets } }),
      allowed: ['client > web tcp 80', 'client > web echo'],
      denied: ['db > web tcp 80', 'far > web tcp 80'],
    },
    {
      name: 'networks of one family say nothing good of the other',
      resources: ingress({ action: 'Allow', source: { nets: ['10.65.0.0/16'] } }),
      allowed: ['client > web tcp 80 ipv4', 'far > web tcp 80 ipv4'],
      denied: ['client > web tcp 80 ipv6', 'outside > web tcp 80'],
    },
    {
      name: 'one of several networks',
      resources: ingress({
        action: 'Allow',
        source: { nets: ['10.65.1.0/24', 'fd65::1:0/112', '10.251.0.0/16', 'fd00:251::/64'] },
      }),
      allowed: ['far > web tcp 80', 'away > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'the network of all addresses',
      resources: ingress({ action: 'Allow', source: { nets: ['0.0.0.0/0', '::/0'] } }),
      allowed: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'the network of all addresses of one family',
      resources: ingress({ action: 'Allow', source: { nets: ['::/0'] } }),
      allowed: ['client > web tcp 80 ipv6', 'outside > web echo ipv6'],
      denied: ['client > web tcp 80 ipv4'],
    },
    {
      name: 'networks at both sides: both must hold',
      resources: ingress({
        action: 'Allow',
        source: { nets: ['10.65.0.0/24', 'fd65::/112'] },
        destination: { nets: ['10.65.0.1', 'fd65::1'] },
      }),
      allowed: ['client > web tcp 80'],
      denied: ['far > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a destination that is not the endpoint matches nothing inbound',
      resources: ingress({ action: 'Allow', destination: { nets: ['10.65.0.2', 'fd65::2'] } }),
      denied: ['client > web tcp 80'],
    },
    {
      name: 'destinations on the way out',
      resources: [
        policy('p', {
          selector: web,
          egress: [{ action: 'Allow', destination: { nets: ['10.251.0.0/24', 'fd00:251::/64'] } }],
        }),
      ],
      allowed: ['web > outside tcp 80'],
      denied: ['web > client tcp 80', 'web > peer tcp 80', 'web > far tcp 80'],
    },
    {
      name: 'forty networks, the last one counts',
      resources: ingress({
        action: 'Allow',
        source: {
          nets: [...Array.from({ length: 40 }, (_, n) => `172.16.${String(n)}.0/24`), ...clientNets],
        },
      }),
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'networks and a selector: both must hold',
      resources: ingress({
        action: 'Allow',
        source: { nets: ['10.65.0.0/24', 'fd65::/112'], selector: named('client', 'far') },
      }),
      allowed: ['client > web tcp 80'],
      denied: ['far > web tcp 80', 'db > web tcp 80'],
    },
    {
      name: 'a single address inside a denied network is allowed before it',
      resources: ingress(
        { action: 'Allow', source: { nets: clientNets } },
        { action: 'Deny', source: { nets: ['10.65.0.0/16', 'fd65::/48'] } },
        allow,
      ),
      allowed: ['client > web tcp 80', 'outside > web tcp 80', 'peer > web tcp 80'],
      denied: ['db > web tcp 80', 'far > web tcp 80'],
    },
  ],
}

export const negations: Topic = {
  topic: 'negated selectors and networks',
  cases: [
    {
      name: 'none of these networks',
      resources: ingress({ action: 'Allow', source: { notNets: ['10.65.0.0/24', 'fd65::/112'] } }),
      allowed: ['far > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 80', 'db > web echo'],
    },
    {
      name: 'none of these networks of one family: the other family is not in them',
      resources: ingress({ action: 'Allow', source: { notNets: ['10.65.0.0/24'] } }),
      allowed: ['client > web tcp 80 ipv6', 'far > web tcp 80'],
      denied: ['client > web tcp 80 ipv4'],
    },
    {
      name: 'in one of these networks and in none of those',
      resources: ingress({
        action: 'Allow',
        source: {
          nets: ['10.65.0.0/16', 'fd65::/48'],
          notNets: ['10.65.0.4', 'fd65::4', '10.65.1.0/31', 'fd65::1:0/127'],
        },
      }),
      allowed: ['db > web tcp 80', 'away > web tcp 80'],
      denied: ['client > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'not in several networks at once',
      resources: ingress({
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
      allowed: ['db > web tcp 80', 'peer > web tcp 80'],
      denied: ['client > web tcp 80', 'far > web tcp 80', 'away > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'not the network of all addresses: nobody',
      resources: ingress({ action: 'Allow', source: { notNets: ['0.0.0.0/0'] } }),
      allowed: ['client > web tcp 80 ipv6'],
      denied: ['client > web tcp 80 ipv4', 'outside > web tcp 80 ipv4'],
    },
    {
      name: 'destinations that are not these networks',
      resources: [
        policy('p', {
          selector: web,
          egress: [{ action: 'Allow', destination: { notNets: ['10.65.0.0/16', 'fd65::/48'] } }],
        }),
      ],
      allowed: ['web > outside tcp 80', 'web > peer tcp 80'],
      denied: ['web > client tcp 80', 'web > far tcp 80'],
    },
    {
      name: 'a negation inside the selector means endpoints of ours without the label; strangers are none',
      workloads: { client: { labels: { vip: 'yes' } } },
      resources: ingress({ action: 'Allow', source: { selector: '!has(vip)' } }),
      allowed: ['db > web tcp 80', 'far > web tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'a negated selector means whatever is not such an endpoint, strangers included',
      workloads: { client: { labels: { vip: 'yes' } } },
      resources: ingress({ action: 'Allow', source: { notSelector: 'has(vip)' } }),
      allowed: ['db > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80', 'peer > web tcp 80'],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'a selector and a negated one',
      workloads: { client: { labels: { vip: 'yes' } }, far: { labels: { vip: 'yes', far: 'yes' } } },
      resources: ingress({ action: 'Allow', source: { selector: 'has(vip)', notSelector: 'has(far)' } }),
      allowed: ['client > web tcp 80'],
      denied: ['far > web tcp 80', 'db > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a negated selector that selects nobody holds for all',
      resources: ingress({ action: 'Allow', source: { notSelector: 'has(nothing)' } }),
      allowed: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a negated selector of everything holds for strangers alone',
      resources: ingress({ action: 'Allow', source: { notSelector: 'all()' } }),
      allowed: ['outside > web tcp 80', 'peer > web tcp 80'],
      denied: ['client > web tcp 80', 'far > web tcp 80'],
    },
    {
      name: 'a negated selector at the destination',
      resources: [
        policy('p', {
          selector: web,
          egress: [{ action: 'Allow', destination: { notSelector: named('db', 'far') } }],
        }),
      ],
      allowed: ['web > client tcp 80', 'web > away tcp 80', 'web > outside tcp 80'],
      denied: ['web > db tcp 80', 'web > far tcp 80'],
    },
    {
      name: 'a negated selector and networks',
      resources: ingress(
        { action: 'Deny', source: { nets: ['10.65.0.0/16', 'fd65::/48'], notSelector: named('client') } },
        allow,
      ),
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
      resources: ingress({ action: 'Allow', source: { selector: "color != 'red'" } }),
      allowed: ['db > web tcp 80', 'db2 > web tcp 80', 'far > web tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'an endpoint loses the label that a negation asks for',
      workloads: { client: { labels: { vip: 'yes' } } },
      resources: ingress({ action: 'Allow', source: { notSelector: 'has(vip)' } }),
      denied: ['client > web tcp 80'],
      then: [
        {
          resources: ingress({ action: 'Allow', source: { notSelector: 'has(vip)' } }),
          allowed: ['client > web tcp 81'],
        },
      ],
    },
  ],
}

export const networkSets: Topic = {
  topic: 'network sets',
  cases: [
    {
      name: 'a set of networks under a label, found by selector',
      resources: [
        networkSet('partners', { kind: 'partner' }, ['10.251.0.0/24', 'fd00:251::/64']),
        ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['client > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'sets and endpoints in one selector',
      workloads: { client: { labels: { kind: 'partner' } } },
      resources: [
        networkSet('partners', { kind: 'partner' }, ['10.251.0.10', 'fd00:251::10']),
        ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
      ],
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
        ...ingress({ action: 'Allow', source: { selector: "kind == 'world'" } }),
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
        networkSet('world', { kind: 'partner' }, ['10.251.0.0/16', 'fd00:251::/48']),
        policy('p', {
          selector: web,
          egress: [
            {
              action: 'Allow',
              protocol: 'TCP',
              destination: { selector: "kind == 'partner'", ports: [443] },
            },
          ],
        }),
      ],
      allowed: ['web > outside tcp 443'],
      denied: ['web > outside tcp 80', 'web > client tcp 443', 'web > peer tcp 443'],
    },
    {
      name: 'a set of one family',
      resources: [
        networkSet('partners', { kind: 'partner' }, ['fd00:251::/64']),
        ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
      ],
      allowed: ['outside > web tcp 80 ipv6'],
      denied: ['outside > web tcp 80 ipv4'],
    },
    {
      name: 'a negated selector leaves out what is in the set',
      resources: [
        networkSet('bad', { kind: 'bad' }, ['10.251.0.0/24', 'fd00:251::/64']),
        ...ingress({ action: 'Allow', source: { notSelector: "kind == 'bad'" } }),
      ],
      allowed: ['client > web tcp 80', 'peer > web tcp 80'],
      denied: ['outside > web tcp 80'],
    },
    {
      name: 'all() finds every set and every endpoint, and no stranger',
      resources: [
        networkSet('any', {}, ['10.251.0.0/24', 'fd00:251::/64']),
        ...ingress({ action: 'Allow', source: { selector: 'all()' } }),
      ],
      allowed: ['client > web tcp 80', 'far > web tcp 80', 'outside > web tcp 80'],
      denied: ['peer > web tcp 80', 'outside as 10.252.0.1 > web tcp 80'],
    },
    {
      name: 'a set grows, shrinks and goes',
      resources: [
        networkSet('partners', { kind: 'partner' }, ['10.251.0.10', 'fd00:251::10']),
        ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['peer > web tcp 80'],
      then: [
        {
          resources: [
            networkSet('partners', { kind: 'partner' }, [
              '10.251.0.10',
              'fd00:251::10',
              '10.250.0.2',
              'fd00:250::2',
            ]),
            ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
          ],
          allowed: ['outside > web tcp 81', 'peer > web tcp 81'],
        },
        {
          resources: [
            networkSet('partners', { kind: 'partner' }, ['10.250.0.0/24', 'fd00:250::/64']),
            ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
          ],
          allowed: ['peer > web tcp 82'],
          denied: ['outside > web tcp 82'],
        },
        {
          resources: ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
          denied: ['outside > web tcp 83', 'peer > web tcp 83'],
        },
      ],
    },
    {
      name: 'an address in two sets stays while one of them has it',
      resources: [
        networkSet('a', { kind: 'partner' }, ['10.251.0.10', 'fd00:251::10']),
        networkSet('b', { kind: 'partner' }, ['10.251.0.10', 'fd00:251::10']),
        ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
      ],
      allowed: ['outside > web tcp 80'],
      then: [
        {
          resources: [
            networkSet('b', { kind: 'partner' }, ['10.251.0.10', 'fd00:251::10']),
            ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
          ],
          allowed: ['outside > web tcp 81'],
        },
      ],
    },
    {
      name: 'a network inside another of the set, taken out again',
      resources: [
        networkSet('a', { kind: 'partner' }, [
          '10.251.0.0/16',
          'fd00:251::/48',
          '10.251.0.0/24',
          'fd00:251::/64',
        ]),
        ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
      ],
      allowed: ['outside > web tcp 80'],
      then: [
        {
          resources: [
            networkSet('a', { kind: 'partner' }, ['10.251.0.0/24', 'fd00:251::/64']),
            ...ingress({ action: 'Allow', source: { selector: "kind == 'partner'" } }),
          ],
          allowed: ['outside > web tcp 81'],
          denied: ['outside as 10.251.1.1 > web tcp 81', 'outside as fd00:251:0:1::1 > web tcp 81'],
        },
      ],
    },
    {
      name: 'two sides, each a set',
      resources: [
        networkSet('theirs', { side: 'theirs' }, ['10.251.0.0/24', 'fd00:251::/64']),
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
      resources: ingress({
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: '' },
        destination: { ports: [80] },
      }),
      allowed: ['client > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 81'],
    },
    {
      name: 'all() in a rule is endpoints of ours',
      resources: ingress({ action: 'Allow', source: { selector: 'all()' } }),
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
      resources: ingress({ action: 'Allow', source: {}, destination: {} }),
      allowed: ['client > web tcp 80', 'outside > web echo', 'peer > web protocol 99'],
    },
    {
      name: 'a selector that selects nobody makes a rule that never matches',
      resources: ingress(
        { action: 'Deny', source: { selector: 'has(nothing)' } },
        { action: 'Allow', source: { selector: "nothing == 'x'" } },
        to('Allow', 'web'),
      ),
      allowed: ['client > web tcp 80'],
    },
    {
      name: 'the first endpoint that a selector selects fills its set',
      resources: ingress({ action: 'Allow', source: { selector: 'has(vip)' } }),
      denied: ['client > web tcp 80'],
      then: [
        {
          workloads: { client: { labels: { vip: '' } } },
          resources: ingress({ action: 'Allow', source: { selector: 'has(vip)' } }),
          allowed: ['client > web tcp 81'],
          denied: ['db > web tcp 81'],
        },
        {
          resources: ingress({ action: 'Allow', source: { selector: 'has(vip)' } }),
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
