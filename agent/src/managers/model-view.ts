import type { KindName, ResourceOf } from '@network/datastore/model'
import type { ResourceEvent } from './model-event.ts'

/** The resources as they are now, by kind and name. */
export interface ModelView {
  onUpdate(event: ResourceEvent): void
  get<K extends KindName>(kind: K, name: string): ResourceOf<K> | undefined
  /** In order of their names. */
  list<K extends KindName>(kind: K): readonly ResourceOf<K>[]
}

export function createModelView(): ModelView {
  const kinds = new Map<KindName, Map<string, unknown>>()
  return {
    onUpdate({ kind, name, resource }) {
      const resources = kinds.get(kind) ?? new Map<string, unknown>()
      kinds.set(kind, resources)
      if (resource === undefined) resources.delete(name)
      else resources.set(name, resource)
    },
    get: <K extends KindName>(kind: K, name: string) =>
      kinds.get(kind)?.get(name) as ResourceOf<K> | undefined,
    list: <K extends KindName>(kind: K) =>
      [...(kinds.get(kind) ?? [])]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, resource]) => resource as ResourceOf<K>),
  }
}
