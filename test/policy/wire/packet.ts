/**
 * Packets of probes: written whole, with right checksums, so that connection tracking takes them for what they are; read
 * back wherever they arrive. Each carries a tag in its payload, which address translation leaves alone.
 */
import { type Family, address, addressFromBytes, addressToBytes, formatAddress } from '@network/net'
import { crc32c, internetChecksum, sumWords } from './checksum.ts'

/** Numbers of IANA's registry. */
export const protocolNumber = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
} as const

export interface Packet {
  readonly source: string
  readonly destination: string
  readonly protocol: number
  /** Of TCP, UDP, UDPLite and SCTP. */
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** Of ICMP and ICMPv6. */
  readonly icmp?: { readonly type: number; readonly code: number; readonly id: number }
  /** Of an ICMP error: the packet that it is about, which carries the tag. */
  readonly quoted?: Packet
  /** Of TCP; a SYN if there is none. */
  readonly tcp?: TcpStep
  readonly tag: number
}

/** What of a TCP connection a packet is. */
export interface TcpStep {
  readonly flags: number
  readonly sequence: number
  readonly acknowledgement: number
}

export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const

/** What stands before a tag. In a packet that is quoted it is another, so that no error of the kernel's is taken for ours. */
const magic = { own: 0x70726f62, quoted: 0x71756f74 } as const
type Carrier = keyof typeof magic
const tagBytes = 8

function tagOf(tag: number, carrier: Carrier): Uint8Array {
  const bytes = new Uint8Array(tagBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, magic[carrier])
  view.setUint32(4, tag)
  return bytes
}

function readTag(bytes: Uint8Array, at: number, carrier: Carrier): number | undefined {
  if (at + tagBytes > bytes.length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return view.getUint32(at) === magic[carrier] ? view.getUint32(at + 4) : undefined
}

/** The header before the payload of each protocol, its checksum still 0. */
function transport(packet: Packet, carrier: Carrier): Uint8Array {
  const { icmp, quoted } = packet
  const payload = quoted === undefined ? tagOf(packet.tag, carrier) : encodeAs(quoted, 'quoted')
  const bytes = new Uint8Array(headerBytes(packet.protocol) + payload.length)
  const view = new DataView(bytes.buffer)
  bytes.set(payload, headerBytes(packet.protocol))
  if (icmp !== undefined) {
    view.setUint8(0, icmp.type)
    view.setUint8(1, icmp.code)
    if (quoted === undefined) view.setUint16(4, icmp.id)
    else if (packet.protocol === protocolNumber.icmpv6) view.setUint32(4, errorMtuBytes)
    else view.setUint16(6, errorMtuBytes)
    return bytes
  }
  if (packet.sourcePort !== undefined) view.setUint16(0, packet.sourcePort)
  if (packet.destinationPort !== undefined) view.setUint16(2, packet.destinationPort)
  if (packet.protocol === protocolNumber.tcp) {
    const step = packet.tcp ?? { flags: tcpFlag.syn, sequence: 1, acknowledgement: 0 }
    view.setUint32(4, step.sequence)
    view.setUint32(8, step.acknowledgement)
    view.setUint8(12, 5 << 4)
    view.setUint8(13, step.flags)
    view.setUint16(14, 65_535)
  } else if (packet.protocol === protocolNumber.udp) {
    view.setUint16(4, bytes.length)
  } else if (packet.protocol === protocolNumber.sctp) {
    // One INIT chunk; the tag stands in it behind the fixed part, where parameters would be.
    view.setUint8(12, 1)
    view.setUint16(14, 20 + tagBytes)
    view.setUint32(16, 1)
    view.setUint32(20, 65_535)
    view.setUint16(24, 1)
    view.setUint16(26, 1)
    view.setUint32(28, 1)
  }
  return bytes
}

/** The MTU that an error tells; only those about size have the field. */
const errorMtuBytes = 1280

function headerBytes(protocol: number): number {
  if (protocol === protocolNumber.tcp) return 20
  if (protocol === protocolNumber.sctp) return 32
  return 8
}

function checksumAt(protocol: number): number | undefined {
  if (protocol === protocolNumber.tcp) return 16
  if (protocol === protocolNumber.udp || protocol === protocolNumber.udplite) return 6
  if (protocol === protocolNumber.icmp || protocol === protocolNumber.icmpv6) return 2
  return undefined
}

function seal(bytes: Uint8Array, packet: Packet, from: Uint8Array, to: Uint8Array): void {
  const view = new DataView(bytes.buffer)
  if (packet.protocol === protocolNumber.sctp) {
    view.setUint32(8, crc32c(bytes), true)
    return
  }
  const at = checksumAt(packet.protocol)
  if (at === undefined) return
  const bare = packet.protocol === protocolNumber.icmp
  const pseudoHeader = bare ? 0 : sumWords(to, sumWords(from, packet.protocol + bytes.length))
  const sum = internetChecksum(bytes, pseudoHeader)
  view.setUint16(at, sum === 0 && !bare ? 0xffff : sum)
}

/** The IP packet as bytes. */
export function encodePacket(packet: Packet): Uint8Array {
  return encodeAs(packet, 'own')
}

function encodeAs(packet: Packet, carrier: Carrier): Uint8Array {
  const source = address(packet.source)
  const from = addressToBytes(source)
  const to = addressToBytes(address(packet.destination))
  const body = transport(packet, carrier)
  seal(body, packet, from, to)
  const head = source.family === 'ipv4' ? 20 : 40
  const bytes = new Uint8Array(head + body.length)
  const view = new DataView(bytes.buffer)
  if (source.family === 'ipv4') {
    view.setUint8(0, 0x45)
    view.setUint16(2, bytes.length)
    view.setUint16(6, 0x4000)
    view.setUint8(8, 64)
    view.setUint8(9, packet.protocol)
    bytes.set(from, 12)
    bytes.set(to, 16)
    view.setUint16(10, internetChecksum(bytes.subarray(0, 20)))
  } else {
    view.setUint8(0, 0x60)
    view.setUint16(4, body.length)
    view.setUint8(6, packet.protocol)
    view.setUint8(7, 64)
    bytes.set(from, 8)
    bytes.set(to, 24)
  }
  bytes.set(body, head)
  return bytes
}

/** A packet of ours as it arrived: what came of its addresses and ports. */
export interface Arrival {
  readonly tag: number
  readonly source?: string
  readonly destination?: string
  readonly sourcePort?: number
  readonly destinationPort?: number
}

/** Reads an IP packet; undefined if it is none of ours. */
export function decodePacket(bytes: Uint8Array): Arrival | undefined {
  return decodeAs(bytes, 'own')
}

function decodeAs(bytes: Uint8Array, carrier: Carrier): Arrival | undefined {
  const version = (bytes[0] ?? 0) >> 4
  if (version !== 4 && version !== 6) return undefined
  const family: Family = version === 4 ? 'ipv4' : 'ipv6'
  const head = version === 4 ? ((bytes[0] ?? 0) & 15) * 4 : 40
  const protocol = bytes[version === 4 ? 9 : 6] ?? 0
  const arrival = decodeBody(bytes.subarray(head), protocol, carrier)
  const [from, to] = version === 4 ? [12, 16] : [8, 24]
  if (arrival === undefined || bytes.length < head) return undefined
  return {
    ...arrival,
    source: formatAddress(addressFromBytes(bytes, from, family)),
    destination: formatAddress(addressFromBytes(bytes, to, family)),
  }
}

/** Reads what follows the IP header; undefined if it is none of ours. */
export function decodeTransport(bytes: Uint8Array, protocol: number): Arrival | undefined {
  return decodeBody(bytes, protocol, 'own')
}

function decodeBody(bytes: Uint8Array, protocol: number, carrier: Carrier): Arrival | undefined {
  const tag = readTag(bytes, headerBytes(protocol), carrier)
  if (protocol === protocolNumber.icmp || protocol === protocolNumber.icmpv6) {
    if (tag !== undefined) return { tag }
    const quoted = decodeAs(bytes.subarray(headerBytes(protocol)), 'quoted')
    return quoted === undefined ? undefined : { tag: quoted.tag }
  }
  if (tag === undefined) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return { tag, sourcePort: view.getUint16(0), destinationPort: view.getUint16(2) }
}
