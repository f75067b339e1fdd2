import { type ChunkReading } from './chunk.ts'
import { type PeerState } from './peer-state.ts'

/** Where a peer is in what its update group has to say: all there is of a slow peer is this. */
export interface GroupMember {
  readonly peer: PeerState
  /** Changes before this place in the group's log have been sent, or are in `reading`. */
  position: number
  /** Withdrawals before this place have been sent, or are of routes that the peer never had. */
  withdrawnUpTo: number
  /** What is being sent, and how far it has come. */
  reading: ChunkReading | undefined
  /** Whole messages that go before anything else. */
  readonly first: Uint8Array[]
  /** Messages that go when everything known before has been sent: End-of-RIB, EoRR. */
  readonly last: Marker[]
}

export interface Marker {
  readonly message: Uint8Array
  /** How many decisions must have been taken. */
  readonly decisions: number
  /** RFC 4724: not while selection is deferred. */
  readonly waitsForSelection: boolean
}

/** A member that is going to be sent the table, and no withdrawals of what went before `logEnd`. */
export function newMember(peer: PeerState, logEnd: number): GroupMember {
  return { peer, position: 0, withdrawnUpTo: logEnd, reading: undefined, first: [], last: [] }
}

/** Whether a message may go, when everything before it has been sent. */
export function isDue(marker: Marker | undefined, decisions: number, deferred: boolean): boolean {
  return marker !== undefined && decisions >= marker.decisions && !(deferred && marker.waitsForSelection)
}
