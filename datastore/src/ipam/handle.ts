import type { Family } from '@network/net'

/** Who an address is for: the identity of a workload endpoint. */
export interface Owner {
  readonly node: string
  readonly orchestrator: string
  readonly workload: string
  readonly endpoint: string
}

/** One address as its holder knows it. `sequence` is the block's guard: a release with another number frees nothing. */
export interface HeldAddress {
  readonly family: Family
  /** Without length: '10.0.0.5'. */
  readonly address: string
  /** '10.0.0.0/26' */
  readonly block: string
  readonly sequence: number
}

/** The value of a handle: addresses that were assigned, and will be released, together. */
export interface Handle {
  readonly id: string
  readonly owner: Owner
  readonly addresses: readonly HeldAddress[]
  /** The reservation by name that the addresses belong to, and go back to. */
  readonly reservation?: string
  /** ms since the epoch */
  readonly createdAt: number
}

/** The value of a reservation by name: addresses kept for a workload whether it runs or not. */
export interface Reservation {
  readonly name: string
  readonly addresses: readonly HeldAddress[]
  /** The handle that uses it now. */
  readonly heldBy?: string
  readonly owner?: Owner
  /** ms since the epoch */
  readonly createdAt: number
}
