import { growInt32, growUint8, grownCapacity } from './column.ts'

/** A queue of small integers, each in it at most once: what is dirty, in the order in which it became so. */
export class IdQueue {
  #ring = new Int32Array(64)
  #head = 0
  #size = 0
  #present = new Uint8Array(64)
  /** How many were ever taken out; with `size` it tells when what is in the queue now has been dealt with. */
  taken = 0

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#ring.byteLength + this.#present.byteLength
  }

  has(id: number): boolean {
    return this.#present[id] === 1
  }

  /** False if it is in the queue already. */
  push(id: number): boolean {
    if (id >= this.#present.length)
      this.#present = growUint8(this.#present, grownCapacity(this.#present.length, id + 1))
    if (this.#present[id] === 1) return false
    this.#present[id] = 1
    if (this.#size === this.#ring.length) this.#growRing()
    let tail = this.#head + this.#size
    if (tail >= this.#ring.length) tail -= this.#ring.length
    this.#ring[tail] = id
    this.#size++
    return true
  }

  /** The oldest one, or -1. */
  shift(): number {
    if (this.#size === 0) return -1
    const id = this.#ring[this.#head] as number
    if (++this.#head === this.#ring.length) this.#head = 0
    this.#size--
    this.taken++
    this.#present[id] = 0
    if (this.#size === 0) this.#shrink()
    return id
  }

  #growRing(): void {
    const old = this.#ring
    const ring = growInt32(new Int32Array(0), grownCapacity(old.length, old.length + 1))
    ring.set(old.subarray(this.#head))
    ring.set(old.subarray(0, this.#head), old.length - this.#head)
    this.#ring = ring
    this.#head = 0
  }

  /** An empty queue needn't keep the room of a flood. */
  #shrink(): void {
    this.#head = 0
    if (this.#ring.length > 0x10000) this.#ring = new Int32Array(64)
  }
}
