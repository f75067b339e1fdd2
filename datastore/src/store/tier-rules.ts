import { type ResourceReference, resourceKey, resourcePrefix } from '../model/keys.ts'
import { type KindName } from '../model/kinds/index.ts'
import { type PolicySpec } from '../model/kinds/policy.ts'
import { DEFAULT_TIER } from '../model/kinds/tier.ts'
import { type Resource, type ResourceOf } from '../model/resource.ts'
import { listAll } from './pool-rules.ts'
import { describeReference, ResourceError } from './resource-error.ts'
import { type Store } from './store.ts'

/*
 * A policy's tier exists: writing a policy whose tier doesn't is refused, and so is deleting a tier that policies
 * name. A policy in a misspelt tier would otherwise be judged somewhere that nobody looks at, in a cluster where the
 * other policies of that tier are judged elsewhere. Calculation still meets policies without their tier (their keys
 * arrive in any order, and other programs write etcd too) and judges those last, ending in Deny.
 *
 * Transactions that give a policy a tier and those that delete one follow one another by the lock `tiers`. The tier
 * `default` is there for good and needs none of this.
 */

export const TIERS_LOCK = 'tiers'

const policyKinds = [
  'GlobalNetworkPolicy',
  'NetworkPolicy',
  'StagedGlobalNetworkPolicy',
  'StagedNetworkPolicy',
] as const satisfies readonly KindName[]

function tierOfPolicy(resource: Resource): string | undefined {
  return (policyKinds as readonly KindName[]).includes(resource.kind)
    ? (resource.spec as PolicySpec).tier
    : undefined
}

/** Whether writing these resources needs the tiers' lock: a policy comes into a tier that could be deleted. */
export function touchesTiers(
  written: readonly { resource: Resource; fields: readonly string[]; isNew: boolean }[],
): boolean {
  return written.some(({ resource, fields, isNew }) => {
    const tier = tierOfPolicy(resource)
    const comes = isNew || fields.includes('spec') || fields.includes('spec.tier')
    return comes && tier !== undefined && tier !== DEFAULT_TIER.name
  })
}

/** @throws ResourceError 'invalid' if a policy names a tier that is neither stored nor written with it */
export async function checkTiers(store: Store, written: readonly Resource[]): Promise<void> {
  const known = new Set<string>([DEFAULT_TIER.name])
  for (const { kind, metadata } of written) if (kind === 'Tier') known.add(metadata.name)
  for (const resource of written) {
    const tier = tierOfPolicy(resource)
    if (tier === undefined || known.has(tier)) continue
    if ((await store.get(resourceKey({ kind: 'Tier', name: tier }))) === undefined) {
      const { name, namespace } = resource.metadata
      const reference: ResourceReference = {
        kind: resource.kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
      }
      throw new ResourceError(
        'invalid',
        `${describeReference(reference)}: spec.tier: there is no Tier '${tier}'.`,
        {
          reference,
          field: 'spec.tier',
          value: tier,
          remedy: `Create the Tier ${tier} first, or in the same file; without spec.tier a policy is in the tier default.`,
        },
      )
    }
    known.add(tier)
  }
}

/**
 * @throws ResourceError 'in-use' if a policy that stays is in one of the tiers. A policy that can't be read counts as
 * far as its tier can be.
 */
export async function refusePoliciesOf(
  store: Store,
  tiers: readonly ResourceOf<'Tier'>[],
  goingKeys: ReadonlySet<string>,
): Promise<void> {
  const names = new Map(tiers.map((tier) => [tier.metadata.name, tier]))
  for (const kind of policyKinds) {
    const { items } = await listAll(store, resourcePrefix(kind))
    for (const { key, value } of items) {
      const tier = names.get(storedTier(value) ?? '')
      if (tier === undefined || goingKeys.has(key)) continue
      const policy = `${kind} ${key.slice(resourcePrefix(kind).length)}`
      const reference: ResourceReference = { kind: 'Tier', name: tier.metadata.name }
      throw new ResourceError('in-use', `${describeReference(reference)}: the ${policy} is in it.`, {
        reference,
        field: 'metadata.name',
        value: tier.metadata.name,
        remedy: `Delete the ${policy} first or with it, or move it to another tier.`,
      })
    }
  }
}

function storedTier(value: string): string | undefined {
  try {
    const stored = JSON.parse(value) as { spec?: { tier?: unknown } } | null
    const tier = stored?.spec?.tier
    return typeof tier === 'string' ? tier : undefined
  } catch {
    return undefined
  }
}
