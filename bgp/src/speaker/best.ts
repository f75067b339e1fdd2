import { type Family, formatAddress, formatPrefix } from '@network/net'
import { type BestPathChange, type BestReader } from '../rib/rib.ts'
import { type PeerIndex } from '../rib/peer.ts'
import { type BestBatch, type BestChange } from './reports.ts'
import { isLinkLocal } from './network/zoned-address.ts'

/** Changes in one batch at most: what a consumer that is behind gets at once. */
const batchLimit = 4096

export interface BestHost {
  /** Every change that convergence brought has gone through the decision process. */
  isSettled(): boolean
  /** Name and device of a peer. */
  describePeer(index: PeerIndex): { readonly name: string; readonly device: string | undefined } | undefined
}

/**
 * The best routes of a family as an endless sequence of batches. What a slow consumer has not taken yet stays in the
 * RIB, where each prefix waits at most once.
 */
export class BestStream implements AsyncIterableIterator<BestBatch> {
  readonly #family: Family
  readonly #reader: BestReader
  readonly #host: BestHost
  readonly #closed: (stream: BestStream) => void
  #wanted: ((result: IteratorResult<BestBatch, undefined>) => void) | undefined
  #toldConverged = false
  #ended = false

  constructor(family: Family, reader: BestReader, host: BestHost, closed: (stream: BestStream) => void) {
    this.#family = family
    this.#reader = reader
    this.#host = host
    this.#closed = closed
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** One call at a time, as `for await` does. */
  next(): Promise<IteratorResult<BestBatch, undefined>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => {
      this.#wanted = resolve
      this.offer()
    })
  }

  return(): Promise<IteratorResult<BestBatch, undefined>> {
    this.close()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Answers a waiting consumer if there is something for it. */
  offer(): void {
    const wanted = this.#wanted
    if (wanted === undefined || this.#ended) return
    const turnedConverged = this.#host.isSettled() && !this.#toldConverged
    if (!this.#reader.pending && !turnedConverged) return
    const changes = this.#reader.take(batchLimit).map((change) => this.#change(change))
    const converged = this.#host.isSettled() && !this.#reader.pending
    if (changes.length === 0 && converged === this.#toldConverged) return
    this.#toldConverged = converged
    this.#wanted = undefined
    wanted({ done: false, value: { family: this.#family, changes, converged } })
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#reader.close()
    this.#wanted?.({ done: true, value: undefined })
    this.#wanted = undefined
    this.#closed(this)
  }

  #change({ prefix, nextHops, local, peer, priority }: BestPathChange): BestChange {
    return {
      prefix: formatPrefix(prefix),
      nextHops: nextHops.map((hop) => ({
        address: formatAddress(hop.address),
        interface: isLinkLocal(hop.address) ? this.#host.describePeer(hop.peer)?.device : undefined,
      })),
      local,
      peer: peer === undefined ? undefined : this.#host.describePeer(peer)?.name,
      ...(priority === undefined ? {} : { priority }),
    }
  }
}
