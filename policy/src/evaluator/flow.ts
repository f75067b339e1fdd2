/**
 * The question and the answer of the evaluator: one packet that opens a flow, and why it gets through or doesn't, one
 * step for every place that judged it.
 */
import type { Family } from '@network/net'
import type { Protocol } from '@network/datastore/model'
import type { PolicyUpdate } from '../input.ts'

/** Of a node, as AgentConfiguration has them; what is absent is the built-in value. */
export interface NodeSettings {
  /** 'tcp:22', 'udp:53@10.0.0.0/8' */
  readonly failsafeInbound?: readonly string[]
  readonly failsafeOutbound?: readonly string[]
  readonly endpointToHostAction?: 'Drop' | 'Return' | 'Accept'
  /** Where the agent answers for names: '192.0.2.11', '[fd00::1]:5353' */
  readonly dnsListen?: readonly string[]
  /** The host's interfaces with their addresses, for HostEndpoints that name addresses alone. */
  readonly interfaces?: Readonly<Record<string, readonly string[]>>
  /** The interface towards other nodes and the world. Default: that of the node's one HostEndpoint, if there is one. */
  readonly uplink?: string
}

/** A state of the model. Of two updates of one resource the last counts. */
export interface EvaluatorModel {
  readonly resources: readonly PolicyUpdate[]
  readonly settings?: (node: string) => NodeSettings
  /** Judge as if every staged policy were in force. */
  readonly enforceStaged?: boolean
}

/**
 * One end of a flow: a workload by the name of its update (its key in the store), a host by its node's name, or an
 * address outside. `address` chooses one of several, and of a sender says what it claims to be. A destination given as
 * an address that a workload or a node has means that.
 */
export type Party =
  | { readonly is: 'workload'; readonly name: string; readonly address?: string }
  | { readonly is: 'host'; readonly node: string; readonly address?: string }
  /** `interfaceName`: of the node that it comes in at, if not the uplink. */
  | { readonly is: 'address'; readonly address: string; readonly interfaceName?: string }

export interface Flow {
  readonly from: Party
  readonly to: Party
  readonly family: Family
  readonly protocol: Protocol
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly icmp?: { readonly type: number; readonly code: number }
}

export type Stage =
  | 'source check'
  | 'untracked'
  | 'pre-DNAT'
  | 'translation'
  | 'forward'
  | 'policy'
  | 'profiles'
  | 'workload to host'
  | 'host to workload'
  | 'routing'

/** One place that had a say. A step with 'deny' is the last. */
export interface Step {
  readonly node: string
  /** 'WorkloadEndpoint <name>', 'HostEndpoint <name>', 'Node <name>' */
  readonly at: string
  readonly direction: 'ingress' | 'egress'
  readonly stage: Stage
  readonly tier?: string
  /** 'GlobalNetworkPolicy/web' */
  readonly policy?: string
  readonly profile?: string
  /** Place in the resource's list of rules, from 0. */
  readonly rule?: number
  /** 'pass': goes on to the next tier or place. */
  readonly action: 'allow' | 'deny' | 'pass' | 'log' | 'translate'
  /** A clause for people: 'its rule 2 allows', 'the end of the tier denies'. */
  readonly reason: string
}

export interface Verdict {
  readonly action: 'allow' | 'deny'
  readonly steps: readonly Step[]
  /** Past connection tracking at some host: answers are judged by themselves. */
  readonly untracked: boolean
}

export interface Evaluator {
  /** What becomes of the first packet of a flow, on every node that it meets. */
  judge(flow: Flow): Verdict
  /** What one workload's own policies and profiles say of a packet, whatever its way. */
  judgeEndpoint(name: string, direction: Step['direction'], packet: PacketAddresses): Verdict
}

/** A packet by its addresses alone. */
export interface PacketAddresses extends Omit<Flow, 'from' | 'to'> {
  readonly source: string
  readonly destination: string
}
