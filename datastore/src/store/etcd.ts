import { type Clock, type Log } from '@network/net'
import { closedError, createEtcdConnection } from './etcd/connection.ts'
import { takeLease, type KeptLease } from './etcd/lease.ts'
import {
  CompareResult,
  CompareTarget,
  leaseIdFromText,
  leaseIdToText,
  methods,
  rangeEndOfPrefix,
  toNumber,
  type Compare,
  type RangeResponse,
  type RequestOp,
  type WireKeyValue,
} from './etcd/messages.ts'
import { checkOptions, type EtcdStoreOptions } from './etcd/options.ts'
import { watchPrefix } from './etcd/watch.ts'
import { checkTransaction, emptyKey } from './limits.ts'
import {
  StoreError,
  type Condition,
  type KeyValue,
  type ListOptions,
  type ListPage,
  type Operation,
  type Store,
  type Transaction,
} from './store.ts'

export { type EtcdStoreOptions } from './etcd/options.ts'

/** So many keys are asked for at once when the caller sets no limit, so that no answer grows without bound. */
const pageSize = 2000

/**
 * A Store over an etcd cluster of version 3.4 or later. Nothing is dialled before the first call. Throws
 * `invalid-options` for options that can't work, with the file or URL in question and the remedy.
 */
export function createEtcdStore(modules: { clock: Clock; log: Log }, options: EtcdStoreOptions): Store {
  const { clock, log } = modules
  const checked = checkOptions(options)
  const connection = createEtcdConnection({ clock, log }, checked)
  const leases = new Set<KeptLease>()

  async function page(
    prefix: string,
    options: ListOptions & { limit: number },
    deadlineMs: number,
  ): Promise<ListPage> {
    const { limit, after, revision, keysOnly } = options
    const first = prefix === '' ? '\0' : prefix
    // A place to go on from that lies before the prefix means its beginning.
    const from =
      after === undefined || Buffer.compare(Buffer.from(after), Buffer.from(first)) < 0 ? first : `${after}\0`
    const response = await connection.call(
      methods.range,
      {
        key: from,
        rangeEnd: rangeEndOfPrefix(prefix),
        limit,
        ...(revision === undefined ? {} : { revision }),
        ...(keysOnly ? { keysOnly } : {}),
      },
      { deadlineMs, repeatable: true },
    )
    const items = response.kvs.map(toKeyValue)
    return {
      items,
      revision: revision ?? toNumber(response.header.revision),
      next: response.more ? items.at(-1)?.key : undefined,
    }
  }

  async function everything(prefix: string, options: ListOptions, deadlineMs: number): Promise<ListPage> {
    const giveUpAt = clock.monotonic() + deadlineMs
    const result = await page(prefix, { ...options, limit: pageSize }, deadlineMs)
    while (result.next !== undefined) {
      const remaining = Math.max(giveUpAt - clock.monotonic(), 1)
      const more = await page(
        prefix,
        { ...options, limit: pageSize, revision: result.revision, after: result.next },
        remaining,
      )
      for (const item of more.items) result.items.push(item)
      result.next = more.next
    }
    return result
  }

  return {
    async get(key, { deadlineMs = checked.deadlineMs, revision } = {}) {
      if (key === '') throw emptyKey()
      const response = await connection.call(
        methods.range,
        { key, ...(revision === undefined ? {} : { revision }) },
        { deadlineMs, repeatable: true },
      )
      return firstOf(response)
    },

    list(prefix, options = {}) {
      const { limit, deadlineMs = checked.deadlineMs } = options
      return limit === undefined
        ? everything(prefix, options, deadlineMs)
        : page(prefix, { ...options, limit }, deadlineMs)
    },

    async transact(transaction, { deadlineMs = checked.deadlineMs } = {}) {
      checkTransaction(transaction)
      const { when, then, otherwise = [] } = transaction
      const response = await connection.call(
        methods.txn,
        { compare: when.map(toCompare), success: then.map(toRequest), failure: otherwise.map(toRequest) },
        { deadlineMs, repeatable: !writes(transaction) },
      )
      const branch: Operation[] = response.succeeded ? then : otherwise
      return {
        committed: response.succeeded,
        revision: toNumber(response.header.revision),
        reads: branch.flatMap((operation, index) => {
          if (!('get' in operation)) return []
          const range = response.responses[index]?.responseRange
          return [range ? firstOf(range) : undefined]
        }),
      }
    },

    watch(prefix, { fromRevision, signal }) {
      return watchPrefix(
        { connection, clock },
        { prefix, fromRevision, signal, deadlineMs: checked.deadlineMs },
      )
    },

    async lease(ttlSeconds, { deadlineMs = checked.deadlineMs } = {}) {
      const kept = await takeLease(
        { connection, clock, log },
        { ttlSeconds, deadlineMs, ended: () => leases.delete(kept) },
      )
      if (connection.closed) throw closedError()
      leases.add(kept)
      return kept.lease
    },

    close() {
      connection.close()
      for (const kept of leases) kept.abandon()
      return Promise.resolve()
    },
  }
}

function writes(transaction: Transaction): boolean {
  return transaction.then.some((operation) => !('get' in operation))
}

function toCompare(condition: Condition): Compare {
  const { key } = condition
  switch (condition.is) {
    case 'absent':
      return { key, result: CompareResult.equal, target: CompareTarget.createRevision, createRevision: 0 }
    case 'present':
      return { key, result: CompareResult.greater, target: CompareTarget.createRevision, createRevision: 0 }
    case 'at':
      return {
        key,
        result: CompareResult.equal,
        target: CompareTarget.modRevision,
        modRevision: condition.modRevision,
      }
  }
}

function toRequest(operation: Operation): RequestOp {
  if ('get' in operation) return { requestRange: { key: operation.get } }
  if ('delete' in operation) return { requestDeleteRange: { key: operation.delete } }
  if ('deletePrefix' in operation) {
    const prefix = operation.deletePrefix
    return {
      requestDeleteRange: { key: prefix === '' ? '\0' : prefix, rangeEnd: rangeEndOfPrefix(prefix) },
    }
  }
  const { put: key, value, lease } = operation
  if (lease === undefined) return { requestPut: { key, value } }
  const id = leaseIdFromText(lease)
  if (!id) throw new StoreError('invalid-request', `"${lease}" is not the id of a lease`)
  return { requestPut: { key, value, lease: id } }
}

function firstOf(response: RangeResponse): KeyValue | undefined {
  const [first] = response.kvs
  return first && toKeyValue(first)
}

function toKeyValue(wire: WireKeyValue): KeyValue {
  const lease = leaseIdToText(wire.lease)
  return {
    key: wire.key,
    value: wire.value,
    modRevision: toNumber(wire.modRevision),
    createRevision: toNumber(wire.createRevision),
    ...(lease === undefined ? {} : { lease }),
  }
}
