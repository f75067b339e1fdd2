import { type Family } from '@network/net'
import { type AfiSafi } from '../codec/iana.ts'
import { type AttributeTable } from './attribute-table.ts'
import { type ByteInterner } from './byte-interner.ts'
import { growInt32 } from './column.ts'
import { IdQueue } from './id-queue.ts'
import { Packer } from './packer.ts'
import { PathFlag, PathStore } from './path-store.ts'
import { type FamilyIndex } from './peer-state.ts'
import { PrefixTable } from './prefix-table.ts'

/** Is told of prefixes whose best path is another. */
export interface PrefixFollower {
  touch(prefix: number): void
}

/** An update group as the decision process knows it: with ADD-PATH it is told of every prefix that was decided. */
export interface GroupFollower extends PrefixFollower {
  readonly addPath: boolean
  pathGone(path: number): void
}

/** Everything of one family: prefixes, paths, what is best, and who is to be told. */
export class FamilyRib {
  readonly afiSafi: AfiSafi
  readonly family: Family
  readonly index: FamilyIndex
  readonly prefixes: PrefixTable
  readonly paths = new PathStore()
  readonly sets: AttributeTable
  readonly packer: Packer
  /** First path of a prefix, -1 if it has none. */
  firstPath = new Int32Array(64)
  /** The best path of a prefix and its attribute set (held), -1 if there is none. */
  best = new Int32Array(64)
  bestSet = new Int32Array(64)
  /** Tells the set of equal-cost next hops from another. */
  multipath = new Int32Array(64)
  /** Ids below have been in use. */
  #top = 0
  /** Prefixes that the decision process has to look at. */
  readonly dirty = new IdQueue()
  readonly followers: GroupFollower[] = []
  readonly readers: PrefixFollower[] = []

  constructor(
    afiSafi: AfiSafi,
    family: Family,
    index: FamilyIndex,
    sets: AttributeTable,
    forms: ByteInterner,
  ) {
    this.afiSafi = afiSafi
    this.family = family
    this.index = index
    this.sets = sets
    this.prefixes = new PrefixTable(afiSafi)
    this.packer = new Packer(this.prefixes, forms)
  }

  get bytes(): number {
    return (
      this.prefixes.bytes +
      this.paths.bytes +
      this.packer.bytes +
      this.dirty.bytes +
      this.firstPath.byteLength * 4
    )
  }

  /** The id of the prefix that is the table's key, added if it is new. */
  internPrefix(): number {
    const id = this.prefixes.intern()
    // An id that is used again has been left without a path.
    if (id === this.#top) this.#begin(id)
    return id
  }

  #begin(id: number): void {
    if (id >= this.firstPath.length) {
      const { capacity } = this.prefixes
      this.firstPath = growInt32(this.firstPath, capacity)
      this.best = growInt32(this.best, capacity)
      this.bestSet = growInt32(this.bestSet, capacity)
      this.multipath = growInt32(this.multipath, capacity)
    }
    this.firstPath[id] = -1
    this.best[id] = -1
    this.bestSet[id] = -1
    this.#top = id + 1
  }

  /** The path of a peer for a prefix, removed or not, or -1. */
  findPath(prefix: number, peer: number, pathId: number): number {
    const { next, peer: peers } = this.paths
    for (let path = this.firstPath[prefix] as number; path >= 0; path = next[path] as number)
      if (peers[path] === peer && this.paths.pathIdOf(path) === pathId) return path
    return -1
  }

  pinPrefix(prefix: number): void {
    this.prefixes.pins[prefix] = (this.prefixes.pins[prefix] as number) + 1
  }

  unpinPrefix(prefix: number): void {
    this.prefixes.pins[prefix] = (this.prefixes.pins[prefix] as number) - 1
    this.freeIfUnused(prefix)
  }

  pinPath(path: number): void {
    this.paths.pins[path] = (this.paths.pins[path] as number) + 1
  }

  /** A path that is in no prefix's list any more is freed with its last pin. */
  unpinPath(path: number): void {
    this.paths.pins[path] = (this.paths.pins[path] as number) - 1
    if (((this.paths.flags[path] as number) & PathFlag.unlinked) !== 0) this.freePathIfUnused(path)
  }

  freePathIfUnused(path: number): void {
    if (this.paths.pins[path] === 0) this.paths.free(path)
  }

  freeIfUnused(prefix: number): void {
    if (
      this.prefixes.pins[prefix] === 0 &&
      this.firstPath[prefix] === -1 &&
      this.best[prefix] === -1 &&
      !this.dirty.has(prefix)
    )
      this.prefixes.free(prefix)
  }
}
