import { type Result, failure, formatIpv4Word, success } from '@network/net'
import { type CodecContext } from '../codec/context.ts'
import {
  type AfiSafi,
  Afi,
  CapabilityCode,
  ErrorCode,
  OpenSubcode,
  Role,
  afiOf,
  asTrans,
  formatAfiSafi,
  ipv4Unicast,
  safiOf,
} from '../codec/iana.ts'
import {
  type Capability,
  type GracefulRestartCapability,
  type NotificationContent,
  type Open,
} from '../codec/messages.ts'

/** What we want of a session and what we know of the peer before it has spoken. */
export interface OpenOptions {
  readonly localAsn: number
  readonly localRouterId: number
  readonly peerAsn: number | 'external' | 'internal'
  readonly holdTimeSeconds: number
  /** Default: a third of the negotiated hold time. */
  readonly keepaliveSeconds: number | undefined
  readonly families: readonly AfiSafi[]
  readonly addPathReceive: boolean
  /** Whether we are able to send more than one path. */
  readonly addPathSend: boolean
  readonly extendedMessage: boolean
  readonly extendedNextHop: boolean
  readonly gracefulRestart:
    | {
        readonly restartTimeSeconds: number
        readonly notification: boolean
        /** The R bit: we are coming back ourselves. */
        readonly restarting: boolean
        /** The F bit of each family, by whether we come back with our forwarding state. */
        readonly forwardingPreserved: boolean
        /** Families whose routes of ours the peer may keep; empty: we only help. */
        readonly families: readonly AfiSafi[]
      }
    | undefined
  readonly role: Role | undefined
  readonly roleStrict: boolean
}

/** What both OPENs together mean. */
export interface Negotiated {
  readonly peerType: 'internal' | 'external'
  readonly peerAsn: number
  readonly peerRouterId: number
  readonly holdTimeSeconds: number
  /** 0: no keepalives. */
  readonly keepaliveSeconds: number
  readonly families: readonly AfiSafi[]
  readonly receive: CodecContext
  readonly send: CodecContext
  readonly routeRefresh: boolean
  readonly enhancedRouteRefresh: boolean
  /** The peer's capability, if both sides sent one. */
  readonly gracefulRestart: GracefulRestartCapability | undefined
  /** Both sides keep routes across a NOTIFICATION (RFC 8538). */
  readonly gracefulNotification: boolean
  readonly peerRole: Role | undefined
}

/** A refusal of an OPEN: RFC 4271 section 6.2. */
export interface OpenFault {
  readonly notification: NotificationContent
  /** What is wrong, as the end of a sentence. */
  readonly reason: string
}

/** The OPEN that we send. */
export function localOpen(options: OpenOptions): Open {
  const capabilities: Capability[] = [
    ...options.families.map((afiSafi): Capability => ({ kind: 'multiprotocol', afiSafi })),
    { kind: 'route-refresh' },
    { kind: 'enhanced-route-refresh' },
    { kind: 'as4', asn: options.localAsn },
  ]
  if (options.extendedMessage) capabilities.push({ kind: 'extended-message' })
  if (options.extendedNextHop && options.families.includes(ipv4Unicast)) {
    capabilities.push({
      kind: 'extended-next-hop',
      entries: [{ afiSafi: ipv4Unicast, nextHopAfi: Afi.ipv6 }],
    })
  }
  if (options.addPathReceive || options.addPathSend) {
    const mode = !options.addPathSend ? 'receive' : !options.addPathReceive ? 'send' : 'both'
    capabilities.push({
      kind: 'add-path',
      families: options.families.map((afiSafi) => ({ afiSafi, mode })),
    })
  }
  const restart = options.gracefulRestart
  if (restart !== undefined) {
    capabilities.push({
      kind: 'graceful-restart',
      restarting: restart.restarting,
      notification: restart.notification,
      restartTimeSeconds: restart.restartTimeSeconds,
      families: restart.families.map((afiSafi) => ({ afiSafi, forwarding: restart.forwardingPreserved })),
    })
  }
  if (options.role !== undefined) capabilities.push({ kind: 'role', role: options.role })
  return {
    type: 'open',
    version: 4,
    myAs: options.localAsn > 0xffff ? asTrans : options.localAsn,
    asn: options.localAsn,
    holdTimeSeconds: options.holdTimeSeconds,
    routerId: options.localRouterId,
    capabilities,
  }
}

/**
 * Checks the peer's OPEN by RFC 4271 section 6.2, RFC 5492, 6286, 6793 and 9234 and, if it is acceptable, says what
 * both OPENs mean together.
 */
export function negotiate(open: Open, options: OpenOptions): Result<Negotiated, OpenFault> {
  if (open.version !== 4) {
    return refuse(OpenSubcode.unsupportedVersion, `version ${open.version} is not 4`, Uint8Array.of(0, 4))
  }
  const internal = open.asn === options.localAsn
  const wanted = options.peerAsn
  const asnFits = wanted === 'internal' ? internal : wanted === 'external' ? !internal : open.asn === wanted
  if (open.asn === 0 || open.asn === asTrans || !asnFits) {
    const text =
      typeof wanted === 'number' ? `AS ${wanted}` : wanted === 'internal' ? `our own AS` : `any AS but ours`
    return refuse(OpenSubcode.badPeerAs, `the peer is AS ${open.asn}, not ${text}`)
  }
  if (open.routerId === 0) return refuse(OpenSubcode.badBgpIdentifier, 'the BGP identifier is 0.0.0.0')
  if (internal && open.routerId === options.localRouterId) {
    return refuse(
      OpenSubcode.badBgpIdentifier,
      `the BGP identifier ${formatIpv4Word(open.routerId)} is our own`,
    )
  }
  if (open.holdTimeSeconds === 1 || open.holdTimeSeconds === 2) {
    return refuse(OpenSubcode.unacceptableHoldTime, `a hold time of ${open.holdTimeSeconds} s is below 3 s`)
  }
  const role = checkRole(open, options, internal)
  if (!role.ok) return role

  const multiprotocol = open.capabilities.flatMap((c) => (c.kind === 'multiprotocol' ? [c.afiSafi] : []))
  // RFC 4760 section 8: a peer that names no family speaks IPv4 unicast.
  const offered = multiprotocol.length === 0 ? [ipv4Unicast] : multiprotocol
  const families = options.families.filter((family) => offered.includes(family))
  if (families.length === 0) {
    return refuse(
      OpenSubcode.unsupportedCapability,
      `the peer offers ${offered.map(formatAfiSafi).join(', ')}, none of which is configured`,
      encodeMultiprotocol(options.families),
    )
  }

  const holdTimeSeconds = Math.min(open.holdTimeSeconds, options.holdTimeSeconds)
  const has = (kind: Capability['kind']): boolean => open.capabilities.some((c) => c.kind === kind)
  const shared = {
    peerType: internal ? 'internal' : 'external',
    as4: has('as4'),
    extendedNextHop: extendedNextHop(open, options, families),
    extendedMessage: options.extendedMessage && has('extended-message'),
    families: new Set(families),
  } as const
  const peerRestart = open.capabilities.findLast((c) => c.kind === 'graceful-restart')
  const gracefulRestart = options.gracefulRestart === undefined ? undefined : peerRestart
  return success({
    peerType: shared.peerType,
    peerAsn: open.asn,
    peerRouterId: open.routerId,
    holdTimeSeconds,
    keepaliveSeconds: keepaliveInterval(holdTimeSeconds, options.keepaliveSeconds),
    families,
    receive: { ...shared, addPath: addPath(open, families, 'send', options.addPathReceive) },
    send: { ...shared, addPath: addPath(open, families, 'receive', options.addPathSend) },
    routeRefresh: has('route-refresh'),
    enhancedRouteRefresh: has('enhanced-route-refresh'),
    gracefulRestart,
    gracefulNotification:
      options.gracefulRestart?.notification === true && gracefulRestart?.notification === true,
    peerRole: role.value,
  })
}

/** RFC 4271 section 4.4: a third of the hold time, never more often than once a second; 0 with a hold time of 0. */
export function keepaliveInterval(holdTimeSeconds: number, wanted: number | undefined): number {
  if (holdTimeSeconds === 0) return 0
  const third = holdTimeSeconds / 3
  return Math.max(1, wanted === undefined || wanted <= 0 ? third : Math.min(wanted, third))
}

function refuse(
  subcode: number,
  reason: string,
  data: Uint8Array = new Uint8Array(0),
): { ok: false; error: OpenFault } {
  return failure({ notification: { code: ErrorCode.open, subcode, data }, reason })
}

/** RFC 9234 section 4.2: roles must correspond; several differing ones are refused. */
function checkRole(open: Open, options: OpenOptions, internal: boolean): Result<Role | undefined, OpenFault> {
  const roles = open.capabilities.flatMap((c) => (c.kind === 'role' ? [c.role] : []))
  const theirs = roles[0]
  if (options.role === undefined || internal) return success(isRole(theirs) ? theirs : undefined)
  if (roles.some((role) => role !== theirs)) {
    return refuse(OpenSubcode.roleMismatch, 'the peer states several differing roles')
  }
  if (theirs === undefined) {
    return options.roleStrict
      ? refuse(OpenSubcode.roleMismatch, 'the peer states no role')
      : success(undefined)
  }
  if (!isRole(theirs) || theirs !== counterRole[options.role]) {
    const name = Object.entries(Role).find(([, value]) => value === theirs)?.[0] ?? String(theirs)
    return refuse(OpenSubcode.roleMismatch, `the peer's role ${name} does not correspond to ours`)
  }
  return success(theirs)
}

const counterRole: Readonly<Record<Role, Role>> = {
  [Role.provider]: Role.customer,
  [Role.customer]: Role.provider,
  [Role.routeServer]: Role.routeServerClient,
  [Role.routeServerClient]: Role.routeServer,
  [Role.peer]: Role.peer,
}

function isRole(value: number | undefined): value is Role {
  return value !== undefined && value in counterRole
}

/** Families for which `theirMode` was offered by the peer and the opposite by us. */
function addPath(
  open: Open,
  families: readonly AfiSafi[],
  theirMode: 'send' | 'receive',
  offered: boolean,
): ReadonlySet<AfiSafi> {
  if (!offered) return new Set()
  const theirs = open.capabilities.findLast((c) => c.kind === 'add-path')?.families ?? []
  return new Set(
    families.filter((family) =>
      theirs.some((entry) => entry.afiSafi === family && (entry.mode === theirMode || entry.mode === 'both')),
    ),
  )
}

function extendedNextHop(
  open: Open,
  options: OpenOptions,
  families: readonly AfiSafi[],
): ReadonlySet<AfiSafi> {
  if (!options.extendedNextHop) return new Set()
  const entries = open.capabilities.flatMap((c) => (c.kind === 'extended-next-hop' ? c.entries : []))
  return new Set(
    families.filter((family) =>
      entries.some((entry) => entry.afiSafi === family && entry.nextHopAfi === Afi.ipv6),
    ),
  )
}

/** RFC 5492 section 3: the data of Unsupported Capability is the capabilities that were missed. */
function encodeMultiprotocol(families: readonly AfiSafi[]): Uint8Array {
  return Uint8Array.from(
    families.flatMap((family) => [
      CapabilityCode.multiprotocol,
      4,
      afiOf(family) >>> 8,
      afiOf(family) & 0xff,
      0,
      safiOf(family),
    ]),
  )
}
