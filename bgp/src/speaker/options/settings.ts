import { type Prefix } from '@network/net'
import { type AfiSafi, type Role } from '../../codec/iana.ts'
import { type PeerOptions } from './options.ts'

/** A speaker's options, read. */
export interface LocalSettings {
  readonly asn: number
  readonly routerId: number
  readonly clusterId: number
  readonly listen: readonly { readonly address: string; readonly port: number; readonly text: string }[]
  readonly restarting: boolean
  readonly selectionDeferralSeconds: number
  readonly maximumPaths: number
  readonly asPathRelax: boolean
  readonly workBudgetMs: number
}

/** A peer's options, read and completed. */
export interface PeerSettings {
  readonly name: string
  /** With its zone: 'fe80::1%eth0'. Undefined for a range. */
  readonly address: string | undefined
  readonly range: Prefix | undefined
  readonly device: string | undefined
  /** Whoever is heard on the device; `address` is undefined until then. */
  readonly unnumbered: boolean
  readonly port: number
  readonly peerAsn: number | 'external' | 'internal'
  readonly localAsn: number
  readonly passive: boolean
  readonly families: readonly AfiSafi[]
  readonly routeReflectorClient: boolean
  readonly routeServerClient: boolean
  readonly password: string | undefined
  readonly sourceAddress: string | undefined
  readonly ttl: number | undefined
  readonly minimumTtl: number | undefined
  readonly holdTimeSeconds: number
  readonly keepaliveSeconds: number | undefined
  readonly connectRetrySeconds: number
  readonly delayOpenSeconds: number
  readonly idleHoldSeconds: number
  readonly idleHoldMaximumSeconds: number
  readonly sendHoldSeconds: number | undefined
  readonly gracefulRestart:
    | { readonly restartTimeSeconds: number; readonly helper: boolean; readonly notification: boolean }
    | undefined
  readonly addPathReceive: boolean
  /** Greatest number of paths per prefix; 1: ADD-PATH is not sent. */
  readonly addPathSend: number
  readonly extendedMessage: boolean
  readonly extendedNextHop: boolean
  readonly role: Role | undefined
  readonly roleStrict: boolean
  /** Administratively down, with the text for the peer. */
  readonly shutdown: string | undefined
  readonly options: PeerOptions
}
