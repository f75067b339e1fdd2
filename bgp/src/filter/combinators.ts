import { type Policy, type PolicyActions, type PolicyMatch, type PolicyRule } from './policy.ts'

/**
 * A policy of one rule that grows by methods. It is a Policy itself, and as data (structured clone, JSON) nothing
 * but that: `accept.within('10.0.0.0/8').lengths(24, 26).max(1000)`. Each method gives a new policy.
 */
export class PolicyBuilder implements Policy {
  readonly rules: readonly [PolicyRule]
  readonly otherwise: 'accept' | 'reject'
  declare readonly maximum?: number

  constructor(rule: PolicyRule, maximum?: number) {
    this.rules = [rule]
    this.otherwise = rule.then === 'accept' ? 'reject' : 'accept'
    if (maximum !== undefined) this.maximum = maximum
  }

  /** Prefixes that are one of the given networks or a part of one. */
  within(...prefixes: readonly string[]): PolicyBuilder {
    return this.#matching({
      prefixes: [...(this.#match.prefixes ?? []), ...prefixes.map((prefix) => ({ prefix }))],
    })
  }

  /** Exactly these prefixes. */
  exactly(...prefixes: readonly string[]): PolicyBuilder {
    const added = prefixes.map((prefix) => ({ prefix, operator: 'Equal' as const }))
    return this.#matching({ prefixes: [...(this.#match.prefixes ?? []), ...added] })
  }

  /** Only prefixes of such lengths; after within(). */
  lengths(minimumLength: number, maximumLength: number): PolicyBuilder {
    const prefixes = this.#match.prefixes ?? [{ prefix: '0.0.0.0/0' }, { prefix: '::/0' }]
    return this.#matching({
      prefixes: prefixes.map((condition) => ({ ...condition, minimumLength, maximumLength })),
    })
  }

  /** Routes of our own. */
  get local(): PolicyBuilder {
    return this.#matching({ origin: 'local' })
  }

  /** Routes that were learned. */
  get remote(): PolicyBuilder {
    return this.#matching({ origin: 'remote' })
  }

  /** Routes learned from one of these peers, by name or address. */
  from(...neighbours: readonly string[]): PolicyBuilder {
    return this.#matching({ neighbours: [...(this.#match.neighbours ?? []), ...neighbours] })
  }

  /** Routes with one of these communities, each '64512:1', 'no-export' or '64512:1:2'. */
  community(...communities: readonly string[]): PolicyBuilder {
    const large = communities.filter((text) => text.split(':').length === 3)
    const plain = communities.filter((text) => !large.includes(text))
    return this.#matching({
      ...(plain.length > 0 ? { communities: [...(this.#match.communities ?? []), ...plain] } : {}),
      ...(large.length > 0 ? { largeCommunities: [...(this.#match.largeCommunities ?? []), ...large] } : {}),
    })
  }

  /** Any further conditions. */
  where(match: PolicyMatch): PolicyBuilder {
    return this.#matching(match)
  }

  /** What to change in routes that are accepted. */
  set(actions: PolicyActions): PolicyBuilder {
    const [rule] = this.rules
    return new PolicyBuilder({ ...rule, set: { ...rule.set, ...actions } }, this.maximum)
  }

  /** The greatest number of prefixes accepted. */
  max(maximum: number): PolicyBuilder {
    return new PolicyBuilder(this.rules[0], maximum)
  }

  get #match(): PolicyMatch {
    return this.rules[0].match ?? {}
  }

  #matching(more: PolicyMatch): PolicyBuilder {
    const [rule] = this.rules
    return new PolicyBuilder({ ...rule, match: { ...rule.match, ...more } }, this.maximum)
  }
}

/** Accepts what the methods called on it say, and nothing else; by itself, everything. */
export const accept = new PolicyBuilder({ then: 'accept' })

/** Refuses what the methods called on it say, and nothing else; by itself, everything. */
export const reject = new PolicyBuilder({ then: 'reject' })

/** The rules of several policies in order; what none of them decides is decided by the last one's `otherwise`. */
export function firstOf(...policies: readonly Policy[]): Policy {
  const maxima = policies.flatMap(({ maximum }) => (maximum === undefined ? [] : [maximum]))
  return {
    rules: policies.flatMap(({ rules }) => rules),
    otherwise: policies.at(-1)?.otherwise ?? 'reject',
    ...(maxima.length > 0 ? { maximum: Math.min(...maxima) } : {}),
  }
}
