import { type AsPath, type LargeCommunity, type Origin } from '../codec/path-attributes.ts'

/** A route as a policy function sees it; every property is made when it is read. */
export interface RouteView {
  /** '10.1.2.0/26'. */
  readonly prefix: string
  readonly length: number
  readonly family: 'ipv4' | 'ipv6'
  /** One of our own. */
  readonly local: boolean
  /** Name of the peer that it was learned from; undefined for our own. */
  readonly peer: string | undefined
  readonly peerType: 'internal' | 'external' | undefined
  readonly interface: string | undefined
  /** First address of the next hop. */
  readonly nextHop: string | undefined
  readonly asPath: AsPath
  readonly origin: Origin
  readonly localPreference: number
  readonly med: number | undefined
  readonly communities: readonly number[]
  readonly largeCommunities: readonly LargeCommunity[]
  /** Whether the route has the community: '64512:1', 'no-export'. */
  community(text: string): boolean
  /** Whether the route has the large community: '64512:1:2'. */
  largeCommunity(text: string): boolean
  /** Whether the prefix is the given one or a part of it. */
  within(prefix: string): boolean
}
