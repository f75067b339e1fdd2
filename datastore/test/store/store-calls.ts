/** How tests call a store. */
import type { Test } from 'tap'
import { type Store, StoreError, type WatchBatch } from '../../src/store/store.ts'

/** Rejects unless the promise fails with a StoreError of this code, which it returns. */
export async function failsWith(t: Test, promise: Promise<unknown>, code: string): Promise<StoreError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof StoreError) {
      t.equal(error.code, code, `${error.code}: ${error.message}`)
      return error
    }
    throw error
  }
  throw new Error(`expected a failure with the code ${code}`)
}

export async function put(store: Store, key: string, value: string): Promise<number> {
  return (await store.transact({ when: [], then: [{ put: key, value }] })).revision
}

/** Collects batches until `enough` is true of all changes so far. */
export async function collect(
  batches: AsyncIterable<WatchBatch>,
  enough: (changes: WatchBatch['changes']) => boolean,
): Promise<WatchBatch[]> {
  const collected: WatchBatch[] = []
  for await (const batch of batches) {
    if (batch.changes.length > 0) collected.push(batch)
    if (enough(collected.flatMap(({ changes }) => changes))) break
  }
  return collected
}
