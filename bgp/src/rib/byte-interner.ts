/**
 * Byte strings, each kept once and known by a small integer with a count of who holds it. The bytes lie in pages, in
 * runs of whole 16-byte units that are used again by size: no array object per string. A string that is looked for
 * stands at the beginning of `reserve`'s array, padded to whole words, so that hashing and comparing go by words.
 * Strings of equal hash bits are chained both ways through columns, so that one is taken out without reading the others.
 * Ids are used again too, and each use has its own generation, by which a cache notices that an id has become another
 * string.
 */
import { growInt32, growUint32, grownCapacity } from './column.ts'

const unitShift = 4
const wordsPerUnitShift = 2
const pageUnits = 16384
const pageShift = 14

/** The same memory as octets and as words. */
interface Page {
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

function newPage(length: number): Page {
  const bytes = new Uint8Array(length)
  return { bytes, words: new Int32Array(bytes.buffer) }
}

export class ByteInterner {
  capacity = 64
  /** Strings in it. */
  size = 0
  /** Ids ever given out lie below it. */
  top = 0
  generation = new Uint32Array(64)
  references = new Int32Array(64)
  length = new Int32Array(64)
  #location = new Uint32Array(64)
  #hash = new Int32Array(64)
  /** One more than the next string of the same bucket, or than the next free id; 0 ends it. */
  #next = new Int32Array(64)
  /** One more than the string before it in its bucket; 0: it is the first. */
  #previous = new Int32Array(64)
  /** One more than the first string of each bucket, 0 if there is none; a power of two of them. */
  #buckets = new Int32Array(64)
  /** One more than the id that became free last; 0: none. */
  #firstFree = 0
  #scratch = newPage(1024)
  #pages: Page[] = []
  #nextUnit = 0
  /** First free run of each size in units; a free run's first word names the next one. */
  #freeRuns: number[] = []
  readonly #onFree: (id: number) => void

  constructor(onFree: (id: number) => void = () => undefined) {
    this.#onFree = onFree
  }

  get bytes(): number {
    return this.#pages.length * (pageUnits << unitShift) + this.capacity * 28 + this.#buckets.byteLength
  }

  /** An array with room for `length` octets, to be written from 0 on and then given an id by `internReserved`. */
  reserve(length: number): Uint8Array {
    if (length + 4 > this.#scratch.bytes.length) this.#scratch = newPage((length + 1024) & ~1023)
    return this.#scratch.bytes
  }

  /** The id of bytes[0 … length): of an equal string, or a new one that nobody holds yet. The bytes are copied. */
  intern(bytes: Uint8Array, length = bytes.length): number {
    const scratch = this.reserve(length)
    for (let i = 0; i < length; i++) scratch[i] = bytes[i] as number
    return this.internReserved(length)
  }

  /** The id of the first `length` octets of the array that `reserve` gave. */
  internReserved(length: number): number {
    const { bytes, words } = this.#scratch
    for (let i = length; (i & 3) !== 0; i++) bytes[i] = 0
    const wordCount = (length + 3) >>> 2
    const hash = hashWords(words, wordCount, length)
    let known = (this.#buckets[hash & (this.#buckets.length - 1)] as number) - 1
    for (; known >= 0; known = (this.#next[known] as number) - 1)
      if (
        this.#hash[known] === hash &&
        this.length[known] === length &&
        this.#equals(known, words, wordCount)
      )
        return known
    if (this.size === this.#buckets.length) this.#rehash()
    const id = this.#newId()
    const bucket = hash & (this.#buckets.length - 1)
    this.#hash[id] = hash
    this.#link(id, bucket)
    this.length[id] = length
    this.#location[id] = this.#store(words, wordCount)
    this.references[id] = 0
    this.size++
    return id
  }

  retain(id: number): void {
    this.references[id] = (this.references[id] as number) + 1
  }

  /** Lets go of one hold; the last one frees the id. */
  release(id: number): void {
    const left = (this.references[id] as number) - 1
    this.references[id] = left
    if (left <= 0) this.#free(id)
  }

  /** Frees an id that nobody has taken hold of. */
  releaseUnheld(id: number): void {
    if (this.references[id] === 0) this.#free(id)
  }

  /** A view of the bytes; for reading only, and only while the id is held. */
  view(id: number): Uint8Array {
    const start = this.startOf(id)
    return this.pageOf(id).subarray(start, start + (this.length[id] as number))
  }

  /** The octets among which the string lies, from `startOf` on: what `view` shows, without an object made for it. */
  pageOf(id: number): Uint8Array {
    return (this.#pages[(this.#location[id] as number) >>> pageShift] as Page).bytes
  }

  startOf(id: number): number {
    return ((this.#location[id] as number) & (pageUnits - 1)) << unitShift
  }

  #free(id: number): void {
    this.#onFree(id)
    const next = this.#next[id] as number
    const previous = this.#previous[id] as number
    if (previous > 0) this.#next[previous - 1] = next
    else this.#buckets[(this.#hash[id] as number) & (this.#buckets.length - 1)] = next
    if (next > 0) this.#previous[next - 1] = previous
    this.#discard(this.#location[id] as number, unitsOf(this.length[id] as number))
    this.generation[id] = (this.generation[id] as number) + 1
    this.#next[id] = this.#firstFree
    this.#firstFree = id + 1
    this.size--
  }

  /** Makes a string the first of its bucket. */
  #link(id: number, bucket: number): void {
    const next = this.#buckets[bucket] as number
    this.#next[id] = next
    this.#previous[id] = 0
    if (next > 0) this.#previous[next - 1] = id + 1
    this.#buckets[bucket] = id + 1
  }

  #newId(): number {
    if (this.#firstFree > 0) {
      const free = this.#firstFree - 1
      this.#firstFree = this.#next[free] as number
      return free
    }
    const id = this.top++
    if (id >= this.capacity) {
      const capacity = grownCapacity(this.capacity, id + 1)
      this.generation = growUint32(this.generation, capacity)
      this.references = growInt32(this.references, capacity)
      this.length = growInt32(this.length, capacity)
      this.#location = growUint32(this.#location, capacity)
      this.#hash = growInt32(this.#hash, capacity)
      this.#next = growInt32(this.#next, capacity)
      this.#previous = growInt32(this.#previous, capacity)
      this.capacity = capacity
    }
    return id
  }

  #equals(id: number, wanted: Int32Array, count: number): boolean {
    const unit = this.#location[id] as number
    const { words } = this.#pages[unit >>> pageShift] as Page
    const start = (unit & (pageUnits - 1)) << wordsPerUnitShift
    for (let i = 0; i < count; i++) if (words[start + i] !== wanted[i]) return false
    return true
  }

  #store(from: Int32Array, count: number): number {
    const units = Math.max(1, (count + 3) >>> wordsPerUnitShift)
    const head = this.#freeRuns[units] ?? -1
    let unit = head
    if (head >= 0) {
      const { words } = this.#pages[head >>> pageShift] as Page
      this.#freeRuns[units] = words[(head & (pageUnits - 1)) << wordsPerUnitShift] as number
    } else {
      // A run lies within one page; what is left of a page that is too small for it goes to the free runs.
      const left = pageUnits - (this.#nextUnit & (pageUnits - 1))
      if (left < units && left < pageUnits) {
        this.#discard(this.#nextUnit, left)
        this.#nextUnit += left
      }
      unit = this.#nextUnit
      this.#nextUnit += units
      if (unit >>> pageShift >= this.#pages.length) this.#pages.push(newPage(pageUnits << unitShift))
    }
    const { words } = this.#pages[unit >>> pageShift] as Page
    const start = (unit & (pageUnits - 1)) << wordsPerUnitShift
    for (let i = 0; i < count; i++) words[start + i] = from[i] as number
    return unit
  }

  #discard(unit: number, units: number): void {
    const { words } = this.#pages[unit >>> pageShift] as Page
    words[(unit & (pageUnits - 1)) << wordsPerUnitShift] = this.#freeRuns[units] ?? -1
    this.#freeRuns[units] = unit
  }

  #rehash(): void {
    const old = this.#buckets
    this.#buckets = new Int32Array(old.length * 2)
    const mask = this.#buckets.length - 1
    for (let entry of old) {
      while (entry > 0) {
        const id = entry - 1
        entry = this.#next[id] as number
        this.#link(id, (this.#hash[id] as number) & mask)
      }
    }
  }
}

function unitsOf(length: number): number {
  return Math.max(1, (length + 15) >>> unitShift)
}

function hashWords(words: Int32Array, count: number, length: number): number {
  let h = length ^ 0x811c9dc5
  for (let i = 0; i < count; i++) {
    h = Math.imul(h ^ (words[i] as number), 0x9e3779b1)
    h ^= h >>> 15
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  return h ^ (h >>> 13)
}
