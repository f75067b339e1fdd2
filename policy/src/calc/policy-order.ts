/** The order in which an endpoint's policies are judged. */
import { DEFAULT_TIER, type TierSpec } from '@network/datastore/model'
import type { ActiveTier, PolicyId } from './active.ts'

/** What ordering needs to know of a policy. */
export interface OrderedPolicy {
  readonly id: PolicyId
  readonly name: string
  readonly namespace: string | undefined
  readonly tier: string
  readonly order: number | undefined
  readonly inbound: boolean
  readonly outbound: boolean
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** None is last. */
function compareOrders(a: number | undefined, b: number | undefined): number {
  const [left, right] = [a ?? Infinity, b ?? Infinity]
  return left < right ? -1 : left > right ? 1 : 0
}

function comparePolicies(a: OrderedPolicy, b: OrderedPolicy): number {
  return (
    compareOrders(a.order, b.order) ||
    compareTexts(a.name, b.name) ||
    compareTexts(a.namespace ?? '', b.namespace ?? '')
  )
}

/** The tier of that name: the default one is always the same, one that nobody defined has no order and denies. */
export function tierOf(name: string, tiers: ReadonlyMap<string, TierSpec>): TierSpec {
  if (name === DEFAULT_TIER.name) return DEFAULT_TIER
  return tiers.get(name) ?? { defaultAction: 'Deny' }
}

/** The policies by tier, in order. */
export function orderedTiers(
  policies: Iterable<OrderedPolicy>,
  tiers: ReadonlyMap<string, TierSpec>,
): readonly ActiveTier[] {
  const byTier = new Map<string, OrderedPolicy[]>()
  for (const policy of policies) {
    const ofTier = byTier.get(policy.tier)
    if (ofTier === undefined) byTier.set(policy.tier, [policy])
    else ofTier.push(policy)
  }
  return [...byTier]
    .map(([name, ofTier]) => {
      const { order, defaultAction } = tierOf(name, tiers)
      const sorted = ofTier.sort(comparePolicies)
      const inbound = sorted.filter((policy) => policy.inbound).map(({ id }) => id)
      const outbound = sorted.filter((policy) => policy.outbound).map(({ id }) => id)
      return { order, tier: { name, defaultAction, inbound, outbound } }
    })
    .filter(({ tier }) => tier.inbound.length + tier.outbound.length > 0)
    .sort((a, b) => compareOrders(a.order, b.order) || compareTexts(a.tier.name, b.tier.name))
    .map(({ tier }) => tier)
}
