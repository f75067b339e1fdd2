import { type State } from './session.ts'

/** One of the two connections between a pair of speakers. */
export interface Contender {
  /** Who opened it: 'outgoing' if we did. */
  readonly direction: 'outgoing' | 'incoming'
  readonly state: State
}

export interface Identity {
  readonly routerId: number
  readonly asn: number
}

/** Which connection goes: `existing` was there when an OPEN came on `arriving`. */
export type CollisionOutcome = 'no-collision' | 'close-arriving' | 'close-existing'

export interface CollisionOptions {
  /**
   * RFC 4724 section 5: the peer of an established session is able to restart, and it opened `arriving` after that
   * session was established. Its OPEN then means that the old connection is dead, whether or not TCP has noticed.
   * (Opened before, it is the loser of a collision that the peer has yet to close.)
   */
  readonly peerRestarted: boolean
}

/**
 * RFC 4271 section 6.8, on receipt of a valid OPEN on `arriving`: an existing connection collides once it is in
 * OpenConfirm, or in OpenSent if the peer's identity is known from elsewhere, which here it is: both connections
 * belong to the same configured peer. The connection that the speaker with the greater BGP identifier opened stays;
 * RFC 6286 section 2.3: with equal identifiers, that of the greater AS number.
 */
export function resolveCollision(
  existing: Contender,
  arriving: Contender,
  local: Identity,
  remote: Identity,
  options: CollisionOptions,
): CollisionOutcome {
  switch (existing.state) {
    case 'Idle':
    case 'Connect':
    case 'Active':
      return 'no-collision'
    case 'Established':
      return options.peerRestarted ? 'close-existing' : 'close-arriving'
    case 'OpenSent':
    case 'OpenConfirm': {
      // Both opened by the same side: the peer gave up the older one, of which we have not heard yet.
      if (existing.direction === arriving.direction) return 'close-existing'
      const winner = localIsGreater(local, remote) ? 'outgoing' : 'incoming'
      return arriving.direction === winner ? 'close-existing' : 'close-arriving'
    }
  }
}

function localIsGreater(local: Identity, remote: Identity): boolean {
  return local.routerId === remote.routerId ? local.asn > remote.asn : local.routerId > remote.routerId
}
