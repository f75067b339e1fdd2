import { type CodecContext } from './context.ts'
import { Afi, type AfiSafi, afiOf } from './iana.ts'
import { u32At } from './reader.ts'

/** Whether a next hop of so many octets may stand beside the family's NLRI: RFC 4760, RFC 2545 section 3, RFC 8950 section 3. */
export function nextHopLengthFits(family: AfiSafi, length: number, context: CodecContext): boolean {
  const ipv6Form = length === 16 || length === 32
  if (afiOf(family) === Afi.ipv6) return ipv6Form
  return length === 4 || (ipv6Form && context.extendedNextHop.has(family))
}

/** Whether the address, or the link-local one beside an unspecified global one, may be a host's. */
export function isNextHop(nextHop: Uint8Array): boolean {
  if (nextHop.length === 4) return isHostAddress(u32At(nextHop, 0))
  return (
    isIpv6Host(nextHop, 0) || (nextHop.length === 32 && isZero(nextHop, 0, 16) && isIpv6Host(nextHop, 16))
  )
}

/** Whether a host may have the IPv4 address: not in 0.0.0.0/8, 127.0.0.0/8, nor multicast or above. */
export function isHostAddress(word: number): boolean {
  const first = word >>> 24
  return first !== 0 && first !== 127 && first < 224
}

/** Not multicast, `::` or `::1`. */
function isIpv6Host(bytes: Uint8Array, at: number): boolean {
  return bytes[at] !== 0xff && !(isZero(bytes, at, at + 15) && (bytes[at + 15] ?? 0) <= 1)
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}
