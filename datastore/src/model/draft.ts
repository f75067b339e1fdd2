import { type KindName, type SpecOf } from './kinds/index.ts'
import { type Metadata } from './metadata.ts'
import { API_VERSION, type Resource } from './resource.ts'

/** A resource as a program writes it down, for Resources and validateResource: fields with defaults may be missing. */
export function draftResource<K extends KindName>(
  kind: K,
  name: string,
  spec: Partial<SpecOf<K>>,
  metadata: Omit<Metadata, 'name'> = {},
): Resource<Partial<SpecOf<K>>> {
  return { apiVersion: API_VERSION, kind, metadata: { name, ...metadata }, spec }
}
