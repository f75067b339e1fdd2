import { type SyntaxFault } from './address.ts'
import { failure, type Result, success } from './result.ts'

/** A MAC address as an integer of 48 bits, the first byte on the wire the most significant. */
export type Mac = number

/** Reads six pairs of hexadecimal digits, separated by `:` throughout or by `-` throughout. */
export function parseMac(text: string): Result<Mac, SyntaxFault> {
  const fault = (offset: number, reason: string): { ok: false; error: SyntaxFault } =>
    failure({ code: 'syntax', text, offset, reason })
  const separator = text[2]
  let value = 0
  for (let index = 0; index < 17; index++) {
    const character = text[index]
    if (character === undefined) return fault(index, `only ${String(Math.floor((index + 1) / 3))} of 6 bytes`)
    if (index % 3 === 2) {
      if (character !== ':' && character !== '-') return fault(index, `'${character}' where ':' was expected`)
      if (character !== separator) return fault(index, "':' and '-' are mixed")
      continue
    }
    const digit = '0123456789abcdef'.indexOf(character.toLowerCase())
    if (digit < 0) return fault(index, `'${character}' where a hexadecimal digit was expected`)
    value = value * 16 + digit
  }
  if (text.length > 17) return fault(17, `'${text.slice(17)}' after the sixth byte`)
  return success(value)
}

/** `02:42:0a:00:00:01` */
export function formatMac(mac: Mac): string {
  const digits = mac.toString(16).padStart(12, '0')
  return digits.replace(/(..)(?=.)/g, '$1:')
}

/** Six bytes in network order. */
export function macToBytes(mac: Mac): Uint8Array {
  const bytes = new Uint8Array(6)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(mac / 0x100000000))
  view.setUint32(2, mac % 0x100000000)
  return bytes
}

/** Reads six bytes in network order from `offset`. The caller makes sure that they are there. */
export function macFromBytes(bytes: Uint8Array, offset = 0): Mac {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset)
  return view.getUint16(0) * 0x100000000 + view.getUint32(2)
}

/** The group bit (IEEE 802): the address names several stations, or all. */
export function isMulticastMac(mac: Mac): boolean {
  return (Math.floor(mac / 0x10000000000) & 1) === 1
}

/** The local bit (IEEE 802): no maker gave the address out. */
export function isLocallyAdministeredMac(mac: Mac): boolean {
  return (Math.floor(mac / 0x10000000000) & 2) === 2
}

/**
 * The address that a name stands for: unicast, locally administered, the same for the same name on every machine.
 * 46 bits depend on the name (two 32-bit mixes in the manner of MurmurHash3's finaliser; not for secrets).
 */
export function localMac(name: string): Mac {
  let high = 0x9e3779b9
  let low = 0x85ebca6b
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index)
    high = Math.imul(high ^ unit, 0xcc9e2d51)
    high = (high << 15) | (high >>> 17)
    low = Math.imul(low ^ unit, 0x1b873593) + high
    low = (low << 13) | (low >>> 19)
  }
  high = finish(high ^ low)
  low = finish(low ^ high ^ name.length)
  const firstByte = ((high >>> 8) & 0xfc) | 0x02
  return firstByte * 0x10000000000 + (high & 0xff) * 0x100000000 + (low >>> 0)
}

function finish(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** The IPv6 interface identifier of a MAC address (RFC 4291 appendix A) as two 32-bit words. */
export function interfaceIdentifier(mac: Mac): readonly [number, number] {
  const high = Math.floor(mac / 0x1000000)
  const low = mac % 0x1000000
  return [(((high ^ 0x020000) << 8) | 0xff) >>> 0, (0xfe000000 | low) >>> 0]
}
