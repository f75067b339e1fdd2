import { type AfiSafi, ipv4Unicast, ipv6Unicast } from './iana.ts'

/** What an OPEN exchange has settled for one direction of a session: every encoder and decoder is given it. */
export interface CodecContext {
  /** RFC 7606 treats LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST by it. */
  readonly peerType: 'internal' | 'external'
  /** AS numbers take four octets (RFC 6793). */
  readonly as4: boolean
  /** Families whose NLRI carry path identifiers in this direction (RFC 7911). */
  readonly addPath: ReadonlySet<AfiSafi>
  /** Families of IPv4 whose next hop may be an IPv6 address (RFC 8950). */
  readonly extendedNextHop: ReadonlySet<AfiSafi>
  /** Messages up to 65,535 octets (RFC 8654). */
  readonly extendedMessage: boolean
  /** Negotiated families; NLRI of others is ignored. */
  readonly families: ReadonlySet<AfiSafi>
}

const none: ReadonlySet<AfiSafi> = new Set()

/** A session of two modern speakers: both unicast families, four-octet AS numbers, nothing else. */
export const plainContext: CodecContext = {
  peerType: 'external',
  as4: true,
  addPath: none,
  extendedNextHop: none,
  extendedMessage: false,
  families: new Set([ipv4Unicast, ipv6Unicast]),
}

/** Octets in the longest message of a type: OPEN and KEEPALIVE stay at 4,096 with RFC 8654 too. */
export function maxMessageLength(context: { readonly extendedMessage: boolean }): number {
  return context.extendedMessage ? 65535 : 4096
}
