import { type Prefix, addressBits, ordinalOf, prefixCovers, prefixFamily } from '@network/net'

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

/** The ordinals of a block that lie in none of these ranges; nothing lies outside if none is of the block's family. */
export function ordinalsOutside(block: Prefix, ranges: readonly Prefix[]): (ordinal: number) => boolean {
  const ofFamily = ranges.filter((range) => prefixFamily(range) === prefixFamily(block))
  if (ofFamily.length === 0) return () => false
  const isInside = reservedOrdinals(block, ofFamily)
  return (ordinal) => !isInside(ordinal)
}
