import type { Family } from '@network/net'
import type { AuditReport } from '../ipam/audit-report.ts'
import type { HeldAddress, Owner, Reservation } from '../ipam/handle.ts'
import type { Condition, Operation } from '../store/store.ts'
import type { AllocationError } from './allocation-error.ts'

/** The caller's own keys, for the same transaction: they are written together with the addresses or not at all. */
export interface Alongside {
  readonly when: readonly Condition[]
  readonly then: readonly Operation[]
}

export interface AssignRequest {
  /**
   * Name of what is assigned, and the key to release it by; unique in the cluster. Begin it with what distinguishes
   * it (`<container id>.eth0`): the first characters lead from an address back to its handle.
   * Assigning a handle again answers what it already holds.
   */
  readonly handle: string
  readonly owner: Owner
  /** How many addresses of the family. Default 0. Fixed addresses count towards it. */
  readonly ipv4?: number
  readonly ipv6?: number
  /** Fixed addresses: '10.0.0.5'. They may come from any enabled pool and don't wait for the cooldown. */
  readonly addresses?: readonly string[]
  /** Names of IPPools to take from, in this order, Manual ones included. Default: every Automatic pool that selects the node. */
  readonly pools?: readonly string[]
  /** Only addresses inside these ranges, of each family that has one here: '10.40.8.0/24'. Fixed addresses are held to them too. */
  readonly within?: readonly string[]
  /** Name of a reservation: made if it doesn't exist yet, and its addresses are given whenever the name is used. */
  readonly reservation?: string
  /** Handles that come to belong to `owner` in the same transaction. */
  readonly takeOver?: TakeOver
  /** Take what is there if there is not enough; `Assignment.shortfall` says what is missing. Default false: all or nothing. */
  readonly partial?: boolean
  /**
   * Called for each attempt, perhaps several times; must have no effect of its own.
   * @param takenOver what the handles of `takeOver` hold
   */
  readonly alongside?: (assignment: Assignment, takenOver: readonly HeldAddress[]) => Alongside
  /** Milliseconds for everything, retries included. Default 5,000. */
  readonly deadlineMs?: number
}

export interface AssignedAddress extends HeldAddress {
  /** Name of the IPPool; undefined if it is gone since. */
  readonly pool: string | undefined
  /** It lies in a block that another node (or none) holds: it needs a route of its own. */
  readonly borrowed: boolean
}

export interface Assignment {
  readonly handle: string
  readonly owner: Owner
  readonly addresses: readonly AssignedAddress[]
  readonly reservation?: string
  /** The handle had them before: nothing was written now, `alongside` included. */
  readonly existing: boolean
  /**
   * The store's revision that made the handle: pass it to release() to be sure that nothing newer under the same
   * name is released. 0 inside `alongside`, where it isn't known yet.
   */
  readonly sequence: number
  /** With `partial`: what kept it from being complete, by family. */
  readonly shortfall: Readonly<Partial<Record<Family, AllocationError>>>
}

/** Handles that come to belong to somebody else, with the addresses that they hold. */
export interface TakeOver {
  readonly handles: readonly string[]
  /** Who has them now; somebody else is refused. Default: whoever. */
  readonly from?: (owner: Owner) => boolean
}

export interface TransferRequest extends TakeOver {
  readonly owner: Owner
  readonly alongside?: (held: readonly HeldAddress[]) => Alongside
  readonly deadlineMs?: number
}

export interface ReleaseRequest {
  readonly handle: string
  /** Release only what this assignment made (Assignment.sequence). */
  readonly sequence?: number
  /** Written in the same transaction; also when the handle was already gone, but not when it is stale. */
  readonly alongside?: (released: readonly HeldAddress[]) => Alongside
  readonly deadlineMs?: number
}

export interface Released {
  readonly handle: string
  /** `absent`: nobody held anything by this handle. `stale`: somebody newer does, nothing was done. */
  readonly outcome: 'released' | 'absent' | 'stale'
  readonly addresses: readonly HeldAddress[]
  /** Set if the addresses went back to this reservation instead of to their blocks. */
  readonly reservation?: string
}

export interface ReleaseAddressRequest {
  /** '10.0.0.5' */
  readonly address: string
  /** Release only the allocation with this number in its block. */
  readonly sequence?: number
  /** Release it although an endpoint uses it. */
  readonly force?: boolean
  readonly deadlineMs?: number
}

/** What is known about one address. */
export interface AddressState {
  readonly address: string
  readonly family: Family
  readonly pool: string | undefined
  readonly block: string | undefined
  /** The node whose block it is. */
  readonly affinity: string | undefined
  /** `cooling` until `availableAt`; `reserved` by an IPReservation; `outside` every pool. */
  readonly state: 'free' | 'held' | 'cooling' | 'reserved' | 'outside'
  readonly sequence?: number
  readonly holder?: Holder
  /** ms since the epoch */
  readonly availableAt?: number
}

/** Who holds an address: a handle with its owner, a reservation by name that nobody uses, or nobody known (a leak). */
export interface Holder {
  readonly handle?: string
  readonly owner?: Owner
  readonly reservation?: string
}

export interface AffinityClaim {
  readonly claimed: readonly string[]
  readonly failed: readonly { readonly block: string; readonly reason: string }[]
}

export interface AffinityRelease {
  /** Blocks that are gone, since they were empty. */
  readonly deleted: readonly string[]
  /** Blocks whose addresses stay held; no node holds the block now, and any may claim it. */
  readonly detached: readonly string[]
  readonly failed: readonly { readonly block: string; readonly reason: string }[]
}

/** Counts of addresses; bigint since IPv6 pools are wide. */
export interface Utilization {
  readonly capacity: bigint
  readonly inUse: bigint
  /** Free, but in an IPReservation. */
  readonly reserved: bigint
  /** Free, but resting for ipCooldownSeconds. */
  readonly cooling: bigint
  readonly available: bigint
}

export interface PoolUtilization extends Utilization {
  readonly name: string
  readonly cidr: string
  readonly family: Family
  readonly blockSize: number
  readonly disabled: boolean
  readonly blocks: readonly BlockUtilization[]
}

export interface BlockUtilization extends Utilization {
  readonly cidr: string
  readonly family: Family
  /** The node that holds it. */
  readonly affinity: string | undefined
  /** How many of `inUse` are held by workloads of other nodes. */
  readonly borrowed: bigint
}

export interface Show {
  readonly pools: readonly PoolUtilization[]
  /** Blocks in no present pool. */
  readonly orphans: readonly BlockUtilization[]
  /** By node: how many blocks and addresses, and how many of them borrowed from others. */
  readonly nodes: readonly {
    readonly node: string
    readonly blocks: number
    readonly addresses: number
    readonly borrowed: number
  }[]
}

/** What a node really has, as read from its kernel. */
export interface ActualState {
  readonly node: string
  readonly addresses: readonly string[]
}

export interface AuditRequest {
  /** Nodes that say what they really have. Endpoints of other nodes are believed. */
  readonly actual?: readonly ActualState[]
  /** Only findings about this node. Default: the whole cluster. */
  readonly node?: string
}

export interface RepairRequest {
  /** Repair at once. Default false: only what an earlier report found too, `graceSeconds` ago or longer. */
  readonly immediate?: boolean
  /** Default 900. */
  readonly graceSeconds?: number
}

export interface RepairOutcome {
  readonly finding: AuditReport['findings'][number]
  /** `waiting` for its second look; `changed` since the report, nothing was done; `unrepairable` by machine. */
  readonly outcome: 'repaired' | 'waiting' | 'changed' | 'unrepairable'
  /** What was done or what stands in the way, for a person. */
  readonly detail: string
}

export interface RepairReport {
  readonly outcomes: readonly RepairOutcome[]
}

/** Addresses for the workloads of one node. */
export interface Allocator {
  /**
   * Assigns addresses, writes the handle and the caller's keys: one transaction.
   * @throws AllocationError, StoreError; nothing is written then, save possibly after `unknown-outcome`
   */
  assign(request: AssignRequest): Promise<Assignment>
  /** Releases all that a handle holds, together with the caller's keys: one transaction. Releasing twice is no error. */
  release(request: ReleaseRequest): Promise<Released>
  /**
   * Gives handles another owner, together with the caller's keys: one transaction. Owners that are right already are no error.
   * @returns what the handles hold
   * @throws AllocationError `not-found`, `taken`, `condition-failed`; StoreError
   */
  transfer(request: TransferRequest): Promise<readonly HeldAddress[]>
  /** What a handle holds now; undefined if nothing. */
  get(handle: string): Promise<Assignment | undefined>

  /** Releases one address whoever holds it, for people. @throws AllocationError `in-use` if an endpoint has it and not `force` */
  releaseAddress(request: ReleaseAddressRequest): Promise<Released>
  /** Who has an address. @throws AllocationError `invalid` */
  lookup(address: string): Promise<AddressState>
  show(): Promise<Show>

  reservations(): Promise<readonly Reservation[]>
  /** Gives a reservation's addresses back. @throws AllocationError `not-found`, `in-use` */
  releaseReservation(name: string): Promise<Reservation>

  /** Claims every block of `cidr` for a node (default: this one). @throws AllocationError if `cidr` is smaller than a block or in no pool */
  claimAffinity(cidr: string, node?: string): Promise<AffinityClaim>
  /** Gives the node's blocks in `cidr` back; addresses in them stay held. */
  releaseAffinity(cidr: string, node?: string): Promise<AffinityRelease>
  /** Gives all blocks of a node back, as when it is deleted; addresses in them stay held. */
  releaseNode(node: string): Promise<AffinityRelease>

  audit(request?: AuditRequest): Promise<AuditReport>
  /** Repairs what a report found; every repair looks again in its own transaction. */
  repair(report: AuditReport, request?: RepairRequest): Promise<RepairReport>

  /** Waits for what is under way, then refuses further calls. The store stays open. */
  close(): Promise<void>
}
