import {
  type Address,
  type Family,
  type SyntaxFault,
  addressAdd,
  addressBits,
  addressEquals,
  addressToBigInt,
  compareAddresses,
  describeSyntaxFault,
  formatAddress,
  ipv4,
  ipv6,
  parseAddress,
} from './address.ts'
import { type Result, failure, success } from './result.ts'

/** A network: an address whose bits past `length` are zero, and the number of bits that count. */
export interface Prefix {
  readonly address: Address
  readonly length: number
}

/** An address together with the network it is on, as interfaces carry it: 10.0.0.1/24. */
export interface InterfaceAddress {
  readonly address: Address
  readonly length: number
}

function wordMask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0
}

/** The address with every bit past `length` cleared. */
export function maskAddress(a: Address, length: number): Address {
  if (a.family === 'ipv4') return ipv4(a.w0 & wordMask(length))
  return ipv6(
    a.w0 & wordMask(length),
    a.w1 & wordMask(length - 32),
    a.w2 & wordMask(length - 64),
    a.w3 & wordMask(length - 96),
  )
}

/** The network of that length around an address. */
export function prefixOf(a: Address, length: number): Prefix {
  return { address: maskAddress(a, length), length }
}

/** The network that holds this one address: /32 or /128. */
export function hostPrefix(a: Address): Prefix {
  return { address: a, length: addressBits(a.family) }
}

/** The prefix of one address, both as text: `10.0.0.1` is `10.0.0.1/32`, `fd00::1` is `fd00::1/128`. */
export function hostPrefixText(address: string): string {
  return `${address}/${address.includes(':') ? '128' : '32'}`
}

/** Reads `address/length`, host bits allowed: the form in which interfaces carry addresses. */
export function parseInterfaceAddress(text: string): Result<InterfaceAddress, SyntaxFault> {
  const slash = text.indexOf('/')
  if (slash < 0)
    return failure({ code: 'syntax', text, offset: text.length, reason: "'/' and a length are missing" })
  const parsed = parseAddress(text.slice(0, slash))
  if (!parsed.ok) return failure({ ...parsed.error, text })
  const digits = text.slice(slash + 1)
  const bits = addressBits(parsed.value.family)
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits)) {
    return failure({
      code: 'syntax',
      text,
      offset: slash + 1,
      reason: `'${digits}' is not a length in decimal digits`,
    })
  }
  const length = Number(digits)
  if (length > bits) {
    return failure({
      code: 'syntax',
      text,
      offset: slash + 1,
      reason: `length ${digits} is greater than ${String(bits)}`,
    })
  }
  return success({ address: parsed.value, length })
}

/** Reads `address/length` with all host bits zero; the reason of a refusal names the network that was meant. */
export function parsePrefix(text: string): Result<Prefix, SyntaxFault> {
  const parsed = parseInterfaceAddress(text)
  if (!parsed.ok) return parsed
  const network = prefixOf(parsed.value.address, parsed.value.length)
  if (!addressEquals(network.address, parsed.value.address)) {
    return failure({
      code: 'syntax',
      text,
      offset: 0,
      reason: `it has host bits set, the network is ${formatPrefix(network)}`,
    })
  }
  return success(network)
}

/**
 * Reads a prefix that is known to be good: a literal, or input that was validated before.
 * @throws TypeError naming text, place and reason
 */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new TypeError(describeSyntaxFault('prefix', parsed.error))
  return parsed.value
}

/** `10.0.0.0/26`; for an InterfaceAddress `10.0.0.1/26`. */
export function formatPrefix(p: Prefix | InterfaceAddress): string {
  return `${formatAddress(p.address)}/${String(p.length)}`
}

export function prefixFamily(p: Prefix): Family {
  return p.address.family
}

export function prefixEquals(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && addressEquals(a.address, b.address)
}

/** Orders by family, then address, then length (shorter first). */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(a.address, b.address) || a.length - b.length
}

/** Whether the address lies in the network. */
export function prefixContains(p: Prefix, a: Address): boolean {
  return p.address.family === a.family && addressEquals(maskAddress(a, p.length), p.address)
}

/** Whether every address of `inner` lies in `outer`; a prefix covers itself. */
export function prefixCovers(outer: Prefix, inner: Prefix): boolean {
  return inner.length >= outer.length && prefixContains(outer, inner.address)
}

/** Whether the two networks share an address. */
export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixCovers(a, b) || prefixCovers(b, a)
}

/** How many addresses the network holds. */
export function prefixSize(p: Prefix): bigint {
  return 1n << BigInt(addressBits(p.address.family) - p.length)
}

/** The address at `ordinal` (0 is the network's first). The caller keeps the ordinal below prefixSize. */
export function addressAt(p: Prefix, ordinal: number | bigint): Address {
  return addressAdd(p.address, ordinal)
}

/** The place of an address in a network of at most 2^53 addresses. The caller makes sure that it lies there. */
export function ordinalOf(p: Prefix, a: Address): number {
  if (a.family === 'ipv4') return a.w0 - p.address.w0
  return Number(addressToBigInt(a) - addressToBigInt(p.address))
}

/** The `index`-th network of that length inside `p`. */
export function subprefixAt(p: Prefix, length: number, index: number | bigint): Prefix {
  const shift = BigInt(addressBits(p.address.family) - length)
  return { address: addressAdd(p.address, BigInt(index) << shift), length }
}

/** How many networks of that length lie inside `p`. */
export function subprefixCount(p: Prefix, length: number): bigint {
  return 1n << BigInt(length - p.length)
}
