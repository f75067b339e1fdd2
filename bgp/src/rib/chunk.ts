/**
 * A chunk is a piece of an update group's log, encoded once: withdrawals first, then announcements packed by
 * attribute set, as many prefixes per message as fit. All members that come to the same place in the log read the
 * same bytes. What differs between members is only that nobody is told its own routes: the chunk knows, for each
 * member that is the source of something in it, the messages that member must get without some of their NLRI.
 */
import { cutNlri } from './cut-nlri.ts'
import { u16At } from '../codec/reader.ts'

/**
 * Four numbers each: start and end of a message, start and end of the NLRI to leave out. Where these are both the
 * start of the message, it is left out as a whole, and with it those that follow up to the end given.
 */
export type Cuts = readonly number[]

/** What the packer makes. */
export interface PackedMessages {
  readonly bytes: Uint8Array
  /** Offset of the first announcement. */
  readonly announcements: number
  /** By peer index. */
  readonly cuts: ReadonlyMap<number, Cuts>
  /** Withdrawals that one peer alone must get, because a route that it knew of another is now its own. */
  readonly owed: ReadonlyMap<number, Uint8Array>
}

export interface Chunk extends PackedMessages {
  /** Place in the log behind what is in the chunk. */
  readonly end: number
  /** Entries of the log that it was made of. */
  readonly entries: number
}

/** How far a member has read. */
export interface ChunkReading {
  readonly chunk: Chunk
  offset: number
  nextCut: number
  owedSent: boolean
}

/** The next whole messages of a chunk for a peer, up to about `maxBytes`; undefined at its end. */
export function readChunk(reading: ChunkReading, peer: number, maxBytes: number): Uint8Array | undefined {
  const { chunk } = reading
  const { bytes } = chunk
  const cuts = chunk.cuts.get(peer)
  while (reading.offset < bytes.length) {
    const cutAt = cuts?.[reading.nextCut]
    if (cuts === undefined || cutAt === undefined) return upTo(reading, bytes.length, maxBytes)
    if (cutAt < reading.offset) {
      reading.nextCut += 4
    } else if (cutAt > reading.offset) {
      return upTo(reading, cutAt, maxBytes)
    } else {
      const end = cuts[reading.nextCut + 1] as number
      if (cuts[reading.nextCut + 2] === cutAt) {
        reading.nextCut += 4
        reading.offset = end
        continue
      }
      const ranges: number[] = []
      for (; cuts[reading.nextCut] === cutAt; reading.nextCut += 4)
        ranges.push(
          (cuts[reading.nextCut + 2] as number) - cutAt,
          (cuts[reading.nextCut + 3] as number) - cutAt,
        )
      reading.offset = end
      const rest = cutNlri(bytes.subarray(cutAt, end), ranges)
      if (rest !== undefined) return rest
    }
  }
  if (reading.owedSent) return undefined
  reading.owedSent = true
  return chunk.owed.get(peer)
}

/** Whole messages from the reading's offset, to `end` or as many as `maxBytes` allows, one at least. */
function upTo(reading: ChunkReading, end: number, maxBytes: number): Uint8Array {
  const { bytes } = reading.chunk
  const start = reading.offset
  let to = end
  if (end - start > maxBytes) {
    to = start + u16At(bytes, start + 16)
    for (;;) {
      const next = to + u16At(bytes, to + 16)
      if (to >= end || next - start > maxBytes) break
      to = next
    }
  }
  reading.offset = to
  return bytes.subarray(start, to)
}
