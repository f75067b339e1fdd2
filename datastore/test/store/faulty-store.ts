import { StoreError, type Store, type Transaction } from '../../src/store/store.ts'

/** One call, before it is made. `number` counts the calls through this wrapper from 1. */
export interface Call {
  number: number
  method: 'get' | 'list' | 'transact' | 'lease'
  transaction: Transaction | undefined
}

/**
 * What goes wrong with a call. `fail: 'before'`: it is never made (default error: `unreachable`). `fail: 'after'`: it is
 * made and its answer lost (default error: `unknown-outcome` for a transaction, `deadline` for a read). `before` and
 * `after` hold the call up until they resolve; one that never does is a process that was killed there.
 */
export interface Fault {
  before?: Promise<unknown>
  after?: Promise<unknown>
  fail?: 'before' | 'after'
  error?: StoreError
}

/** A store of which `plan` decides, call by call, what goes wrong. Watches and close pass through. */
export function createFaultyStore(store: Store, plan: (call: Call) => Fault | undefined): Store {
  let number = 0

  async function through<T>(
    method: Call['method'],
    transaction: Transaction | undefined,
    make: () => Promise<T>,
  ): Promise<T> {
    number += 1
    const fault = plan({ number, method, transaction })
    if (fault?.before) await fault.before
    if (fault?.fail === 'before') {
      throw fault.error ?? new StoreError('unreachable', `call ${number} was made to fail before it was sent`)
    }
    const result = await make()
    if (fault?.after) await fault.after
    if (fault?.fail === 'after') {
      const code = transaction ? 'unknown-outcome' : 'deadline'
      throw fault.error ?? new StoreError(code, `the answer to call ${number} was made to be lost`)
    }
    return result
  }

  return {
    get: (key, options) => through('get', undefined, () => store.get(key, options)),
    list: (prefix, options) => through('list', undefined, () => store.list(prefix, options)),
    transact: (transaction, options) =>
      through('transact', transaction, () => store.transact(transaction, options)),
    lease: (ttlSeconds, options) => through('lease', undefined, () => store.lease(ttlSeconds, options)),
    watch: (prefix, options) => store.watch(prefix, options),
    close: () => store.close(),
  }
}
