import { actor } from '../actors.ts'
import type { Rule } from '@network/datastore/model'
import {
  type Topic,
  allow,
  deny,
  hostEndpoint,
  named,
  outOfWeb,
  policy,
  profile,
  tcp,
  tier,
} from '../case.ts'

export const host = "host == 'yes'"
export const peerNets = ['10.250.0.2', 'fd00:250::2']
export const fromPeer = (action: Rule['action']): Rule => ({ action, source: { nets: peerNets } })

/** What passes whatever a host endpoint says. */
export const unaffected = [
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
        outOfWeb({ action: 'Allow', destination: { selector: host } }),
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

const untrackedDenial = policy('raw', {
  selector: host,
  doNotTrack: true,
  applyOnForward: true,
  ingress: [deny],
  egress: [deny],
})

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
        untrackedDenial,
        policy('early', { selector: host, preDNAT: true, applyOnForward: true, ingress: [deny] }),
      ],
      allowed: ['peer > host tcp 22', 'host > peer tcp 179', 'host > peer udp 53'],
      denied: ['peer > host tcp 23', 'host > peer tcp 22', 'peer:179 > host tcp 4001'],
    },
    {
      name: 'answers to them come back past untracked denials',
      resources: [hostEndpoint(), untrackedDenial],
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
      resources: [outOfWeb(tcp('Allow', 8080))],
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
      resources: [outOfWeb(tcp('Allow', 5353))],
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
