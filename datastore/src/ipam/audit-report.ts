import type { Family } from '@network/net'
import type { Owner } from './handle.ts'

interface AboutAddress {
  readonly address: string
  readonly family: Family
  readonly block: string
  readonly sequence: number
}

/** One way in which blocks, handles, endpoints and nodes disagree. */
export type AuditFinding = { readonly id: string; readonly node: string | undefined } & (
  | ({
      /** Allocated in its block, but no handle or reservation has it. */
      readonly kind: 'leaked-address'
    } & AboutAddress)
  | {
      /** A handle whose endpoint doesn't exist, or whose node doesn't have its addresses. */
      readonly kind: 'leaked-handle'
      readonly handle: string
      readonly owner: Owner
      readonly addresses: readonly string[]
      readonly reason: 'no-endpoint' | 'not-on-node'
      /** ms since the epoch */
      readonly createdAt: number
    }
  | ({
      /** A handle or reservation lists an address that its block doesn't hold for it. */
      readonly kind: 'handle-without-address'
      readonly handle?: string
      readonly reservation?: string
    } & AboutAddress)
  | {
      /** A workload endpoint (or, without `endpoint`, a node's interface) has an address that is not allocated. */
      readonly kind: 'endpoint-without-address'
      readonly address: string
      readonly family: Family
      /** The endpoint's key in the store. */
      readonly endpoint?: string
    }
  | {
      /** One address, several holders. */
      readonly kind: 'address-twice'
      readonly address: string
      readonly family: Family
      /** Keys of handles, reservations and endpoints, and `node <name>`. */
      readonly holders: readonly string[]
    }
  | {
      /** The block names a node that has no confirmed affinity for it. */
      readonly kind: 'block-without-affinity'
      readonly block: string
      readonly family: Family
    }
  | {
      /** A node's confirmed affinity for a block that doesn't exist or names another node. */
      readonly kind: 'affinity-without-block'
      readonly block: string
      readonly family: Family
    }
  | {
      /** An affinity that is on its way in or out: `pending` or `pendingDeletion`. */
      readonly kind: 'stale-affinity'
      readonly block: string
      readonly family: Family
      readonly state: string
    }
  | {
      /** A block without allocations that isn't its node's last of the family, or that no node holds. */
      readonly kind: 'empty-block'
      readonly block: string
      readonly family: Family
    }
  | {
      /** A value under an ipam key that can't be read. */
      readonly kind: 'unreadable'
      readonly key: string
      readonly reason: string
    }
)

export interface AuditReport {
  /** The revision of the store that was looked at. */
  readonly revision: number
  /** ms since the epoch */
  readonly takenAt: number
  readonly checked: {
    readonly blocks: number
    readonly addresses: number
    readonly handles: number
    readonly reservations: number
    readonly endpoints: number
    readonly nodes: readonly string[]
  }
  readonly findings: readonly AuditFinding[]
}
