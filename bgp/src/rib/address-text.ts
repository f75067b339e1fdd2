import { type Address, addressFromBytes, formatAddress } from '@network/net'

/** The first address of 4, 16 or 32 octets; undefined if there are none. */
export function firstAddress(bytes: Uint8Array): Address | undefined {
  if (bytes.length === 0) return undefined
  return addressFromBytes(bytes, 0, bytes.length === 4 ? 'ipv4' : 'ipv6')
}

/** The second one, link-local, of 32 octets. */
export function secondAddress(bytes: Uint8Array): Address | undefined {
  return bytes.length === 32 ? addressFromBytes(bytes, 16, 'ipv6') : undefined
}

export function addressText(bytes: Uint8Array): string {
  const address = firstAddress(bytes)
  return address === undefined ? 'our own' : formatAddress(address)
}
