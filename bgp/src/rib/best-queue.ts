import { type AttributeTable } from './attribute-table.ts'
import { firstAddress, secondAddress } from './address-text.ts'
import { type DecisionColumns, comparePeerAddresses, isMultipath } from './decision.ts'
import { growUint8, grownCapacity } from './column.ts'
import { type FamilyRib } from './family-rib.ts'
import { IdQueue } from './id-queue.ts'
import { isCandidate } from './loc-rib.ts'
import { localPeer } from './peer.ts'
import { type BestNextHop, type BestPathChange, type BestReader } from './rib.ts'

/**
 * One consumer's dirty set over the best paths. A prefix that comes and goes before it is taken is never told; one
 * that was told and is gone stays pinned until the consumer has heard of it.
 */
export class BestQueue implements BestReader {
  readonly #family: FamilyRib
  readonly #columns: DecisionColumns
  readonly #onClose: () => void
  readonly #dirty = new IdQueue()
  /** 1: the consumer was told of a best path. */
  #told = new Uint8Array(64)

  constructor(family: FamilyRib, columns: DecisionColumns, onClose: () => void) {
    this.#family = family
    this.#columns = columns
    this.#onClose = onClose
    for (let prefix = 0; prefix < family.prefixes.top; prefix++)
      if ((family.best[prefix] as number) >= 0) this.#dirty.push(prefix)
  }

  get pending(): boolean {
    return this.#dirty.size > 0
  }

  touch(prefix: number): void {
    this.#dirty.push(prefix)
  }

  take(limit = 1000): readonly BestPathChange[] {
    const changes: BestPathChange[] = []
    while (changes.length < limit) {
      const prefix = this.#dirty.shift()
      if (prefix < 0) break
      const isTold = this.#told[prefix] === 1
      const best = this.#family.best[prefix] as number
      if (best < 0 && !isTold) continue
      changes.push(bestPathChange(this.#family, this.#columns, prefix))
      if (best >= 0 && !isTold) this.#tell(prefix)
      if (best < 0) {
        this.#told[prefix] = 0
        this.#family.unpinPrefix(prefix)
      }
    }
    return changes
  }

  close(): void {
    for (let prefix = 0; prefix < this.#told.length; prefix++) {
      if (this.#told[prefix] === 1) this.#family.unpinPrefix(prefix)
      this.#told[prefix] = 0
    }
    this.#onClose()
  }

  #tell(prefix: number): void {
    if (prefix >= this.#told.length)
      this.#told = growUint8(this.#told, grownCapacity(this.#told.length, prefix + 1))
    this.#told[prefix] = 1
    this.#family.pinPrefix(prefix)
  }
}

function bestPathChange(family: FamilyRib, columns: DecisionColumns, id: number): BestPathChange {
  const prefix = family.prefixes.prefix(id)
  const best = family.best[id] as number
  if (best < 0) return { prefix, nextHops: [], local: false, peer: undefined, priority: undefined }
  const { paths, sets } = family
  const priority = sets.priority(paths.accepted[best] as number)
  const peer = paths.peer[best] as number
  if (peer === localPeer) return { prefix, nextHops: [], local: true, peer: undefined, priority }
  return { prefix, nextHops: nextHops(family, columns, id, best), local: false, peer, priority }
}

/** Next hops of the best path and of those that share its load, each once. */
function nextHops(family: FamilyRib, columns: DecisionColumns, prefix: number, best: number): BestNextHop[] {
  const { paths, sets } = family
  const { maximumPaths } = columns.options
  const hops: BestNextHop[] = []
  const seen = new Set<number>()
  const add = (path: number): void => {
    const set = paths.accepted[path] as number
    const id = sets.nextHop[set] as number
    if (seen.has(id)) return
    seen.add(id)
    const hop = nextHopOf(sets, set, paths.peer[path] as number)
    if (hop !== undefined) hops.push(hop)
  }
  add(best)
  if (maximumPaths > 1) {
    const others: number[] = []
    for (let path = family.firstPath[prefix] as number; path >= 0; path = paths.next[path] as number)
      if (path !== best && isCandidate(family, path) && isMultipath(columns, path, best)) others.push(path)
    // The order in which paths arrived must not show.
    others.sort(
      (a, b) =>
        comparePeerAddresses(columns.peers, paths.peer[a] as number, paths.peer[b] as number) ||
        paths.pathIdOf(a) - paths.pathIdOf(b) ||
        (paths.peer[a] as number) - (paths.peer[b] as number),
    )
    for (const path of others) if (hops.length < maximumPaths) add(path)
  }
  return hops
}

function nextHopOf(sets: AttributeTable, set: number, peer: number): BestNextHop | undefined {
  const bytes = sets.nextHopBytes(set)
  const address = firstAddress(bytes)
  return address && { address, linkLocal: secondAddress(bytes), peer }
}
