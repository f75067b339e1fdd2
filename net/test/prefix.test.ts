import fc from 'fast-check'
import t from 'tap'
import {
  addressAt,
  addressBits,
  addressEquals,
  addressToBigInt,
  comparePrefixes,
  formatPrefix,
  hostPrefix,
  maskAddress,
  ordinalOf,
  parseInterfaceAddress,
  parsePrefix,
  type Prefix,
  prefix,
  prefixContains,
  prefixCovers,
  prefixEquals,
  prefixesOverlap,
  prefixOf,
  prefixSize,
  subprefixAt,
  subprefixCount,
} from '../src/index.ts'
import { anyAddress, anyPrefix, crowdedPrefix } from './arbitraries.ts'

const bad: readonly (readonly [text: string, offset: number, reason: string])[] = [
  ['10.0.0.0', 8, "'/' and a length are missing"],
  ['10.0.0.0/', 9, "'' is not a length in decimal digits"],
  ['10.0.0.0/33', 9, 'length 33 is greater than 32'],
  ['10.0.0.0/-1', 9, "'-1' is not a length in decimal digits"],
  ['10.0.0.0/08', 9, "'08' is not a length in decimal digits"],
  ['10.0.0.0/24/8', 9, "'24/8' is not a length in decimal digits"],
  ['10.0.0/8', 6, 'only 3 of 4 octets'],
  ['fd00::/129', 7, 'length 129 is greater than 128'],
  ['/24', 0, 'an address is missing'],
  ['10.0.0.1/24', 0, 'it has host bits set, the network is 10.0.0.0/24'],
  ['fd00::1/64', 0, 'it has host bits set, the network is fd00::/64'],
]

t.test('refuses what is no prefix, with place and reason', (t) => {
  for (const [text, offset, reason] of bad) {
    t.same(parsePrefix(text), { ok: false, error: { code: 'syntax', text, offset, reason } }, `'${text}'`)
  }
  t.throws(() => prefix('10.0.0.1/24'), {
    name: 'TypeError',
    message: /^'10.0.0.1\/24' is not a prefix: it has/,
  })
  t.end()
})

t.test('an interface address keeps its host bits', (t) => {
  const parsed = parseInterfaceAddress('10.0.0.7/24')
  t.equal(parsed.ok && formatPrefix(parsed.value), '10.0.0.7/24')
  t.end()
})

const relations: readonly (readonly [a: string, b: string, covers: boolean, overlap: boolean])[] = [
  ['10.0.0.0/8', '10.1.0.0/16', true, true],
  ['10.1.0.0/16', '10.0.0.0/8', false, true],
  ['10.0.0.0/8', '10.0.0.0/8', true, true],
  ['10.0.0.0/9', '10.128.0.0/9', false, false],
  ['0.0.0.0/0', '255.255.255.255/32', true, true],
  ['0.0.0.0/0', '::/0', false, false],
  ['::/0', 'fd00::/8', true, true],
  ['fd00::/64', 'fd00:0:0:1::/64', false, false],
]

t.test('covering and overlapping', (t) => {
  for (const [a, b, covers, overlap] of relations) {
    t.equal(prefixCovers(prefix(a), prefix(b)), covers, `${a} covers ${b}`)
    t.equal(prefixesOverlap(prefix(a), prefix(b)), overlap, `${a} overlaps ${b}`)
    t.equal(prefixesOverlap(prefix(b), prefix(a)), overlap, `${b} overlaps ${a}`)
  }
  t.end()
})

t.test('blocks of a pool', (t) => {
  const pool = prefix('10.0.0.0/24')
  t.equal(subprefixCount(pool, 26), 4n)
  t.equal(formatPrefix(subprefixAt(pool, 26, 3)), '10.0.0.192/26')
  t.equal(prefixSize(prefix('10.0.0.0/26')), 64n)
  t.equal(prefixSize(prefix('::/0')), 1n << 128n)
  t.equal(formatPrefix(hostPrefix(addressAt(pool, 255))), '10.0.0.255/32')
  t.equal(
    formatPrefix(subprefixAt(prefix('fd00::/64'), 122, 2n ** 58n - 1n)),
    'fd00::ffff:ffff:ffff:ffc0/122',
  )
  t.end()
})

t.test('properties', (t) => {
  fc.assert(
    fc.property(anyPrefix, (p) => {
      const parsed = parsePrefix(formatPrefix(p))
      return parsed.ok && prefixEquals(parsed.value, p)
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(anyAddress, fc.nat(128), (a, n) => {
      const length = Math.min(n, addressBits(a.family))
      const host = BigInt(addressBits(a.family) - length)
      return addressToBigInt(maskAddress(a, length)) === (addressToBigInt(a) >> host) << host
    }),
    { numRuns: 300 },
  )
  const range = (p: Prefix): readonly [bigint, bigint] => {
    const first = addressToBigInt(p.address) + (p.address.family === 'ipv6' ? 1n << 130n : 0n)
    return [first, first + prefixSize(p) - 1n]
  }
  fc.assert(
    fc.property(crowdedPrefix, crowdedPrefix, (a, b) => {
      const [[aFirst, aLast], [bFirst, bLast]] = [range(a), range(b)]
      return (
        prefixCovers(a, b) === (aFirst <= bFirst && bLast <= aLast) &&
        prefixesOverlap(a, b) === (aFirst <= bLast && bFirst <= aLast) &&
        Math.sign(comparePrefixes(a, b)) === -Math.sign(comparePrefixes(b, a)) &&
        (comparePrefixes(a, b) === 0) === prefixEquals(a, b)
      )
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(anyAddress, fc.nat(128), fc.nat(4095), (a, n, ordinal) => {
      const p = prefixOf(a, Math.min(n, addressBits(a.family) - 12))
      const member = addressAt(p, ordinal)
      return prefixContains(p, member) && ordinalOf(p, member) === ordinal
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(
      anyAddress,
      (a) => addressEquals(hostPrefix(a).address, a) && prefixContains(hostPrefix(a), a),
    ),
  )
  t.pass('every property held')
  t.end()
})
