/** What two states of the model differ in, as flows: the answer of `compareFlows`. */
import type { Family } from '@network/net'
import type { PortRange } from '../port-range.ts'
import type { Flow } from './flow.ts'

/** Ends that are treated alike in both states. */
export type FlowEnd =
  | { readonly is: 'workloads'; readonly names: readonly string[] }
  | { readonly is: 'host'; readonly node: string }
  | { readonly is: 'addresses'; readonly nets: readonly AddressRange[] }

/** Addresses outside: all of `net` but those of `except`, and of our endpoints. */
export interface AddressRange {
  readonly net: string
  readonly except: readonly string[]
}

/** Flows that one state lets through and the other doesn't. What is absent is no condition. */
export interface FlowChange {
  /** 'gains': only the second state lets them through. */
  readonly change: 'gains' | 'loses'
  readonly from: readonly FlowEnd[]
  readonly to: readonly FlowEnd[]
  readonly families: readonly Family[]
  /** A number; 'other': every protocol but those of `exceptProtocols`. */
  readonly protocol?: number | 'other'
  /** Beside 'other': the protocols that are told about separately. */
  readonly exceptProtocols?: readonly number[]
  readonly sourcePorts?: readonly PortRange[]
  readonly destinationPorts?: readonly PortRange[]
  /** Without a code: every code that no rule in question names; 'other': so with types. */
  readonly icmp?: { readonly type: number; readonly code?: number } | 'other'
  /** One of them, for `judge`. */
  readonly example: Flow
}

export interface FlowComparison {
  readonly changes: readonly FlowChange[]
  /** False if there were more flows to judge than `maxFlows`: then there may be more changes. */
  readonly complete: boolean
  /** How many flows stood for all of them, in each state. */
  readonly judged: number
  /** Sentences: what was compared and what not. */
  readonly covers: string
}

export interface CompareOptions {
  /** How many flows are judged at most; default 200,000, which takes seconds. */
  readonly maxFlows?: number
}
