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
