import type { Clock, Family, Log } from '@network/net'
import type { AnyPolicy } from '../filter/policy.ts'
import type { RouterDiscovery } from './router-discovery.ts'
import type { SocketFactory } from './sockets.ts'

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

/** The things a speaker talks to; every one has a real default. */
export interface SpeakerModules {
  readonly clock?: Clock
  readonly log?: Log
  readonly sockets?: SocketFactory
  /** 0 ≤ x < 1, for the jitter of timers. */
  readonly random?: () => number
  /** Who is on the links of unnumbered peers. */
  readonly discovery?: RouterDiscovery
  /** Addresses of this host, device by device. */
  readonly interfaces?: () => readonly HostAddress[]
}

/** An address that a device of this host has. */
export interface HostAddress {
  readonly device: string
  /** Without zone. */
  readonly address: string
  /** Length of the network that it is on. */
  readonly length: number
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

/** What `apply` did. */
export interface ApplyReport {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Sessions that go down and come back because of the change, and which options demanded it. */
  readonly reset: readonly { readonly peer: string; readonly because: readonly string[] }[]
  /** Peers changed with their session left up. */
  readonly updated: readonly string[]
  readonly originated: number
  readonly withdrawn: number
}

export type SessionState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established'

/** A peer as it is now. Survives structured clone. */
export interface PeerStatus {
  readonly name: string
  /** '' until known (range, unnumbered). */
  readonly address: string
  readonly interface: string | undefined
  readonly asn: number | undefined
  readonly type: 'internal' | 'external'
  readonly state: SessionState
  /** Milliseconds since the epoch of the last change of state. */
  readonly since: number
  readonly routerId: string | undefined
  readonly localAddress: string | undefined
  readonly passive: boolean
  /** The range that this peer was admitted by. */
  readonly range: string | undefined
  readonly negotiated: NegotiatedStatus | undefined
  readonly counters: PeerCounters
  /** What was wrong with UPDATEs of the peer (RFC 7606), by kind, the most frequent first. */
  readonly faults: readonly FaultCount[]
  readonly prefixes: Readonly<Record<Family, PeerPrefixes>>
  /** Families in which as many prefixes are sent as `prefixLimit.out` allows: any further ones are left out. */
  readonly outLimitReached: readonly Family[]
  /** Stale routes are being kept for a peer that is restarting. */
  readonly restarting: boolean
  /** In words: why the session is not up, or why it last went down. */
  readonly lastError: { readonly at: number; readonly text: string } | undefined
  readonly lastNotification: NotificationStatus | undefined
}

export interface PeerPrefixes {
  readonly received: number
  readonly accepted: number
  /** Kept for a peer that is restarting. */
  readonly stale: number
  readonly advertised: number
}

export interface NotificationStatus {
  readonly at: number
  readonly direction: 'sent' | 'received'
  readonly code: number
  readonly subcode: number
  readonly text: string
}

export interface NegotiatedStatus {
  readonly families: readonly string[]
  readonly holdTimeSeconds: number
  readonly keepaliveSeconds: number
  readonly as4: boolean
  readonly routeRefresh: boolean
  readonly enhancedRouteRefresh: boolean
  readonly extendedMessage: boolean
  readonly addPathReceive: readonly string[]
  readonly addPathSend: readonly string[]
  readonly extendedNextHop: readonly string[]
  readonly gracefulRestart:
    | {
        readonly restartTimeSeconds: number
        readonly families: readonly string[]
        readonly notification: boolean
      }
    | undefined
  readonly role: Role | undefined
}

export interface PeerCounters {
  readonly messagesIn: number
  readonly messagesOut: number
  readonly updatesIn: number
  readonly updatesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly connectAttempts: number
  readonly established: number
  readonly dropped: number
  readonly malformedUpdates: number
}

/** How often a peer has broken one rule. */
export interface FaultCount {
  /** What was done about it. */
  readonly action: 'discard' | 'treat-as-withdraw' | 'reset'
  /** 'RFC 7606 section 7.1'. */
  readonly rule: string
  /** Attribute code; undefined if the fault lay outside of the attributes. */
  readonly attribute: number | undefined
  readonly count: number
}

export interface NextHop {
  readonly address: string
  /** Device of a link-local next hop. */
  readonly interface: string | undefined
}

export interface BestChange {
  /** '10.1.2.0/26'. */
  readonly prefix: string
  /** Equal-cost next hops, best path's first; empty: there is no route any more. */
  readonly nextHops: readonly NextHop[]
  /** One of our own routes: nothing to install. */
  readonly local: boolean
  /** Name of the peer the best path came from. */
  readonly peer: string | undefined
  /** What an import policy set as its `priority`; absent if none did. */
  readonly priority?: number
}

/** Changes since the batch before, each prefix at most once. The first batches hold the whole table. */
export interface BestBatch {
  readonly family: Family
  readonly changes: readonly BestChange[]
  /**
   * Every peer that was reachable at the start has told all it knows (or its time is over): what was there before
   * the start and has not been named since may be removed.
   */
  readonly converged: boolean
}

export interface RouteQuery {
  readonly family: Family
  /** best: Loc-RIB · received: Adj-RIB-In before policy · accepted: after it · advertised: Adj-RIB-Out. Default best. */
  readonly view?: 'best' | 'received' | 'accepted' | 'advertised'
  /** Needed for 'advertised'; narrows 'received'. */
  readonly peer?: string
  /** '10.1.2.0/26'. */
  readonly prefix?: string
  /** How `prefix` selects; default 'exact'. */
  readonly match?: 'exact' | 'longer'
  readonly limit?: number
}

/** One path as seen from outside. Survives structured clone. */
export interface RouteStatus {
  readonly prefix: string
  readonly peer: string | undefined
  readonly local: boolean
  readonly best: boolean
  /** Kept for a peer that is restarting. */
  readonly stale: boolean
  /** False: the import policy or a check has refused it. */
  readonly accepted: boolean
  readonly pathId: number | undefined
  readonly nextHop: string | undefined
  /** Path attributes as people write them: `{ name: 'AS_PATH', value: '65001 65002' }`. */
  readonly attributes: readonly { readonly name: string; readonly value: string }[]
}

export interface RouteExplanation extends RouteStatus {
  /** A word: 'best', 'refused', 'asPathLength' … */
  readonly decidedBy: string
  /** The same for a person. */
  readonly why: string
  /** Takes part in ECMP beside the best path. */
  readonly multipath: boolean
}

/** What one peer is sent of a prefix, or what keeps it back. */
export interface ExportExplanation {
  /** Name of the peer. */
  readonly peer: string
  readonly sent: boolean
  /** A word: 'filter', 'default', 'rule', 'nextHop', 'length', 'limit', 'ownRoute', 'down', 'family', 'noPath', 'pending'. */
  readonly decidedBy: string
  /** The same for a person: "rule 'ours' of 'to-tor' refuses it". */
  readonly why: string
  /** Name of the peer whose path it is, 'local' for our own; undefined if there is no path. */
  readonly from: string | undefined
  /** ADD-PATH: the identifier that it is sent with. */
  readonly pathId: number | undefined
}

/** Something that is in force until disposed of. */
export interface Handle {
  dispose(): void
}

export interface PeerHandle extends Handle {
  readonly name: string
  status(): PeerStatus
  /** Asks the peer to send everything again (RFC 2918). False if the peer cannot, or is not up. */
  refresh(family?: Family): boolean
  /** Cease/4 (administrative reset) and a new session. */
  reset(message?: string): void
}

export interface StopOptions {
  /** Leave the peers with our routes: TCP is closed without a NOTIFICATION that would cancel graceful restart. */
  readonly graceful?: boolean
  /** Told to the peers as RFC 9003's text where a NOTIFICATION is sent, and logged. */
  readonly reason?: string
}

/** A running BGP speaker. */
export interface Speaker {
  readonly options: SpeakerOptions
  /**
   * Resolves when every address of `listen` is bound, with what they are (a port 0 has become a real one); throws a
   * SpeakerError that says which is not and what to do.
   */
  ready(): Promise<readonly { readonly address: string; readonly port: number }[]>
  /** Adds a peer. Throws a SpeakerError if its options make no sense; then nothing has changed. */
  peer(options: PeerOptions): PeerHandle
  /** Announces a route of our own until disposed of. */
  originate(prefix: string, attributes?: OriginateAttributes): Handle
  /**
   * Makes the whole declared state so: peers and routes that are not in it go, others are changed as little as
   * possible. Peers that go are kept until those that come have sent their routes (or half a minute has passed).
   * Throws a SpeakerError before anything has changed if the state makes no sense.
   */
  apply(desired: DesiredState): Promise<ApplyReport>
  /** The best routes now, then every change, in batches: a slow consumer gets fewer and larger ones. */
  best(family: Family): AsyncIterable<BestBatch>
  peers(): readonly PeerStatus[]
  /**
   * Asks a peer, by its name in `peers()`, to send everything again (RFC 2918). False if it cannot, or is not up.
   * Throws a SpeakerError 'unknown-peer' that names those there are.
   */
  refresh(peer: string, family?: Family): boolean
  /** Every path of a prefix, the best first, each with the step of the decision process that it lost by. */
  explain(prefix: string): readonly RouteExplanation[]
  /** What each peer is sent for a prefix, and what keeps it back from the others: the filter, or the rule of an RFC. */
  explainExports(prefix: string): readonly ExportExplanation[]
  routes(query: RouteQuery): readonly RouteStatus[]
  /** Told of every change of a session's state; returns the way to stop listening. */
  onPeerChange(listener: (status: PeerStatus) => void): Handle
  /** Ends every session, listener and timer. Resolves when nothing of the speaker is left. */
  stop(options?: StopOptions): Promise<void>
}
