import { type Clock, type Log } from '@network/net'
import { type ICompare, type IRangeRequest, type IRangeResponse, type IRequestOp } from 'etcd3'
import { closedError, createEtcdConnection } from './etcd/connection.ts'
import { takeLease, type KeptLease } from './etcd/lease.ts'
import { leaseIdFromText, prefixRange, rangeEndOfPrefix, revisionOf, toKeyValue } from './etcd/encoding.ts'
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

  function range(request: IRangeRequest, deadlineMs: number): Promise<IRangeResponse> {
    return connection.call((etcd, options) => etcd.kv.range(request, options), {
      deadlineMs,
      repeatable: true,
    })
  }

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
    const response = await range(
      {
        key: Buffer.from(from),
        range_end: rangeEndOfPrefix(prefix),
        limit,
        ...(revision === undefined ? {} : { revision }),
        ...(keysOnly ? { keys_only: keysOnly } : {}),
      },
      deadlineMs,
    )
    const items = response.kvs.map(toKeyValue)
    return {
      items,
      revision: revision ?? revisionOf(response.header),
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
      const request = { key: Buffer.from(key), ...(revision === undefined ? {} : { revision }) }
      return firstOf(await range(request, deadlineMs))
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
      const request = {
        compare: when.map(toCompare),
        success: then.map(toRequest),
        failure: otherwise.map(toRequest),
      }
      const response = await connection.call((etcd, options) => etcd.kv.txn(request, options), {
        deadlineMs,
        repeatable: !writes(transaction),
      })
      const branch: Operation[] = response.succeeded ? then : otherwise
      return {
        committed: response.succeeded,
        revision: revisionOf(response.header),
        reads: branch.flatMap((operation, index) => {
          if (!('get' in operation)) return []
          const range = response.responses[index]?.response_range
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

function toCompare(condition: Condition): ICompare {
  const key = Buffer.from(condition.key)
  switch (condition.is) {
    case 'absent':
      return { key, result: 'Equal', target: 'Create', create_revision: 0 }
    case 'present':
      return { key, result: 'Greater', target: 'Create', create_revision: 0 }
    case 'at':
      return { key, result: 'Equal', target: 'Mod', mod_revision: condition.modRevision }
  }
}

function toRequest(operation: Operation): IRequestOp {
  if ('get' in operation) return { request_range: { key: Buffer.from(operation.get) } }
  if ('delete' in operation) return { request_delete_range: { key: Buffer.from(operation.delete) } }
  if ('deletePrefix' in operation) return { request_delete_range: prefixRange(operation.deletePrefix) }
  const put = { key: Buffer.from(operation.put), value: Buffer.from(operation.value) }
  if (operation.lease === undefined) return { request_put: put }
  const lease = leaseIdFromText(operation.lease)
  if (lease === undefined) {
    throw new StoreError('invalid-request', `"${operation.lease}" is not the id of a lease`)
  }
  return { request_put: { ...put, lease } }
}

function firstOf({ kvs: [first] }: IRangeResponse): KeyValue | undefined {
  return first && toKeyValue(first)
}
