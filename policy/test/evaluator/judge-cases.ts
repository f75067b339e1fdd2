/** Packets and what becomes of them, on a small cluster where everything is open but for what a case adds. */
import type { Flow, NodeSettings, Party, PolicyUpdate, Step } from '../../src/index.ts'
import { allow, deny, from, host, policy, pool, profile, tier, workload } from '../calc/updates.ts'

const node = (name: string, ...addresses: string[]): PolicyUpdate => ({
  kind: 'Node',
  name,
  resource: { metadata: { name }, spec: { addresses: addresses.map((address) => ({ address })) } },
})
const staged = (name: string, spec: object): PolicyUpdate => {
  const { resource } = policy(name, spec) as Extract<
    PolicyUpdate,
    { kind: 'GlobalNetworkPolicy'; resource: unknown }
  >
  return { kind: 'StagedGlobalNetworkPolicy', name, resource }
}

/** Two nodes, two workloads each; everything open but for what a case adds. */
export const cluster: readonly PolicyUpdate[] = [
  node('here', '192.0.2.1', '2001:db8::1'),
  node('there', '192.0.2.2'),
  pool('inside', '10.0.0.0/16', true),
  profile('open', { ingress: [allow], egress: [allow] }),
  workload('web', { labels: { app: 'web' }, ipNetworks: ['10.0.0.1/32', 'fd00::1/128'], profiles: ['open'] }),
  workload('mate', { labels: { app: 'mate' }, ipNetworks: ['10.0.0.2/32'], profiles: ['open'] }),
  workload('db', { node: 'there', labels: { app: 'db' }, ipNetworks: ['10.0.1.1/32'], profiles: ['open'] }),
]

export const is = {
  web: { is: 'workload', name: 'web' },
  mate: { is: 'workload', name: 'mate' },
  db: { is: 'workload', name: 'db' },
  here: { is: 'host', node: 'here' },
  there: { is: 'host', node: 'there' },
  stranger: { is: 'address', address: '203.0.113.9' },
} satisfies Record<string, Party>
export type Name = keyof typeof is

export interface JudgeCase {
  readonly name: string
  readonly add?: readonly PolicyUpdate[]
  readonly flow: readonly [Name | Party, Name | Party, ...unknown[]]
  readonly protocol?: Flow['protocol']
  readonly port?: number
  readonly sourcePort?: number
  readonly icmp?: Flow['icmp']
  readonly family?: Flow['family']
  readonly settings?: NodeSettings
  readonly enforceStaged?: boolean
  readonly expected: 'allow' | 'deny'
  /** What the last step says. */
  readonly because?: Partial<Step>
  readonly untracked?: boolean
}

const uplink = host('uplink', { interfaceName: 'eth0', labels: { role: 'host' } })
const farUplink = host('far', { node: 'there', interfaceName: 'eth0', labels: { role: 'host' } })
const everywhere = host('all', { interfaceName: '*', labels: { role: 'all' } })

export const cases: readonly JudgeCase[] = [
  {
    name: 'open',
    flow: ['web', 'db'],
    expected: 'allow',
    because: { node: 'there', direction: 'ingress', profile: 'open', rule: 0 },
  },
  {
    name: "the sender's egress is judged on its node",
    add: [policy('p', { selector: "app == 'web'", types: ['Egress'], egress: [deny] })],
    flow: ['web', 'db'],
    expected: 'deny',
    because: {
      node: 'here',
      at: 'WorkloadEndpoint web',
      direction: 'egress',
      policy: 'GlobalNetworkPolicy/p',
      rule: 0,
    },
  },
  {
    name: "the receiver's ingress is judged on its node",
    add: [policy('p', { selector: "app == 'db'", ingress: [from("app == 'mate'")] })],
    flow: ['web', 'db'],
    expected: 'deny',
    because: { node: 'there', tier: 'default', reason: 'no policy of the tier decides, and its end denies' },
  },
  {
    name: 'both are judged on one node',
    add: [policy('p', { selector: "app == 'mate'", ingress: [deny] })],
    flow: ['web', 'mate'],
    expected: 'deny',
    because: { node: 'here', at: 'WorkloadEndpoint mate', direction: 'ingress' },
  },
  {
    name: 'a tier that passes at its end',
    add: [
      tier('soft', 1, 'Pass'),
      policy('p', { tier: 'soft', selector: "app == 'db'", ingress: [from("app == 'mate'")] }),
    ],
    flow: ['web', 'db'],
    expected: 'allow',
  },
  {
    name: 'a missing profile denies',
    add: [workload('lone', { ipNetworks: ['10.0.0.7/32'], profiles: ['nobody'] })],
    flow: ['web', { is: 'workload', name: 'lone' }],
    expected: 'deny',
    because: { profile: 'nobody', reason: 'nobody defined profile nobody' },
  },
  {
    name: 'no profile denies',
    add: [workload('lone', { ipNetworks: ['10.0.0.7/32'] })],
    flow: ['web', { is: 'workload', name: 'lone' }],
    expected: 'deny',
    because: { stage: 'profiles' },
  },
  {
    name: 'a spoofed source',
    flow: [{ is: 'workload', name: 'web', address: '10.0.0.2' }, 'db'],
    expected: 'deny',
    because: { stage: 'source check', at: 'WorkloadEndpoint web' },
  },
  {
    name: 'a source that it may send from',
    add: [
      workload('router', {
        ipNetworks: ['10.0.0.7/32'],
        profiles: ['open'],
        allowSpoofedSourcePrefixes: ['203.0.113.0/24'],
      }),
    ],
    flow: [{ is: 'workload', name: 'router', address: '203.0.113.1' }, 'db'],
    expected: 'allow',
  },
  {
    name: 'loopback from a workload',
    flow: ['web', { is: 'address', address: '127.0.0.1' }],
    expected: 'deny',
    because: { stage: 'source check' },
  },
  {
    name: 'a host to its own workload',
    add: [policy('p', { ingress: [deny] })],
    flow: ['here', 'web'],
    expected: 'allow',
    because: { stage: 'host to workload' },
  },
  {
    name: 'a host to the workload of another',
    add: [policy('p', { ingress: [deny] })],
    flow: ['here', 'db'],
    expected: 'deny',
    because: { node: 'there' },
  },
  {
    name: 'a workload to its host',
    flow: ['web', 'here'],
    expected: 'deny',
    because: { stage: 'workload to host' },
  },
  {
    name: 'a workload to its host that accepts',
    flow: ['web', 'here'],
    settings: { endpointToHostAction: 'Accept' },
    expected: 'allow',
  },
  {
    name: 'a workload to its host that accepts, but not egress',
    add: [policy('p', { egress: [deny], selector: "app == 'web'" })],
    flow: ['web', 'here'],
    settings: { endpointToHostAction: 'Accept' },
    expected: 'deny',
  },
  {
    name: 'a workload that asks its host for a name',
    flow: ['web', 'here'],
    settings: { dnsListen: ['192.0.2.1:1234'] },
    expected: 'allow',
    because: { stage: 'workload to host', reason: "the agent answers for names there ('dnsListen')" },
  },
  {
    name: 'a workload that asks its host for a name, but not egress',
    add: [policy('p', { egress: [deny], selector: "app == 'web'" })],
    flow: ['web', 'here'],
    protocol: 'UDP',
    port: 53,
    settings: { dnsListen: ['192.0.2.1'] },
    expected: 'deny',
  },
  {
    name: 'a workload that asks elsewhere',
    flow: ['web', 'here'],
    settings: { dnsListen: ['192.0.2.1', '192.0.2.2:1234'] },
    expected: 'deny',
  },
  {
    name: 'neighbours are found whatever policy says',
    add: [policy('p', { egress: [deny] })],
    flow: ['web', 'here'],
    family: 'ipv6',
    protocol: 'ICMPv6',
    icmp: { type: 135, code: 0 },
    expected: 'allow',
  },
  ...(
    [
      ['who may send without an address asks for one', ['0.0.0.0/32'], 67, 'allow'],
      ['the same for something else', ['0.0.0.0/32'], 69, 'deny'],
      ['who may send from everywhere is judged', ['0.0.0.0/0'], 67, 'deny'],
      ['others may not', [], 67, 'deny'],
    ] as const
  ).map(([name, allowSpoofedSourcePrefixes, port, expected]) => ({
    name: `DHCP: ${name}`,
    add: [
      workload('fresh', { allowSpoofedSourcePrefixes: [...allowSpoofedSourcePrefixes] }),
      policy('p', { egress: [deny] }),
    ],
    flow: [
      { is: 'workload', name: 'fresh', address: '0.0.0.0' } as const,
      { is: 'address', address: '255.255.255.255' } as const,
    ] as const,
    protocol: 'UDP' as const,
    sourcePort: 68,
    port,
    expected,
  })),
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
    add: [uplink, policy('p', { selector: "role == 'host'", ingress: [allow] })],
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
    add: [everywhere, uplink, policy('p', { selector: "role == 'host'", ingress: [allow] })],
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
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", applyOnForward: true, ingress: [from("app == 'x'")] }),
    ],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { stage: 'forward', direction: 'ingress' },
  },
  {
    name: 'outwards',
    add: [uplink, policy('p', { selector: "role == 'host'", applyOnForward: true, egress: [deny] })],
    flow: ['web', 'stranger'],
    expected: 'deny',
    because: { stage: 'forward', direction: 'egress' },
  },
  {
    name: 'at the other node',
    add: [farUplink, policy('p', { selector: "role == 'host'", applyOnForward: true, ingress: [deny] })],
    flow: ['web', 'db'],
    expected: 'deny',
    because: { node: 'there', stage: 'forward' },
  },
  {
    name: 'not between workloads of one node',
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", applyOnForward: true, ingress: [deny], egress: [deny] }),
    ],
    flow: ['web', 'mate'],
    expected: 'allow',
  },
  {
    name: 'what the pre-DNAT list denies',
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", preDNAT: true, applyOnForward: true, ingress: [deny] }),
    ],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { stage: 'pre-DNAT' },
  },
  {
    name: 'what the pre-DNAT list allows is not asked again',
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", preDNAT: true, applyOnForward: true, ingress: [allow] }),
    ],
    flow: ['stranger', 'here'],
    expected: 'allow',
  },
  {
    name: 'but by the workload',
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", preDNAT: true, applyOnForward: true, ingress: [allow] }),
      policy('q', { selector: "app == 'web'", ingress: [deny] }),
    ],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { at: 'WorkloadEndpoint web' },
  },
  {
    name: 'untracked',
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", doNotTrack: true, applyOnForward: true, ingress: [allow] }),
    ],
    flow: ['stranger', 'here'],
    expected: 'allow',
    untracked: true,
  },
  {
    name: 'untracked, denied',
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", doNotTrack: true, applyOnForward: true, ingress: [deny] }),
    ],
    flow: ['stranger', 'web'],
    expected: 'deny',
    because: { stage: 'untracked' },
  },
  {
    name: 'untracked, undecided',
    add: [
      uplink,
      policy('p', {
        selector: "role == 'host'",
        doNotTrack: true,
        applyOnForward: true,
        ingress: [from("app == 'x'")],
      }),
    ],
    flow: ['stranger', 'web'],
    expected: 'allow',
    untracked: false,
  },
  {
    name: 'untracked, the answer of a failsafe port',
    add: [
      uplink,
      policy('p', { selector: "role == 'host'", doNotTrack: true, applyOnForward: true, ingress: [deny] }),
      policy('q', { selector: "role == 'host'", ingress: [allow] }),
    ],
    flow: ['stranger', 'here'],
    protocol: 'UDP',
    port: 40_000,
    sourcePort: 53,
    expected: 'allow',
  },
  {
    name: 'a port of the host that leads to a workload: its policy sees the port inside',
    add: [
      workload('web', {
        labels: { app: 'web' },
        ipNetworks: ['10.0.0.1/32'],
        profiles: ['open'],
        portMappings: [{ protocol: 'TCP', hostPort: 8080, port: 80 }],
      }),
      policy('p', {
        selector: "app == 'web'",
        ingress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [80] } }],
      }),
    ],
    flow: ['stranger', 'here'],
    port: 8080,
    expected: 'allow',
    because: { at: 'WorkloadEndpoint web' },
  },
  {
    name: 'a host sees its neighbour’s address and not the workload that was translated',
    add: [
      farUplink,
      policy('p', {
        selector: "role == 'host'",
        ingress: [{ action: 'Allow', source: { nets: ['192.0.2.1/32'] } }],
      }),
    ],
    flow: ['web', 'there'],
    expected: 'allow',
  },
  {
    name: 'a staged policy does nothing',
    add: [staged('p', { ingress: [deny] })],
    flow: ['web', 'db'],
    expected: 'allow',
  },
  {
    name: 'unless it is asked for',
    add: [staged('p', { ingress: [deny] })],
    enforceStaged: true,
    flow: ['web', 'db'],
    expected: 'deny',
  },
  {
    name: 'a staged deletion',
    add: [policy('p', { ingress: [deny] }), staged('p', { stagedAction: 'Delete' })],
    enforceStaged: true,
    flow: ['web', 'db'],
    expected: 'allow',
  },
  {
    name: 'a staged policy that is to be ignored',
    add: [staged('p', { stagedAction: 'Ignore', ingress: [deny] })],
    enforceStaged: true,
    flow: ['web', 'db'],
    expected: 'allow',
  },
  {
    name: 'an address that is a workload’s is the workload',
    add: [policy('p', { selector: "app == 'db'", ingress: [deny] })],
    flow: ['web', { is: 'address', address: '10.0.1.1' }],
    expected: 'deny',
  },
  {
    name: 'no address of the family',
    flow: ['web', 'db'],
    family: 'ipv6',
    expected: 'deny',
    because: { stage: 'routing', reason: 'endpoint db has no IPv6 address' },
  },
  {
    name: 'nobody of that name',
    flow: [{ is: 'workload', name: 'x' }, 'db'],
    expected: 'deny',
    because: { stage: 'routing', reason: 'there is no endpoint x' },
  },
  {
    name: 'nowhere',
    flow: ['stranger', { is: 'address', address: '203.0.113.1' }],
    expected: 'deny',
    because: { stage: 'routing' },
  },
]
