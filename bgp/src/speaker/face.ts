/** A speaker as others see it: what it talks to, and what can be asked of it. */
import type { Clock, Family, Log } from '@network/net'
import type { HostAddress } from './network/host-addresses.ts'
import type { DesiredState, OriginateAttributes, PeerOptions, SpeakerOptions } from './options/options.ts'
import type {
  ApplyReport,
  BestBatch,
  ExportExplanation,
  PeerStatus,
  RouteExplanation,
  RouteQuery,
  RouteStatus,
} from './reports.ts'
import type { RouterDiscovery } from './network/router-discovery.ts'
import type { SocketFactory } from './network/sockets.ts'

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
