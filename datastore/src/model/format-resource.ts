import { stringify } from 'yaml'
import { kindDefinition } from './kinds/index.ts'
import { type Metadata } from './metadata.ts'
import { type Resource } from './resource.ts'
import { type Schema } from './schema.ts'
import { maskSecrets } from './secrets.ts'

export interface FormatOptions {
  format: 'yaml' | 'json'
  /** Default false: secrets read `********`. */
  showSecrets?: boolean
}

const METADATA_ORDER = [
  'name',
  'namespace',
  'labels',
  'annotations',
  'uid',
  'creationTimestamp',
  'resourceVersion',
] as const satisfies readonly (keyof Metadata)[]

/** The value with the fields of objects in the order of their schema, and the keys of maps sorted. */
function ordered(schema: Schema, value: unknown): unknown {
  if (schema.is === 'list' && Array.isArray(value)) return value.map((item) => ordered(schema.item, item))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  if (schema.is === 'map') {
    const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(sorted.map(([key, item]) => [key, ordered(schema.value, item)]))
  }
  if (schema.is !== 'object') return value
  const present = new Map(Object.entries(value))
  return Object.fromEntries(
    Object.entries(schema.fields)
      .filter(([name]) => present.get(name) !== undefined)
      .map(([name, field]) => [name, ordered(field.schema, present.get(name))]),
  )
}

function sortedKeys(value: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The resource with its fields in the order in which it is printed and stored. */
export function orderFields(resource: Resource): Resource {
  const definition = kindDefinition(resource.kind)
  const metadata = Object.fromEntries(
    METADATA_ORDER.filter((name) => resource.metadata[name] !== undefined).map((name) => {
      const value = resource.metadata[name]
      return [name, typeof value === 'object' ? sortedKeys(value) : value]
    }),
  ) as unknown as Metadata
  const { status } = resource
  return {
    apiVersion: resource.apiVersion,
    kind: resource.kind,
    metadata,
    spec: ordered(definition.spec, resource.spec),
    ...(status === undefined || definition.status === undefined
      ? {}
      : { status: ordered(definition.status, status) }),
  }
}

/** One resource as YAML or JSON, fields in a stable order, with a final newline. */
export function formatResource(resource: Resource, options: FormatOptions): string {
  const shown = orderFields(options.showSecrets === true ? resource : maskSecrets(resource))
  return options.format === 'json'
    ? `${JSON.stringify(shown, undefined, 2)}\n`
    : stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false })
}

/** Several resources: YAML documents, or one JSON List; parseResources reads both. */
export function formatResources(resources: readonly Resource[], options: FormatOptions): string {
  if (options.format === 'yaml') {
    return resources.map((resource) => formatResource(resource, options)).join('---\n')
  }
  const items = resources.map((resource) =>
    orderFields(options.showSecrets === true ? resource : maskSecrets(resource)),
  )
  return `${JSON.stringify({ apiVersion: 'drover.network/v1', kind: 'List', items }, undefined, 2)}\n`
}
