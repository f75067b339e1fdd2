/**
 * Attributes of netlink(7): type, length and value, padded to four bytes, in the byte order of the machine. Values are
 * read through functions that answer undefined if the value has another size than it should.
 *
 *   struct nlattr { u16 length (with these four bytes); u16 type; u8 value[]; padding to 4 }
 */
import {
  type Address,
  type Result,
  addressFromBytes,
  addressToBytes,
  failure,
  formatAddress,
  formatMac,
  macFromBytes,
  macToBytes,
  parseAddress,
  parseMac,
  success,
} from '@network/net'

/** Where bytes stop making sense: `offset` counts from the beginning of what was given to the decoder. */
export interface NetlinkFault {
  readonly code: 'truncated' | 'bad-length' | 'bad-value'
  readonly offset: number
  readonly reason: string
}

export type Attributes = ReadonlyMap<number, Uint8Array>

export const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const typeMask = 0x3fff
const headerLength = 4
const textEncoder = new TextEncoder()
const textDecoder = new TextDecoder()

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

export function aligned(length: number): number {
  return (length + 3) & ~3
}

export function fault(
  code: NetlinkFault['code'],
  offset: number,
  reason: string,
): Result<never, NetlinkFault> {
  return failure({ code, offset, reason })
}

/** Joins parts; each must be padded already. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

export function encodeAttribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(aligned(headerLength + value.length))
  putU16(bytes, 0, headerLength + value.length)
  putU16(bytes, 2, type)
  bytes.set(value, headerLength)
  return bytes
}

// A DataView for every attribute would cost more than all the rest of reading it.
function putU16(bytes: Uint8Array, offset: number, value: number): void {
  const [low, high] = littleEndian ? [0, 1] : [1, 0]
  bytes[offset + low] = value & 0xff
  bytes[offset + high] = value >> 8
}

function getU16(bytes: Uint8Array, offset: number): number {
  const [first = 0, second = 0] = [bytes[offset], bytes[offset + 1]]
  return littleEndian ? first | (second << 8) : (first << 8) | second
}

/** Reads all attributes from `start` to the end; of several with one type the last counts, as for the kernel. */
export function decodeAttributes(bytes: Uint8Array, start = 0): Result<Attributes, NetlinkFault> {
  const attributes = new Map<number, Uint8Array>()
  let offset = start
  while (offset < bytes.length) {
    if (offset + headerLength > bytes.length) {
      return fault('truncated', offset, `an attribute's header needs ${String(headerLength)} bytes`)
    }
    const length = getU16(bytes, offset)
    if (length < headerLength || offset + length > bytes.length) {
      return fault('bad-length', offset, `an attribute says it has ${String(length)} bytes`)
    }
    const type = getU16(bytes, offset + 2) & typeMask
    attributes.set(type, bytes.subarray(offset + headerLength, offset + length))
    offset += aligned(length)
  }
  return success(attributes)
}

export function encodeU32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  const [low, high] = littleEndian ? [0, 2] : [2, 0]
  putU16(bytes, low, value & 0xffff)
  putU16(bytes, high, value >>> 16)
  return bytes
}

export function decodeU32(value: Uint8Array | undefined): number | undefined {
  if (value?.length !== 4) return undefined
  const [first, second] = [getU16(value, 0), getU16(value, 2)]
  return (littleEndian ? first | (second << 16) : (first << 16) | second) >>> 0
}

export function decodeU8(value: Uint8Array | undefined): number | undefined {
  return value?.length === 1 ? value[0] : undefined
}

/** A text with the zero byte that the kernel wants. */
export function encodeText(text: string): Uint8Array {
  return textEncoder.encode(`${text}\0`)
}

/** A text up to its first zero byte. */
export function decodeText(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined
  const end = value.indexOf(0)
  return textDecoder.decode(end < 0 ? value : value.subarray(0, end))
}

/** @throws TypeError if the text is no address: what gets here has been validated */
export function encodeAddressText(text: string): Uint8Array {
  return addressToBytes(parsedAddress(text))
}

export function parsedAddress(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new TypeError(`${text} is not an address: ${parsed.error.reason}`)
  return parsed.value
}

/** An address in canonical form; its family follows from its size. */
export function decodeAddressText(value: Uint8Array | undefined): string | undefined {
  if (value?.length !== 4 && value?.length !== 16) return undefined
  return formatAddress(addressFromBytes(value, 0, value.length === 4 ? 'ipv4' : 'ipv6'))
}

/** @throws TypeError if the text is no MAC address */
export function encodeMacText(text: string): Uint8Array {
  const parsed = parseMac(text)
  if (!parsed.ok) throw new TypeError(`${text} is not a MAC address: ${parsed.error.reason}`)
  return macToBytes(parsed.value)
}

/** A MAC address; undefined for hardware addresses of other kinds. */
export function decodeMacText(value: Uint8Array | undefined): string | undefined {
  return value?.length === 6 ? formatMac(macFromBytes(value)) : undefined
}
