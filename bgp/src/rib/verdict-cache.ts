import { type ByteInterner } from './byte-interner.ts'

/** Verdicts other than a set. */
export const Refused = -1
export const ByPrefix = -2

const none = new Int32Array(0)
const noGenerations = new Uint32Array(0)

/**
 * Remembers what a policy made of an attribute set: one entry per slot, slots picked by the set's id, so that memory
 * is bounded whatever the number of sets. Both ends are held to their generations: neither side is kept alive.
 */
export class VerdictCache {
  readonly #from: ByteInterner
  readonly #to: ByteInterner
  /** Slots; none until there is something to remember: most peers have one family, and many a single set. */
  #size = 0
  #misses = 0
  #key = none
  #keyGeneration = noGenerations
  #source = none
  #result = none
  #resultGeneration = noGenerations

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
    if (++this.#misses > this.#size * 2 && this.#size < 4096) this.#resize(Math.max(16, this.#size * 4))
    const at = id & (this.#size - 1)
    this.#key[at] = id
    this.#keyGeneration[at] = this.#from.generation[id] as number
    this.#source[at] = source
    this.#result[at] = result
    this.#resultGeneration[at] = result >= 0 ? (this.#to.generation[result] as number) : 0
  }

  clear(): void {
    this.#resize(0)
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
