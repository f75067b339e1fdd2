import type { Store } from '@network/datastore'
import type { StoreArguments, World } from '../world.ts'

/** Opens the store, works with it, and closes it whatever happened. */
export async function withStore<T>(
  world: World,
  args: StoreArguments,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await world.openStore(args)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}
