import { type ChangeLog } from './change-log.ts'
import { type Chunk } from './chunk.ts'

/** Octets of encoded chunks kept for members that come to the same place later. */
const mostBytes = 0x200000

interface Kept {
  readonly chunk: Chunk
  /** Length of the log when nothing in the chunk had changed yet. */
  exactAt: number
}

/** The chunks of a group by the place in the log where they begin; the oldest go first. */
export class ChunkCache {
  /** Octets in it. */
  bytes = 0
  readonly #log: ChangeLog
  readonly #chunks = new Map<number, Kept>()

  constructor(log: ChangeLog) {
    this.#log = log
  }

  /** The chunk that begins at a place, if it is exact: nothing in it has changed since it was packed. */
  get(place: number): Chunk | undefined {
    const kept = this.#chunks.get(place)
    if (kept === undefined) return undefined
    const { chunk, exactAt } = kept
    // Entries of a piece of the log only ever die.
    if (exactAt !== this.#log.end && this.#log.countLive(place, chunk.end) !== chunk.entries) {
      this.#forget(place, chunk)
      return undefined
    }
    kept.exactAt = this.#log.end
    return chunk
  }

  keep(place: number, chunk: Chunk): void {
    this.#chunks.set(place, { chunk, exactAt: this.#log.end })
    this.bytes += chunk.bytes.length
    for (const [oldest, kept] of this.#chunks) {
      if (this.bytes <= mostBytes) break
      this.#forget(oldest, kept.chunk)
    }
  }

  clear(): void {
    this.#chunks.clear()
    this.bytes = 0
  }

  #forget(place: number, { bytes }: Chunk): void {
    this.#chunks.delete(place)
    this.bytes -= bytes.length
  }
}
