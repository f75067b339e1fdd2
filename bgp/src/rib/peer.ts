import { type CodecContext } from '../codec/context.ts'
import { type AfiSafi, type Role } from '../codec/iana.ts'
import { type AnyPolicy } from '../filter/policy.ts'

/** A peer's place in the RIB, from addPeer until removePeer; 0 stands for our own routes. */
export type PeerIndex = number

/** The source of our own routes. */
export const localPeer: PeerIndex = 0

/** What the RIB is told of a peer by configuration. May change while the session is up: see Rib.updatePeer. */
export interface RibPeer {
  /** Said to people and matched by policies. */
  readonly name: string
  readonly import?: AnyPolicy
  readonly export?: AnyPolicy
  /** RFC 4456: the peer is a client of ours. */
  readonly routeReflectorClient?: boolean
  /** RFC 7947: AS_PATH, NEXT_HOP and MED pass unchanged. */
  readonly routeServerClient?: boolean
  /** Default 'auto', RFC 4271 section 5.1.3. 'self' leaves reflected routes alone (RFC 4456 section 10). */
  readonly nextHop?: 'auto' | 'self' | 'unchanged'
  /** How often our own AS may stand in an AS_PATH received; default 0. */
  readonly allowOwnAsn?: number
  /** The AS that we are to this peer; default: the speaker's. */
  readonly localAsn?: number
  /** With localAsn: put it also before paths received. */
  readonly localAsnOnImport?: boolean
  /** With localAsn: keep the speaker's own AS behind it in paths sent. */
  readonly localAsnKeepsOwn?: boolean
  /** In paths sent, the peer's own AS is replaced by ours. */
  readonly asOverride?: boolean
  /** In paths sent to an external peer: drop private AS numbers, or put ours in their place. */
  readonly removePrivateAs?: 'remove' | 'replace'
  /** Refuse paths that don't begin with the peer's AS; external peers only. */
  readonly enforceFirstAs?: boolean
  /** RFC 9234: our role towards the peer. */
  readonly role?: Role
  /** RFC 8212: an external peer without a policy is sent nothing, and nothing of it accepted. */
  readonly requirePolicy?: boolean
  /** RFC 8326: add GRACEFUL_SHUTDOWN to what is sent. */
  readonly gracefulShutdown?: boolean
  /** RFC 8326: routes of an external peer that carry it get LOCAL_PREF 0; default true. */
  readonly honourGracefulShutdown?: boolean
  /** Most paths per prefix sent with ADD-PATH; default: all. */
  readonly addPathSend?: number
  /** Most accepted prefixes per family: past it they are left out, and receive() says so. */
  readonly maximumIn?: Readonly<Partial<Record<'ipv4' | 'ipv6', number>>>
  /** Most prefixes sent per family: past it they are left out. */
  readonly maximumOut?: Readonly<Partial<Record<'ipv4' | 'ipv6', number>>>
}

/** What the RIB is told when a session is established: facts of both OPENs and of the transport. */
export interface RibSession {
  readonly peerType: 'internal' | 'external'
  readonly peerAsn: number
  /** BGP identifier, an unsigned 32-bit integer. */
  readonly peerRouterId: number
  readonly families: readonly AfiSafi[]
  readonly receive: CodecContext
  readonly send: CodecContext
  /** 4 or 16 bytes. */
  readonly peerAddress: Uint8Array
  readonly local: LocalAddresses
  readonly interface?: string
  /** The network that both ends are on, for third-party next hops; absent: none. */
  readonly sharedSubnet?: { readonly address: Uint8Array; readonly length: number }
}

/** Our own addresses on the session, as next hops. */
export interface LocalAddresses {
  readonly ipv4?: Uint8Array
  readonly ipv6?: Uint8Array
  /** Sent behind the global IPv6 address to a peer on the same link, or alone if there is none. */
  readonly linkLocal?: Uint8Array
}

/** Per family and peer, for status and metrics. */
export interface PeerPrefixCounters {
  /** Paths in Adj-RIB-In. */
  readonly received: number
  readonly accepted: number
  /** Kept for a peer that restarts. */
  readonly stale: number
  /** Paths in Adj-RIB-Out. */
  readonly advertised: number
}
