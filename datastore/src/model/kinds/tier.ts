import { defineKind } from '../kind.ts'
import { number, object, oneOf, optional, withDefault } from '../schema.ts'

/** Policies that are judged together. Tiers come in their `order`, those without one last, ties by name. */
export interface TierSpec {
  order?: number
  /** What becomes of a packet that policies of the tier judged and none of them decided. */
  defaultAction: 'Deny' | 'Pass'
}

/** Orders of tiers and policies lie between this and its negative. */
export const ORDER_LIMIT = 1e12

/** The tier of policies that name none. It exists whether it is stored or not, always as it is here. */
export const DEFAULT_TIER = { name: 'default', order: 1_000_000, defaultAction: 'Deny' } as const

export const tier = defineKind<TierSpec>()({
  kind: 'Tier',
  plural: 'tiers',
  aliases: ['tier'],
  description: 'Policies that are judged together, and what happens at their end.',
  spec: object<TierSpec>({
    order: optional(
      number(-ORDER_LIMIT, ORDER_LIMIT),
      'Lower is judged first; without it last, ties by name.',
    ),
    defaultAction: withDefault(
      oneOf(['Deny', 'Pass']),
      'Deny',
      'What becomes of a packet that its policies judged and none decided: dropped, or on to the next tier.',
    ),
  }),
  refine(spec, report, metadata) {
    if (metadata.name !== DEFAULT_TIER.name) return
    spec.order ??= DEFAULT_TIER.order
    for (const field of ['order', 'defaultAction'] as const) {
      if (spec[field] === DEFAULT_TIER[field]) continue
      report(
        ['spec', field],
        spec[field],
        String(DEFAULT_TIER[field]),
        "the tier 'default' is the same in every cluster: make another tier",
      )
    }
  },
})
