import { SECRET_MASK } from './field-fault.ts'
import { kindDefinition } from './kinds/index.ts'
import { type Resource } from './resource.ts'
import { type Schema } from './schema.ts'

/** Every text in the value that the schema calls a secret, replaced by what `replace` makes of it. */
function mapSecrets(
  schema: Schema,
  value: unknown,
  at: readonly (string | number)[],
  replace: (secret: string, at: readonly (string | number)[]) => string,
): unknown {
  switch (schema.is) {
    case 'string':
      return schema.secret && typeof value === 'string' ? replace(value, at) : value
    case 'list':
      return Array.isArray(value)
        ? value.map((item, index) => mapSecrets(schema.item, item, [...at, index], replace))
        : value
    case 'map':
      return mapEntries(value, (key, item) => mapSecrets(schema.value, item, [...at, key], replace))
    case 'object':
      return mapEntries(value, (key, item) => {
        const field = Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined
        return field === undefined ? item : mapSecrets(field.schema, item, [...at, key], replace)
      })
    default:
      return value
  }
}

function mapEntries(value: unknown, change: (key: string, item: unknown) => unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(key, item)]))
}

/** The resource as it may be shown to anybody: secrets read `********`. */
export function maskSecrets<R extends Resource>(resource: R): R {
  const spec = mapSecrets(kindDefinition(resource.kind).spec, resource.spec, ['spec'], () => SECRET_MASK)
  return { ...resource, spec }
}

/**
 * The resource with every masked secret replaced by the one that stands at the same place in `previous`, so that what
 * `get` printed can be written back. `unknown` are the places of masks for which there is none.
 */
export function restoreSecrets<R extends Resource>(
  resource: R,
  previous: Resource | undefined,
): { resource: R; unknown: (readonly (string | number)[])[] } {
  const unknown: (readonly (string | number)[])[] = []
  const spec = mapSecrets(kindDefinition(resource.kind).spec, resource.spec, ['spec'], (secret, at) => {
    if (secret !== SECRET_MASK) return secret
    const known = valueAt(previous, at)
    if (typeof known === 'string') return known
    unknown.push(at)
    return secret
  })
  return { resource: { ...resource, spec }, unknown }
}

function valueAt(value: unknown, segments: readonly (string | number)[]): unknown {
  let current = value
  for (const segment of segments) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, segment)) return undefined
    current = (current as Record<string | number, unknown>)[segment]
  }
  return current
}
