/**
 * Byte strings, each kept once and known by a small integer with a count of who holds it. The bytes lie in pages, in
 * runs of whole 16-byte units that are used again by size: no array object per string. Ids are used again too, and
 * each use has its own generation, by which a cache notices that an id has become another string.
 */
import { growInt32, growUint32, grownCapacity } from './column.ts'

const unitShift = 4
const pageUnits = 16384
const pageShift = 14

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
  #slots = new Int32Array(128)
  #freeId = -1
  #pages: Uint8Array[] = []
  #nextUnit = 0
  /** First free run of each size in units; a free run's first four bytes name the next one. */
  #freeRuns: number[] = []
  readonly #onFree: (id: number) => void

  constructor(onFree: (id: number) => void = () => undefined) {
    this.#onFree = onFree
  }

  get bytes(): number {
    return (
      this.#pages.reduce((sum, page) => sum + page.byteLength, 0) +
      this.capacity * 20 +
      this.#slots.byteLength
    )
  }

  /** The id of bytes[0 … length): of an equal string, or a new one that nobody holds yet. The bytes are copied. */
  intern(bytes: Uint8Array, length = bytes.length): number {
    const hash = hashBytes(bytes, length)
    const mask = this.#slots.length - 1
    let at = hash & mask
    for (;;) {
      const id = (this.#slots[at] as number) - 1
      if (id < 0) break
      if (this.#hash[id] === hash && this.length[id] === length && this.#equals(id, bytes, length)) return id
      at = (at + 1) & mask
    }
    const id = this.#newId()
    this.#hash[id] = hash
    this.length[id] = length
    this.#location[id] = this.#store(bytes, length)
    this.references[id] = 0
    this.#slots[at] = id + 1
    this.size++
    if (this.size * 4 > this.#slots.length * 3) this.#rehash()
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
    const unit = this.#location[id] as number
    const page = this.#pages[unit >>> pageShift] as Uint8Array
    const start = (unit & (pageUnits - 1)) << unitShift
    return page.subarray(start, start + (this.length[id] as number))
  }

  #free(id: number): void {
    this.#onFree(id)
    const mask = this.#slots.length - 1
    let at = (this.#hash[id] as number) & mask
    while (this.#slots[at] !== id + 1) at = (at + 1) & mask
    let hole = at
    for (let next = (at + 1) & mask; this.#slots[next] !== 0; next = (next + 1) & mask) {
      const home = (this.#hash[(this.#slots[next] as number) - 1] as number) & mask
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.#slots[hole] = this.#slots[next] as number
        hole = next
      }
    }
    this.#slots[hole] = 0
    this.#discard(this.#location[id] as number, this.length[id] as number)
    this.generation[id] = (this.generation[id] as number) + 1
    this.length[id] = this.#freeId
    this.#freeId = id
    this.size--
  }

  #newId(): number {
    const free = this.#freeId
    if (free >= 0) {
      this.#freeId = this.length[free] as number
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
      this.capacity = capacity
    }
    return id
  }

  #equals(id: number, bytes: Uint8Array, length: number): boolean {
    const unit = this.#location[id] as number
    const page = this.#pages[unit >>> pageShift] as Uint8Array
    const start = (unit & (pageUnits - 1)) << unitShift
    for (let i = 0; i < length; i++) if (page[start + i] !== bytes[i]) return false
    return true
  }

  #store(bytes: Uint8Array, length: number): number {
    const units = unitsOf(length)
    const head = this.#freeRuns[units] ?? -1
    let unit = head
    if (head >= 0) {
      this.#freeRuns[units] = this.#link(head).getInt32(0)
    } else {
      // A run lies within one page; what is left of a page that is too small for it goes to the free runs.
      const left = pageUnits - (this.#nextUnit & (pageUnits - 1))
      if (left < units && left < pageUnits) {
        this.#discardUnits(this.#nextUnit, left)
        this.#nextUnit += left
      }
      unit = this.#nextUnit
      this.#nextUnit += units
      if (unit >>> pageShift >= this.#pages.length) this.#pages.push(new Uint8Array(pageUnits << unitShift))
    }
    const page = this.#pages[unit >>> pageShift] as Uint8Array
    const start = (unit & (pageUnits - 1)) << unitShift
    for (let i = 0; i < length; i++) page[start + i] = bytes[i] as number
    return unit
  }

  #discard(unit: number, length: number): void {
    this.#discardUnits(unit, unitsOf(length))
  }

  #discardUnits(unit: number, units: number): void {
    this.#link(unit).setInt32(0, this.#freeRuns[units] ?? -1)
    this.#freeRuns[units] = unit
  }

  #link(unit: number): DataView {
    const page = this.#pages[unit >>> pageShift] as Uint8Array
    return new DataView(page.buffer, (unit & (pageUnits - 1)) << unitShift, 4)
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (const slot of this.#slots) {
      if (slot === 0) continue
      let at = (this.#hash[slot - 1] as number) & mask
      while (slots[at] !== 0) at = (at + 1) & mask
      slots[at] = slot
    }
    this.#slots = slots
  }
}

function unitsOf(length: number): number {
  return Math.max(1, (length + 15) >>> unitShift)
}

function hashBytes(bytes: Uint8Array, length: number): number {
  let h = length ^ 0x811c9dc5
  let i = 0
  for (; i + 4 <= length; i += 4) {
    const word =
      ((bytes[i] as number) << 24) |
      ((bytes[i + 1] as number) << 16) |
      ((bytes[i + 2] as number) << 8) |
      (bytes[i + 3] as number)
    h = Math.imul(h ^ word, 0x9e3779b1)
    h ^= h >>> 15
  }
  for (; i < length; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  return h ^ (h >>> 13)
}
