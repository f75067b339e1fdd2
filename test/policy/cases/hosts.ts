import { actor } from '../actors.ts'
import type { Rule } from '@network/datastore/model'
import {
  type Draft,
  type Topic,
  allow,
  deny,
  hostEndpoint,
  named,
  pass,
  policy,
  profile,
  tcp,
  tier,
} from '../case.ts'

const host = "host == 'yes'"
const peerNets = ['10.250.0.2', 'fd00:250::2']
const fromPeer = (action: Rule['action']): Rule => ({ action, source: { nets: peerNets } })

/** What passes whatever a host endpoint says. */
const unaffected = [
  'far > web tcp 8080',
  'web > far tcp 8080',
  'client > web tcp 8080',
  'host > web tcp 8080',
  'outside > web tcp 8080',
  'web > outside tcp 8080',
]

export const hostEndpoints: Topic = {
  topic: 'host endpoints',
  cases: [
    {
      name: 'without a host endpoint the host is open',
      allowed: [
        'peer > host tcp 8080',
        'outside > host udp 9',
        'host > peer tcp 8080',
        'host > outside echo',
        ...unaffected,
      ],
    },
    {
      name: 'with one, and without policy or profile, the host is closed but for failsafes; workloads are not touched',
      resources: [hostEndpoint()],
      allowed: [
        'peer > host tcp 22',
        'peer > host tcp 179',
        'outside > host tcp 2379',
        'host > peer tcp 179',
        'host > outside udp 53',
        ...unaffected,
      ],
      denied: [
        'peer > host tcp 8080',
        'peer > host echo',
        'outside > host udp 22',
        'host > peer tcp 8080',
        'host > outside echo',
      ],
    },
    {
      name: 'a profile',
      resources: [
        hostEndpoint({ profiles: ['http'] }),
        profile('http', { ingress: [tcp('Allow', 80)], egress: [tcp('Allow', 443)] }),
      ],
      allowed: ['peer > host tcp 80', 'host > outside tcp 443', ...unaffected],
      denied: ['peer > host tcp 443', 'host > outside tcp 80'],
    },
    {
      name: 'a profile that nobody defined denies',
      resources: [hostEndpoint({ profiles: ['nobody', 'open'] })],
      allowed: ['peer > host tcp 22', ...unaffected],
      denied: ['peer > host tcp 80', 'host > outside tcp 443'],
    },
    {
      name: 'a policy inbound',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        policy('p', { selector: host, ingress: [fromPeer('Allow')] }),
      ],
      allowed: ['peer > host tcp 8080', 'peer > host echo', 'host > outside tcp 80', ...unaffected],
      denied: ['outside > host tcp 8080', 'outside > host echo'],
    },
    {
      name: 'a policy outbound',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        policy('p', { selector: host, egress: [{ action: 'Allow', destination: { nets: peerNets } }] }),
      ],
      allowed: ['host > peer tcp 8080', 'outside > host tcp 8080', ...unaffected],
      denied: ['host > outside tcp 8080', 'host > outside echo'],
    },
    {
      name: 'every interface of the host',
      resources: [
        hostEndpoint({ interfaceName: '*' }),
        policy('p', { selector: host, ingress: [tcp('Allow', 8080)] }),
      ],
      allowed: ['peer > host tcp 8080', 'peer > host tcp 22', ...unaffected],
      denied: ['peer > host tcp 81', 'host > peer tcp 8080'],
    },
    {
      name: "an interface's own host endpoint wins over that of every interface",
      resources: [
        hostEndpoint({ interfaceName: '*', profiles: [] }, 'every'),
        hostEndpoint({ profiles: ['open'] }, 'uplink'),
      ],
      allowed: ['peer > host tcp 8080', 'host > outside tcp 80', ...unaffected],
    },
    {
      name: 'an interface found by its address',
      resources: [
        {
          kind: 'HostEndpoint',
          name: 'by-address',
          labels: { host: 'yes' },
          spec: { node: 'node1', expectedIPs: ['10.250.0.1'] },
        },
        policy('p', { selector: host, ingress: [tcp('Allow', 8080)] }),
      ],
      allowed: ['peer > host tcp 8080', ...unaffected],
      denied: ['peer > host tcp 81', 'host > peer tcp 81'],
    },
    {
      name: 'the host endpoint of another node is nothing to this one',
      resources: [hostEndpoint({ node: 'node2' }), policy('p', { selector: host, ingress: [deny] })],
      allowed: ['peer > host tcp 8080', 'host > peer tcp 8080', ...unaffected],
    },
    {
      name: 'tiers judge hosts as they judge workloads',
      resources: [
        hostEndpoint(),
        tier('first', 1),
        policy('a', { tier: 'first', selector: host, ingress: [tcp('Deny', 80), fromPeer('Pass')] }),
        policy('b', { selector: host, ingress: [tcp('Allow', 80, 443)] }),
      ],
      allowed: ['peer > host tcp 443', 'outside > host tcp 22'],
      denied: ['peer > host tcp 80', 'outside > host tcp 443', 'peer > host tcp 8080'],
    },
    {
      name: 'a policy for all selects hosts and workloads',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        policy('p', { selector: 'all()', ingress: [tcp('Allow', 80)] }),
      ],
      allowed: ['peer > host tcp 80', 'peer > web tcp 80', 'client > web tcp 80', 'host > web tcp 81'],
      denied: ['peer > host tcp 81', 'peer > web tcp 81', 'client > web tcp 81'],
    },
    {
      name: 'a host is found by selector under its addresses',
      settings: { endpointToHostAction: 'Accept' },
      resources: [
        hostEndpoint({ profiles: ['open'], expectedIPs: ['10.250.0.1', 'fd00:250::1'] }),
        {
          kind: 'HostEndpoint',
          name: 'other',
          labels: { other: 'yes' },
          spec: { node: 'node2', interfaceName: 'eth0', expectedIPs: peerNets },
        },
        policy('p', {
          selector: named('web'),
          egress: [{ action: 'Allow', destination: { selector: host } }],
        }),
        policy('q', {
          selector: named('db'),
          egress: [{ action: 'Allow', destination: { selector: 'has(other)' } }],
        }),
      ],
      allowed: ['web > host tcp 8080', 'db > peer tcp 8080'],
      denied: ['web > peer tcp 8080', 'db > host tcp 8080', 'web > client tcp 80', 'db > outside tcp 80'],
    },
    {
      name: 'named ports of a host',
      resources: [
        hostEndpoint({
          expectedIPs: ['10.250.0.1', 'fd00:250::1'],
          ports: [{ name: 'metrics', protocol: 'TCP', port: 9100 }],
        }),
        policy('p', { selector: host, ingress: [tcp('Allow', 'metrics')] }),
      ],
      allowed: ['peer > host tcp 9100'],
      denied: ['peer > host tcp 9101', 'peer > host udp 9100'],
    },
    {
      name: 'a host endpoint comes, gets a policy, loses it, and goes',
      allowed: ['peer > host tcp 80'],
      then: [
        { resources: [hostEndpoint()], denied: ['peer > host tcp 81'] },
        {
          resources: [hostEndpoint(), policy('p', { selector: host, ingress: [allow] })],
          allowed: ['peer > host tcp 82'],
          denied: ['host > peer tcp 82'],
        },
        { resources: [hostEndpoint()], denied: ['peer > host tcp 83'], allowed: unaffected },
        { allowed: ['peer > host tcp 84', 'host > peer tcp 84'] },
      ],
    },
  ],
}

const closed = [hostEndpoint(), policy('shut', { order: 1, selector: host, ingress: [deny], egress: [deny] })]

export const failsafes: Topic = {
  topic: 'failsafes',
  cases: [
    {
      name: 'the built-in ones stay open under a policy that denies everything',
      resources: closed,
      allowed: [
        ...[22, 179, 2379, 2380, 6443].map((port) => `peer > host tcp ${String(port)}`),
        'peer > host udp 68',
        ...[179, 2379, 2380, 6443].map((port) => `host > peer tcp ${String(port)}`),
        'host > peer udp 53',
        'host > peer udp 67',
      ],
      denied: [
        'peer > host tcp 23',
        'peer > host udp 22',
        'peer > host udp 53',
        'host > peer tcp 22',
        'host > peer tcp 53',
        'host > peer udp 68',
      ],
    },
    {
      name: 'other ports take their place',
      resources: closed,
      settings: { failsafeInbound: ['tcp:9999', 'udp:9998', 'sctp:9997'], failsafeOutbound: ['tcp:8888'] },
      allowed: [
        'peer > host tcp 9999',
        'peer > host udp 9998',
        'peer > host sctp 9997',
        'host > peer tcp 8888',
      ],
      denied: ['peer > host tcp 22', 'peer > host udp 9999', 'host > peer tcp 179', 'host > peer udp 53'],
    },
    {
      name: 'with one network alone',
      resources: closed,
      settings: {
        failsafeInbound: ['tcp:22@10.250.0.0/24', 'tcp:23@fd00:250::/64'],
        failsafeOutbound: ['udp:53@10.251.0.0/16'],
      },
      allowed: ['peer > host tcp 22 ipv4', 'peer > host tcp 23 ipv6', 'host > outside udp 53 ipv4'],
      denied: [
        'outside > host tcp 22',
        'peer > host tcp 22 ipv6',
        'peer > host tcp 23 ipv4',
        'host > peer udp 53',
        'host > outside udp 53 ipv6',
      ],
    },
    {
      name: 'none at all',
      resources: closed,
      settings: { failsafeInbound: [], failsafeOutbound: [] },
      denied: ['peer > host tcp 22', 'peer > host tcp 179', 'host > peer tcp 179', 'host > peer udp 53'],
      allowed: ['far > web tcp 22'],
    },
    {
      name: 'they are of the host, and not of its workloads',
      workloads: { web: { profiles: [] } },
      resources: closed,
      denied: ['outside > web tcp 22', 'client > web tcp 179', 'web > outside udp 53'],
      allowed: ['outside > db tcp 22'],
    },
    {
      name: 'what passes through the host has none',
      resources: [
        hostEndpoint(),
        policy('p', { selector: host, applyOnForward: true, ingress: [deny], egress: [deny] }),
      ],
      allowed: ['peer > host tcp 22', 'host > peer tcp 179', 'client > web tcp 22'],
      denied: ['outside > web tcp 22', 'web > outside tcp 179', 'far > web tcp 80'],
    },
    {
      name: 'untracked and early denials do not reach them',
      resources: [
        hostEndpoint(),
        policy('raw', {
          selector: host,
          doNotTrack: true,
          applyOnForward: true,
          ingress: [deny],
          egress: [deny],
        }),
        policy('early', { selector: host, preDNAT: true, applyOnForward: true, ingress: [deny] }),
      ],
      allowed: ['peer > host tcp 22', 'host > peer tcp 179', 'host > peer udp 53'],
      denied: ['peer > host tcp 23', 'host > peer tcp 22', 'peer:179 > host tcp 4001'],
    },
    {
      name: 'answers to them come back past untracked denials',
      resources: [
        hostEndpoint(),
        policy('raw', {
          selector: host,
          doNotTrack: true,
          applyOnForward: true,
          ingress: [deny],
          egress: [deny],
        }),
      ],
      allowed: ['host:4000 > peer udp 53', 'peer:4000 > host udp 68'],
      then: [{ tracked: { allowed: ['peer:53 > host udp 4000', 'host:68 > peer udp 4000'] } }],
    },
    {
      name: 'they change while a host endpoint stands',
      resources: closed,
      allowed: ['peer > host tcp 22'],
      denied: ['peer > host tcp 8022'],
      then: [
        {
          resources: closed,
          settings: { failsafeInbound: ['tcp:8022'], failsafeOutbound: [] },
          allowed: ['peer > host tcp 8022'],
          denied: ['outside > host tcp 22', 'host > peer tcp 179'],
        },
      ],
    },
  ],
}

const raw = (spec: object): Draft =>
  policy('raw', { selector: host, doNotTrack: true, applyOnForward: true, ...spec })

export const doNotTrack: Topic = {
  topic: 'doNotTrack',
  cases: [
    {
      name: 'what it allows in needs no other policy, and is not tracked: answers need a rule of their own',
      resources: [
        hostEndpoint(),
        raw({ ingress: [{ action: 'Allow', protocol: 'UDP', destination: { ports: [5000] } }] }),
      ],
      allowed: ['peer:4000 > host udp 5000'],
      denied: ['peer > host udp 5001', 'host:5000 > outside udp 4000'],
      then: [{ tracked: { denied: ['host:5000 > peer udp 4000'] } }],
    },
    {
      name: 'rules for both ways',
      resources: [
        hostEndpoint(),
        raw({
          ingress: [{ action: 'Allow', protocol: 'UDP', destination: { ports: [5000] } }],
          egress: [{ action: 'Allow', protocol: 'UDP', source: { ports: [5000] } }],
        }),
      ],
      allowed: ['peer:4000 > host udp 5000', 'host:5000 > outside udp 4001'],
      denied: ['peer > host tcp 5000', 'host:5001 > peer udp 4000'],
      then: [{ tracked: { allowed: ['host:5000 > peer udp 4000', 'peer:4000 > host udp 5000'] } }],
    },
    {
      name: 'what it denies no later policy can allow',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        raw({ ingress: [{ action: 'Deny', source: { nets: ['10.251.0.0/24', 'fd00:251::/64'] } }] }),
      ],
      allowed: ['peer > host tcp 80', 'far > web tcp 80'],
      denied: ['outside > host tcp 80', 'outside > web tcp 80', 'outside > client echo'],
    },
    {
      name: 'what it does not decide goes on to tracked policy',
      resources: [
        hostEndpoint(),
        raw({ ingress: [{ action: 'Allow', protocol: 'UDP' }], egress: [] }),
        policy('p', { selector: host, ingress: [tcp('Allow', 80)] }),
      ],
      allowed: ['peer > host udp 1', 'peer > host tcp 80', 'far > web tcp 81'],
      denied: ['peer > host tcp 81'],
    },
    {
      name: 'on the way out',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        raw({
          types: ['Egress'],
          egress: [{ action: 'Deny', protocol: 'TCP', destination: { ports: [25] } }],
        }),
      ],
      allowed: ['host > outside tcp 80', 'peer > host tcp 25', 'web > outside tcp 25'],
      denied: ['host > outside tcp 25'],
    },
    {
      name: 'what it allows through to a workload that workload still judges',
      workloads: { web: { profiles: ['http'] } },
      resources: [
        profile('http', { ingress: [tcp('Allow', 80)], egress: [allow] }),
        hostEndpoint(),
        raw({ ingress: [{ action: 'Allow', protocol: 'TCP' }] }),
        policy('through', { selector: host, applyOnForward: true, ingress: [deny] }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['outside > web tcp 81', 'outside > web udp 80', 'outside > db udp 80'],
    },
    {
      name: 'a tier before it passes',
      resources: [
        hostEndpoint(),
        tier('first', 1),
        policy('a', {
          tier: 'first',
          selector: host,
          doNotTrack: true,
          applyOnForward: true,
          ingress: [fromPeer('Pass')],
        }),
        raw({ ingress: [{ action: 'Allow', protocol: 'UDP' }] }),
      ],
      allowed: ['peer > host udp 80'],
      denied: ['peer > host tcp 80'],
    },
  ],
}

const mapped = { web: { portMappings: [{ protocol: 'TCP', hostPort: 8080, port: 80 }] } } as const
const early = (ingress: readonly Rule[]): Draft =>
  policy('early', { selector: host, preDNAT: true, applyOnForward: true, ingress })

export const preDNAT: Topic = {
  topic: 'preDNAT',
  cases: [
    {
      name: 'it sees the port that the sender wrote',
      workloads: mapped,
      resources: [hostEndpoint({ profiles: ['open'] }), early([tcp('Deny', 8080)])],
      allowed: ['outside > web tcp 80', 'outside > host tcp 8081'],
      denied: ['outside > host tcp 8080 at web:80'],
    },
    {
      name: 'it does not see the port of the workload',
      workloads: mapped,
      resources: [hostEndpoint({ profiles: ['open'] }), early([tcp('Deny', 80)])],
      allowed: ['outside > host tcp 8080 at web:80'],
      denied: ['outside > host tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a mapped port for one client alone',
      workloads: mapped,
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        early([{ ...tcp('Allow', 8080), source: { nets: peerNets } }, tcp('Deny', 8080)]),
      ],
      allowed: ['peer > host tcp 8080 at web:80', 'outside > host tcp 9090'],
      denied: ['outside > host tcp 8080 at web:80'],
    },
    {
      name: 'what it allows no other policy of the interface is asked about',
      resources: [
        hostEndpoint(),
        early([{ ...tcp('Allow', 8080), source: { nets: peerNets } }]),
        policy('through', { selector: host, applyOnForward: true, ingress: [deny] }),
      ],
      allowed: ['peer > host tcp 8080', 'peer > web tcp 8080'],
      denied: [
        'peer > host tcp 8081',
        'outside > host tcp 8080',
        'outside > web tcp 8080',
        'peer > web tcp 8081',
      ],
    },
    {
      name: 'what it does not decide goes on',
      resources: [hostEndpoint({ profiles: ['open'] }), early([tcp('Deny', 25)])],
      allowed: ['peer > host tcp 80', 'outside > web tcp 80', 'host > outside tcp 25'],
      denied: ['peer > host tcp 25', 'outside > web tcp 25'],
    },
    {
      name: 'a tier passes to the next',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        tier('first', 1),
        policy('a', {
          tier: 'first',
          selector: host,
          preDNAT: true,
          applyOnForward: true,
          ingress: [fromPeer('Pass'), tcp('Deny', 80)],
        }),
        early([tcp('Deny', 81)]),
      ],
      allowed: ['peer > host tcp 80'],
      denied: ['outside > host tcp 80', 'peer > host tcp 81', 'outside > host tcp 81'],
    },
  ],
}

const through = (spec: object): Draft => policy('through', { selector: host, applyOnForward: true, ...spec })

export const applyOnForward: Topic = {
  topic: 'applyOnForward',
  cases: [
    {
      name: 'without such a policy what passes through is not judged',
      resources: [hostEndpoint(), policy('p', { selector: host, ingress: [deny], egress: [deny] })],
      allowed: unaffected,
      denied: ['peer > host tcp 80'],
    },
    {
      name: 'inbound',
      resources: [hostEndpoint({ profiles: ['open'] }), through({ ingress: [tcp('Allow', 80)] })],
      allowed: ['outside > web tcp 80', 'web > outside tcp 81', 'client > web tcp 81', 'host > web tcp 81'],
      denied: ['outside > web tcp 81', 'far > web tcp 81', 'peer > host tcp 81'],
    },
    {
      name: 'outbound',
      resources: [hostEndpoint({ profiles: ['open'] }), through({ egress: [tcp('Allow', 80)] })],
      allowed: ['web > outside tcp 80', 'outside > web tcp 81', 'client > web tcp 81'],
      denied: ['web > outside tcp 81', 'web > far tcp 81', 'host > outside tcp 81'],
    },
    {
      name: 'what it allows the workload still judges',
      workloads: { web: { profiles: [] } },
      resources: [hostEndpoint({ profiles: ['open'] }), through({ ingress: [allow], egress: [allow] })],
      allowed: ['outside > db tcp 80', 'db > outside tcp 80'],
      denied: ['outside > web tcp 80', 'web > outside tcp 80'],
    },
    {
      name: 'a tier that passes at its end lets it go on',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        tier('first', 1, 'Pass'),
        policy('a', { tier: 'first', selector: host, applyOnForward: true, ingress: [tcp('Deny', 25)] }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['outside > web tcp 25'],
    },
    {
      name: 'all tiers pass: what passes through goes on, whatever the profiles',
      resources: [hostEndpoint(), through({ ingress: [pass] })],
      allowed: ['outside > web tcp 80'],
      denied: ['peer > host tcp 80'],
    },
    {
      name: 'policies that are not for what passes through do not end its tier',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        policy('own', { order: 1, selector: host, ingress: [tcp('Allow', 22)] }),
        through({ order: 2, ingress: [tcp('Deny', 25), pass] }),
      ],
      allowed: ['outside > web tcp 80', 'peer > host tcp 80'],
      denied: ['outside > web tcp 25', 'peer > host tcp 25'],
    },
    {
      name: 'on every interface of the host',
      resources: [
        hostEndpoint({ interfaceName: '*', profiles: ['open'] }),
        through({ ingress: [tcp('Deny', 25), pass] }),
      ],
      allowed: ['outside > web tcp 80', 'client > web tcp 25', 'web > outside tcp 25'],
      denied: ['outside > web tcp 25', 'peer > host tcp 25'],
    },
  ],
}

export const endpointToHost: Topic = {
  topic: 'from a workload to its host',
  cases: [
    {
      name: 'dropped by default',
      allowed: ['host > web tcp 80', 'web > peer tcp 80'],
      denied: ['web > host tcp 8080', 'web > host udp 9', 'web > host echo'],
    },
    {
      name: 'accepted',
      settings: { endpointToHostAction: 'Accept' },
      allowed: ['web > host tcp 8080', 'web > host udp 9', 'web > host echo'],
    },
    {
      name: "left to the host's own rules",
      settings: { endpointToHostAction: 'Return' },
      allowed: ['web > host tcp 8080', 'client > host sctp 9'],
    },
    {
      name: 'outbound policy comes first',
      settings: { endpointToHostAction: 'Accept' },
      resources: [policy('p', { selector: named('web'), egress: [tcp('Allow', 8080)] })],
      allowed: ['web > host tcp 8080', 'db > host tcp 80'],
      denied: ['web > host tcp 80', 'web > host echo'],
    },
    {
      name: 'a workload without profiles reaches nothing of its host',
      workloads: { web: { profiles: [] } },
      settings: { endpointToHostAction: 'Accept' },
      denied: ['web > host tcp 8080', 'web > host tcp 22'],
    },
    {
      name: 'the host endpoint of every interface is not asked about workloads',
      settings: { endpointToHostAction: 'Return' },
      resources: [hostEndpoint({ interfaceName: '*' })],
      allowed: ['web > host tcp 8080'],
      denied: ['peer > host tcp 8080'],
    },
    {
      name: 'names are asked for where the agent answers',
      settings: { dnsListen: [actor('host').ipv4, `[${actor('host').ipv6}]`] },
      allowed: ['web > host udp 53', 'web > host tcp 53', 'client > host udp 53'],
      denied: ['web > host udp 54', 'web > host tcp 80', 'web > host echo', 'web as client > host udp 53'],
      then: [{ denied: ['web > host udp 53', 'web > host tcp 53'] }],
    },
    {
      name: 'to ask for names outbound policy must allow it; no other port is opened',
      settings: { dnsListen: [`${actor('host').ipv4}:5353`, `[${actor('host').ipv6}]:5353`] },
      resources: [policy('p', { selector: named('web'), egress: [tcp('Allow', 5353)] })],
      allowed: ['web > host tcp 5353', 'db > host udp 5353'],
      denied: ['web > host udp 5353', 'db > host udp 53'],
    },
    {
      name: 'the action changes',
      denied: ['web > host tcp 8080'],
      then: [
        { settings: { endpointToHostAction: 'Accept' }, allowed: ['web > host tcp 8081'] },
        { settings: { endpointToHostAction: 'Drop' }, denied: ['web > host tcp 8082'] },
      ],
    },
  ],
}
