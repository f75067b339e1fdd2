/**
 * BGPFilters and the bounds of our pools as policies of the speaker. What a person writes in a filter is judged first
 * and may widen or narrow anything; what no rule names is bounded: learned routes are taken only inside our pools,
 * and announced are only our pools' routes. To other AS's we announce what lies on this node and nothing learned
 * (a node is no transit, and a switch hears each block once), unless the node is a route reflector.
 */
import type { PeerOptions } from '@network/bgp'
import type { BGPFilterRule, ResourceOf } from '@network/datastore/model'
import type { Family } from '@network/net'

/** The speaker's policy as data; see @network/bgp, filter/policy.ts. */
type Policy = Extract<NonNullable<PeerOptions['import']>, { readonly rules: unknown }>
type PolicyRule = Policy['rules'][number]
type PolicyMatch = NonNullable<PolicyRule['match']>
type PolicyActions = NonNullable<PolicyRule['set']>
type Draft<T> = { -readonly [K in keyof T]: T[K] }

export interface PolicyInput {
  readonly pools: readonly ResourceOf<'IPPool'>[]
  /** The peer's filters in order. */
  readonly filters: readonly ResourceOf<'BGPFilter'>[]
  /** Whether routes learned from others may be passed on to this peer. */
  readonly transit: boolean
}

/** `problems`: sentences about rules that the speaker cannot judge; such a rule matches nothing. */
export interface PeerPolicies {
  readonly import: Policy
  readonly export: Policy
  readonly problems: readonly string[]
}

export function peerPolicies(input: PolicyInput): PeerPolicies {
  const problems: string[] = []
  const pools = input.pools.map(({ spec }) => spec).sort((a, b) => (a.cidr < b.cidr ? -1 : 1))
  const within = (cidrs: readonly string[]): readonly { prefix: string; operator: 'In' }[] =>
    cidrs.map((prefix) => ({ prefix, operator: 'In' }))
  const exported = pools.filter(({ disableBGPExport }) => !disableBGPExport).map(({ cidr }) => cidr)
  const ours = pools.map(({ cidr }) => cidr)
  const accept = (name: string, cidrs: readonly string[], more: PolicyMatch = {}): PolicyRule[] =>
    cidrs.length === 0 ? [] : [{ name, match: { prefixes: within(cidrs), ...more }, then: 'accept' }]
  return {
    import: {
      rules: [...filterRules(input.filters, 'import', problems), ...accept('inside our pools', ours)],
      otherwise: 'reject',
    },
    export: {
      rules: [
        ...filterRules(input.filters, 'export', problems),
        ...accept('our pools', exported, input.transit ? {} : { origin: 'local' }),
      ],
      otherwise: 'reject',
    },
    problems,
  }
}

function filterRules(
  filters: readonly ResourceOf<'BGPFilter'>[],
  direction: 'import' | 'export',
  problems: string[],
): PolicyRule[] {
  return filters.flatMap((filter) =>
    (['ipv4', 'ipv6'] as const).flatMap((family) => {
      const field = `${direction}${family === 'ipv4' ? 'V4' : 'V6'}` as const
      return (filter.spec[field] ?? []).flatMap((rule, index) => {
        const name = `BGPFilter ${filter.metadata.name} ${field}[${index}]`
        const unsupported = unsupportedPart(rule)
        if (unsupported === undefined) return [policyRule(name, family, rule)]
        problems.push(`${name} ${unsupported}: the rule is left out.`)
        return []
      })
    }),
  )
}

function unsupportedPart(rule: BGPFilterRule): string | undefined {
  if (rule.priority !== undefined) return 'matches on a priority, which routes of BGP do not carry'
  const { small, large } = splitCommunities(rule.communities?.values ?? [])
  if (small.length > 1 || large.length > 1) return 'asks for several communities at once'
  return undefined
}

function policyRule(name: string, family: Family, rule: BGPFilterRule): PolicyRule {
  const { small, large } = splitCommunities(rule.communities?.values ?? [])
  const match: Draft<PolicyMatch> = { family }
  if (rule.cidr !== undefined) {
    match.prefixes = [
      {
        prefix: rule.cidr,
        operator: rule.matchOperator ?? 'In',
        ...(rule.prefixLength?.min === undefined ? {} : { minimumLength: rule.prefixLength.min }),
        ...(rule.prefixLength?.max === undefined ? {} : { maximumLength: rule.prefixLength.max }),
      },
    ]
  }
  if (rule.source === 'RemotePeers') match.origin = 'remote'
  if (rule.interface !== undefined) match.interfaces = [rule.interface]
  if (rule.peerType !== undefined) match.peerType = rule.peerType === 'eBGP' ? 'external' : 'internal'
  if (small.length > 0) match.communities = small
  if (large.length > 0) match.largeCommunities = large
  if (rule.asPathPrefix !== undefined) match.asPathPrefix = rule.asPathPrefix
  if (rule.action === 'Reject') return { name, match, then: 'reject' }
  const set = actionsOf(rule)
  return { name, match, then: 'accept', ...(Object.keys(set).length === 0 ? {} : { set }) }
}

function actionsOf(rule: BGPFilterRule): PolicyActions {
  const set: Draft<PolicyActions> = {}
  const operations = rule.operations ?? []
  const { small, large } = splitCommunities(
    operations.flatMap(({ addCommunity }) => (addCommunity === undefined ? [] : [addCommunity.value])),
  )
  if (small.length > 0) set.addCommunities = small
  if (large.length > 0) set.addLargeCommunities = large
  const prepended = operations.flatMap(({ prependASPath }) => [...(prependASPath?.prefix ?? [])])
  if (prepended.length > 0) set.prependAsPath = prepended
  for (const { setLocalPreference, setPriority } of operations) {
    if (setLocalPreference !== undefined) set.localPreference = setLocalPreference.value
    if (setPriority !== undefined) set.priority = setPriority.value
  }
  return set
}

/** aa:nn (RFC 1997) and aa:nn:mm (RFC 8092). */
export function splitCommunities(values: readonly string[]): { small: string[]; large: string[] } {
  const isLarge = (value: string): boolean => value.split(':').length === 3
  return { small: values.filter((value) => !isLarge(value)), large: values.filter(isLarge) }
}
