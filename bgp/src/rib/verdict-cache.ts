import { type ByteInterner } from './byte-interner.ts'

/** Verdicts other than a set. */
export const Refused = -1
export const ByPrefix = -2

/**
 * Remembers what a policy made of an attribute set: one entry per slot, slots picked by the set's id, so that memory
 * is bounded whatever the number of sets. Both ends are held to their generations: neither side is kept alive.
 */
export class VerdictCache {
  readonly #from: ByteInterner
  readonly #to: ByteInterner
  #size = 256
  #misses = 0
  #key = new Int32Array(256).fill(-1)
  #keyGeneration = new Uint32Array(256)
  #source = new Int32Array(256)
  #result = new Int32Array(256)
  #resultGeneration = new Uint32Array(256)

  constructor(from: ByteInterner, to: ByteInterner) {
    this.#from = from
    this.#to = to
  }

  /** The verdict on set `id` of `source`; undefined if it isn't known. */
  get(id: number, source: number): number | undefined {
    const at = id & (this.#size - 1)
    if (
      this.#key[at] !== id ||
      this.#source[at] !== source ||
      this.#keyGeneration[at] !== this.#from.generation[id]
    )
      return undefined
    const result = this.#result[at] as number
    if (result >= 0 && this.#resultGeneration[at] !== this.#to.generation[result]) return undefined
    return result
  }

  put(id: number, source: number, result: number): void {
    if (++this.#misses > this.#size * 2 && this.#size < 4096) this.#resize(this.#size * 4)
    const at = id & (this.#size - 1)
    this.#key[at] = id
    this.#keyGeneration[at] = this.#from.generation[id] as number
    this.#source[at] = source
    this.#result[at] = result
    this.#resultGeneration[at] = result >= 0 ? (this.#to.generation[result] as number) : 0
  }

  clear(): void {
    this.#resize(256)
  }

  #resize(size: number): void {
    this.#size = size
    this.#misses = 0
    this.#key = new Int32Array(size).fill(-1)
    this.#keyGeneration = new Uint32Array(size)
    this.#source = new Int32Array(size)
    this.#result = new Int32Array(size)
    this.#resultGeneration = new Uint32Array(size)
  }
}
