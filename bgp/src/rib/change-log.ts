/**
 * The log of an update group: elements in the order of their last change. When an element changes again, its older
 * entry is dead, so `append` is all there is to a change, and compaction, which drops the dead, keeps the log within
 * twice the number of elements in it. Places are counted from 0; compaction moves them and says where to.
 */
import { growInt32, grownCapacity } from './column.ts'

/** A log of this length is not worth compacting. */
const shortLog = 64

export class ChangeLog {
  /** The place of the next entry. */
  end = 0
  /** Elements in the log, each once. */
  size = 0
  #entries = new Int32Array(64)
  /** One more than the place of an element's last entry; 0: it is not in the log. */
  #places = new Int32Array(64)

  get bytes(): number {
    return this.#entries.byteLength + this.#places.byteLength
  }

  /** Elements ever in it lie below. */
  get top(): number {
    return this.#places.length
  }

  /** Whether compaction is worth its while. */
  get isSparse(): boolean {
    return this.end > shortLog && this.end > 2 * this.size
  }

  /** The place of an element's last change, or -1. */
  placeOf(element: number): number {
    return element < this.#places.length ? (this.#places[element] as number) - 1 : -1
  }

  /** The element whose last change stands at a place; -1 if the entry is dead. */
  at(place: number): number {
    const element = this.#entries[place] as number
    return this.#places[element] === place + 1 ? element : -1
  }

  append(element: number): void {
    if (element >= this.#places.length)
      this.#places = growInt32(this.#places, grownCapacity(this.#places.length, element + 1))
    if (this.#places[element] === 0) this.size++
    if (this.end === this.#entries.length)
      this.#entries = growInt32(this.#entries, grownCapacity(this.#entries.length, this.end + 1))
    this.#entries[this.end] = element
    this.#places[element] = ++this.end
  }

  countLive(from: number, to: number): number {
    let live = 0
    for (let place = from; place < to; place++) if (this.at(place) >= 0) live++
    return live
  }

  /**
   * Drops dead entries, and elements for which `drop` holds. Returns where each of `places` has moved: to the first
   * entry that is left from there on.
   */
  compact(
    places: Iterable<number>,
    drop: (element: number, place: number) => boolean,
  ): ReadonlyMap<number, number> {
    const ordered = [...new Set(places)].sort((a, b) => a - b)
    const moved = new Map<number, number>()
    let next = 0
    let to = 0
    for (let place = 0; place <= this.end; place++) {
      while (ordered[next] === place) moved.set(ordered[next++] as number, to)
      const element = place === this.end ? -1 : this.at(place)
      if (element < 0) continue
      if (drop(element, place)) {
        this.#places[element] = 0
        this.size--
        continue
      }
      this.#entries[to] = element
      this.#places[element] = ++to
    }
    this.end = to
    return moved
  }
}
