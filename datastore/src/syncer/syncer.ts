import { type Clock, type Log } from '@network/net'
import { StoreError, type ListPage, type Store } from '../store/store.ts'
import { merge } from './merge.ts'
import { KnownKeys, type SyncUpdate } from './known-keys.ts'

export { type SyncUpdate } from './known-keys.ts'

/*
 * A syncer turns a Store into one stream of updates that is never wrong for long: a listing of all prefixes as of one
 * revision (`syncing`), the word that it is complete (`in-sync`), then changes as they happen. When a watch breaks it
 * is resumed from the last revision told; when that is no longer kept, everything is listed again and the difference
 * to what the consumer knows is told, deletions included. The stream is pulled: while the consumer works on one batch
 * at most one more per prefix has been read, and the rest waits in etcd.
 *
 * Updates of one key come in the order of their revisions. Between keys of different prefixes there is no order.
 */

export interface SyncBatch {
  /** `in-sync`: with this batch the consumer knows all there was at `revision`. */
  status: 'syncing' | 'in-sync'
  revision: number
  updates: SyncUpdate[]
}

export type SyncerState =
  | { status: 'syncing' | 'in-sync' }
  /** No contact since this time (milliseconds since the epoch); it is being tried again. */
  | { status: 'disconnected'; sinceMs: number; reason: StoreError }

/** To be iterated once. Ends without an error by the signal, with `closed` when the store is closed. */
export interface Syncer extends AsyncIterable<SyncBatch> {
  readonly state: SyncerState
}

export interface SyncerOptions {
  prefixes: readonly string[]
  signal?: AbortSignal
  /** Keys per page of a listing and most updates in one batch of it. Default 1,000. */
  pageSize?: number
  /** Told at every change of state. */
  onState?: (state: SyncerState) => void
}

const firstRetryMs = 50
const lastRetryMs = 5000

export function createSyncer(
  modules: { store: Store; clock: Clock; log: Log },
  options: SyncerOptions,
): Syncer {
  const { store, clock, log } = modules
  const { signal, pageSize = 1000 } = options
  const prefixes = withoutCovered(options.prefixes)
  if (prefixes.length === 0) throw new Error('a syncer needs at least one prefix')
  const known = new KnownKeys()
  let state: SyncerState = { status: 'syncing' }
  let begun = false
  let failuresInARow = 0
  let connectedAt = clock.monotonic()

  function enter(next: SyncerState): void {
    if (next.status === state.status) return
    state = next
    options.onState?.(next)
  }

  function connected(status: 'syncing' | 'in-sync'): void {
    if (state.status === 'disconnected') {
      log.info({ afterMs: clock.now() - state.sinceMs }, 'the datastore answers again')
    }
    connectedAt = clock.monotonic()
    enter({ status })
  }

  /** Takes note of a failure and waits, longer each time. Throws what waiting doesn't mend. */
  async function recover(error: unknown): Promise<void> {
    if (!(error instanceof StoreError) || error.code === 'closed') throw error
    if (state.status !== 'disconnected') {
      // A watch that breaks as soon as it stands doesn't begin a new count.
      if (clock.monotonic() - connectedAt > lastRetryMs) failuresInARow = 0
      log.warn({ code: error.code, error: error.message }, 'the datastore is not in reach; trying again')
    }
    enter({ status: 'disconnected', sinceMs: clock.now(), reason: error })
    const longest = Math.min(firstRetryMs * 2 ** failuresInARow, lastRetryMs)
    failuresInARow += 1
    await pause(longest / 2 + (Math.random() * longest) / 2)
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.cancel()
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      const timer = clock.setTimeout(finish, ms)
      signal?.addEventListener('abort', finish)
      if (signal?.aborted) finish()
    })
  }

  /** Waits for the answer, but not longer than until the stop. */
  function unlessStopped<T>(answer: Promise<T>): Promise<T> {
    if (!signal) return answer
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(new Stopped())
      signal.addEventListener('abort', stop)
      if (signal.aborted) stop()
      answer.then(resolve, reject).finally(() => {
        signal.removeEventListener('abort', stop)
      })
    })
  }

  /** Lists all prefixes as of one revision, which it returns, and yields what the consumer doesn't know. */
  async function* listing(): AsyncGenerator<SyncBatch, number, undefined> {
    known.beginListing()
    let revision: number | undefined
    for (const prefix of prefixes) {
      let after: string | undefined
      do {
        const page: ListPage = await unlessStopped(
          store.list(prefix, {
            limit: pageSize,
            ...(after === undefined ? {} : { after }),
            ...(revision === undefined ? {} : { revision }),
          }),
        )
        revision = page.revision
        connected('syncing')
        const updates = known.list(page.items)
        if (updates.length > 0) yield { status: 'syncing', revision, updates }
        after = page.next
      } while (after !== undefined)
    }
    revision ??= 0
    const gone = known.endListing()
    for (let start = 0; start < gone.length; start += pageSize) {
      yield { status: 'syncing', revision, updates: gone.slice(start, start + pageSize) }
    }
    return revision
  }

  /** Watches all prefixes, each from its own revision in `told`, which is kept up to date, until one of them fails. */
  async function* watching(told: Map<string, number>): AsyncGenerator<SyncBatch, void, undefined> {
    const round = new AbortController()
    const endRound = (): void => round.abort()
    signal?.addEventListener('abort', endRound)
    if (signal?.aborted) endRound()
    const watches = [...told].map(([prefix, fromRevision]) => ({
      prefix,
      batches: store.watch(prefix, { fromRevision, signal: round.signal })[Symbol.asyncIterator](),
    }))
    const merged = merge(watches.map(({ batches }) => batches))
    try {
      for await (const { index, value } of merged) {
        const { revision, changes } = value
        const updates = known.change(changes)
        told.set(watches[index]?.prefix ?? '', revision)
        if (updates.length > 0) yield { status: 'in-sync', revision, updates }
      }
    } finally {
      signal?.removeEventListener('abort', endRound)
      endRound()
    }
  }

  /** True if the store's revisions go on from what was told; false after it was restored to an earlier state. */
  async function goesOn(told: Map<string, number>): Promise<boolean> {
    const [prefix] = prefixes
    if (prefix === undefined) return true
    const { revision } = await unlessStopped(store.list(prefix, { limit: 1, keysOnly: true }))
    return revision >= Math.max(...told.values())
  }

  async function* run(): AsyncGenerator<SyncBatch, void, undefined> {
    /** Per prefix the last revision told; undefined: a listing is due. */
    let told: Map<string, number> | undefined
    let resuming = false
    while (!signal?.aborted) {
      try {
        if (!told) {
          const revision: number = yield* listing()
          told = new Map(prefixes.map((prefix) => [prefix, revision]))
          connected('in-sync')
          yield { status: 'in-sync', revision, updates: [] }
        } else if (resuming) {
          if (await goesOn(told)) connected('in-sync')
          else {
            log.warn({}, 'the datastore has gone back to an earlier revision; reading everything anew')
            known.distrust()
            told = undefined
            continue
          }
        }
        resuming = true
        yield* watching(told)
      } catch (error) {
        if (signal?.aborted) return
        if (error instanceof StoreError && error.code === 'compacted') {
          log.info({ error: error.message }, 'the history needed is gone; reading everything anew')
          told = undefined
          resuming = false
          enter({ status: 'syncing' })
        } else await recover(error)
      }
    }
  }

  return {
    get state() {
      return state
    },
    [Symbol.asyncIterator]() {
      if (begun) throw new Error('a syncer is iterated once')
      begun = true
      return run()
    },
  }
}

class Stopped extends Error {}

/** Each key is to be told once: a prefix that begins with another of them is left out. */
function withoutCovered(prefixes: readonly string[]): string[] {
  return [...new Set(prefixes)].filter(
    (prefix) => !prefixes.some((other) => other !== prefix && prefix.startsWith(other)),
  )
}
