import { IPv4, IPv6 } from 'ip-num'
import { type Address, addressToBigInt } from './address.ts'

/**
 * What kind of address it is by the registries of special-purpose addresses (RFC 6890). `private` is RFC 1918 and
 * RFC 4193; `documentation` RFC 5737 and RFC 3849; `global` everything that is none of the others.
 */
export type AddressClass =
  | 'unspecified'
  | 'loopback'
  | 'link-local'
  | 'multicast'
  | 'broadcast'
  | 'private'
  | 'documentation'
  | 'global'

/** Classifies one address. It makes objects of ip-num: for configuration and detection, not for hot paths. */
export function classifyAddress(address: Address): AddressClass {
  const number =
    address.family === 'ipv4' ? IPv4.fromNumber(address.w0) : IPv6.fromBigInt(addressToBigInt(address))
  if (number.isUnspecified()) return 'unspecified'
  if (number.isLoopback()) return 'loopback'
  if (number.isLinkLocal()) return 'link-local'
  if (number.isMulticast()) return 'multicast'
  if (address.family === 'ipv4' && address.w0 === 0xffffffff) return 'broadcast'
  if (number.isPrivate()) return 'private'
  if (number.isDocumentation()) return 'documentation'
  return 'global'
}

/** Whether an address can be a node's or a workload's own: unicast, and of use beyond one link. */
export function isUsableAddress(address: Address): boolean {
  const kind = classifyAddress(address)
  return kind === 'private' || kind === 'documentation' || kind === 'global'
}
