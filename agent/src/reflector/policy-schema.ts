import type { Policy, PolicyActions, PolicyMatch, PolicyRule, PrefixCondition } from '@network/bgp/filter'
import { anyAddress, anyPrefix, type TextFormat } from '@network/datastore/model/formats'
import {
  asNumber,
  integer,
  list,
  object,
  oneOf,
  optional,
  required,
  type Schema,
  string,
  text,
  withDefault,
} from '@network/datastore/model/schema'
import { failure, success } from '@network/net'

/*
 * A policy of the speaker as a file may have it. Communities are only held to be texts here: the speaker knows their
 * names and patterns, and `policyFaults` says what is wrong with them.
 */

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const word = string({ minLength: 1, maxLength: 128 })
const words = list(word, { min: 1, max: 1000, distinct: true })
const asNumbers = list(asNumber(), { min: 1, max: 64 })

const nextHop: TextFormat = {
  name: 'next hop',
  expected: "an IPv4 or IPv6 address, or 'self'",
  parse: (given) => (given === 'self' ? success(given) : anyAddress.parse(given)),
}

const network: TextFormat = {
  ...anyPrefix,
  parse: (given) => {
    const parsed = anyPrefix.parse(given)
    return parsed.ok ? parsed : failure(parsed.error)
  },
}

const prefixCondition: Schema<PrefixCondition> = object<Writable<PrefixCondition>>({
  prefix: required(text(network), 'The prefix to compare with.'),
  operator: optional(
    oneOf(['Equal', 'NotEqual', 'In', 'NotIn']),
    'Equal: the very prefix; In (default): it or a part of it.',
  ),
  minimumLength: optional(integer(0, 128), "Least length of the route's prefix."),
  maximumLength: optional(integer(0, 128), "Greatest length of the route's prefix."),
})

const match: Schema<PolicyMatch> = object<Writable<PolicyMatch>>({
  family: optional(oneOf(['ipv4', 'ipv6']), 'Address family.'),
  prefixes: optional(list(prefixCondition, { min: 1, max: 10_000 }), 'One of these holds.'),
  origin: optional(oneOf(['local', 'remote']), 'A route of our own, or one that was learned.'),
  peerType: optional(oneOf(['internal', 'external']), 'Kind of the peer it was learned from.'),
  neighbours: optional(words, 'Names or addresses of the peers it was learned from.'),
  interfaces: optional(words, 'Interfaces it was learned over; a trailing * stands for anything.'),
  communities: optional(words, "One of these: '64512:1', 'no-export'."),
  largeCommunities: optional(words, "One of these: '64512:1:2'."),
  asPathPrefix: optional(asNumbers, 'The AS path begins with these.'),
  asPathContains: optional(asNumbers, 'One of these stands in the AS path.'),
  nextHops: optional(list(text(network), { min: 1, max: 1000 }), 'Networks one of which holds the next hop.'),
})

const actions: Schema<PolicyActions> = object<Writable<PolicyActions>>({
  addCommunities: optional(words, 'Communities to add.'),
  removeCommunities: optional(words, "Communities to remove; '64512:*' and '*' remove all that fit."),
  addLargeCommunities: optional(words, 'Large communities to add.'),
  removeLargeCommunities: optional(words, 'Large communities to remove.'),
  prependAsPath: optional(asNumbers, 'AS numbers to put before the path.'),
  localPreference: optional(integer(0, 4294967295), 'LOCAL_PREF.'),
  med: optional(integer(0, 4294967295), 'MULTI_EXIT_DISC.'),
  nextHop: optional(text(nextHop), "An address, or 'self' on export."),
  priority: optional(integer(0, 4294967295), 'For consumers of best routes; BGP does not look at it.'),
})

const rule: Schema<PolicyRule> = object<Writable<PolicyRule>>({
  name: optional(word, "What 'drover bgp why' calls the rule."),
  match: optional(match, 'Every condition that is given holds; without match, every route fits.'),
  then: required(oneOf(['accept', 'reject']), 'What becomes of a route that fits.'),
  set: optional(actions, 'Changes to an accepted route.'),
})

export const policy: Schema<Policy> = object<Writable<Policy>>({
  name: optional(word, "What 'drover bgp why' calls the policy."),
  rules: withDefault<readonly PolicyRule[]>(
    list(rule, { max: 10_000 }),
    [],
    'In order; the first that fits decides.',
  ),
  otherwise: optional(
    oneOf(['accept', 'reject']),
    'For routes that no rule fits: reject if there are rules, accept if there are none.',
  ),
  maximum: optional(integer(0, 16_777_216), 'Accepted prefixes past this number are left out.'),
})
