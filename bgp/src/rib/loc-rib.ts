/**
 * The decision process over dirty prefixes: unlinks what was withdrawn, selects the best path, and tells update
 * groups and readers of a change. It compares with what was best before, path and attribute set, so that whatever
 * has undone itself since the last time touches nobody.
 */
import { type DecisionColumns, isMultipath, selectBest } from './decision.ts'
import { growInt32 } from './column.ts'
import { type FamilyRib } from './family-rib.ts'
import { PathFlag } from './path-store.ts'
import { localPeer } from './peer.ts'

/** Whether a path takes part in the decision process: accepted, and its next hop reachable (RFC 4271 9.1.2.1). */
export function isCandidate(family: FamilyRib, path: number): boolean {
  const set = family.paths.accepted[path] as number
  return set >= 0 && family.sets.nextHopReachable(set)
}

export class LocRib {
  readonly #columns: DecisionColumns
  readonly #family: FamilyRib
  #candidates = new Int32Array(16)

  constructor(family: FamilyRib, columns: DecisionColumns) {
    this.#family = family
    this.#columns = columns
  }

  /** Decides one dirty prefix. While deferred, only own routes are candidates. False if nothing was dirty. */
  decideNext(deferred: boolean): boolean {
    const prefix = this.#family.dirty.shift()
    if (prefix < 0) return false
    this.#decide(prefix, deferred)
    this.#family.freeIfUnused(prefix)
    return true
  }

  /** Up to `limit` candidates in order of preference into `into`; returns how many. */
  rank(prefix: number, limit: number, into: number[]): number {
    let left = this.#collect(prefix, false)
    let ranked = 0
    while (left > 0 && ranked < limit) {
      const at = selectBest(this.#columns, this.#candidates, left)
      into[ranked++] = this.#candidates[at] as number
      this.#candidates[at] = this.#candidates[--left] as number
    }
    return ranked
  }

  #decide(prefix: number, deferred: boolean): void {
    const family = this.#family
    this.#unlinkRemoved(prefix)
    const count = this.#collect(prefix, deferred)
    const best =
      count === 0 ? -1 : (this.#candidates[selectBest(this.#columns, this.#candidates, count)] as number)
    const set = best < 0 ? -1 : (family.paths.accepted[best] as number)
    const multipath = best < 0 ? 0 : this.#multipathSignature(best, count)

    const bestChanged = best !== family.best[prefix] || set !== family.bestSet[prefix]
    const oldSet = family.bestSet[prefix] as number
    if (set !== oldSet) {
      if (set >= 0) family.sets.sets.retain(set)
      if (oldSet >= 0) family.sets.sets.release(oldSet)
    }
    family.best[prefix] = best
    family.bestSet[prefix] = set
    const { followers, readers } = family
    for (let i = 0; i < followers.length; i++) {
      const group = followers[i]
      if (group !== undefined && (bestChanged || group.addPath)) group.touch(prefix)
    }
    if (bestChanged || multipath !== family.multipath[prefix])
      for (const reader of readers) reader.touch(prefix)
    family.multipath[prefix] = multipath
  }

  #unlinkRemoved(prefix: number): void {
    const { paths, firstPath, followers } = this.#family
    let before = -1
    let path = firstPath[prefix] as number
    while (path >= 0) {
      const next = paths.next[path] as number
      if (((paths.flags[path] as number) & PathFlag.removed) === 0) {
        before = path
      } else {
        if (before < 0) firstPath[prefix] = next
        else paths.next[before] = next
        for (const group of followers) if (group.addPath) group.pathGone(path)
        paths.flags[path] = (paths.flags[path] as number) | PathFlag.unlinked
        this.#family.freePathIfUnused(path)
      }
      path = next
    }
  }

  #collect(prefix: number, deferred: boolean): number {
    const { firstPath, paths } = this.#family
    let count = 0
    for (let path = firstPath[prefix] as number; path >= 0; path = paths.next[path] as number) {
      if (!isCandidate(this.#family, path)) continue
      if (deferred && paths.peer[path] !== localPeer) continue
      if (count === this.#candidates.length) this.#candidates = growInt32(this.#candidates, count * 2)
      this.#candidates[count++] = path
    }
    return count
  }

  /** A sum over the next hops that share the load: the same for the same set, in whatever order. */
  #multipathSignature(best: number, count: number): number {
    if (this.#columns.options.maximumPaths < 2 || count < 2) return 0
    const { paths, sets } = this.#family
    let sum = 0
    for (let i = 0; i < count; i++) {
      const path = this.#candidates[i] as number
      if (path !== best && !isMultipath(this.#columns, path, best)) continue
      const hop = sets.nextHop[paths.accepted[path] as number] as number
      sum =
        (sum + Math.imul(hop + 1, 0x9e3779b1) + Math.imul((paths.peer[path] as number) + 1, 0x85ebca6b)) | 0
    }
    return sum
  }
}
