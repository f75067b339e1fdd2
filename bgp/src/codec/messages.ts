import { type AfiSafi } from './iana.ts'

/** A capability of an OPEN (RFC 5492). */
export type Capability =
  | { readonly kind: 'multiprotocol'; readonly afiSafi: AfiSafi }
  | { readonly kind: 'route-refresh' }
  | { readonly kind: 'extended-next-hop'; readonly entries: readonly ExtendedNextHopEntry[] }
  | { readonly kind: 'extended-message' }
  | { readonly kind: 'role'; readonly role: number }
  | GracefulRestartCapability
  | { readonly kind: 'as4'; readonly asn: number }
  | { readonly kind: 'add-path'; readonly families: readonly AddPathFamily[] }
  | { readonly kind: 'enhanced-route-refresh' }
  | { readonly kind: 'long-lived-graceful-restart'; readonly families: readonly LongLivedFamily[] }
  | { readonly kind: 'fqdn'; readonly host: string; readonly domain: string }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array }

/** RFC 8950: NLRI of `afiSafi` may have a next hop of address family `nextHopAfi`. */
export interface ExtendedNextHopEntry {
  readonly afiSafi: AfiSafi
  readonly nextHopAfi: number
}

/** RFC 4724 section 3; `notification` is the N bit of RFC 8538. */
export interface GracefulRestartCapability {
  readonly kind: 'graceful-restart'
  readonly restarting: boolean
  readonly notification: boolean
  /** 0 to 4,095. */
  readonly restartTimeSeconds: number
  readonly families: readonly { readonly afiSafi: AfiSafi; readonly forwarding: boolean }[]
}

/** RFC 7911 section 4: what the sender of the capability is able to do. */
export interface AddPathFamily {
  readonly afiSafi: AfiSafi
  readonly mode: 'receive' | 'send' | 'both'
}

/** RFC 9494 section 3.1. */
export interface LongLivedFamily {
  readonly afiSafi: AfiSafi
  readonly forwarding: boolean
  /** 0 to 16,777,215. */
  readonly staleTimeSeconds: number
}

export interface Open {
  readonly type: 'open'
  readonly version: number
  /** The My Autonomous System field: two octets, 23456 if the number needs four. */
  readonly myAs: number
  /** The sender's AS number: that of the four-octet capability if there is one. */
  readonly asn: number
  readonly holdTimeSeconds: number
  /** The BGP identifier, an unsigned 32-bit integer. */
  readonly routerId: number
  readonly capabilities: readonly Capability[]
  /** How many capabilities each optional parameter held; on sending, absence means one parameter for all. */
  readonly capabilitiesPerParameter?: readonly number[]
  /** RFC 9072 form; on sending, absence means: if the length needs it. */
  readonly extendedLength?: boolean
}

export interface Keepalive {
  readonly type: 'keepalive'
}

export interface Notification {
  readonly type: 'notification'
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
}

export interface RouteRefresh {
  readonly type: 'route-refresh'
  readonly afiSafi: AfiSafi
  /** A RefreshSubtype; others are to be ignored (RFC 7313 section 5). */
  readonly subtype: number
}

/** NLRI of one family that came together: rib/ walks the bytes without further checks. */
export interface NlriRun {
  readonly afiSafi: AfiSafi
  /** A view into the message: length octet and prefix octets, each with a 4-octet path identifier before it if `addPath`. */
  readonly bytes: Uint8Array
  /** Prefixes in it. */
  readonly count: number
  readonly addPath: boolean
  /** 4, 16 or 32 octets as received, from NEXT_HOP or MP_REACH_NLRI; undefined for withdrawn routes. */
  readonly nextHop: Uint8Array | undefined
}

/** What RFC 7606 section 2 does about a fault, mildest first. */
export type FaultAction = 'discard' | 'treat-as-withdraw' | 'reset'

/** One thing that was wrong with an UPDATE. */
export interface UpdateFault {
  readonly action: FaultAction
  /** The rule: 'RFC 7606 section 7.1'. */
  readonly rule: string
  /** Attribute code; undefined if the fault lies outside of the attributes. */
  readonly attribute: number | undefined
  /** What is wrong, as the end of a sentence: 'ORIGIN is 2 octets long instead of 1'. */
  readonly reason: string
  /** The NOTIFICATION that RFC 4271 alone would send. */
  readonly notification: NotificationContent
  /** The offending attribute with flags, code and length, or the field; a copy. */
  readonly bytes: Uint8Array
}

export interface Update {
  readonly type: 'update'
  /** Withdrawn routes, MP_UNREACH_NLRI, and announced ones that treat-as-withdraw moved here. */
  readonly withdrawn: readonly NlriRun[]
  /** NLRI and MP_REACH_NLRI; empty if treat-as-withdraw moved them. */
  readonly announced: readonly NlriRun[]
  /** Path attributes as received, less MP_REACH_NLRI, MP_UNREACH_NLRI and the discarded ones; undefined if nothing is announced. */
  readonly attributes: Uint8Array | undefined
  readonly endOfRib: AfiSafi | undefined
  readonly faults: readonly UpdateFault[]
}

export interface NotificationContent {
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
}

/** A message that ends the session: the NOTIFICATION to send and the event that it is to the FSM. */
export interface MessageFault {
  readonly type: 'fault'
  readonly notification: NotificationContent
  /** RFC 4271 section 8.1: BGPHeaderErr 21, BGPOpenMsgErr 22 or UpdateMsgErr 28. */
  readonly event: 21 | 22 | 28
  /** What is wrong, as the end of a sentence. */
  readonly reason: string
  /** For an UPDATE: the faults found up to and with the one that ends the session. */
  readonly faults: readonly UpdateFault[]
}

export type Message = Open | Update | Notification | Keepalive | RouteRefresh
