import fc from 'fast-check'
import { type Address, addressBits, ipv4, ipv6, type Prefix, prefixOf } from '../src/index.ts'

const word = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff),
)

export const ipv4Address: fc.Arbitrary<Address> = word.map(ipv4)
export const ipv6Address: fc.Arbitrary<Address> = fc
  .tuple(word, word, word, word)
  .map((words) => ipv6(...words))
export const anyAddress: fc.Arbitrary<Address> = fc.oneof(ipv4Address, ipv6Address)

/** Any prefix, of both families and all lengths. */
export const anyPrefix: fc.Arbitrary<Prefix> = anyAddress.chain((a) =>
  fc.integer({ min: 0, max: addressBits(a.family) }).map((length) => prefixOf(a, length)),
)

/** Prefixes that share most of their bits, so that sets of them nest, part and meet. */
export const crowdedPrefix: fc.Arbitrary<Prefix> = fc
  .record({
    family: fc.constantFrom('ipv4' as const, 'ipv6' as const),
    bits: fc.integer({ min: 0, max: 255 }),
    shift: fc.constantFrom(0, 8, 24),
    length: fc.integer({ min: 0, max: 128 }),
  })
  .map(({ family, bits, shift, length }) => {
    const a =
      family === 'ipv4' ? ipv4(bits * 2 ** shift) : ipv6(0xfd000000, bits * 2 ** shift, bits, bits << 24)
    return prefixOf(a, Math.min(length, addressBits(family)))
  })
