import { type Result } from '@network/net'
import { type FieldFault } from '../model/kind.ts'
import { parseResourceKey, type ResourceReference } from '../model/keys.ts'
import { kindDefinition, type KindName } from '../model/kinds/index.ts'
import { DEFAULT_TIER } from '../model/kinds/tier.ts'
import { API_VERSION, type Resource, type ResourceOf } from '../model/resource.ts'
import { decodeResource, encodeResource, isKind } from '../model/stored-resource.ts'
import { type Guard, joinGuards, NO_GUARD, takeLock } from './guard.ts'
import {
  POOLS_LOCK,
  poolUse,
  refuseEndpointsOf,
  refuseHeldAddresses,
  refuseNetworksOf,
  removeEmptyBlocks,
} from './pool-rules.ts'
import { profilesInUse } from './profile-use.ts'
import { type ResourceChange } from './resource-change.ts'
import { describeReference, ResourceError } from './resource-error.ts'
import { ATTEMPTS, commit, keepsChanging, keyOf, refuseLargeBatch } from './resource-transaction.ts'
import { type Condition, type KeyValue, type Operation, type Store } from './store.ts'
import { refusePoliciesOf, TIERS_LOCK } from './tier-rules.ts'

/*
 * Deleting is refused while something is used. For pools that takes two steps: allocations carry the condition that
 * their pool is as they read it, so a pool is disabled first, and after that write none can slip in between the look
 * at its blocks and the deletion. A refusal enables it again; if this process dies in between, the pool stays
 * disabled and the deletion can be repeated.
 */

export interface DeleteOptions {
  /** Plan and check everything, write nothing. */
  dryRun?: boolean
  /** Delete pools whose addresses are held and networks in use. */
  force?: boolean
  /** Leave out what doesn't exist instead of failing with 'not-found'. */
  ignoreMissing?: boolean
}

export interface DeleteReference extends ResourceReference {
  /** Delete only if it is still this revision. */
  resourceVersion?: string
}

/** A resource that is going, as it is stored. */
interface Doomed {
  readonly reference: ResourceReference
  readonly item: KeyValue
  readonly resource: Result<Resource, FieldFault[]>
}

/** The revisions at which this call left the pools that it disabled, by key, and what they were before. */
type DisabledPools = Map<string, { modRevision: number; before: Doomed }>

/** Deletes resources, all or none. */
export async function deleteResources(
  store: Store,
  references: readonly DeleteReference[],
  options: DeleteOptions = {},
): Promise<ResourceChange[]> {
  const [first] = references
  if (first === undefined) return []
  refuseLargeBatch(references.length, first)
  const disabled: DisabledPools = new Map()
  try {
    return await deleteInRounds(store, first, references, options, disabled)
  } catch (error) {
    await enableAgain(store, disabled)
    throw error
  }
}

async function deleteInRounds(
  store: Store,
  first: DeleteReference,
  references: readonly DeleteReference[],
  options: DeleteOptions,
  disabled: DisabledPools,
): Promise<ResourceChange[]> {
  let sent: Doomed[] | undefined
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const doomed = await findDoomed(store, references, options, disabled, sent !== undefined)
    const going = (sent ?? doomed).map((item) => disabled.get(item.item.key)?.before ?? item)
    const inUse = await profilesInUse(store, among(going, 'Profile'))
    const changes = going.map((item) => deletion(item, inUse))
    // What a transaction of ours whose answer was lost deleted is gone.
    if (doomed.length === 0) return changes
    const guard = await checkUnused(store, doomed, options)
    if (options.dryRun === true) return changes
    if (options.force !== true && (await disablePools(store, doomed, disabled)) > 0) continue
    const outcome = await commit(store, {
      when: [
        ...doomed.map(({ item }): Condition => ({ key: item.key, is: 'at', modRevision: item.modRevision })),
        ...guard.when,
      ],
      then: [...doomed.map(({ item }): Operation => ({ delete: item.key })), ...guard.then],
    })
    if (outcome.committed) {
      disabled.clear()
      for (const pool of among(doomed, 'IPPool')) await removeEmptyBlocks(store, await poolUse(store, pool))
      return changes
    }
    if (outcome.uncertain) sent = doomed
  }
  throw keepsChanging(first)
}

async function findDoomed(
  store: Store,
  references: readonly DeleteReference[],
  options: DeleteOptions,
  disabled: DisabledPools,
  mayBeGone: boolean,
): Promise<Doomed[]> {
  const byKey = new Map(references.map((reference) => [keyOf(reference), reference]))
  const items = await Promise.all([...byKey.keys()].map((key) => store.get(key)))
  const doomed: Doomed[] = []
  ;[...byKey].forEach(([key, wanted], index) => {
    const item = items[index]
    const reference = parseResourceKey(key) ?? wanted
    if (item === undefined) {
      if (options.ignoreMissing === true || mayBeGone) return
      throw new ResourceError('not-found', `There is no ${describeReference(reference)}.`, {
        reference,
        field: 'metadata.name',
        value: reference.name,
        remedy: `'drover get ${kindDefinition(reference.kind).plural}' lists what there is.`,
      })
    }
    const ours = disabled.get(key)?.modRevision === item.modRevision
    if (
      wanted.resourceVersion !== undefined &&
      wanted.resourceVersion !== String(item.modRevision) &&
      !ours
    ) {
      throw new ResourceError(
        'conflict',
        `${describeReference(reference)} was changed meanwhile: it is at revision ${String(item.modRevision)}, not ${wanted.resourceVersion}.`,
        {
          reference,
          field: 'metadata.resourceVersion',
          value: wanted.resourceVersion,
          remedy: 'Look at it again, then delete it by its present revision or by its name alone.',
        },
      )
    }
    doomed.push({ reference, item, resource: decodeResource(item) })
  })
  return doomed
}

function deletion({ reference, resource }: Doomed, inUse: ReadonlyMap<string, string>): ResourceChange {
  const warning = reference.kind === 'Profile' ? inUse.get(reference.name) : undefined
  const { kind, ...metadata } = reference
  const gone: Resource = resource.ok ? resource.value : { apiVersion: API_VERSION, kind, metadata, spec: {} }
  return {
    action: 'delete',
    resource: gone,
    previous: gone,
    fields: [],
    ...(warning === undefined ? {} : { warning }),
  }
}

function among<K extends KindName>(doomed: readonly Doomed[], kind: K): ResourceOf<K>[] {
  return doomed.flatMap(({ resource }) =>
    resource.ok && isKind(resource.value, kind) ? [resource.value] : [],
  )
}

/** @throws ResourceError 'in-use' */
async function checkUnused(store: Store, doomed: readonly Doomed[], options: DeleteOptions): Promise<Guard> {
  const pools = among(doomed, 'IPPool')
  const networks = among(doomed, 'Network')
  const tiers = among(doomed, 'Tier').filter((tier) => tier.metadata.name !== DEFAULT_TIER.name)
  let guard = NO_GUARD
  if (pools.length > 0 || networks.length > 0) {
    guard = await takeLock(store, POOLS_LOCK)
    if (options.force !== true) {
      await refuseNetworksOf(store, pools, new Set(networks.map((network) => network.metadata.name)))
      for (const network of networks) await refuseEndpointsOf(store, network)
      for (const pool of pools) refuseHeldAddresses(pool, await poolUse(store, pool))
    }
  }
  if (tiers.length > 0) {
    guard = joinGuards(guard, await takeLock(store, TIERS_LOCK))
    await refusePoliciesOf(store, tiers, new Set(doomed.map(({ item }) => item.key)))
  }
  return guard
}

/** Disables the pools that are enabled; how many there were. The caller looks at everything again after it. */
async function disablePools(
  store: Store,
  doomed: readonly Doomed[],
  disabled: DisabledPools,
): Promise<number> {
  let count = 0
  for (const before of doomed) {
    const { item, resource } = before
    if (!resource.ok || !isKind(resource.value, 'IPPool') || resource.value.spec.disabled) continue
    count++
    const value = encodeResource({ ...resource.value, spec: { ...resource.value.spec, disabled: true } })
    const outcome = await commit(store, {
      when: [{ key: item.key, is: 'at', modRevision: item.modRevision }],
      then: [{ put: item.key, value }],
    })
    if (outcome.committed) disabled.set(item.key, { modRevision: outcome.revision, before })
  }
  return count
}

/** Puts pools back as they were, as far as nobody else wrote them since. */
async function enableAgain(store: Store, disabled: DisabledPools): Promise<void> {
  for (const [key, { modRevision, before }] of disabled) {
    await commit(store, {
      when: [{ key, is: 'at', modRevision }],
      then: [{ put: key, value: before.item.value }],
    })
  }
}
