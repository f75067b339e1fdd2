import { type KeyValue, type WatchChange } from '../store/store.ts'

export type SyncUpdate =
  { type: 'put'; key: string; value: string; modRevision: number } | { type: 'delete'; key: string }

/**
 * What the consumer has been told: each key with the revision it was told at, without values. From it follows which
 * changes are news, and after a new listing which keys have gone.
 */
export class KnownKeys {
  readonly #revisions = new Map<string, number>()
  #listed = new Set<string>()

  get size(): number {
    return this.#revisions.size
  }

  beginListing(): void {
    this.#listed = new Set()
  }

  /** One page of a listing: what the consumer doesn't know yet. */
  list(items: readonly KeyValue[]): SyncUpdate[] {
    const updates: SyncUpdate[] = []
    for (const { key, value, modRevision } of items) {
      this.#listed.add(key)
      if (this.#revisions.get(key) === modRevision) continue
      this.#revisions.set(key, modRevision)
      updates.push({ type: 'put', key, value, modRevision })
    }
    return updates
  }

  /** After the last page: deletions of all that was known and not listed. */
  endListing(): SyncUpdate[] {
    const updates: SyncUpdate[] = []
    for (const key of this.#revisions.keys()) {
      if (this.#listed.has(key)) continue
      this.#revisions.delete(key)
      updates.push({ type: 'delete', key })
    }
    this.#listed = new Set()
    return updates
  }

  /** Changes of a watch, without those that are older than what the consumer knows. */
  change(changes: readonly WatchChange[]): SyncUpdate[] {
    const updates: SyncUpdate[] = []
    for (const change of changes) {
      const { type, key, modRevision } = change
      const known = this.#revisions.get(key)
      if (known !== undefined && modRevision <= known) continue
      if (type === 'put') {
        this.#revisions.set(key, modRevision)
        updates.push({ type, key, value: change.value, modRevision })
      } else if (this.#revisions.delete(key)) {
        updates.push({ type, key })
      }
    }
    return updates
  }

  /** The store's revisions have begun anew: nothing that is known can be taken for the same by its revision. */
  distrust(): void {
    for (const key of this.#revisions.keys()) this.#revisions.set(key, 0)
  }
}
