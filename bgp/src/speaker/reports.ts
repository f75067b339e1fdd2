/** What a speaker tells: of its peers, of its routes, and of what it has done. Plain data that survives structured clone. */
import type { Family } from '@network/net'
import type { Role } from './options/options.ts'

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
