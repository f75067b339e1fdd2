import fc from 'fast-check'
import t from 'tap'
import {
  type Address,
  address,
  addressAdd,
  addressBit,
  addressBits,
  addressEquals,
  addressFromBigInt,
  addressFromBytes,
  addressToBigInt,
  addressToBytes,
  compareAddresses,
  describeSyntaxFault,
  formatAddress,
  parseAddress,
} from '../src/index.ts'
import { anyAddress } from './arbitraries.ts'

const good: readonly (readonly [text: string, canonical: string])[] = [
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['10.1.2.3', '10.1.2.3'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8::A', '2001:db8::a'],
  ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['0:0:1:0:0:0:1:0', '0:0:1::1:0'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['::ffff:c000:201', '::ffff:192.0.2.1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ['fe80::1', 'fe80::1'],
]

const bad: readonly (readonly [text: string, offset: number, reason: string])[] = [
  ['', 0, 'an address is missing'],
  ['10.0.0', 6, 'only 3 of 4 octets'],
  ['10.0.0.', 7, 'only 3 of 4 octets'],
  ['10.0.0.300', 7, 'octet 300 is greater than 255'],
  ['10.0.0.01', 7, 'an octet has a leading zero'],
  ['10.0..1', 5, "'.' where a decimal octet was expected"],
  ['10.0.0.1.2', 8, "'.2' after the fourth octet"],
  ['10.0.0.1/24', 8, "'/24' after the fourth octet"],
  ['10.0.0.x', 7, "'x' where a decimal octet was expected"],
  [' 10.0.0.1', 0, "' ' where a decimal octet was expected"],
  ['10.0.0.-1', 7, "'-' where a decimal octet was expected"],
  ['0x0a.0.0.1', 1, "'x' where '.' was expected"],
  ['10.0.0.99999', 7, 'octet 9999 is greater than 255'],
  [':1', 0, "a single ':' at the start"],
  ['1:', 1, "a single ':' at the end"],
  ['1::2::3', 4, "a second '::'"],
  [':::', 2, "':' where a group of hexadecimal digits was expected"],
  ['1:2:3:4:5:6:7', 13, 'only 7 of 8 groups'],
  ['1:2:3:4:5:6:7:8:9', 16, 'more than 8 groups'],
  ['1:2:3:4::5:6:7:8', 0, "'::' stands for no group"],
  ['12345::', 0, 'a group of more than four digits'],
  ['fe80::1%eth0', 7, "'%' where ':' was expected"],
  ['[::1]', 0, "'[' where a group of hexadecimal digits was expected"],
  ['::g', 2, "'g' where a group of hexadecimal digits was expected"],
  ['::1.2.3', 7, 'only 3 of 4 octets'],
  ['1:2:3:4:5:6:7:1.2.3.4', 14, 'more than 128 bits'],
]

t.test('reads addresses and prints their canonical text', (t) => {
  for (const [text, canonical] of good) {
    const parsed = parseAddress(text)
    t.ok(parsed.ok, text)
    if (parsed.ok) t.equal(formatAddress(parsed.value), canonical, text)
  }
  t.end()
})

t.test('refuses what is no address, with place and reason', (t) => {
  for (const [text, offset, reason] of bad) {
    const parsed = parseAddress(text)
    t.same(parsed, { ok: false, error: { code: 'syntax', text, offset, reason } }, `'${text}'`)
  }
  t.end()
})

t.test('a fault reads as a sentence, a bad literal throws it', (t) => {
  const sentence = "'10.0.0.300' is not an address: octet 300 is greater than 255 (at character 8)."
  const parsed = parseAddress('10.0.0.300')
  t.equal(parsed.ok ? '' : describeSyntaxFault('address', parsed.error), sentence)
  t.throws(() => address('10.0.0.300'), { name: 'TypeError', message: sentence })
  t.end()
})

t.test('properties', (t) => {
  fc.assert(
    fc.property(anyAddress, (a) => {
      t.strictSame(parseAddress(formatAddress(a)), { ok: true, value: a })
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.string({ maxLength: 45 }), (text) => typeof parseAddress(text).ok === 'boolean'),
    { numRuns: 500 },
  )
  const almost = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abf:.')), maxLength: 40 })
  fc.assert(
    fc.property(almost, (text) => {
      const parsed = parseAddress(text)
      if (!parsed.ok) return parsed.error.offset >= 0 && parsed.error.offset <= text.length
      return addressEquals(address(formatAddress(parsed.value)), parsed.value)
    }),
    { numRuns: 3000 },
  )
  fc.assert(
    fc.property(anyAddress, (a) => addressEquals(addressFromBytes(addressToBytes(a), 0, a.family), a)),
  )
  fc.assert(fc.property(anyAddress, (a) => addressEquals(addressFromBigInt(addressToBigInt(a), a.family), a)))
  fc.assert(
    fc.property(anyAddress, fc.integer({ min: -70000, max: 70000 }), (a, offset) => {
      const space = 1n << BigInt(addressBits(a.family))
      const expected = (((addressToBigInt(a) + BigInt(offset)) % space) + space) % space
      return addressToBigInt(addressAdd(a, offset)) === expected
    }),
  )
  fc.assert(
    fc.property(anyAddress, (a) => {
      let value = 0n
      for (let i = 0; i < addressBits(a.family); i++) value = (value << 1n) | BigInt(addressBit(a, i))
      return value === addressToBigInt(a)
    }),
  )
  fc.assert(
    fc.property(anyAddress, anyAddress, (a, b) => {
      const order = compareAddresses(a, b)
      const rank = (x: Address): bigint => addressToBigInt(x) + (x.family === 'ipv6' ? 1n << 128n : 0n)
      return Math.sign(order) === (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0)
    }),
  )
  t.pass('every property held')
  t.end()
})

t.test('bytes are read at an offset of a view into a larger buffer', (t) => {
  const bytes = new Uint8Array([9, 9, 10, 0, 0, 1, 9]).subarray(1)
  t.equal(formatAddress(addressFromBytes(bytes, 1, 'ipv4')), '10.0.0.1')
  t.end()
})
