import { type Resource, formatResource, maskSecrets } from '@network/datastore/model'
import { lineDiff } from './line-diff.ts'
import { printable } from './table.ts'

/** What happened to a resource, or would. */
export interface ShownChange {
  readonly action: 'create' | 'update' | 'unchanged' | 'delete'
  readonly resource: Resource
  readonly previous: Resource | undefined
  readonly fields: readonly string[]
}

const done = { create: 'created', update: 'changed', unchanged: 'unchanged', delete: 'deleted' } as const

/** 'IPPool blue', 'NetworkPolicy web/allow'. */
export function nameOfResource({ kind, metadata: { name, namespace } }: Resource): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
}

/** A line for each resource; of a dry run with the lines that would differ below it. */
export function changesText(changes: readonly ShownChange[], options: { dryRun: boolean }): string {
  return changes
    .map((change) => {
      const { action, resource, fields } = change
      const where = action === 'update' ? `: ${fields.join(', ')}` : ''
      const would = options.dryRun && action !== 'unchanged' ? 'would be ' : ''
      const line = `${nameOfResource(resource)} ${would}${done[action]}${where}\n`
      return options.dryRun && action === 'update' ? line + difference(change) : line
    })
    .join('')
}

function difference({ resource, previous }: ShownChange): string {
  if (previous === undefined) return '  (what is stored can not be read)\n'
  const text = (one: Resource): string => formatResource(withoutRevision(one), { format: 'yaml' })
  return lineDiff(text(previous), text(resource))
    .map((line) => `  ${printable(line)}\n`)
    .join('')
}

function withoutRevision(resource: Resource): Resource {
  const { resourceVersion: _, ...metadata } = resource.metadata
  return { ...resource, metadata }
}

/** The same for scripts, secrets masked; of a dry run with what is stored. */
export function changeItems(changes: readonly ShownChange[], options: { dryRun: boolean }): object[] {
  return changes.map(({ action, resource, previous, fields }) => ({
    action,
    resource: maskSecrets(resource),
    ...(options.dryRun && previous !== undefined ? { previous: maskSecrets(previous) } : {}),
    fields,
  }))
}
