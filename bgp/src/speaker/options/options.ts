/** What a speaker is told to be and to do. */
import type { Family } from '@network/net'
import type { AnyPolicy } from '../../filter/policy.ts'

/**
 * What a speaker is, for as long as it lives. Plain data: it can be sent to a worker thread. Changing any of it
 * means a new speaker; everything that may change while sessions stay up is in `DesiredState`.
 */
export interface SpeakerOptions {
  /** Own AS number, 1 … 4294967294. */
  readonly asn: number
  /** Own BGP identifier, dotted decimal, not 0.0.0.0. */
  readonly routerId: string
  /** RFC 4456 cluster id, dotted decimal; default: the router id. */
  readonly clusterId?: string
  /** Where to accept connections: '0.0.0.0:179', '[::]:179', '10.0.0.1:1790'. Empty: dial only. */
  readonly listen?: readonly string[]
  readonly gracefulRestart?: RestartOptions
  /** Equal-cost next hops given per prefix; default 16, 1 turns ECMP off. */
  readonly maximumPaths?: number
  /** ECMP between AS paths of equal length but different content; default true. */
  readonly asPathRelax?: boolean
  /** Milliseconds of route processing before the event loop gets its turn; default 4. */
  readonly workBudgetMs?: number
}

/** Graceful restart of this speaker itself (RFC 4724 section 4.1). */
export interface RestartOptions {
  /** This start follows a previous run whose routes the kernel still forwards: R and F bits are set. Default false. */
  readonly restarting?: boolean
  /** Longest wait for End-of-RIB after such a start before routes are selected; default 60. */
  readonly selectionDeferralSeconds?: number
}

export interface PeerTimers {
  /** RFC 4271 section 4.2: 0 or at least 3. Default 90. */
  readonly holdTimeSeconds?: number
  /** Default: a third of the negotiated hold time. */
  readonly keepaliveSeconds?: number
  /** Default 5: between attempts to connect. */
  readonly connectRetrySeconds?: number
  /** How long OPEN is held back after TCP is up; default 0, none. */
  readonly delayOpenSeconds?: number
  /** First wait in Idle after an error; doubles with each further one up to idleHoldMaximumSeconds. Default 1. */
  readonly idleHoldSeconds?: number
  readonly idleHoldMaximumSeconds?: number
  /** RFC 9687; default the greater of 8 minutes and twice the hold time. 0 turns it off. */
  readonly sendHoldSeconds?: number
}

export interface PeerGracefulRestart {
  /** How long this peer shall keep our routes while we restart: 0 … 4095, default 120. */
  readonly restartTimeSeconds?: number
  /** Keep the peer's routes while it restarts; default true. */
  readonly helper?: boolean
  /** RFC 8538: also across a NOTIFICATION and an expired hold timer; default true. */
  readonly notification?: boolean
}

/** RFC 9234: our role towards the peer. */
export type Role = 'provider' | 'route-server' | 'route-server-client' | 'customer' | 'peer'

/**
 * One neighbour, or with `range` any number of them: `address` or `range` says who it is; with `interface` alone it is
 * whoever answers on that link, found by router advertisements. Plain data.
 */
export interface PeerOptions {
  /** Unique among the peers; default: the address or range. */
  readonly name?: string
  /** '10.0.0.254', '2001:db8::1', 'fe80::1%eth0'. */
  readonly address?: string
  /** '10.0.0.0/24': whoever connects from there. Never dialled. */
  readonly range?: string
  /** Device that the session is bound to; without address and range, the link on which the neighbour is. */
  readonly interface?: string
  /** Default 179. */
  readonly port?: number
  /** 'external': any AS but ours, 'internal': ours. */
  readonly asn: number | 'external' | 'internal'
  /** Speak as this AS to the peer instead of the speaker's own. */
  readonly localAsn?: number
  /** Wait for the peer to connect, never dial; default false (true for a range). */
  readonly passive?: boolean
  /** Default: both. */
  readonly families?: readonly Family[]
  readonly routeReflectorClient?: boolean
  /** RFC 7947: our AS is not prepended, NEXT_HOP and MED pass unchanged. */
  readonly routeServerClient?: boolean
  /** RFC 2385 TCP MD5 key, 1 … 80 bytes. */
  readonly password?: string
  readonly sourceAddress?: string
  /** Hops to an external peer that is not on our link; default 1. Internal peers: 255. */
  readonly multihop?: number
  /** RFC 5082: accept only packets that came over at most this many hops (1: the same link). */
  readonly ttlSecurityHops?: number
  readonly timers?: PeerTimers
  /** false: the capability is not sent. Default: {}. */
  readonly gracefulRestart?: PeerGracefulRestart | false
  /** RFC 7911. `send` is the greatest number of paths per prefix. */
  readonly addPath?: { readonly receive?: boolean; readonly send?: number }
  /** RFC 8654; default true. */
  readonly extendedMessage?: boolean
  /** RFC 8950: IPv4 prefixes with IPv6 next hops; default true for IPv6 sessions, false otherwise. */
  readonly extendedNextHop?: boolean
  readonly role?: Role
  /** RFC 9234: refuse a peer that does not state its role. */
  readonly roleStrict?: boolean
  /** What NEXT_HOP says in routes we send: 'auto' follows RFC 4271 section 5.1.3. Default 'auto'. */
  readonly nextHop?: 'auto' | 'self' | 'unchanged'
  /** Own addresses to name as next hop. Default: those of the device that the session runs over. */
  readonly localAddresses?: { readonly ipv4?: string; readonly ipv6?: string }
  /** How many times our own AS may be in an AS_PATH received; default 0. */
  readonly allowOwnAsn?: number
  /**
   * What to accept. Default: everything. A Policy is plain data; a function serves within one thread and counts as
   * changed whenever it is another function.
   */
  readonly import?: AnyPolicy
  /** What to send. Default: everything. */
  readonly export?: AnyPolicy
  /** RFC 8212: an external peer without a policy is sent nothing, and nothing of it is accepted. Default false. */
  readonly requirePolicy?: boolean
  /** In paths sent, the peer's own AS is replaced by ours. */
  readonly asOverride?: boolean
  /** In paths sent to an external peer: drop private AS numbers, or put ours in their place. */
  readonly removePrivateAs?: 'remove' | 'replace'
  /** Refuse paths that do not begin with the peer's AS; external peers only. */
  readonly enforceFirstAs?: boolean
  /** RFC 8326: mark what is sent with GRACEFUL_SHUTDOWN, before this speaker goes away. */
  readonly gracefulShutdown?: boolean
  readonly prefixLimit?: PrefixLimits
  /** Administratively down; a text is sent to the peer as RFC 9003's shutdown communication. */
  readonly shutdown?: boolean | string
}

export interface PrefixLimits {
  readonly in?: PrefixLimit
  readonly out?: PrefixLimit
}

export interface PrefixLimit {
  readonly ipv4?: number
  readonly ipv6?: number
  /** What happens past the limit. 'reset' (default): Cease/1; 'ignore': further prefixes are left out. */
  readonly action?: 'reset' | 'ignore'
  /** After a reset, when to try again; default: never, until somebody asks. */
  readonly restartSeconds?: number
}

/** A route of our own. Plain data. */
export interface RouteOptions {
  /** '10.1.2.0/26'. */
  readonly prefix: string
  readonly attributes?: OriginateAttributes
}

export interface OriginateAttributes {
  /** Default: each session's own address. */
  readonly nextHop?: string
  readonly origin?: 'igp' | 'egp' | 'incomplete'
  readonly med?: number
  readonly localPreference?: number
  /** '64512:1', 'no-export'. */
  readonly communities?: readonly string[]
  /** '64512:1:2'. */
  readonly largeCommunities?: readonly string[]
}

/** Everything that may change while the speaker runs. Survives structured clone. */
export interface DesiredState {
  readonly peers: readonly PeerOptions[]
  readonly routes: readonly RouteOptions[]
}
