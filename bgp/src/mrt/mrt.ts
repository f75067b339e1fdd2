/**
 * Reads routing information dumps in MRT format (RFC 6396, with the additional paths of RFC 8050): messages and state
 * changes of sessions, and the tables of TABLE_DUMP_V2. Pure; a file is read record by record. What a record holds is
 * handed out as octets for the codec together with the context it needs, so that nothing is interpreted twice.
 */
import { type Address, type Prefix, addressFromBytes, ipv4, prefixOf } from '@network/net'
import { AttributeCode, AttributeFlag, type AfiSafi, ipv4Unicast, ipv6Unicast } from '../codec/iana.ts'
import { Reader } from '../codec/reader.ts'

/** MRT types (RFC 6396 section 4). */
const MrtType = { tableDumpV2: 13, bgp4mp: 16, bgp4mpExtendedTimestamp: 17 } as const

interface Session {
  readonly peerAs: number
  readonly localAs: number
  readonly peer: Address
  readonly local: Address
}

/** BGP4MP_MESSAGE and its kin (sections 4.4.2, 4.4.3, RFC 8050 section 3). */
export interface MrtMessage extends Session {
  readonly kind: 'message'
  readonly timestamp: number
  /** The session's AS numbers take four octets, and so do those of AS_PATH. */
  readonly as4: boolean
  readonly addPath: boolean
  /** Sent by the collector rather than received. */
  readonly sent: boolean
  /** The BGP message, header included; a view. */
  readonly message: Uint8Array
}

/** BGP4MP_STATE_CHANGE (section 4.4.1); states are numbered from Idle 1 to Established 6. */
export interface MrtStateChange extends Session {
  readonly kind: 'state-change'
  readonly timestamp: number
  readonly oldState: number
  readonly newState: number
}

/** PEER_INDEX_TABLE (section 4.3.1). */
export interface MrtPeerIndexTable {
  readonly kind: 'peer-index-table'
  readonly timestamp: number
  readonly collectorId: number
  readonly viewName: string
  readonly peers: readonly MrtPeer[]
}

export interface MrtPeer {
  readonly routerId: number
  readonly address: Address
  readonly asn: number
}

/** RIB_IPV4_UNICAST and its kin (section 4.3.2, RFC 8050 section 4): one prefix with all of its paths. */
export interface MrtRib {
  readonly kind: 'rib'
  readonly timestamp: number
  readonly sequence: number
  readonly afiSafi: AfiSafi
  readonly addPath: boolean
  readonly prefix: Prefix
  readonly entries: readonly MrtRibEntry[]
}

export interface MrtRibEntry {
  /** Index into the peers of the PEER_INDEX_TABLE before it. */
  readonly peerIndex: number
  readonly originatedTime: number
  readonly pathId: number | undefined
  /** Path attributes with four-octet AS numbers; MP_REACH_NLRI is cut down to its next hop. A view. */
  readonly attributes: Uint8Array
}

/** A record of a type or subtype that this reader doesn't know. */
export interface MrtOther {
  readonly kind: 'other'
  readonly timestamp: number
  readonly type: number
  readonly subtype: number
}

export interface MrtFault {
  readonly kind: 'fault'
  /** Offset of the record in the file. */
  readonly offset: number
  readonly reason: string
}

export type MrtRecord = MrtMessage | MrtStateChange | MrtPeerIndexTable | MrtRib | MrtOther

/**
 * The records of a file in their order. A record that makes no sense is a fault and the next one follows; a file that
 * ends within a record ends with a fault.
 *
 *     +-----------+------+---------+--------+---------+
 *     | Timestamp | Type | Subtype | Length | Message |
 *     |     4     |  2   |    2    |   4    |         |
 *     +-----------+------+---------+--------+---------+
 */
export function* readMrt(bytes: Uint8Array): Generator<MrtRecord | MrtFault, void, undefined> {
  const file = new Reader(bytes)
  while (file.remaining > 0) {
    const offset = file.at
    const timestamp = file.u32()
    const type = file.u16()
    const subtype = file.u16()
    const body = file.part(file.u32())
    if (file.overran()) {
      yield { kind: 'fault', offset, reason: 'the file ends within a record' }
      return
    }
    const record = readRecord(timestamp, type, subtype, body)
    yield body.overran()
      ? { kind: 'fault', offset, reason: `a record of type ${String(type)}/${String(subtype)} is cut short` }
      : record
  }
}

function readRecord(timestamp: number, type: number, subtype: number, body: Reader): MrtRecord {
  const other: MrtOther = { kind: 'other', timestamp, type, subtype }
  if (type === MrtType.tableDumpV2) return readTableDump(timestamp, subtype, body) ?? other
  if (type === MrtType.bgp4mpExtendedTimestamp) body.u32()
  else if (type !== MrtType.bgp4mp) return other
  return readBgp4mp(timestamp, subtype, body) ?? other
}

const messageSubtypes: Readonly<Record<number, { as4: boolean; addPath: boolean; sent: boolean }>> = {
  1: { as4: false, addPath: false, sent: false },
  4: { as4: true, addPath: false, sent: false },
  6: { as4: false, addPath: false, sent: true },
  7: { as4: true, addPath: false, sent: true },
  8: { as4: false, addPath: true, sent: false },
  9: { as4: true, addPath: true, sent: false },
  10: { as4: false, addPath: true, sent: true },
  11: { as4: true, addPath: true, sent: true },
}

function readBgp4mp(timestamp: number, subtype: number, body: Reader): MrtRecord | undefined {
  if (subtype === 0 || subtype === 5) {
    const session = readSession(subtype === 5, body)
    return { kind: 'state-change', timestamp, ...session, oldState: body.u16(), newState: body.u16() }
  }
  const form = messageSubtypes[subtype]
  if (form === undefined) return undefined
  const session = readSession(form.as4, body)
  return { kind: 'message', timestamp, ...session, ...form, message: body.take(body.remaining) }
}

function readSession(as4: boolean, body: Reader): Session {
  const peerAs = as4 ? body.u32() : body.u16()
  const localAs = as4 ? body.u32() : body.u16()
  body.u16()
  const family = body.u16() === 2 ? 'ipv6' : 'ipv4'
  return { peerAs, localAs, peer: readAddress(body, family), local: readAddress(body, family) }
}

function readAddress(body: Reader, family: 'ipv4' | 'ipv6'): Address {
  const length = family === 'ipv4' ? 4 : 16
  const bytes = body.take(length)
  return bytes.length === length ? addressFromBytes(bytes, 0, family) : ipv4(0)
}

const ribSubtypes: Readonly<Record<number, { afiSafi: AfiSafi; addPath: boolean }>> = {
  2: { afiSafi: ipv4Unicast, addPath: false },
  4: { afiSafi: ipv6Unicast, addPath: false },
  8: { afiSafi: ipv4Unicast, addPath: true },
  10: { afiSafi: ipv6Unicast, addPath: true },
}

function readTableDump(timestamp: number, subtype: number, body: Reader): MrtRecord | undefined {
  if (subtype === 1) return readPeerIndexTable(timestamp, body)
  const form = ribSubtypes[subtype]
  return form && readRib(timestamp, form, body)
}

const utf8 = new TextDecoder()

function readPeerIndexTable(timestamp: number, body: Reader): MrtPeerIndexTable {
  const collectorId = body.u32()
  const viewName = utf8.decode(body.take(body.u16()))
  const count = body.u16()
  const peers: MrtPeer[] = []
  while (peers.length < count && !body.overran()) {
    // Bit 0: an IPv6 address; bit 1: an AS number of four octets.
    const type = body.u8()
    const routerId = body.u32()
    const address = readAddress(body, (type & 1) !== 0 ? 'ipv6' : 'ipv4')
    peers.push({ routerId, address, asn: (type & 2) !== 0 ? body.u32() : body.u16() })
  }
  return { kind: 'peer-index-table', timestamp, collectorId, viewName, peers }
}

function readRib(timestamp: number, form: { afiSafi: AfiSafi; addPath: boolean }, body: Reader): MrtRib {
  const sequence = body.u32()
  const family = form.afiSafi === ipv4Unicast ? 'ipv4' : 'ipv6'
  const length = body.u8()
  const padded = new Uint8Array(32)
  padded.set(body.take((length + 7) >>> 3))
  const prefix = prefixOf(addressFromBytes(padded, 0, family), Math.min(length, family === 'ipv4' ? 32 : 128))
  const count = body.u16()
  const entries: MrtRibEntry[] = []
  while (entries.length < count && !body.overran()) {
    entries.push({
      peerIndex: body.u16(),
      originatedTime: body.u32(),
      pathId: form.addPath ? body.u32() : undefined,
      attributes: body.take(body.u16()),
    })
  }
  return { kind: 'rib', timestamp, sequence, ...form, prefix, entries }
}

/** The next hop of the abbreviated MP_REACH_NLRI in a RIB entry (section 4.3.4): 16 or 32 octets. */
export function ribEntryNextHop(attributes: Uint8Array): Uint8Array | undefined {
  const reader = new Reader(attributes)
  while (reader.remaining >= 3) {
    const flags = reader.u8()
    const code = reader.u8()
    const value = reader.part((flags & AttributeFlag.extendedLength) !== 0 ? reader.u16() : reader.u8())
    if (code !== AttributeCode.mpReachNlri) continue
    const nextHop = value.take(value.u8())
    return value.overran() ? undefined : nextHop
  }
  return undefined
}
