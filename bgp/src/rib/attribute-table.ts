/**
 * Attribute sets: what a path says beside its prefix, kept once and known by an integer. A set is canonical bytes:
 * its next hop, a priority that an import policy may have given, and the attribute block with four-octet AS numbers.
 * What the decision process compares is read from the bytes when a set is new, into columns; the set as an object
 * (PathAttributes) is made only when a policy or a person asks, and not kept.
 */
import { decodeAttributes, encodeAttributes } from '../codec/attribute-block.ts'
import { plainContext } from '../codec/context.ts'
import { type PathAttributes } from '../codec/path-attributes.ts'
import { putU32 } from '../codec/writer.ts'
import { u32At } from '../codec/reader.ts'
import { emptyKeys, readKeys } from './attribute-keys.ts'
import { ByteInterner } from './byte-interner.ts'
import { growInt32, growUint16, growUint32, growUint8 } from './column.ts'
import { type NextHopTable } from './next-hop-table.ts'

/** The context of blocks in the table: internal peers may have every attribute. */
const canonicalContext = { ...plainContext, peerType: 'internal' } as const

/** In a set's first octet: whether a priority stands before the next hop, and the next hop's length. */
const priorityBit = 0x80
const nextHopLength = 0x3f
/** Octets before a block: its next hop's length, a priority, a next hop. */
const longestHead = 1 + 4 + 32

/** An attribute set as an object. */
export interface AttributeSet {
  /** Without NEXT_HOP. */
  readonly attributes: PathAttributes
  /** 0 (our own: each session's address), 4, 16 or 32 octets. */
  readonly nextHop: Uint8Array
  readonly priority: number | undefined
}

export class AttributeTable {
  readonly sets: ByteInterner
  readonly nextHops: NextHopTable
  flags = new Uint16Array(64)
  localPref = new Uint32Array(64)
  pathLength = new Uint16Array(64)
  origin = new Uint8Array(64)
  med = new Uint32Array(64)
  neighbourAs = new Uint32Array(64)
  originatorId = new Uint32Array(64)
  clusterLength = new Uint8Array(64)
  pathHash = new Int32Array(64)
  onlyToCustomer = new Uint32Array(64)
  nextHop = new Int32Array(64)
  readonly #keys = emptyKeys()

  constructor(nextHops: NextHopTable) {
    this.nextHops = nextHops
    this.sets = new ByteInterner((id) => {
      nextHops.release(this.nextHop[id] as number)
    })
  }

  get bytes(): number {
    return this.sets.bytes + this.nextHops.bytes + this.flags.length * 34
  }

  /** The set of a block with four-octet AS numbers, as received. Not held: retain it, or call releaseUnheld. */
  internBlock(block: Uint8Array, nextHop: Uint8Array, priority?: number): number {
    const scratch = this.sets.reserve(block.length + longestHead)
    let at = 1
    scratch[0] = nextHop.length
    if (priority !== undefined) {
      scratch[0] |= priorityBit
      putU32(scratch, 1, priority)
      at = 5
    }
    for (let i = 0; i < nextHop.length; i++) scratch[at++] = nextHop[i] as number
    const end = at + block.length
    for (let i = 0; i < block.length; i++) scratch[at + i] = block[i] as number
    const before = this.sets.size
    const id = this.sets.internReserved(end)
    if (this.sets.size !== before) this.#readKeys(id, scratch, at, end, nextHop)
    return id
  }

  /** The set of an object; its NEXT_HOP attribute is left out. */
  internSet({ attributes, nextHop, priority }: AttributeSet): number {
    return this.internBlock(encodeAttributes(withoutNextHop(attributes), canonicalContext), nextHop, priority)
  }

  /** The set as an object, made anew for each call. */
  read(id: number): AttributeSet {
    const nextHop = this.nextHopBytes(id).slice()
    const attributes = withoutNextHop(decodeAttributes(this.block(id), canonicalContext))
    return { attributes, nextHop, priority: this.priority(id) }
  }

  priority(id: number): number | undefined {
    const bytes = this.sets.view(id)
    return ((bytes[0] as number) & priorityBit) === 0 ? undefined : u32At(bytes, 1)
  }

  /** A view of the next hop. */
  nextHopBytes(id: number): Uint8Array {
    const page = this.sets.pageOf(id)
    const start = this.sets.startOf(id)
    const head = page[start] as number
    const at = start + nextHopAt(head)
    return page.subarray(at, at + (head & nextHopLength))
  }

  nextHopReachable(id: number): boolean {
    return this.nextHops.reachable[this.nextHop[id] as number] === 1
  }

  nextHopCost(id: number): number {
    return this.nextHops.cost[this.nextHop[id] as number] as number
  }

  /** A view of the attribute block. */
  block(id: number): Uint8Array {
    const page = this.sets.pageOf(id)
    const start = this.sets.startOf(id)
    const head = page[start] as number
    const at = start + nextHopAt(head) + (head & nextHopLength)
    return page.subarray(at, start + (this.sets.length[id] as number))
  }

  #readKeys(id: number, bytes: Uint8Array, start: number, end: number, nextHop: Uint8Array): void {
    if (id >= this.flags.length) this.#grow()
    const keys = this.#keys
    readKeys(bytes, start, end, keys)
    this.flags[id] = keys.flags
    this.localPref[id] = keys.localPref
    this.pathLength[id] = keys.pathLength
    this.origin[id] = keys.origin
    this.med[id] = keys.med
    this.neighbourAs[id] = keys.neighbourAs
    this.originatorId[id] = keys.originatorId
    this.clusterLength[id] = keys.clusterLength
    this.pathHash[id] = keys.pathHash
    this.onlyToCustomer[id] = keys.onlyToCustomer
    this.nextHop[id] = this.nextHops.acquire(nextHop)
  }

  #grow(): void {
    const capacity = this.sets.capacity
    this.flags = growUint16(this.flags, capacity)
    this.localPref = growUint32(this.localPref, capacity)
    this.pathLength = growUint16(this.pathLength, capacity)
    this.origin = growUint8(this.origin, capacity)
    this.med = growUint32(this.med, capacity)
    this.neighbourAs = growUint32(this.neighbourAs, capacity)
    this.originatorId = growUint32(this.originatorId, capacity)
    this.clusterLength = growUint8(this.clusterLength, capacity)
    this.pathHash = growInt32(this.pathHash, capacity)
    this.onlyToCustomer = growUint32(this.onlyToCustomer, capacity)
    this.nextHop = growInt32(this.nextHop, capacity)
  }
}

function nextHopAt(head: number): number {
  return (head & priorityBit) === 0 ? 1 : 5
}

export function withoutNextHop(attributes: PathAttributes): PathAttributes {
  if (attributes.nextHop === undefined) return attributes
  const { nextHop: _, ...rest } = attributes
  return rest
}
