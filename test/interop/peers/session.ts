import { type Family } from '@network/net'

/** What a daemon's session with somebody shall be, in the words that all daemons have for it. */
export interface PeerSession {
  readonly families: readonly Family[]
  readonly password?: string
  /** Wait for the neighbour to connect. */
  readonly passive?: boolean
  readonly holdTimeSeconds?: number
  /** GTSM with a direct neighbour. */
  readonly ttlSecurity?: boolean
}

/** A session by the neighbour's address and AS. */
export interface PeerNeighbor extends PeerSession {
  readonly address: string
  readonly asn: number
}
