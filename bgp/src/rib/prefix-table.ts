/**
 * The prefixes of one family and a dense integer for each. Keys lie in columns (one 32-bit word for IPv4, four for
 * IPv6, and the length); they are found by open addressing. The hash slots are cut into segments of equal size that
 * split one at a time as they fill (extendible hashing), so that growing to a million prefixes never stops for one
 * great rehash. Ids of prefixes that are gone are used again; who holds an id without holding a path pins it. Peers
 * mostly repeat prefixes in the order in which they came first: the id after the one found last is tried before hashing.
 */
import { type Prefix, ipv4, ipv6 } from '@network/net'
import { type AfiSafi, ipv4Unicast } from '../codec/iana.ts'
import { growInt32, growUint16, growUint32, growUint8, grownCapacity } from './column.ts'

const segmentSlots = 8192
const segmentLimit = 6144
/** Past this depth a segment grows by itself: prefixes chosen to collide cannot blow up the directory. */
const maximumDepth = 16

interface Segment {
  slots: Int32Array
  count: number
  depth: number
}

function newSegment(size: number, depth: number): Segment {
  return { slots: new Int32Array(size), count: 0, depth }
}

export class PrefixTable {
  readonly afiSafi: AfiSafi
  readonly wide: boolean
  /** Ids ever given out lie below it. */
  top = 0
  /** Prefixes in the table. */
  size = 0
  capacity = 64
  length = new Uint8Array(64)
  /** Who besides the paths needs the id: update groups and readers. */
  pins = new Uint16Array(64)
  #word0 = new Uint32Array(64)
  #word1 = new Uint32Array(0)
  #word2 = new Uint32Array(0)
  #word3 = new Uint32Array(0)
  /** Free ids, chained in the order in which they became free, so that they stay side by side; -1 ends it. An id in use holds -2. */
  #freeNext = new Int32Array(64)
  #freeHead = -1
  #freeTail = -1
  /** The id that was found last. */
  #last = -1
  #depth = 0
  #directory: Segment[] = [newSegment(segmentSlots, 0)]
  /** The prefix that read() or set() has left here; bits past the length are clear. */
  #k0 = 0
  #k1 = 0
  #k2 = 0
  #k3 = 0
  #kLength = 0

  constructor(afiSafi: AfiSafi) {
    this.afiSafi = afiSafi
    this.wide = afiSafi !== ipv4Unicast
    if (this.wide) {
      this.#word1 = new Uint32Array(64)
      this.#word2 = new Uint32Array(64)
      this.#word3 = new Uint32Array(64)
    }
  }

  get bytes(): number {
    let slots = 0
    for (let i = 0; i < this.#directory.length; i++) {
      const segment = this.#directory[i] as Segment
      if (i === 0 || this.#directory[i - 1] !== segment) slots += segment.slots.byteLength
    }
    return slots + this.capacity * (this.wide ? 23 : 11)
  }

  /** Reads length octet and prefix octets at `at` of checked NLRI as the key; returns the offset behind them. */
  read(bytes: Uint8Array, at: number): number {
    const length = bytes[at] as number
    const octets = (length + 7) >>> 3
    const from = at + 1
    this.#kLength = length
    if (!this.wide) {
      // Reading up to four octets past the prefix would be beyond the array: octets are taken one by one.
      let word = 0
      if (octets > 0) word = (bytes[from] as number) << 24
      if (octets > 1) word |= (bytes[from + 1] as number) << 16
      if (octets > 2) word |= (bytes[from + 2] as number) << 8
      if (octets > 3) word |= bytes[from + 3] as number
      this.#k0 = length === 0 ? 0 : (word & (-1 << (32 - length))) >>> 0
    } else {
      this.#k0 = wideWord(bytes, from, octets, length)
      this.#k1 = wideWord(bytes, from + 4, octets - 4, length - 32)
      this.#k2 = wideWord(bytes, from + 8, octets - 8, length - 64)
      this.#k3 = wideWord(bytes, from + 12, octets - 12, length - 96)
    }
    return from + octets
  }

  /** Takes a prefix of the table's family as the key. */
  set(prefix: Prefix): void {
    const { w0, w1, w2, w3 } = prefix.address
    this.#kLength = prefix.length
    this.#k0 = w0
    this.#k1 = w1
    this.#k2 = w2
    this.#k3 = w3
  }

  /** The id of the key, or -1. */
  find(): number {
    if (this.#isNext()) return ++this.#last
    const hash = this.#hashOfKey()
    const { slots } = this.#segment(hash)
    const mask = slots.length - 1
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const id = (slots[at] as number) - 1
      if (id < 0) return -1
      if (this.#isKey(id)) return (this.#last = id)
    }
  }

  /** The id of the key, which is added if it is new. */
  intern(): number {
    if (this.#isNext()) return ++this.#last
    const hash = this.#hashOfKey()
    let segment = this.#segment(hash)
    let mask = segment.slots.length - 1
    let at = hash & mask
    for (; ; at = (at + 1) & mask) {
      const id = (segment.slots[at] as number) - 1
      if (id < 0) break
      if (this.#isKey(id)) return (this.#last = id)
    }
    while (segment.count >= (segment.slots.length >>> 2) * 3) {
      this.#makeRoom(segment, hash)
      segment = this.#segment(hash)
      mask = segment.slots.length - 1
      at = hash & mask
      while (segment.slots[at] !== 0) at = (at + 1) & mask
    }
    const id = this.#newId()
    segment.slots[at] = id + 1
    segment.count++
    this.#last = id
    return id
  }

  /** Forgets an id that nobody holds any more. */
  free(id: number): void {
    const hash = this.#hashOf(id)
    const segment = this.#segment(hash)
    const { slots } = segment
    const mask = slots.length - 1
    let at = hash & mask
    while (slots[at] !== id + 1) at = (at + 1) & mask
    // Backward shift: what was pushed past this slot moves up, so that no tombstones are needed.
    let hole = at
    for (let next = (at + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = this.#hashOf((slots[next] as number) - 1) & mask
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        slots[hole] = slots[next] as number
        hole = next
      }
    }
    slots[hole] = 0
    segment.count--
    this.#freeNext[id] = -1
    if (this.#freeHead < 0) this.#freeHead = id
    else this.#freeNext[this.#freeTail] = id
    this.#freeTail = id
    this.size--
  }

  inUse(id: number): boolean {
    return id < this.top && this.#freeNext[id] === -2
  }

  /** Writes the NLRI of an id and returns the offset behind it. The caller makes sure of 17 octets of room. */
  put(id: number, buffer: Uint8Array, at: number): number {
    const length = this.length[id] as number
    buffer[at++] = length
    const octets = (length + 7) >>> 3
    let word = this.#word0[id] as number
    for (let i = 0; i < octets; i++) {
      if (i === 4) word = this.#word1[id] as number
      else if (i === 8) word = this.#word2[id] as number
      else if (i === 12) word = this.#word3[id] as number
      buffer[at++] = word >>> (24 - 8 * (i & 3))
    }
    return at
  }

  /** Word 0 to 3 of an id's address, most significant first. */
  word(id: number, index: 0 | 1 | 2 | 3): number {
    if (index === 0) return this.#word0[id] as number
    if (!this.wide) return 0
    const column = index === 1 ? this.#word1 : index === 2 ? this.#word2 : this.#word3
    return column[id] as number
  }

  /** The prefix as an object, for the edge of the API. */
  prefix(id: number): Prefix {
    const length = this.length[id] as number
    const w0 = this.#word0[id] as number
    if (!this.wide) return { address: ipv4(w0), length }
    return {
      address: ipv6(w0, this.#word1[id] as number, this.#word2[id] as number, this.#word3[id] as number),
      length,
    }
  }

  /** Whether the key is the prefix after the one found last. */
  #isNext(): boolean {
    const id = this.#last + 1
    return id < this.top && this.#isKey(id) && this.#freeNext[id] === -2
  }

  #isKey(id: number): boolean {
    if (this.#word0[id] !== this.#k0 || this.length[id] !== this.#kLength) return false
    return (
      !this.wide ||
      (this.#word1[id] === this.#k1 && this.#word2[id] === this.#k2 && this.#word3[id] === this.#k3)
    )
  }

  #hashOfKey(): number {
    return this.wide
      ? hashWide(this.#k0, this.#k1, this.#k2, this.#k3, this.#kLength)
      : hashNarrow(this.#k0, this.#kLength)
  }

  #hashOf(id: number): number {
    const length = this.length[id] as number
    const w0 = this.#word0[id] as number
    return this.wide
      ? hashWide(w0, this.#word1[id] as number, this.#word2[id] as number, this.#word3[id] as number, length)
      : hashNarrow(w0, length)
  }

  /** The directory goes by the hash's upper bits, slots by its lower ones. */
  #segment(hash: number): Segment {
    return this.#directory[this.#depth === 0 ? 0 : hash >>> (32 - this.#depth)] as Segment
  }

  #newId(): number {
    let id = this.#freeHead
    if (id >= 0) {
      this.#freeHead = this.#freeNext[id] as number
    } else {
      id = this.top++
      if (id >= this.capacity) this.#grow()
    }
    this.#freeNext[id] = -2
    this.length[id] = this.#kLength
    this.#word0[id] = this.#k0
    if (this.wide) {
      this.#word1[id] = this.#k1
      this.#word2[id] = this.#k2
      this.#word3[id] = this.#k3
    }
    this.size++
    return id
  }

  #grow(): void {
    const capacity = grownCapacity(this.capacity, this.capacity + 1)
    this.length = growUint8(this.length, capacity)
    this.pins = growUint16(this.pins, capacity)
    this.#freeNext = growInt32(this.#freeNext, capacity)
    this.#word0 = growUint32(this.#word0, capacity)
    if (this.wide) {
      this.#word1 = growUint32(this.#word1, capacity)
      this.#word2 = growUint32(this.#word2, capacity)
      this.#word3 = growUint32(this.#word3, capacity)
    }
    this.capacity = capacity
  }

  #makeRoom(segment: Segment, hash: number): void {
    if (segment.depth >= maximumDepth || segment.count < segmentLimit) {
      const bigger = new Int32Array(segment.slots.length * 2)
      for (const slot of segment.slots) if (slot !== 0) place(bigger, this.#hashOf(slot - 1), slot)
      segment.slots = bigger
      return
    }
    if (segment.depth === this.#depth) {
      this.#directory = this.#directory.flatMap((entry) => [entry, entry])
      this.#depth++
    }
    const depth = segment.depth + 1
    const halves = [newSegment(segmentSlots, depth), newSegment(segmentSlots, depth)] as const
    for (const slot of segment.slots) {
      if (slot === 0) continue
      const moved = this.#hashOf(slot - 1)
      const half = halves[((moved >>> (32 - depth)) & 1) as 0 | 1]
      place(half.slots, moved, slot)
      half.count++
    }
    const span = 1 << (this.#depth - segment.depth)
    const first = segment.depth === 0 ? 0 : (hash >>> (32 - segment.depth)) * span
    for (let i = 0; i < span; i++) this.#directory[first + i] = halves[i < span / 2 ? 0 : 1]
  }
}

function place(slots: Int32Array, hash: number, slot: number): void {
  const mask = slots.length - 1
  let at = hash & mask
  while (slots[at] !== 0) at = (at + 1) & mask
  slots[at] = slot
}

/** Up to four octets as a word, bits past `length` cleared. */
function wideWord(bytes: Uint8Array, from: number, octets: number, length: number): number {
  if (octets <= 0) return 0
  let word = (bytes[from] as number) << 24
  if (octets > 1) word |= (bytes[from + 1] as number) << 16
  if (octets > 2) word |= (bytes[from + 2] as number) << 8
  if (octets > 3) word |= bytes[from + 3] as number
  return (length >= 32 ? word : word & (-1 << (32 - length))) >>> 0
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Four prefixes side by side have slots side by side: tables are full of such, and a cache line serves them all. */
function hashNarrow(word: number, length: number): number {
  const number = length === 0 ? 0 : word >>> (32 - length)
  return ((mix((number >>> 2) ^ Math.imul(length + 1, 0x9e3779b1)) & ~3) | (number & 3)) >>> 0
}

function hashWide(w0: number, w1: number, w2: number, w3: number, length: number): number {
  let h = mix(w0 ^ Math.imul(length + 1, 0x9e3779b1))
  h = mix(h ^ w1)
  h = mix((h + 0x9e3779b1) ^ w2)
  return mix(h ^ w3)
}
