/**
 * Addresses of interfaces: rtnetlink(7) RTM_*ADDR.
 *
 *   struct ifaddrmsg { u8 family; u8 prefix length; u8 flags; u8 scope; u32 index } attributes
 */
import { type Result, success } from '@network/net'
import {
  type NetlinkFault,
  decodeAddressText,
  decodeAttributes,
  encodeAddressText,
  encodeAttribute,
  fault,
  join,
  littleEndian,
  parsedAddress,
  viewOf,
} from './attribute.ts'
import { type Request } from './message.ts'
import { AddressAttribute, AddressFamily, AddressFlag, MessageFlag, MessageType } from './numbers.ts'

export interface InterfaceAddress {
  readonly index: number
  /** Without length: `10.0.0.1`. */
  readonly address: string
  readonly length: number
  /** 0 everywhere, 253 on the link, 254 on the host. */
  readonly scope: number
  /** IPv6: used at once, without asking whether another has it. */
  readonly noDuplicateDetection: boolean
}

const headerLength = 8

export function encodeAddress(value: InterfaceAddress): Uint8Array {
  const header = new Uint8Array(headerLength)
  const view = viewOf(header)
  header[0] = AddressFamily[parsedAddress(value.address).family]
  header[1] = value.length
  header[2] = value.noDuplicateDetection ? AddressFlag.noDuplicateDetection : 0
  header[3] = value.scope
  view.setUint32(4, value.index, littleEndian)
  const bytes = encodeAddressText(value.address)
  return join([
    header,
    encodeAttribute(AddressAttribute.local, bytes),
    encodeAttribute(AddressAttribute.address, bytes),
  ])
}

/** Reads RTM_NEWADDR. */
export function decodeAddress(body: Uint8Array): Result<InterfaceAddress, NetlinkFault> {
  if (body.length < headerLength) return fault('truncated', body.length, 'an address needs 8 bytes')
  const attributes = decodeAttributes(body, headerLength)
  if (!attributes.ok) return attributes
  // Of a point-to-point interface `address` is the other end's.
  const address = decodeAddressText(
    attributes.value.get(AddressAttribute.local) ?? attributes.value.get(AddressAttribute.address),
  )
  if (address === undefined) return fault('bad-value', headerLength, 'an address without an address')
  const [family = 0, length = 0, flags = 0, scope = 0] = body
  const { family: own } = parsedAddress(address)
  if (family !== AddressFamily[own])
    return fault('bad-value', 0, `${address} is not of family ${String(family)}`)
  if (length > (own === 'ipv4' ? 32 : 128)) return fault('bad-value', 1, `${address}/${String(length)}`)
  return success({
    index: viewOf(body).getUint32(4, littleEndian),
    address,
    length,
    scope,
    noDuplicateDetection: own === 'ipv6' && (flags & AddressFlag.noDuplicateDetection) !== 0,
  })
}

/** Gives an interface an address, or changes one that it has. */
export function replaceAddress(value: InterfaceAddress): Request {
  return {
    type: MessageType.newAddress,
    flags: MessageFlag.create | MessageFlag.replace,
    body: encodeAddress(value),
  }
}

export function deleteAddress(value: InterfaceAddress): Request {
  return { type: MessageType.deleteAddress, flags: 0, body: encodeAddress(value) }
}

/** Asks for the addresses of one interface, or of all: index 0. */
export function dumpAddresses(index = 0): Request {
  const body = new Uint8Array(headerLength)
  viewOf(body).setUint32(4, index, littleEndian)
  return { type: MessageType.getAddress, flags: MessageFlag.dump, body }
}
