/** Packets from, to and between workloads, and what becomes of them. */
import type { PolicyUpdate } from '../../src/index.ts'
import { deny, from, policy, tier, workload } from '../calc/updates.ts'
import type { JudgeCase } from './judge-cluster.ts'

const staged = (name: string, spec: object): PolicyUpdate => {
  const { resource } = policy(name, spec) as Extract<
    PolicyUpdate,
    { kind: 'GlobalNetworkPolicy'; resource: unknown }
  >
  return { kind: 'StagedGlobalNetworkPolicy', name, resource }
}

export const workloadCases: readonly JudgeCase[] = [
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
