import { failure, type Result, success } from '@network/net'
import { fieldFault } from './field-fault.ts'
import { orderFields } from './format-resource.ts'
import { type FieldFault } from './kind.ts'
import { parseResourceKey } from './keys.ts'
import { type KindName } from './kinds/index.ts'
import { type Resource, type ResourceOf } from './resource.ts'
import { readResource } from './validate.ts'

/** What the store keeps: no resourceVersion, which is the key's own revision; secrets in clear. */
export function encodeResource(resource: Resource): string {
  const { resourceVersion: _, ...metadata } = resource.metadata
  return JSON.stringify(orderFields({ ...resource, metadata }))
}

/**
 * Reads what the store keeps under a resource's key. Fields that a newer version wrote are left out; anything else
 * that is wrong is told, also a value that belongs under another key.
 */
export function decodeResource(stored: {
  key: string
  value: string
  modRevision: number
}): Result<Resource, FieldFault[]> {
  const reference = parseResourceKey(stored.key)
  if (reference === undefined) return failure([fieldFault([], stored.key, "a resource's key")])
  let value: unknown
  try {
    value = JSON.parse(stored.value)
  } catch {
    return failure([fieldFault([], stored.value, `JSON under ${stored.key}`)])
  }
  const read = readResource(value, { unknownFields: 'ignore' })
  if (!read.ok) return read
  const { resource } = read.value
  const { name, namespace } = resource.metadata
  if (resource.kind !== reference.kind || name !== reference.name || namespace !== reference.namespace) {
    return failure([fieldFault(['metadata', 'name'], name, `the ${reference.kind} of ${stored.key}`)])
  }
  return success({
    ...resource,
    metadata: { ...resource.metadata, resourceVersion: String(stored.modRevision) },
  })
}

/** Whether a resource is of the kind, for the compiler as well. */
export function isKind<K extends KindName>(resource: Resource, kind: K): resource is ResourceOf<K> {
  return resource.kind === kind
}
