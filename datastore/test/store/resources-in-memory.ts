/** Resources over a store in memory, at one moment and with uids in the order of their making. */
import {
  type Resources,
  ResourceError,
  type Store,
  createMemoryStore,
  createResources,
} from '../../src/index.ts'
import { type Metadata, type Resource, draftResource } from '../../src/model/index.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
export const clock = {
  now: () => NOW,
  monotonic: () => 0,
  setTimeout: () => ({ cancel: () => undefined }),
}

/** `wrap` stands between the resources and their store. */
export function setUp(wrap: (store: Store) => Store = (store) => store): {
  store: Store
  resources: Resources
} {
  const store = createMemoryStore({ clock })
  let made = 0
  const uuid = (): string => `uid-${String(++made)}`
  return { store, resources: createResources({ store: wrap(store), clock, uuid }) }
}

export const pool = (
  name: string,
  cidr: string,
  spec: object = {},
  metadata: Omit<Metadata, 'name'> = {},
): Resource => draftResource('IPPool', name, { cidr, ...spec }, metadata)

/** Runs a call that must be refused and tells how. */
export async function refusal(call: Promise<unknown>): Promise<ResourceError> {
  try {
    await call
  } catch (error) {
    if (error instanceof ResourceError) return error
    throw error
  }
  throw new Error('it was not refused')
}
