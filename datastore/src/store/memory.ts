import { type Clock, type Timer } from '@network/net'
import { compareKeys } from './key-order.ts'
import { checkTransaction, emptyKey, maxRequestBytes } from './limits.ts'
import {
  StoreError,
  type Condition,
  type KeyValue,
  type Lease,
  type ListOptions,
  type ListPage,
  type Operation,
  type Read,
  type ReadOptions,
  type Store,
  type Transaction,
  type TransactionResult,
  type WatchBatch,
  type WatchChange,
  type WatchOptions,
} from './store.ts'

/*
 * A Store within the process, for tests of logic that stands on one. It keeps every version of every key until
 * compact(), as etcd does, so reads at a revision and watches from the past behave alike. It also breaks on
 * command: disconnect() ends all watches, setAvailable(false) fails all calls, endLease() takes a lease away.
 */

export interface MemoryStore extends Store {
  /** The newest revision. */
  readonly revision: number
  /** Forgets versions and history up to and including this revision (default: the newest), as etcd's compaction does. */
  compact(revision?: number): void
  /** Ends every watch with `unreachable`, as the loss of a member does. */
  disconnect(): void
  /** While false every call fails with `unreachable`, watches end, and leases run out when their time is over. */
  setAvailable(available: boolean): void
  /** Ends a lease as its expiry would. */
  endLease(id: string): void
}

interface Version {
  revision: number
  /** undefined: the key was deleted at this revision. */
  item: KeyValue | undefined
}

interface LeaseState {
  keys: Set<string>
  ttlSeconds: number
  lose(reason: StoreError): void
  expiry: Timer | undefined
}

interface Subscription {
  prefix: string
  /** Everything up to here has been handed out. */
  told: number
  failure: StoreError | undefined
  wake: () => void
}

export function createMemoryStore(modules: { clock: Clock }): MemoryStore {
  const { clock } = modules
  const versions = new Map<string, Version[]>()
  let sortedKeys: string[] | undefined
  let history: { revision: number; changes: WatchChange[] }[] = []
  let revision = 1
  let compacted = 0
  let available = true
  let closed = false
  let leaseCounter = 0
  const leases = new Map<string, LeaseState>()
  const subscriptions = new Set<Subscription>()

  function checkUsable(): void {
    if (closed) throw closedError()
    if (!available) throw unreachable()
  }

  function checkRevision(asked: number): void {
    if (asked < compacted) throw compactedError(asked, compacted)
    if (asked > revision) {
      throw new StoreError('invalid-request', `revision ${asked} lies in the future of ${revision}`)
    }
  }

  function keysInOrder(): string[] {
    return (sortedKeys ??= [...versions.keys()].sort(compareKeys))
  }

  function itemAt(key: string, at: number): KeyValue | undefined {
    return versions.get(key)?.findLast((version) => version.revision <= at)?.item
  }

  function holds(condition: Condition): boolean {
    const item = itemAt(condition.key, revision)
    switch (condition.is) {
      case 'absent':
        return item === undefined
      case 'present':
        return item !== undefined
      case 'at':
        return (item?.modRevision ?? 0) === condition.modRevision
    }
  }

  function record(key: string, at: number, item: KeyValue | undefined): void {
    const kept = versions.get(key)
    if (kept) kept.push({ revision: at, item })
    else {
      versions.set(key, [{ revision: at, item }])
      sortedKeys = undefined
    }
  }

  function detachFromLease(key: string): void {
    const held = itemAt(key, revision)?.lease
    if (held !== undefined) leases.get(held)?.keys.delete(key)
  }

  /** Carries out the writes at the next revision, and takes that revision only if something was written. */
  function write(operations: Operation[]): (KeyValue | undefined)[] {
    const next = revision + 1
    const changes: WatchChange[] = []
    const reads: (KeyValue | undefined)[] = []
    const remove = (key: string): void => {
      if (itemAt(key, next) === undefined) return
      detachFromLease(key)
      record(key, next, undefined)
      changes.push({ type: 'delete', key, modRevision: next })
    }
    for (const operation of operations) {
      if ('get' in operation) reads.push(copy(itemAt(operation.get, next)))
      else if ('delete' in operation) remove(operation.delete)
      else if ('deletePrefix' in operation) {
        for (const key of keysInOrder()) if (key.startsWith(operation.deletePrefix)) remove(key)
      } else {
        const { put: key, value, lease } = operation
        detachFromLease(key)
        const item: KeyValue = {
          key,
          value,
          modRevision: next,
          createRevision: itemAt(key, next)?.createRevision ?? next,
          ...(lease === undefined ? {} : { lease }),
        }
        if (lease !== undefined) leases.get(lease)?.keys.add(key)
        record(key, next, item)
        changes.push({ type: 'put', ...item })
      }
    }
    if (changes.length > 0) {
      revision = next
      history.push({ revision, changes })
      for (const subscription of subscriptions) subscription.wake()
    }
    return reads
  }

  function checkLeases(operations: Operation[]): void {
    for (const operation of operations) {
      if ('put' in operation && operation.lease !== undefined && !leases.has(operation.lease)) {
        throw new StoreError(
          'lease-lost',
          `the key ${operation.put} can't be put: its lease ${operation.lease} has ended`,
        )
      }
    }
  }

  function endLease(id: string, reason?: StoreError): void {
    const lease = leases.get(id)
    if (!lease) return
    leases.delete(id)
    lease.expiry?.cancel()
    write([...lease.keys].map((key) => ({ delete: key })))
    if (reason) lease.lose(reason)
  }

  function failWatches(error: StoreError): void {
    for (const subscription of subscriptions) {
      subscription.failure = error
      subscription.wake()
    }
  }

  async function get(key: string, options: ReadOptions = {}): Promise<KeyValue | undefined> {
    await answerLater()
    checkUsable()
    if (key === '') throw emptyKey()
    const at = options.revision ?? revision
    checkRevision(at)
    return copy(itemAt(key, at))
  }

  async function list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    await answerLater()
    checkUsable()
    const { limit = Infinity, after, keysOnly = false } = options
    const at = options.revision ?? revision
    checkRevision(at)
    const items: KeyValue[] = []
    let next: string | undefined
    for (const key of keysInOrder()) {
      if (!key.startsWith(prefix) || (after !== undefined && compareKeys(key, after) <= 0)) continue
      const item = itemAt(key, at)
      if (!item) continue
      if (items.length >= limit) {
        next = items.at(-1)?.key
        break
      }
      items.push(keysOnly ? { ...item, value: '' } : { ...item })
    }
    return { items, revision: at, next }
  }

  async function transact(transaction: Transaction): Promise<TransactionResult> {
    await answerLater()
    checkUsable()
    checkTransaction(transaction)
    checkSize(transaction)
    const committed = transaction.when.every(holds)
    if (committed) checkLeases(transaction.then)
    const operations: (Operation | Read)[] = committed ? transaction.then : (transaction.otherwise ?? [])
    const reads = write(operations)
    const result = { committed, revision, reads }
    await answerLater()
    return result
  }

  async function* watch(prefix: string, options: WatchOptions): AsyncGenerator<WatchBatch, void, undefined> {
    const { fromRevision, signal } = options
    checkUsable()
    let wake: () => void = () => undefined
    const subscription: Subscription = {
      prefix,
      told: fromRevision,
      failure: undefined,
      wake: () => {
        wake()
      },
    }
    const onAbort = (): void => subscription.wake()
    subscriptions.add(subscription)
    signal?.addEventListener('abort', onAbort)
    try {
      while (!signal?.aborted) {
        await answerLater()
        if (subscription.failure) throw subscription.failure
        if (subscription.told < compacted && subscription.told < revision) {
          throw compactedError(subscription.told, compacted)
        }
        const batch = nextBatch(subscription)
        if (batch) yield batch
        else {
          await new Promise<void>((resolve) => {
            wake = resolve
            if (signal?.aborted || subscription.failure) resolve()
          })
        }
      }
    } finally {
      subscriptions.delete(subscription)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  function nextBatch(subscription: Subscription): WatchBatch | undefined {
    for (const entry of history) {
      if (entry.revision <= subscription.told) continue
      const changes = entry.changes.filter(({ key }) => key.startsWith(subscription.prefix))
      subscription.told = entry.revision
      if (changes.length > 0) return { revision: entry.revision, changes: changes.map((c) => ({ ...c })) }
    }
    return undefined
  }

  async function lease(ttlSeconds: number): Promise<Lease> {
    await answerLater()
    checkUsable()
    leaseCounter += 1
    const id = leaseCounter.toString(16)
    let lose!: (reason: StoreError) => void
    const lost = new Promise<StoreError>((resolve) => {
      lose = resolve
    })
    leases.set(id, { keys: new Set(), ttlSeconds, lose, expiry: undefined })
    return {
      id,
      ttlSeconds,
      lost,
      async revoke() {
        await answerLater()
        checkUsable()
        endLease(id)
      },
    }
  }

  /** Without upkeep a lease runs out after its time to live. */
  function abandonLeases(): void {
    for (const [id, state] of leases) {
      state.expiry ??= clock.setTimeout(() => {
        endLease(id, leaseExpired(id))
      }, state.ttlSeconds * 1000)
    }
  }

  return {
    get,
    list,
    transact,
    watch,
    lease,
    close() {
      closed = true
      failWatches(closedError())
      for (const state of leases.values()) state.lose(closedError())
      abandonLeases()
      return Promise.resolve()
    },
    get revision() {
      return revision
    },
    compact(to = revision) {
      checkRevision(to)
      compacted = to
      history = history.filter((entry) => entry.revision > to)
      for (const [key, kept] of versions) {
        const newestBefore = kept.findLastIndex((version) => version.revision <= to)
        const rest = kept.slice(Math.max(newestBefore, 0))
        if (rest[0]?.item === undefined && (rest[0]?.revision ?? 0) <= to) rest.shift()
        if (rest.length > 0) versions.set(key, rest)
        else {
          versions.delete(key)
          sortedKeys = undefined
        }
      }
    },
    disconnect() {
      failWatches(unreachable())
    },
    setAvailable(now) {
      available = now
      if (now) {
        for (const state of leases.values()) {
          state.expiry?.cancel()
          state.expiry = undefined
        }
      } else {
        failWatches(unreachable())
        abandonLeases()
      }
    },
    endLease(id) {
      endLease(id, leaseExpired(id))
    },
  }
}

/** Answers never come within the caller's own turn: whoever relies on that would break on a real store. */
async function answerLater(): Promise<void> {
  await Promise.resolve()
}

function copy(item: KeyValue | undefined): KeyValue | undefined {
  return item && { ...item }
}

function checkSize(transaction: Transaction): void {
  let bytes = 0
  for (const operation of transaction.then) {
    if ('put' in operation) bytes += Buffer.byteLength(operation.put) + Buffer.byteLength(operation.value)
  }
  if (bytes > maxRequestBytes) {
    throw new StoreError('too-large', `the transaction is larger than ${maxRequestBytes} bytes`, {
      remedy: 'store less in one value, or split the transaction',
      details: { bytes },
    })
  }
}

function unreachable(): StoreError {
  return new StoreError('unreachable', 'the in-memory store is switched off')
}

function closedError(): StoreError {
  return new StoreError('closed', 'the store has been closed')
}

function leaseExpired(id: string): StoreError {
  return new StoreError('lease-lost', `the lease ${id} has ended`)
}

function compactedError(asked: number, compacted: number): StoreError {
  return new StoreError(
    'compacted',
    `revision ${asked} is no longer kept: the datastore was compacted up to ${compacted}`,
    { details: { asked, compacted } },
  )
}
