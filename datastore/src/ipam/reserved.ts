import { type Prefix, addressBits, ordinalOf, prefixCovers } from '@network/net'

/** The ordinals of a block that IPReservations keep from being handed out. */
export function reservedOrdinals(block: Prefix, reserved: readonly Prefix[]): (ordinal: number) => boolean {
  const ranges: { first: number; last: number }[] = []
  for (const cidr of reserved) {
    if (prefixCovers(cidr, block)) return () => true
    if (!prefixCovers(block, cidr)) continue
    const first = ordinalOf(block, cidr.address)
    ranges.push({ first, last: first + 2 ** (addressBits(cidr.address.family) - cidr.length) - 1 })
  }
  if (ranges.length === 0) return () => false
  return (ordinal) => ranges.some(({ first, last }) => first <= ordinal && ordinal <= last)
}
