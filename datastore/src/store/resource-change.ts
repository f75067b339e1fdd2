import { type Resource } from '../model/resource.ts'

/** What a call did, or with `dryRun` would do, to one resource. */
export interface ResourceChange {
  readonly action: 'create' | 'update' | 'unchanged' | 'delete'
  /** After the change; of a deleted one what it was. Its resourceVersion is the new one, except in a dry run. */
  readonly resource: Resource
  readonly previous: Resource | undefined
  /** Paths that differ from `previous`: 'spec.natOutgoing', 'metadata.labels.rack'. */
  readonly fields: readonly string[]
  /** What the one who asked for it should know, as the end of a sentence about the resource. */
  readonly warning?: string
}

const GIVEN_BY_STORE = new Set(['uid', 'creationTimestamp', 'resourceVersion'])

/** The paths in which two resources differ; lists count as one value. */
export function changedFields(previous: Resource, next: Resource): string[] {
  const { metadata: before } = previous
  const { metadata: after } = next
  const own = (metadata: object): object =>
    Object.fromEntries(Object.entries(metadata).filter(([name]) => !GIVEN_BY_STORE.has(name)))
  return [
    ...differences(own(before), own(after), 'metadata'),
    ...differences(previous.spec, next.spec, 'spec'),
    ...differences(previous.status, next.status, 'status'),
  ]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function differences(before: unknown, after: unknown, path: string): string[] {
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...names].flatMap((name) => differences(before[name], after[name], `${path}.${name}`))
  }
  return sameValue(before, after) ? [] : [path]
}

/** Equality of JSON values; the order of keys doesn't matter. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameValue(item, b[index]))
  }
  if (isRecord(a) && isRecord(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)])
    return [...names].every((name) => sameValue(a[name], b[name]))
  }
  return Object.is(a, b)
}
