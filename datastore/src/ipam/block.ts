import { type Address, type Prefix, addressAt, ordinalOf, prefixContains } from '@network/net'
import { escapeSegment } from '../model/endpoint-name.ts'

/*
 * A block is a small network, usually of 64 addresses, whose allocations are one value in the store: the unit of
 * compare-and-swap. An address is named by its ordinal, its place in the block; every ordinal is usable, the first
 * and the last too, since nothing broadcasts on a routed /32. Functions here take a block and return a new one, or
 * the very same object if nothing changed; times come as arguments.
 */

/** What stands behind an ordinal that is held. */
export interface Allocation {
  /** The first characters of the holder's name, see holderOfHandle: they lead to it, they don't prove it. */
  readonly holder: string
  /** Together with the ordinal it is this allocation's name for ever: a release must bring it. */
  readonly sequence: number
}

export interface Block {
  readonly cidr: Prefix
  /** The node that hands out of this block and announces it; null if none does. */
  readonly affinity: string | null
  readonly allocations: ReadonlyMap<number, Allocation>
  /** Ordinals that nobody holds: taken from the front, returned at the back. */
  readonly free: readonly number[]
  /** When a free ordinal came back (ms since the epoch), as long as its cooldown may last. */
  readonly released: ReadonlyMap<number, number>
  /**
   * The sequence number of allocations made now. It grows with each write of the block, and a new block begins at
   * the store's revision, so that it never repeats for an ordinal, even if the block is deleted and made again.
   */
  readonly sequence: number
}

/** Time, for the cooldown. */
export interface Cooling {
  /** ms since the epoch */
  readonly now: number
  readonly cooldownMs: number
}

/** What may be taken from a block's queue. */
export interface TakeRules extends Cooling {
  readonly isReserved: (ordinal: number) => boolean
}

const holderLength = 8

/** How an allocation names a handle: as its key begins. */
export function holderOfHandle(handle: string): string {
  return escapeSegment(handle).slice(0, holderLength)
}

/** How an allocation names a reservation; no handle's key has an '@'. */
export function holderOfReservation(name: string): string {
  return `@${escapeSegment(name).slice(0, holderLength)}`
}

/** A block of which nothing is held yet. @param sequence the store's revision, or any later one */
export function createBlock(cidr: Prefix, affinity: string | null, sequence: number): Block {
  const free = Array.from({ length: blockCapacity(cidr) }, (_, ordinal) => ordinal)
  return { cidr, affinity, allocations: new Map(), free, released: new Map(), sequence }
}

/** How many addresses a network has that is narrow enough to be a block. */
export function blockCapacity(cidr: Prefix): number {
  return 2 ** ((cidr.address.family === 'ipv4' ? 32 : 128) - cidr.length)
}

/** The block as the next write may change it: its allocations will carry a sequence number of their own. */
export function advanceSequence(block: Block): Block {
  return { ...block, sequence: block.sequence + 1 }
}

/**
 * Takes up to `count` ordinals from the front of the queue, passing over the reserved and those that still rest.
 * The answer names those taken, perhaps none.
 */
export function takeFree(
  block: Block,
  count: number,
  holder: string,
  rules: TakeRules,
): { block: Block; ordinals: readonly number[] } {
  const ordinals: number[] = []
  for (const ordinal of block.free) {
    if (ordinals.length === count) break
    if (isTakeable(block, ordinal, rules)) ordinals.push(ordinal)
  }
  return { block: allocate(block, ordinals, holder), ordinals }
}

/** Takes this very ordinal whether it rests or not; undefined if it is held. */
export function takeOrdinal(block: Block, ordinal: number, holder: string): Block | undefined {
  return block.allocations.has(ordinal) ? undefined : allocate(block, [ordinal], holder)
}

function allocate(block: Block, ordinals: readonly number[], holder: string): Block {
  if (ordinals.length === 0) return block
  const taken = new Set(ordinals)
  const allocations = new Map(block.allocations)
  for (const ordinal of ordinals) allocations.set(ordinal, { holder, sequence: block.sequence })
  const released = ordinals.some((ordinal) => block.released.has(ordinal))
    ? new Map([...block.released].filter(([ordinal]) => !taken.has(ordinal)))
    : block.released
  return { ...block, allocations, free: block.free.filter((ordinal) => !taken.has(ordinal)), released }
}

/** Puts an ordinal at the back of the queue, if it is held under this very sequence number. */
export function giveBack(
  block: Block,
  ordinal: number,
  sequence: number,
  { now, cooldownMs }: Cooling,
): Block {
  if (block.allocations.get(ordinal)?.sequence !== sequence) return block
  const allocations = new Map(block.allocations)
  allocations.delete(ordinal)
  const released = new Map(
    [...block.released].filter(([other]) => restMs(block, other, { now, cooldownMs }) > 0),
  )
  if (cooldownMs > 0) released.set(ordinal, now)
  return { ...block, allocations, free: [...block.free, ordinal], released }
}

/** Gives the block to a node, or to none. */
export function withAffinity(block: Block, affinity: string | null): Block {
  return block.affinity === affinity ? block : { ...block, affinity }
}

/**
 * How long a free ordinal still rests, in ms; 0 if it may be taken. A release that lies further ahead than the
 * cooldown is long comes from a clock that was wrong, and doesn't count.
 */
export function restMs(block: Block, ordinal: number, { now, cooldownMs }: Cooling): number {
  const releasedAt = block.released.get(ordinal)
  if (releasedAt === undefined || releasedAt - now > cooldownMs) return 0
  return Math.max(0, releasedAt + cooldownMs - now)
}

function isTakeable(block: Block, ordinal: number, rules: TakeRules): boolean {
  return !rules.isReserved(ordinal) && (block.released.size === 0 || restMs(block, ordinal, rules) === 0)
}

/** Free ordinals by what may be done with them. */
export function countFree(
  block: Block,
  rules: TakeRules,
): { available: number; cooling: number; reserved: number } {
  let cooling = 0
  let reserved = 0
  for (const ordinal of block.free) {
    if (rules.isReserved(ordinal)) reserved++
    else if (restMs(block, ordinal, rules) > 0) cooling++
  }
  return { available: block.free.length - cooling - reserved, cooling, reserved }
}

export function isEmpty(block: Block): boolean {
  return block.allocations.size === 0
}

export function addressOfOrdinal(block: Block, ordinal: number): Address {
  return addressAt(block.cidr, ordinal)
}

/** The place of an address in the block; undefined if it lies elsewhere. */
export function ordinalInBlock(block: Block, address: Address): number | undefined {
  return prefixContains(block.cidr, address) ? ordinalOf(block.cidr, address) : undefined
}
