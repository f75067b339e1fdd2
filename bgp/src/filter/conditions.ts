import { addressFromBytes, prefix as parsePrefix } from '@network/net'
import { type AsPath, type LargeCommunity } from '../codec/path-attributes.ts'
import { type PolicySet, type PolicySource } from './policy-question.ts'
import { readCommunity, readLargeCommunity } from './community-names.ts'
import { covers, networkOf } from './prefix-conditions.ts'
import { type PolicyMatch } from './policy.ts'

type Condition = (family: 'ipv4' | 'ipv6', source: PolicySource, set: () => PolicySet) => boolean

/**
 * Everything of a match but its prefixes, cheapest first: attributes are only asked for if all else holds.
 * @throws TypeError naming the text, if a community or network is none
 */
export function compileConditions(match: PolicyMatch): Condition {
  const conditions: Condition[] = []
  const { family, origin, peerType, neighbours, interfaces } = match
  if (family !== undefined) conditions.push((routeFamily) => routeFamily === family)
  if (origin !== undefined) conditions.push((_, source) => source.local === (origin === 'local'))
  if (peerType !== undefined) conditions.push((_, source) => source.peerType === peerType)
  if (neighbours !== undefined)
    conditions.push(
      (_, { peer, address }) =>
        (peer !== undefined && neighbours.includes(peer)) ||
        (address !== undefined && neighbours.includes(address)),
    )
  if (interfaces !== undefined)
    conditions.push(
      (_, source) =>
        source.interface !== undefined &&
        interfaces.some((pattern) => fitsInterface(pattern, source.interface ?? '')),
    )
  pushAttributeConditions(match, conditions)
  return (routeFamily, source, set) => conditions.every((holds) => holds(routeFamily, source, set))
}

function pushAttributeConditions(match: PolicyMatch, conditions: Condition[]): void {
  const { asPathPrefix, asPathContains } = match
  const communities = match.communities?.map(readCommunity)
  if (communities !== undefined)
    conditions.push(
      (_, __, set) =>
        set().attributes.communities?.some((community) => communities.includes(community)) ?? false,
    )
  const large = match.largeCommunities?.map(readLargeCommunity)
  if (large !== undefined)
    conditions.push(
      (_, __, set) =>
        set().attributes.largeCommunities?.some((one) => large.some((other) => sameLarge(one, other))) ??
        false,
    )
  if (asPathPrefix !== undefined)
    conditions.push((_, __, set) => beginsWith(set().attributes.asPath ?? [], asPathPrefix))
  if (asPathContains !== undefined)
    conditions.push(
      (_, __, set) =>
        set().attributes.asPath?.some(({ asns }) => asns.some((asn) => asPathContains.includes(asn))) ??
        false,
    )
  const networks = match.nextHops?.map((text) => networkOf(parsePrefix(text)))
  if (networks !== undefined)
    conditions.push((_, __, set) => {
      const { nextHop } = set()
      if (nextHop.length === 0) return false
      const { w0, w1, w2, w3, family } = addressFromBytes(nextHop, 0, nextHop.length === 4 ? 'ipv4' : 'ipv6')
      return networks.some((network) => network.family === family && covers(network, w0, w1, w2, w3))
    })
}

function fitsInterface(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

/** Whether the path begins with these AS numbers, read across its sequences; a set ends the reading. */
function beginsWith(path: AsPath, wanted: readonly number[]): boolean {
  const read: number[] = []
  for (const { type, asns } of path) {
    if (type !== 'sequence' || read.length >= wanted.length) break
    read.push(...asns)
  }
  return wanted.every((asn, i) => read[i] === asn)
}

export function sameLarge(a: LargeCommunity, b: LargeCommunity): boolean {
  return a.global === b.global && a.local1 === b.local1 && a.local2 === b.local2
}
