import { type PathAttributes } from '../codec/path-attributes.ts'

/** Where a route comes from. */
export interface PolicySource {
  readonly local: boolean
  readonly peer: string | undefined
  /** Text of the peer's address. */
  readonly address: string | undefined
  readonly peerType: 'internal' | 'external' | undefined
  readonly interface: string | undefined
}

/** An attribute set as the policy is given it. */
export interface PolicySet {
  readonly attributes: PathAttributes
  readonly nextHop: Uint8Array
}
