import { type Address } from '@network/net'

export type Origin = 'igp' | 'egp' | 'incomplete'

export interface AsPathSegment {
  readonly type: 'set' | 'sequence' | 'confed-sequence' | 'confed-set'
  readonly asns: readonly number[]
}

/** AS_PATH; the empty path is `[]`. */
export type AsPath = readonly AsPathSegment[]

export interface Aggregator {
  readonly asn: number
  /** The BGP identifier of the aggregating speaker, an unsigned 32-bit integer. */
  readonly routerId: number
}

/** RFC 8092: three unsigned 32-bit integers. */
export interface LargeCommunity {
  readonly global: number
  readonly local1: number
  readonly local2: number
}

/** RFC 4360: eight octets as two unsigned 32-bit integers. */
export interface ExtendedCommunity {
  readonly high: number
  readonly low: number
}

/** An attribute that is carried as it came: its value is not looked into. */
export interface OpaqueAttribute {
  readonly flags: number
  readonly code: number
  readonly value: Uint8Array
}

/**
 * The path attributes of a route, less MP_REACH_NLRI and MP_UNREACH_NLRI, as plain data. AS numbers are always the
 * four-octet ones: AS4_PATH and AS4_AGGREGATOR have been merged in (RFC 6793 section 4.2.3) and are made anew for a
 * peer that needs them. Router ids, cluster ids and communities are unsigned 32-bit integers.
 */
export interface PathAttributes {
  readonly origin?: Origin
  readonly asPath?: AsPath
  /** NEXT_HOP, an IPv4 address; next hops of MP_REACH_NLRI stay with the NLRI. */
  readonly nextHop?: Address
  readonly multiExitDisc?: number
  readonly localPref?: number
  readonly atomicAggregate?: true
  readonly aggregator?: Aggregator
  readonly communities?: readonly number[]
  readonly originatorId?: number
  readonly clusterList?: readonly number[]
  readonly extendedCommunities?: readonly ExtendedCommunity[]
  /** RFC 5701: twenty octets each. */
  readonly ipv6ExtendedCommunities?: readonly Uint8Array[]
  readonly largeCommunities?: readonly LargeCommunity[]
  /** OTC, an AS number (RFC 9234 section 5). */
  readonly onlyToCustomer?: number
  /** Codes of understood attributes that came with the Partial bit, which must stay set (RFC 4271 section 5). */
  readonly partial?: readonly number[]
  /** Optional transitive attributes that this speaker doesn't know, with the partial bit set; ordered by code. */
  readonly opaque?: readonly OpaqueAttribute[]
}
