import { type Address, type Prefix } from '@network/net'
import { type AfiSafi } from '../codec/iana.ts'
import { type Update } from '../codec/messages.ts'
import { type PathAttributes } from '../codec/path-attributes.ts'
import { type PeerIndex, type PeerPrefixCounters, type RibPeer, type RibSession } from './peer.ts'

export interface RibOptions {
  readonly asn: number
  /** Unsigned 32-bit integer. */
  readonly routerId: number
  /** RFC 4456; default: the router id. */
  readonly clusterId?: number
  /** Equal-cost next hops given per prefix; default 16, 1 turns ECMP off. */
  readonly maximumPaths?: number
  /** ECMP between AS paths of equal length but different content; default true. */
  readonly asPathRelax?: boolean
  /** Compare MULTI_EXIT_DISC of different neighbouring ASes too; default false. */
  readonly alwaysCompareMed?: boolean
}

/** What the RIB asks of its surroundings; all have defaults. */
export interface RibModules {
  /**
   * Whether a next hop (4 or 16 bytes) can be reached, and its interior cost. This and the next are asked once per
   * next hop; say nextHopsChanged() when answers may have become others. Default: reachable at cost 0.
   */
  readonly resolveNextHop?: (nextHop: Uint8Array) => { readonly reachable: boolean; readonly cost: number }
  /** Whether an address (4 or 16 bytes) is one of ours: a route with such a next hop is refused. Default: never. */
  readonly isOwnAddress?: (address: Uint8Array) => boolean
}

/** What receive() has to tell. */
export interface Received {
  readonly announced: number
  readonly withdrawn: number
  /** Families whose maximumIn was exceeded by this update. */
  readonly overLimit: readonly AfiSafi[]
}

/** A route of our own. */
export interface OwnRoute {
  /** Without NEXT_HOP; AS_PATH and ORIGIN default to the empty path and IGP. */
  readonly attributes: PathAttributes
  /** Default: each session's own address. */
  readonly nextHop?: Address
}

/** A change of a best route, for those who install routes. */
export interface BestPathChange {
  readonly prefix: Prefix
  /** Equal-cost next hops, the best path's first; empty: there is no route any more, or it is our own. */
  readonly nextHops: readonly BestNextHop[]
  /** There is a best path and it is one of our own. */
  readonly local: boolean
  /** The peer of the best path; undefined if there is none or it is our own. */
  readonly peer: PeerIndex | undefined
  /** Of an import policy's `priority`. */
  readonly priority: number | undefined
}

export interface BestNextHop {
  readonly address: Address
  /** Link-local address that came with a global IPv6 one. */
  readonly linkLocal: Address | undefined
  /** Peer whose path it is, and with it the interface. */
  readonly peer: PeerIndex
}

/** A consumer's own coalesced view of the best routes: the whole table first, then what changes. */
export interface BestReader {
  /** Whether take() would give something. */
  readonly pending: boolean
  /** Up to `limit` changes (default 1,000), each prefix at most once; an empty list if there is nothing new. */
  take(limit?: number): readonly BestPathChange[]
  close(): void
}

export interface Rib {
  addPeer(peer: RibPeer): PeerIndex
  /** New configuration of a peer: policies are applied anew to what is in Adj-RIB-In and sent before. */
  updatePeer(index: PeerIndex, peer: RibPeer): void
  /** Forgets the peer and all its routes. */
  removePeer(index: PeerIndex): void
  /** The session is established: the table is going to be sent, then End-of-RIB. Stale routes stay stale. */
  peerUp(index: PeerIndex, session: RibSession): void
  /** The session is gone. Routes of the families in `stale` are kept until endOfRib, dropStale or another peerDown. */
  peerDown(index: PeerIndex, options?: { readonly stale?: ReadonlySet<AfiSafi> }): void
  /** Takes an update into Adj-RIB-In. Its bytes may be overwritten afterwards. */
  receive(index: PeerIndex, update: Update): Received
  /** End-of-RIB of the peer: what is still stale goes. */
  endOfRib(index: PeerIndex, afiSafi: AfiSafi): void
  /** Stale routes go: the restart time is over, or the peer has not kept its forwarding state. */
  dropStale(index: PeerIndex, afiSafi: AfiSafi): void
  /** RFC 9494: stale routes become long-lived stale, least preferred; those with NO_LLGR go. */
  keepLongLived(index: PeerIndex, afiSafi: AfiSafi): void
  /** The peer asks for everything again (RFC 2918); with `enhanced` between BoRR and EoRR (RFC 7313). */
  refreshOut(index: PeerIndex, afiSafi: AfiSafi, enhanced: boolean): void
  /** BoRR came: what is not announced again until refreshInEnd goes then. */
  refreshInBegin(index: PeerIndex, afiSafi: AfiSafi): void
  refreshInEnd(index: PeerIndex, afiSafi: AfiSafi): void
  /** A route of our own, or a new form of it. */
  originate(prefix: Prefix, route: OwnRoute): void
  /** False if there was no such route. */
  withdraw(prefix: Prefix): boolean
  /** RFC 4724 section 4.1: while deferred, no routes are selected but our own and no End-of-RIB is sent. */
  deferSelection(deferred: boolean): void
  /** resolveNextHop may answer otherwise than before. */
  nextHopsChanged(): void
  /** Decision process for up to `budgetMs`; true while there is more to do. */
  work(budgetMs: number, monotonic: () => number): boolean
  /** Whether pull() would give something. Cheap. */
  hasPending(index: PeerIndex): boolean
  /**
   * The next whole messages for the peer, about `maxBytes` of them (one message at least); undefined if there is
   * nothing to send. The bytes are shared between peers: nobody may write to them. Call until undefined or the
   * socket is full. Includes End-of-RIB, BoRR and EoRR.
   */
  pull(index: PeerIndex, maxBytes: number): Uint8Array | undefined
  bestReader(afiSafi: AfiSafi): BestReader
  counters(index: PeerIndex, afiSafi: AfiSafi): PeerPrefixCounters
  /** Everything known of one prefix, best path first, each with why it is not the best one. */
  explain(prefix: Prefix): readonly PathExplanation[]
  /** What each peer is sent for a prefix, and what keeps it back from the others. */
  explainExports(prefix: Prefix): readonly ExportExplanation[]
  routes(query: RibQuery): readonly RibRoute[]
  memory(): RibMemory
}

export interface RibQuery {
  readonly afiSafi: AfiSafi
  /** best: Loc-RIB · received: Adj-RIB-In before policy · accepted: after it · advertised: Adj-RIB-Out. */
  readonly view: 'best' | 'received' | 'accepted' | 'advertised'
  /** Needed for 'advertised'; narrows the others. */
  readonly peer?: PeerIndex
  readonly prefix?: Prefix
  /** Default 'exact'. */
  readonly match?: 'exact' | 'longer'
  /** Default 1,000. */
  readonly limit?: number
}

/** One path for a person to see. */
export interface RibRoute {
  readonly prefix: Prefix
  readonly peer: PeerIndex
  readonly pathId: number | undefined
  readonly best: boolean
  readonly stale: boolean
  /** False: the import policy or a check has refused it. */
  readonly accepted: boolean
  readonly nextHop: Address | undefined
  readonly attributes: PathAttributes
}

export interface PathExplanation extends RibRoute {
  /**
   * The step of the decision process that this path lost by against the best one, or what refused it: a word of
   * decision.ts (`asPathLength`), 'refused' or 'unreachable'; 'best' for the best path.
   */
  readonly decidedBy: string
  /** For a person: 'AS_PATH is 3 long, the best path's 2 (RFC 4271 section 9.1.2.2 a)'. */
  readonly why: string
  /** Takes part in ECMP beside the best path. */
  readonly multipath: boolean
}

/** What becomes of a path of a prefix towards one peer. */
export interface ExportExplanation {
  readonly peer: PeerIndex
  /** It is in Adj-RIB-Out. */
  readonly sent: boolean
  /**
   * What decided: 'filter', 'default' (there is no filter), 'rule' (of an RFC), 'nextHop', 'length', 'limit', 'ownRoute';
   * 'down', 'family', 'noPath' and 'pending' where nothing has been decided.
   */
  readonly decidedBy: string
  /** For a person: "rule 'ours' of 'to-tor' refuses it". */
  readonly why: string
  /** Whose path it is; undefined if there is none. */
  readonly from: PeerIndex | undefined
  /** ADD-PATH: the identifier that it is sent with. */
  readonly pathId: number | undefined
}

/** Octets held in columns and slabs, and what they hold. */
export interface RibMemory {
  readonly bytes: number
  readonly prefixes: number
  readonly paths: number
  readonly attributeSets: number
  readonly egressSets: number
  readonly updateGroups: number
}
