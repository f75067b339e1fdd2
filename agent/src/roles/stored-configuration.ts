import { type Store } from '@network/datastore'
import { type KindName, type ResourceOf, resourceKey, validateResource } from '@network/datastore/model'
import type { StoredConfiguration } from './agent-settings.ts'

/** Reads one resource; undefined if there is none, or none that is valid. */
export async function readStored<K extends KindName>(
  store: Pick<Store, 'get'>,
  kind: K,
  name: string,
  deadlineMs: number,
): Promise<ResourceOf<K> | undefined> {
  const found = await store.get(resourceKey({ kind, name }), { deadlineMs })
  if (found === undefined) return undefined
  try {
    const checked = validateResource(JSON.parse(found.value))
    return checked.ok && checked.value.kind === kind ? (checked.value as ResourceOf<K>) : undefined
  } catch {
    return undefined
  }
}

/** What the store says about this agent's settings. */
export async function readStoredConfiguration(
  store: Pick<Store, 'get'>,
  node: string,
  deadlineMs: number,
): Promise<StoredConfiguration> {
  const [cluster, ofNode] = await Promise.all([
    readStored(store, 'AgentConfiguration', 'default', deadlineMs),
    readStored(store, 'AgentConfiguration', `node.${node}`, deadlineMs),
  ])
  return { cluster: cluster?.spec, node: ofNode?.spec }
}
