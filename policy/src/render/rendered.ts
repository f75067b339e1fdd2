/**
 * What the drivers are told: chains of rules as argument arrays, by family and table, and sets with what came and went.
 * Only what changed is told; a chain is always told whole. Names are ready for the kernel.
 */
import type { Family } from '@network/net'

export const tables = ['raw', 'mangle', 'nat', 'filter'] as const
export type Table = (typeof tables)[number]

/** Where a rule comes from: the fault of a refused rule and the counters of an accepted one are told in these words. */
export interface RuleOrigin {
  readonly kind: 'policy' | 'profile'
  /** 'GlobalNetworkPolicy/web', or a profile's name. */
  readonly id: string
  readonly direction: 'inbound' | 'outbound'
  /** Place in the resource's list of rules, from 0. */
  readonly position: number
}

/** A rule of iptables without `-A` and the chain's name: `['-p', 'tcp', '-j', 'ACCEPT']`. */
export interface RenderedRule {
  readonly args: readonly string[]
  readonly origin?: RuleOrigin
  /** It counts what its origin decided: of the rules that one rule of a policy becomes, those that say the verdict. */
  readonly counts?: boolean
  /** Without it less is allowed, never more: if the kernel refuses it, it is left out. Any other becomes a drop. */
  readonly omissible?: boolean
  /**
   * Where it stands among the chain's rules doesn't matter: no packet meets two of them. True of all rules of a chain
   * or of none. Such a rule is added and taken away without touching the others.
   */
  readonly anywhere?: boolean
}

export type RenderedChain = readonly RenderedRule[]

/** By the chain's name; undefined: the chain is not wanted any more. */
export type ChainChanges = ReadonlyMap<string, RenderedChain | undefined>

export type SetType = 'hash:net' | 'hash:ip,port' | 'hash:net,iface' | 'bitmap:port'

/** A set of the kernel. Members are as the kernel prints them, except that a host prefix may carry its length. */
export interface RenderedSetChange {
  readonly type: SetType
  /** bitmap:port has none. */
  readonly family: Family | undefined
  /** True if the set was not wanted before: `added` is then all of it. */
  readonly created: boolean
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

export interface RenderedFamily {
  readonly chains: Readonly<Record<Table, ChainChanges>>
  /** Rules of ours in the kernel's own chains, by table and chain, if they changed: all of them, in order. */
  readonly jumps: Readonly<Record<Table, ReadonlyMap<string, RenderedChain>>>
}

export interface RenderedChanges {
  readonly families: Readonly<Record<Family, RenderedFamily>>
  /** By the set's name; undefined: the set is not wanted any more. */
  readonly sets: ReadonlyMap<string, RenderedSetChange | undefined>
}
