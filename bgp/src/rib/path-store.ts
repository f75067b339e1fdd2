/**
 * The paths of one family as columns: the prefix a path is for, the peer it came from, its attribute set as received
 * and as the import policy left it, and the next path of the same prefix. A path's slot number is also its path
 * identifier towards peers with ADD-PATH. A path that is withdrawn stays in its prefix's list, marked, until the
 * decision process comes by: what is withdrawn and announced again in between has not changed.
 */
import { growInt32, growUint16, growUint32, growUint8, grownCapacity } from './column.ts'

export const PathFlag = {
  /** Withdrawn; the decision process will unlink it. */
  removed: 1,
  /** Left out because the peer has too many. */
  overLimit: 2,
  /** In no prefix's list any more; only its pins keep the slot. */
  unlinked: 4,
} as const

export class PathStore {
  capacity = 64
  /** Slots ever given out lie below it. */
  top = 0
  size = 0
  prefix = new Int32Array(64)
  peer = new Uint16Array(64)
  /** Attribute set as received; -1 if the path is removed or free. */
  received = new Int32Array(64)
  /** Attribute set after import policy; -1: refused. */
  accepted = new Int32Array(64)
  /** Next path of the prefix, or next free slot; -1 ends the list. */
  next = new Int32Array(64)
  flags = new Uint8Array(64)
  /** The peer's generation when the path was announced last: older ones are stale. */
  generation = new Uint8Array(64)
  /** Update groups with ADD-PATH that may have to withdraw the path by its slot. */
  pins = new Uint16Array(64)
  /** Path identifier received; no column until a peer sends one. */
  pathId: Uint32Array | undefined
  /** Free slots in the order in which they became free, so that paths of neighbouring prefixes stay side by side. */
  #freeHead = -1
  #freeTail = -1

  get bytes(): number {
    return this.capacity * (22 + (this.pathId === undefined ? 0 : 4))
  }

  pathIdOf(path: number): number {
    return this.pathId === undefined ? 0 : (this.pathId[path] as number)
  }

  add(prefix: number, peer: number, pathId: number, next: number): number {
    let path = this.#freeHead
    if (path >= 0) {
      this.#freeHead = this.next[path] as number
    } else {
      path = this.top++
      if (path >= this.capacity) this.#grow()
    }
    this.prefix[path] = prefix
    this.peer[path] = peer
    this.received[path] = -1
    this.accepted[path] = -1
    this.next[path] = next
    this.flags[path] = 0
    this.generation[path] = 0
    if (pathId !== 0 && this.pathId === undefined) this.pathId = new Uint32Array(this.capacity)
    if (this.pathId !== undefined) this.pathId[path] = pathId
    this.size++
    return path
  }

  /** Gives an unlinked, unpinned slot back. */
  free(path: number): void {
    this.received[path] = -1
    this.flags[path] = PathFlag.removed
    this.next[path] = -1
    if (this.#freeHead < 0) this.#freeHead = path
    else this.next[this.#freeTail] = path
    this.#freeTail = path
    this.size--
  }

  #grow(): void {
    const capacity = grownCapacity(this.capacity, this.capacity + 1)
    this.prefix = growInt32(this.prefix, capacity)
    this.peer = growUint16(this.peer, capacity)
    this.received = growInt32(this.received, capacity)
    this.accepted = growInt32(this.accepted, capacity)
    this.next = growInt32(this.next, capacity)
    this.flags = growUint8(this.flags, capacity)
    this.generation = growUint8(this.generation, capacity)
    this.pins = growUint16(this.pins, capacity)
    if (this.pathId !== undefined) this.pathId = growUint32(this.pathId, capacity)
    this.capacity = capacity
  }
}
