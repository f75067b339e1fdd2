/*
 * Addresses as sockets and people write them: an IPv6 link-local one carries the zone (device) that it is of,
 * 'fe80::1%eth0' (RFC 4007 section 11).
 */
import { type Address, formatAddress, parseAddress } from '@network/net'

/** The address of a text that may have a zone, without it. */
export function plainAddress(text: string): Address | undefined {
  const zone = text.indexOf('%')
  const parsed = parseAddress(zone < 0 ? text : text.slice(0, zone))
  return parsed.ok ? parsed.value : undefined
}

/** The zone of an address, without the '%'. */
export function zoneOf(address: string | undefined): string | undefined {
  return address?.split('%')[1]
}

/** fe80::/10. */
export function isLinkLocal(address: Address): boolean {
  return address.family === 'ipv6' && address.w0 >>> 22 === 0x3fa
}

/** The one text that stands for an address with its zone, however it was written. */
export function canonicalAddress(text: string): string {
  // IPv4 is written in one way only.
  if (!text.includes(':')) return text
  const address = plainAddress(text)
  if (address === undefined) return text
  const zone = zoneOf(text)
  return formatAddress(address) + (zone === undefined ? '' : `%${zone}`)
}
