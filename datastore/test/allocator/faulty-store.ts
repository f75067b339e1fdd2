import { type Store, StoreError } from '../../src/store/store.ts'

/** What happens to one call of a store. */
export type Fault =
  /** It is carried out and answered. */
  | 'none'
  /** A transaction is carried out, its answer is lost. A read fails. */
  | 'answer-lost'
  /** A transaction is not carried out, which the caller can't know. A read fails. */
  | 'request-lost'
  /** Nothing is sent. */
  | 'unreachable'
  /** The process dies before the call: neither this call nor any later one is answered. */
  | 'killed-before'
  /** The process dies after the call was carried out. */
  | 'killed-after'

export class Killed extends Error {}

/** A store of one process, whose calls suffer what `next` says. */
export function createFaultyStore(
  store: Store,
  next: (kind: 'read' | 'transact') => Fault | Promise<Fault>,
): Store {
  let dead = false
  async function call<T>(kind: 'read' | 'transact', run: () => Promise<T>): Promise<T> {
    if (dead) throw new Killed()
    const fault = await next(kind)
    if (fault === 'killed-before') {
      dead = true
      throw new Killed()
    }
    if (fault === 'unreachable') throw new StoreError('unreachable', 'the test says so')
    if (fault === 'request-lost') throw lost(kind)
    const answer = await run()
    if (fault === 'answer-lost') throw lost(kind)
    if (fault === 'killed-after') {
      dead = true
      throw new Killed()
    }
    return answer
  }
  return {
    get: (key, options) => call('read', () => store.get(key, options)),
    list: (prefix, options) => call('read', () => store.list(prefix, options)),
    transact: (transaction, options) => call('transact', () => store.transact(transaction, options)),
    watch: (prefix, options) => store.watch(prefix, options),
    lease: (ttl, options) => store.lease(ttl, options),
    close: () => store.close(),
  }
}

function lost(kind: 'read' | 'transact'): StoreError {
  return kind === 'read'
    ? new StoreError('deadline', 'the test says so')
    : new StoreError('unknown-outcome', 'the test says so')
}
