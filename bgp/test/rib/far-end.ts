/**
 * The far end of a session in tests: makes updates as a peer would send them, and reads what the RIB has for the
 * peer into a table of its own, message by message, through the codec.
 */
import { type Prefix, formatAddress, formatPrefix, addressFromBytes, prefix as parse } from '@network/net'
import { decodeAttributes, encodeAttributes } from '../../src/codec/attribute-block.ts'
import { type CodecContext, plainContext } from '../../src/codec/context.ts'
import { type AfiSafi, RefreshSubtype, ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { decodeMessage } from '../../src/codec/message.ts'
import { type NlriRun, type Update } from '../../src/codec/messages.ts'
import { nlriPrefixes, nlriRun } from '../../src/codec/nlri.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { u16At } from '../../src/codec/reader.ts'
import { type PeerIndex, type RibPeer, type RibSession } from '../../src/rib/peer.ts'
import { type Rib } from '../../src/rib/rib.ts'

export const ownAsn = 64512

/** Octets of an address in text. */
export function octets(text: string): Uint8Array {
  const { address } = parse(text.includes(':') ? `${text}/128` : `${text}/32`)
  const words = address.family === 'ipv4' ? [address.w0] : [address.w0, address.w1, address.w2, address.w3]
  return Uint8Array.from(words.flatMap((w) => [w >>> 24, (w >>> 16) & 255, (w >>> 8) & 255, w & 255]))
}

export function routerId(text: string): number {
  return parse(`${text}/32`).address.w0
}

export interface SessionShape {
  readonly address: string
  readonly asn?: number
  readonly routerId?: string
  readonly families?: readonly AfiSafi[]
  /** Families with path identifiers, in both directions. */
  readonly addPath?: readonly AfiSafi[]
  readonly as4?: boolean
  readonly extendedMessage?: boolean
  readonly extendedNextHop?: boolean
  readonly local?: RibSession['local']
  readonly sharedSubnet?: string
  readonly interface?: string
}

export function sessionOf(shape: SessionShape): RibSession {
  const asn = shape.asn ?? ownAsn
  const families = shape.families ?? [ipv4Unicast, ipv6Unicast]
  const context: CodecContext = {
    ...plainContext,
    peerType: asn === ownAsn ? 'internal' : 'external',
    as4: shape.as4 ?? true,
    addPath: new Set(shape.addPath ?? []),
    extendedMessage: shape.extendedMessage ?? false,
    extendedNextHop: new Set(shape.extendedNextHop === true ? [ipv4Unicast] : []),
    families: new Set(families),
  }
  const subnet = shape.sharedSubnet === undefined ? undefined : parse(shape.sharedSubnet)
  return {
    peerType: context.peerType,
    peerAsn: asn,
    peerRouterId: routerId(shape.routerId ?? '10.255.0.1'),
    families,
    receive: context,
    send: context,
    peerAddress: octets(shape.address),
    local: shape.local ?? { ipv4: octets('192.0.2.254'), ipv6: octets('2001:db8::fe') },
    ...(shape.interface === undefined ? {} : { interface: shape.interface }),
    ...(subnet === undefined
      ? {}
      : { sharedSubnet: { address: octets(formatAddress(subnet.address)), length: subnet.length } }),
  }
}

export interface Announcement {
  readonly prefixes: readonly string[]
  readonly nextHop: string
  readonly attributes?: PathAttributes
  readonly pathId?: number
}

const familyOf = (text: string): AfiSafi => (text.includes(':') ? ipv6Unicast : ipv4Unicast)

function runOf(
  prefixes: readonly string[],
  session: RibSession,
  pathId: number | undefined,
  nextHop?: Uint8Array,
): NlriRun {
  const family = familyOf(prefixes[0] ?? '')
  const addPath = session.receive.addPath.has(family)
  return nlriRun(
    family,
    prefixes.map((text) => ({ prefix: parse(text), pathId: addPath ? (pathId ?? 0) : undefined })),
    nextHop,
  )
}

export function announcement(
  session: RibSession,
  { prefixes, nextHop, attributes, pathId }: Announcement,
): Update {
  const complete: PathAttributes = {
    origin: 'igp',
    asPath: session.peerType === 'internal' ? [] : [{ type: 'sequence', asns: [session.peerAsn] }],
    ...attributes,
  }
  return {
    type: 'update',
    withdrawn: [],
    announced: [runOf(prefixes, session, pathId, octets(nextHop))],
    attributes: encodeAttributes(complete, session.receive),
    endOfRib: undefined,
    faults: [],
  }
}

export function withdrawal(session: RibSession, prefixes: readonly string[], pathId?: number): Update {
  return {
    type: 'update',
    withdrawn: [runOf(prefixes, session, pathId)],
    announced: [],
    attributes: undefined,
    endOfRib: undefined,
    faults: [],
  }
}

export interface HeardRoute {
  readonly nextHop: string
  readonly attributes: PathAttributes
}

/** A peer: its session, and what it has been told. */
export class FarEnd {
  readonly rib: Rib
  readonly index: PeerIndex
  readonly session: RibSession
  /** By prefix, with `#identifier` behind it if the session has path identifiers. */
  readonly routes = new Map<string, HeardRoute>()
  /** What came in order: 'end-of-rib ipv4', 'begin', 'end'. */
  readonly marks: string[] = []
  messages = 0
  longest = 0
  announcements = 0
  withdrawals = 0

  constructor(rib: Rib, shape: SessionShape, peer: Partial<RibPeer> = {}) {
    this.rib = rib
    this.index = rib.addPeer({ name: shape.address, ...peer })
    this.session = sessionOf(shape)
  }

  up(): this {
    this.routes.clear()
    this.marks.length = 0
    this.rib.peerUp(this.index, this.session)
    return this
  }

  announce(announced: Announcement): this {
    this.rib.receive(this.index, announcement(this.session, announced))
    return this
  }

  withdraw(prefixes: readonly string[], pathId?: number): this {
    this.rib.receive(this.index, withdrawal(this.session, prefixes, pathId))
    return this
  }

  /** Reads up to `pieces` pieces; false when there is nothing more. */
  pull(maxBytes = 65536, pieces = Infinity): boolean {
    for (let i = 0; i < pieces; i++) {
      const bytes = this.rib.pull(this.index, maxBytes)
      if (bytes === undefined) return false
      this.#read(bytes)
    }
    return true
  }

  /** What was heard of the prefixes, for comparison. */
  table(): Record<string, HeardRoute> {
    return Object.fromEntries([...this.routes].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #read(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const length = u16At(bytes, at + 16)
      if (length < 19 || at + length > bytes.length) throw new Error('pull() gave a part of a message')
      this.#readMessage(bytes.subarray(at, at + length))
      at += length
    }
  }

  #readMessage(bytes: Uint8Array): void {
    this.messages++
    this.longest = Math.max(this.longest, bytes.length)
    const message = decodeMessage(bytes, this.session.send)
    if (message.type === 'route-refresh') {
      this.marks.push(message.subtype === RefreshSubtype.begin ? 'begin' : 'end')
      return
    }
    if (message.type !== 'update' || message.faults.length > 0)
      throw new Error(`pull() gave something that is no good update: ${JSON.stringify(message)}`)
    if (message.endOfRib !== undefined)
      this.marks.push(`end-of-rib ${message.endOfRib === ipv4Unicast ? 'ipv4' : 'ipv6'}`)
    for (const run of message.withdrawn)
      for (const { prefix, pathId } of nlriPrefixes(run)) {
        this.withdrawals++
        this.routes.delete(keyOf(prefix, pathId))
      }
    if (message.announced.length === 0) return
    const { nextHop: _, ...attributes } = decodeAttributes(message.attributes ?? bytes, this.session.send)
    for (const run of message.announced)
      for (const { prefix, pathId } of nlriPrefixes(run)) {
        this.announcements++
        this.routes.set(keyOf(prefix, pathId), { nextHop: nextHopText(run.nextHop), attributes })
      }
  }
}

function keyOf(prefix: Prefix, pathId: number | undefined): string {
  return pathId === undefined ? formatPrefix(prefix) : `${formatPrefix(prefix)}#${pathId}`
}

export function nextHopText(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return ''
  const first = formatAddress(addressFromBytes(bytes, 0, bytes.length === 4 ? 'ipv4' : 'ipv6'))
  return bytes.length === 32 ? `${first} ${formatAddress(addressFromBytes(bytes, 16, 'ipv6'))}` : first
}

let clockMs = 0
/** A clock that every look at moves on, so that budgets end. */
export const tickingClock = (): number => clockMs++

/** Decides everything. */
export function settle(rib: Rib): void {
  while (rib.work(1000, tickingClock));
}
