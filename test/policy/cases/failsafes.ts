import { type Topic, deny, hostEndpoint, policy } from '../case.ts'
import { host } from './hosts.ts'

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
