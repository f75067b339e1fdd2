/** Packets that a host endpoint may be asked about, and what becomes of them. */
import type { Rule } from '@network/datastore/model'
import type { AnyPolicySpec, PolicyUpdate } from '../../src/index.ts'
import { allow, deny, from, host, policy } from '../calc/updates.ts'
import type { JudgeCase } from './judge-cluster.ts'

const uplink = host('uplink', { interfaceName: 'eth0', labels: { role: 'host' } })
const farUplink = host('far', { node: 'there', interfaceName: 'eth0', labels: { role: 'host' } })
const everywhere = host('all', { interfaceName: '*', labels: { role: 'all' } })

const onHosts = (spec: Partial<AnyPolicySpec>): PolicyUpdate =>
  policy('p', { selector: "role == 'host'", ...spec })
const preDNAT = (...ingress: Rule[]): PolicyUpdate =>
  onHosts({ preDNAT: true, applyOnForward: true, ingress })
const untracked = (...ingress: Rule[]): PolicyUpdate =>
  onHosts({ doNotTrack: true, applyOnForward: true, ingress })

export const hostCases: readonly JudgeCase[] = [
  { name: 'a host without host endpoints', flow: ['stranger', 'here'], expected: 'allow' },
  {
    name: 'a host endpoint denies',
    add: [uplink],
    flow: ['stranger', 'here'],
    expected: 'deny',
    because: { at: 'HostEndpoint uplink', stage: 'profiles' },
  },
  {
    name: 'and what the host sends',
    add: [uplink],
    flow: ['here', 'stranger'],
    expected: 'deny',
    because: { direction: 'egress' },
  },
  { name: 'but not a failsafe port', add: [uplink], flow: ['stranger', 'here'], port: 22, expected: 'allow' },
  {
    name: 'and not outbound',
    add: [uplink],
    flow: ['here', 'stranger'],
    protocol: 'UDP',
    port: 53,
    expected: 'allow',
  },
  {
    name: 'a failsafe port within a network',
    add: [uplink],
    flow: ['stranger', 'here'],
    port: 22,
    settings: { failsafeInbound: ['tcp:22@198.51.100.0/24'] },
    expected: 'deny',
  },
  {
    name: 'the policy of a host endpoint',
    add: [uplink, onHosts({ ingress: [allow] })],
    flow: ['stranger', 'here'],
    expected: 'allow',
  },
  {
    name: 'a host endpoint by its address',
    add: [host('uplink', { expectedIPs: ['192.0.2.1'] })],
    flow: ['stranger', 'here'],
    settings: { interfaces: { eth9: ['192.0.2.1/24'.split('/')[0] ?? ''] }, uplink: 'eth9' },
    expected: 'deny',
  },
  {
    name: 'every interface',
    add: [everywhere],
    flow: ['stranger', 'here'],
    expected: 'deny',
    because: { at: 'HostEndpoint all' },
  },
  {
    name: 'its own wins over every',
    add: [everywhere, uplink, onHosts({ ingress: [allow] })],
    flow: ['stranger', 'here'],
    settings: { uplink: 'eth0' },
    expected: 'allow',
  },
  { name: 'loopback is nobody’s', add: [everywhere], flow: ['here', 'here'], expected: 'allow' },
  {
    name: 'a host endpoint lets through what it forwards',
    add: [uplink],
    flow: ['stranger', 'web'],
    expected: 'allow',
  },
  {
    name: 'unless a policy is for that',
    add: [uplink, onHosts({ applyOnForward: true, ingress: [from("app == 'x'")] })],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { stage: 'forward', direction: 'ingress' },
  },
  {
    name: 'outwards',
    add: [uplink, onHosts({ applyOnForward: true, egress: [deny] })],
    flow: ['web', 'stranger'],
    expected: 'deny',
    because: { stage: 'forward', direction: 'egress' },
  },
  {
    name: 'at the other node',
    add: [farUplink, onHosts({ applyOnForward: true, ingress: [deny] })],
    flow: ['web', 'db'],
    expected: 'deny',
    because: { node: 'there', stage: 'forward' },
  },
  {
    name: 'not between workloads of one node',
    add: [uplink, onHosts({ applyOnForward: true, ingress: [deny], egress: [deny] })],
    flow: ['web', 'mate'],
    expected: 'allow',
  },
  {
    name: 'what the pre-DNAT list denies',
    add: [uplink, preDNAT(deny)],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { stage: 'pre-DNAT' },
  },
  {
    name: 'what the pre-DNAT list allows is not asked again',
    add: [uplink, preDNAT(allow)],
    flow: ['stranger', 'here'],
    expected: 'allow',
  },
  {
    name: 'but by the workload',
    add: [uplink, preDNAT(allow), policy('q', { selector: "app == 'web'", ingress: [deny] })],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { at: 'WorkloadEndpoint web' },
  },
  {
    name: 'untracked',
    add: [uplink, untracked(allow)],
    flow: ['stranger', 'here'],
    expected: 'allow',
    untracked: true,
  },
  {
    name: 'untracked, denied',
    add: [uplink, untracked(deny)],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { stage: 'untracked' },
  },
  {
    name: 'untracked, undecided',
    add: [uplink, untracked(from("app == 'x'"))],
    flow: ['stranger', 'web'],
    expected: 'allow',
    untracked: false,
  },
  {
    name: 'untracked, the answer of a failsafe port',
    add: [uplink, untracked(deny), policy('q', { selector: "role == 'host'", ingress: [allow] })],
    flow: ['stranger', 'here'],
    protocol: 'UDP',
    port: 40_000,
    sourcePort: 53,
    expected: 'allow',
  },
  {
    name: 'a host sees its neighbour’s address and not the workload that was translated',
    add: [farUplink, onHosts({ ingress: [{ action: 'Allow', source: { nets: ['192.0.2.1/32'] } }] })],
    flow: ['web', 'there'],
    expected: 'allow',
  },
]
