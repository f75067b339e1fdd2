import { DroverError } from '@network/net'

export const AllocationErrorCode = {
  /** Nothing (or not enough) is left for this node; `details.reason` says why, see NoAddressReason. */
  noAddress: 'no-address',
  /** The fixed address, the reservation or the handle is held by somebody else; `details.holder` says by whom. */
  taken: 'taken',
  /** The fixed address lies in an IPReservation. */
  reserved: 'reserved',
  /** The fixed address lies in no pool, or in none of those asked for; or a pool asked for doesn't exist. */
  notInPool: 'not-in-pool',
  poolDisabled: 'pool-disabled',
  /** The fixed or reserved address lies in a block that this node doesn't hold, and strictAffinity forbids to borrow. */
  strictAffinity: 'strict-affinity',
  /** A pool or address of one family was asked for where the other is needed. */
  family: 'family',
  /** The handle or the reservation already holds other addresses than those asked for. */
  mismatch: 'mismatch',
  /** A condition of `alongside` didn't hold; `details.key` names it. Nothing was written. */
  conditionFailed: 'condition-failed',
  /** Others kept changing the same blocks until the deadline. Nothing was written. */
  conflict: 'conflict',
  /** The store didn't answer a transaction in time: it may or may not be in force. Release by handle, or ask again. */
  unknownOutcome: 'unknown-outcome',
  /** No such reservation, or address that nobody holds. */
  notFound: 'not-found',
  /** What is to be released is still in use; `details.holder` says by whom. */
  inUse: 'in-use',
  /** The request itself is wrong: nothing asked for, a bad address, a name that can't be a key. */
  invalid: 'invalid',
} as const
export type AllocationErrorCode = (typeof AllocationErrorCode)[keyof typeof AllocationErrorCode]

/** Why there is no address. */
export const NoAddressReason = {
  /** No pool of the family exists, is enabled, is Automatic and selects this node. */
  noPool: 'no-pool',
  /** Every address of the eligible pools is held or reserved. */
  exhausted: 'exhausted',
  /** What is free still rests for ipCooldownSeconds. */
  cooldown: 'cooldown',
  /** The node's blocks are full and maxBlocksPerHost allows no further one. */
  blockLimit: 'block-limit',
  /** The node's blocks are full, none is free to claim, and strictAffinity forbids to borrow. */
  strictAffinity: 'strict-affinity',
  /** The node's blocks are full and autoAllocateBlocks is off. */
  autoAllocateBlocks: 'auto-allocate-blocks',
  /** What is free is spread over more blocks than one transaction can change. */
  scattered: 'scattered',
} as const
export type NoAddressReason = (typeof NoAddressReason)[keyof typeof NoAddressReason]

/** What every call of an Allocator fails with, besides StoreError. */
export class AllocationError extends DroverError {
  declare readonly code: AllocationErrorCode

  constructor(
    code: AllocationErrorCode,
    message: string,
    options: { remedy?: string; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(code, message, options)
  }
}
