import { type Result, failure, success } from './result.ts'

export type Family = 'ipv4' | 'ipv6'

/**
 * An IPv4 or IPv6 address: four unsigned 32-bit words, most significant first. IPv4 lies in `w0` and leaves the
 * other words 0, so that bit i from the left is found the same way in both families.
 */
export interface Address {
  readonly family: Family
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number
}

/** Why a text is not what it should be: `offset` counts characters from 0. */
export interface SyntaxFault {
  readonly code: 'syntax'
  readonly text: string
  readonly offset: number
  /** What is wrong, as the end of a sentence: 'octet 300 is greater than 255'. */
  readonly reason: string
}

/** Bits in an address: 32 or 128. */
export function addressBits(family: Family): 32 | 128 {
  return family === 'ipv4' ? 32 : 128
}

/** An IPv4 address of an unsigned 32-bit integer. */
export function ipv4(word: number): Address {
  return { family: 'ipv4', w0: word >>> 0, w1: 0, w2: 0, w3: 0 }
}

/** An IPv6 address of four unsigned 32-bit integers, most significant first. */
export function ipv6(w0: number, w1: number, w2: number, w3: number): Address {
  return { family: 'ipv6', w0: w0 >>> 0, w1: w1 >>> 0, w2: w2 >>> 0, w3: w3 >>> 0 }
}

function fault(text: string, offset: number, reason: string): { ok: false; error: SyntaxFault } {
  return failure({ code: 'syntax', text, offset, reason })
}

/**
 * Reads an address in its usual text form: four decimal octets without leading zeros, or RFC 4291 section 2.2.
 * No zone index, no brackets, no surrounding space.
 */
export function parseAddress(text: string): Result<Address, SyntaxFault> {
  if (text === '') return fault(text, 0, 'an address is missing')
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text, 0)
}

function parseIpv4(text: string, start: number): Result<Address, SyntaxFault> {
  let word = 0
  let at = start
  for (let octet = 0; octet < 4; octet++) {
    if (octet > 0) {
      if (at >= text.length) return fault(text, at, `only ${String(octet)} of 4 octets`)
      if (text[at] !== '.') return fault(text, at, `'${text[at] ?? ''}' where '.' was expected`)
      at++
    }
    const begin = at
    let value = 0
    while (at < text.length && at - begin < 4) {
      const digit = text.charCodeAt(at) - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      at++
    }
    if (at === begin) {
      return at >= text.length
        ? fault(text, at, `only ${String(octet)} of 4 octets`)
        : fault(text, at, `'${text[at] ?? ''}' where a decimal octet was expected`)
    }
    if (value > 255) return fault(text, begin, `octet ${text.slice(begin, at)} is greater than 255`)
    if (at - begin > 1 && text[begin] === '0') return fault(text, begin, 'an octet has a leading zero')
    word = word * 256 + value
  }
  if (at < text.length) return fault(text, at, `'${text.slice(at)}' after the fourth octet`)
  return success(ipv4(word))
}

function parseIpv6(text: string): Result<Address, SyntaxFault> {
  const groups: number[] = []
  let gap = -1
  let at = 0
  if (text.startsWith('::')) {
    gap = 0
    at = 2
  } else if (text.startsWith(':')) {
    return fault(text, 0, "a single ':' at the start")
  }
  while (at < text.length) {
    const begin = at
    let value = 0
    while (at < text.length && at - begin < 5) {
      const digit = hexDigit(text.charCodeAt(at))
      if (digit < 0) break
      value = value * 16 + digit
      at++
    }
    if (text[at] === '.') {
      if (groups.length > 6) return fault(text, begin, 'more than 128 bits')
      const tail = parseIpv4(text, begin)
      if (!tail.ok) return tail
      groups.push(tail.value.w0 >>> 16, tail.value.w0 & 0xffff)
      break
    }
    if (at === begin)
      return fault(text, at, `'${text[at] ?? ''}' where a group of hexadecimal digits was expected`)
    if (at - begin > 4) return fault(text, begin, 'a group of more than four digits')
    groups.push(value)
    if (groups.length > 8) return fault(text, begin, 'more than 8 groups')
    if (at === text.length) break
    if (text[at] !== ':') return fault(text, at, `'${text[at] ?? ''}' where ':' was expected`)
    at++
    if (text[at] === ':') {
      if (gap >= 0) return fault(text, at - 1, "a second '::'")
      gap = groups.length
      at++
    } else if (at === text.length) {
      return fault(text, at - 1, "a single ':' at the end")
    }
  }
  if (gap < 0 && groups.length < 8)
    return fault(text, text.length, `only ${String(groups.length)} of 8 groups`)
  if (gap >= 0 && groups.length > 7) return fault(text, 0, "'::' stands for no group")
  const all = gap < 0 ? groups : [...groups.slice(0, gap), ...zeros(8 - groups.length), ...groups.slice(gap)]
  const word = (i: number): number => (all[i] ?? 0) * 0x10000 + (all[i + 1] ?? 0)
  return success(ipv6(word(0), word(2), word(4), word(6)))
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0)
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 97 && code <= 102) return code - 87
  if (code >= 65 && code <= 70) return code - 55
  return -1
}

/**
 * Reads an address that is known to be good: a literal, or input that was validated before.
 * @throws TypeError naming text, place and reason
 */
export function address(text: string): Address {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new TypeError(describeSyntaxFault('address', parsed.error))
  return parsed.value
}

/** A sentence for a person: `'10.0.0.300' is not an address: octet 300 is greater than 255 (at character 8).` */
export function describeSyntaxFault(what: string, error: SyntaxFault): string {
  const article = /^[aeiou]/i.test(what) ? 'an' : 'a'
  return `'${error.text}' is not ${article} ${what}: ${error.reason} (at character ${String(error.offset + 1)}).`
}

/** The canonical text: dotted decimal, or RFC 5952. */
export function formatAddress(a: Address): string {
  if (a.family === 'ipv4') return formatIpv4Word(a.w0)
  if (a.w0 === 0 && a.w1 === 0 && a.w2 === 0xffff) return `::ffff:${formatIpv4Word(a.w3)}`
  const groups = [a.w0, a.w1, a.w2, a.w3].flatMap((w) => [w >>> 16, w & 0xffff])
  let bestStart = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > bestLength) {
      bestStart = i
      bestLength = length
    }
    if (length > 0) i += length - 1
  }
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((g) => g.toString(16))
      .join(':')
  return bestStart < 0 ? hex(0, 8) : `${hex(0, bestStart)}::${hex(bestStart + bestLength, 8)}`
}

/** Dotted decimal of an unsigned 32-bit integer. */
export function formatIpv4Word(word: number): string {
  return `${String(word >>> 24)}.${String((word >>> 16) & 255)}.${String((word >>> 8) & 255)}.${String(word & 255)}`
}

export function addressEquals(a: Address, b: Address): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3
}

/** Orders by family (IPv4 first), then by value: negative, 0 or positive. */
export function compareAddresses(a: Address, b: Address): number {
  if (a.family !== b.family) return a.family === 'ipv4' ? -1 : 1
  return a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3
}

/** The bit at `index` counted from the most significant, 0 or 1. */
export function addressBit(a: Address, index: number): 0 | 1 {
  const word = index < 32 ? a.w0 : index < 64 ? a.w1 : index < 96 ? a.w2 : a.w3
  return ((word >>> (31 - (index & 31))) & 1) as 0 | 1
}

/** 4 or 16 bytes in network order. */
export function addressToBytes(a: Address): Uint8Array {
  const bytes = new Uint8Array(a.family === 'ipv4' ? 4 : 16)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, a.w0)
  if (a.family === 'ipv6') {
    view.setUint32(4, a.w1)
    view.setUint32(8, a.w2)
    view.setUint32(12, a.w3)
  }
  return bytes
}

/** Reads 4 or 16 bytes in network order from `offset`. The caller makes sure that they are there. */
export function addressFromBytes(bytes: Uint8Array, offset: number, family: Family): Address {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset)
  return family === 'ipv4'
    ? ipv4(view.getUint32(0))
    : ipv6(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12))
}

/** The address as one integer; for arithmetic on IPv6 that is not in a hot path. */
export function addressToBigInt(a: Address): bigint {
  if (a.family === 'ipv4') return BigInt(a.w0)
  return (BigInt(a.w0) << 96n) | (BigInt(a.w1) << 64n) | (BigInt(a.w2) << 32n) | BigInt(a.w3)
}

/** The address of an integer, taken modulo the family's width. */
export function addressFromBigInt(value: bigint, family: Family): Address {
  const word = (shift: bigint): number => Number((value >> shift) & 0xffffffffn)
  return family === 'ipv4' ? ipv4(word(0n)) : ipv6(word(96n), word(64n), word(32n), word(0n))
}

/** The address `offset` places further (or, if negative, before), modulo the family's width. */
export function addressAdd(a: Address, offset: number | bigint): Address {
  if (a.family === 'ipv4' && typeof offset === 'number') return ipv4((a.w0 + offset) % 0x100000000)
  return addressFromBigInt(addressToBigInt(a) + BigInt(offset), a.family)
}
