/**
 * Import and export policy as plain data: it survives structured clone, JSON and YAML. A policy is an ordered list
 * of rules; the first rule whose every condition holds decides, and `otherwise` decides when none does. Actions of a
 * rule that accepts change the route. compile.ts turns a policy into a function whose part about attributes is run
 * once per attribute set; combinators.ts builds policies (`accept.within('10.0.0.0/8').max(1000)`).
 */
import { type RouteView } from './route-view.ts'

export interface Policy {
  /** Said in explanations: 'import-tor'. */
  readonly name?: string
  readonly rules: readonly PolicyRule[]
  /** Default 'reject' if there are rules, 'accept' if there are none. */
  readonly otherwise?: 'accept' | 'reject'
  /** Accepted prefixes past this number are left out, in the order of arrival. */
  readonly maximum?: number
}

export interface PolicyRule {
  /** Said in explanations; default: 'rule 3'. */
  readonly name?: string
  readonly match?: PolicyMatch
  readonly then: 'accept' | 'reject'
  /** Only with 'accept'. */
  readonly set?: PolicyActions
}

/** Equal: the very prefix; In: it or a part of it; the negations hold for every other prefix. */
export type PrefixOperator = 'Equal' | 'NotEqual' | 'In' | 'NotIn'

export interface PrefixCondition {
  /** '10.0.0.0/8'. A prefix of the other family satisfies NotEqual and NotIn. */
  readonly prefix: string
  /** Default 'In'. */
  readonly operator?: PrefixOperator
  /** Inclusive bounds of the route's prefix length. */
  readonly minimumLength?: number
  readonly maximumLength?: number
}

/** Every condition that is present must hold; of a list, one entry is enough. */
export interface PolicyMatch {
  readonly family?: 'ipv4' | 'ipv6'
  readonly prefixes?: readonly PrefixCondition[]
  /** Where the route comes from: one of our own, or learned. */
  readonly origin?: 'local' | 'remote'
  readonly peerType?: 'internal' | 'external'
  /** Names or addresses of the peer that the route was learned from. */
  readonly neighbours?: readonly string[]
  /** Interfaces of the session that the route was learned over; a trailing * stands for anything. */
  readonly interfaces?: readonly string[]
  /** '64512:1', 'no-export'. */
  readonly communities?: readonly string[]
  /** '64512:1:2'. */
  readonly largeCommunities?: readonly string[]
  /** AS numbers that the AS_PATH begins with. */
  readonly asPathPrefix?: readonly number[]
  /** AS numbers one of which stands in the AS_PATH. */
  readonly asPathContains?: readonly number[]
  /** Networks one of which holds the next hop. */
  readonly nextHops?: readonly string[]
}

export interface PolicyActions {
  readonly addCommunities?: readonly string[]
  /** '64512:1'; '64512:*' and '*' remove all that fit. */
  readonly removeCommunities?: readonly string[]
  readonly addLargeCommunities?: readonly string[]
  readonly removeLargeCommunities?: readonly string[]
  /** AS numbers put before the AS_PATH, the last of them nearest to it. */
  readonly prependAsPath?: readonly number[]
  readonly localPreference?: number
  readonly med?: number
  /** An address, or 'self' (export only). */
  readonly nextHop?: string
  /** Handed to consumers of best routes, for instance as a route's metric; nothing that BGP looks at. */
  readonly priority?: number
}

/**
 * Policy as a function of a route. It must depend on nothing but the route: its answer is remembered per attribute
 * set if it did not look at the prefix. `true` accepts, `false` rejects, actions accept with changes.
 */
export type PolicyFunction = (route: RouteView) => boolean | PolicyActions

export type AnyPolicy = Policy | PolicyFunction
