import { type Ingress } from './ingress.ts'
import { type PeerIndex, type RibPeer, type RibSession } from './peer.ts'

/** What the RIB keeps of a peer. Arrays are by family: 0 IPv4, 1 IPv6. */
export interface PeerState {
  readonly index: PeerIndex
  config: RibPeer
  /** The present session, or while stale routes are kept the one before. */
  session: RibSession | undefined
  up: boolean
  removed: boolean
  ingress: Ingress | undefined
  /** Another one whenever config or session are others: keys what is remembered of the peer as a source. */
  sourceKey: number
  readonly generation: [number, number]
  /** Paths of older generations are kept, as stale. */
  readonly keepsStale: [boolean, boolean]
  readonly received: [number, number]
  readonly accepted: [number, number]
  /** Paths left out by a limit. */
  readonly leftOut: [number, number]
}

export type FamilyIndex = 0 | 1

export function newPeerState(index: PeerIndex, config: RibPeer): PeerState {
  return {
    index,
    config,
    session: undefined,
    up: false,
    removed: false,
    ingress: undefined,
    sourceKey: index,
    generation: [0, 0],
    keepsStale: [false, false],
    received: [0, 0],
    accepted: [0, 0],
    leftOut: [0, 0],
  }
}

/** Makes everything remembered of the peer as a source void. */
export function renewSourceKey(state: PeerState): void {
  state.sourceKey = ((((state.sourceKey >>> 16) + 1) & 0x7fff) << 16) | state.index
}
