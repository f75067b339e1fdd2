import { type Family } from '@network/net'

/** A route that a daemon shall originate. */
export interface PeerRoute {
  readonly prefix: string
  /** Default: the daemon's own choice. */
  readonly nextHop?: string
  /** '65001:1' */
  readonly communities?: readonly string[]
  /** '65001:1:2' */
  readonly largeCommunities?: readonly string[]
}

/** The family of a prefix as text. */
export function familyOf(prefix: string): Family {
  return prefix.includes(':') ? 'ipv6' : 'ipv4'
}
