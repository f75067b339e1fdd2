import { type Clock } from '@network/net'
import { fieldFault, SECRET_MASK } from '../model/field-fault.ts'
import { kindDefinition } from '../model/kinds/index.ts'
import { type ResourceReference } from '../model/keys.ts'
import { type Resource } from '../model/resource.ts'
import { restoreSecrets } from '../model/secrets.ts'
import { decodeResource, encodeResource } from '../model/stored-resource.ts'
import { validateResource } from '../model/validate.ts'
import { type Guard, joinGuards, NO_GUARD, takeLock } from './guard.ts'
import { checkPoolRules, POOLS_LOCK, touchesPools } from './pool-rules.ts'
import { changedFields, type ResourceChange, sameValue } from './resource-change.ts'
import { describeReference, ResourceError } from './resource-error.ts'
import { ATTEMPTS, commit, invalid, keepsChanging, keyOf, refuseLargeBatch } from './resource-transaction.ts'
import { type Condition, type KeyValue, type Operation, type Store } from './store.ts'
import { checkTiers, TIERS_LOCK, touchesTiers } from './tier-rules.ts'

export interface WriteModules {
  store: Store
  clock: Pick<Clock, 'now'>
  uuid: () => string
}

export type WriteMode = 'create' | 'replace' | 'apply'

/** One resource on its way into the store. */
interface Draft {
  readonly resource: Resource
  readonly reference: ResourceReference
  readonly key: string
  readonly uid: string
}

interface Planned {
  readonly change: ResourceChange
  readonly key: string
  readonly condition: Condition
  /** Nothing is left to write: the store holds it as it is. */
  readonly settled: boolean
}

/** Creates, replaces or applies resources, all or none. */
export async function writeResources(
  modules: WriteModules,
  mode: WriteMode,
  resources: readonly Resource[],
  options: { dryRun?: boolean } = {},
): Promise<ResourceChange[]> {
  const { store } = modules
  const drafts = draftsOf(modules, resources)
  if (drafts.length === 0) return []
  let uncertain = false
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const stored = await Promise.all(drafts.map((draft) => store.get(draft.key)))
    const plans = drafts.map((draft, index) =>
      plan(draft, stored[index], mode, modules.clock.now(), uncertain),
    )
    const guard = await guardOf(store, plans)
    const changes = plans.map(({ change }) => change)
    if (options.dryRun === true || plans.every(({ settled }) => settled)) return changes
    const outcome = await commit(store, {
      when: [...plans.map(({ condition }) => condition), ...guard.when],
      then: [
        ...plans
          .filter(({ settled }) => !settled)
          .map(({ key, change }): Operation => ({ put: key, value: encodeResource(change.resource) })),
        ...guard.then,
      ],
    })
    if (outcome.committed) return changes.map((change) => atRevision(change, outcome.revision))
    uncertain ||= outcome.uncertain
  }
  throw keepsChanging(drafts[0]?.reference)
}

function draftsOf(modules: WriteModules, resources: readonly Resource[]): Draft[] {
  const drafts: Draft[] = []
  const seen = new Set<string>()
  for (const given of resources) {
    const validated = validateResource(given)
    const { kind } = given
    const namespace = given.metadata.namespace
    const reference: ResourceReference = {
      kind,
      name: given.metadata.name,
      ...(namespace === undefined ? {} : { namespace }),
    }
    if (!validated.ok) throw invalid(reference, validated.error)
    const resource = validated.value
    const normal: ResourceReference = {
      kind,
      name: resource.metadata.name,
      ...(resource.metadata.namespace === undefined ? {} : { namespace: resource.metadata.namespace }),
    }
    const key = keyOf(normal)
    if (seen.has(key)) {
      throw invalid(normal, [fieldFault(['metadata', 'name'], normal.name, 'each resource once in a call')])
    }
    seen.add(key)
    drafts.push({ resource, reference: normal, key, uid: modules.uuid() })
  }
  const [first] = drafts
  if (first !== undefined) refuseLargeBatch(drafts.length, first.reference)
  return drafts
}

function atRevision(change: ResourceChange, revision: number): ResourceChange {
  if (change.action === 'unchanged') return change
  const metadata = { ...change.resource.metadata, resourceVersion: String(revision) }
  return { ...change, resource: { ...change.resource, metadata } }
}

async function guardOf(store: Store, plans: readonly Planned[]): Promise<Guard> {
  const written = plans
    .filter(({ settled }) => !settled)
    .map(({ change: { action, fields, resource } }) => ({ resource, fields, isNew: action === 'create' }))
  let guard = NO_GUARD
  if (touchesPools(written)) {
    guard = await takeLock(store, POOLS_LOCK)
    await checkPoolRules(store, written)
  }
  if (touchesTiers(written)) guard = joinGuards(guard, await takeLock(store, TIERS_LOCK))
  const resources = written.map(({ resource }) => resource)
  await checkTiers(store, resources)
  return guard
}

function plan(
  draft: Draft,
  stored: KeyValue | undefined,
  mode: WriteMode,
  now: number,
  uncertain: boolean,
): Planned {
  const { key, reference } = draft
  if (stored === undefined) return planNew(draft, mode, now)
  const decoded = decodeResource(stored)
  const previous = decoded.ok ? decoded.value : undefined
  const condition: Condition = { key, is: 'at', modRevision: stored.modRevision }
  const ours = uncertain && previous?.metadata.uid === draft.uid
  if (mode === 'create' && !ours) {
    throw new ResourceError('exists', `${describeReference(reference)} exists already.`, {
      reference,
      field: 'metadata.name',
      value: reference.name,
      remedy: `Use 'drover apply' or 'drover replace' to change it, or choose another name.`,
    })
  }
  const { resource, unknown } = restoreSecrets(draft.resource, previous)
  refuseMasks(reference, unknown)
  const next = inherit(resource, previous, draft.uid, now)
  const done = previous !== undefined && encodeResource(next) === encodeResource(previous)
  const expected = draft.resource.metadata.resourceVersion
  if (expected !== undefined && expected !== String(stored.modRevision) && !(uncertain && done)) {
    throw new ResourceError(
      'conflict',
      `${describeReference(reference)} was changed meanwhile: it is at revision ${String(stored.modRevision)}, the change was made from ${expected}.`,
      {
        reference,
        field: 'metadata.resourceVersion',
        value: expected,
        remedy: 'Get it again and repeat the change, or leave out metadata.resourceVersion to overwrite.',
      },
    )
  }
  if (previous !== undefined) refuseImmutable(reference, previous, next)
  const metadata = { ...next.metadata, resourceVersion: String(stored.modRevision) }
  return {
    key,
    condition,
    settled: done || ours,
    change: {
      action: ours ? 'create' : done ? 'unchanged' : 'update',
      resource: { ...next, metadata },
      previous,
      fields: previous === undefined ? ['spec'] : changedFields(previous, next),
    },
  }
}

function planNew(draft: Draft, mode: WriteMode, now: number): Planned {
  const { key, reference } = draft
  const expected = draft.resource.metadata.resourceVersion
  if (mode === 'replace' || (mode === 'apply' && expected !== undefined)) {
    throw new ResourceError('not-found', `There is no ${describeReference(reference)}.`, {
      reference,
      field: 'metadata.name',
      value: reference.name,
      remedy:
        mode === 'replace'
          ? `Use 'drover create' or 'drover apply' to make it.`
          : 'It was deleted meanwhile: leave out metadata.resourceVersion to make it again.',
    })
  }
  if (expected !== undefined) {
    throw invalid(reference, [
      fieldFault(
        ['metadata', 'resourceVersion'],
        expected,
        'no resourceVersion on a resource that is created',
      ),
    ])
  }
  const { resource, unknown } = restoreSecrets(draft.resource, undefined)
  refuseMasks(reference, unknown)
  return {
    key,
    condition: { key, is: 'absent' },
    settled: false,
    change: {
      action: 'create',
      resource: inherit(resource, undefined, draft.uid, now),
      previous: undefined,
      fields: [],
    },
  }
}

function refuseMasks(reference: ResourceReference, places: readonly (readonly (string | number)[])[]): void {
  if (places.length === 0) return
  throw invalid(
    reference,
    places.map((at) =>
      fieldFault(
        at,
        SECRET_MASK,
        'the secret itself',
        'it is how a secret is printed, and none is stored here',
      ),
    ),
  )
}

/** The resource with what only its predecessor knows: uid, time of creation, labels that weren't mentioned, status. */
function inherit(resource: Resource, previous: Resource | undefined, uid: string, now: number): Resource {
  const { labels = previous?.metadata.labels, annotations = previous?.metadata.annotations } =
    resource.metadata
  const { name, namespace } = resource.metadata
  const status = resource.status ?? previous?.status
  return {
    ...resource,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      uid: previous?.metadata.uid ?? uid,
      creationTimestamp: previous?.metadata.creationTimestamp ?? new Date(now).toISOString(),
    },
    ...(status === undefined ? {} : { status }),
  }
}

function refuseImmutable(reference: ResourceReference, previous: Resource, next: Resource): void {
  const before = previous.spec as Readonly<Record<string, unknown>>
  const after = next.spec as Readonly<Record<string, unknown>>
  for (const name of kindDefinition(next.kind).immutable as readonly string[]) {
    if (before[name] === undefined || sameValue(before[name], after[name])) continue
    throw new ResourceError(
      'immutable',
      `${describeReference(reference)}: spec.${name} can't change from ${JSON.stringify(before[name])} to ${JSON.stringify(after[name])}.`,
      {
        reference,
        field: `spec.${name}`,
        value: after[name],
        remedy: `Leave spec.${name} as it is, or delete the ${reference.kind} and create it anew.`,
      },
    )
  }
}
