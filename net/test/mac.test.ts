import fc from 'fast-check'
import t from 'tap'
import {
  formatMac,
  interfaceIdentifier,
  isLocallyAdministeredMac,
  isMulticastMac,
  localMac,
  macFromBytes,
  macToBytes,
  parseMac,
} from '../src/index.ts'

const good: readonly (readonly [string, string])[] = [
  ['02:42:0a:00:00:01', '02:42:0a:00:00:01'],
  ['02-42-0A-00-00-FF', '02:42:0a:00:00:ff'],
  ['ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff'],
  ['00:00:00:00:00:00', '00:00:00:00:00:00'],
]

const bad: readonly (readonly [text: string, offset: number, reason: string])[] = [
  ['', 0, 'only 0 of 6 bytes'],
  ['02:42:0a:00:00', 14, 'only 5 of 6 bytes'],
  ['02:42:0a:00:00:0', 16, 'only 5 of 6 bytes'],
  ['02:42:0a:00:00:0g', 16, "'g' where a hexadecimal digit was expected"],
  ['02:42-0a:00:00:01', 5, "':' and '-' are mixed"],
  ['0242.0a00.0001', 2, "'4' where ':' was expected"],
  ['02:42:0a:00:00:01:02', 17, "':02' after the sixth byte"],
]

t.test('reads MAC addresses', (t) => {
  for (const [text, canonical] of good) {
    const parsed = parseMac(text)
    t.equal(parsed.ok && formatMac(parsed.value), canonical)
  }
  for (const [text, offset, reason] of bad) {
    t.same(parseMac(text), { ok: false, error: { code: 'syntax', text, offset, reason } }, `'${text}'`)
  }
  t.end()
})

t.test('bytes, text and integer are one', (t) => {
  fc.assert(
    fc.property(fc.nat(0xffffff), fc.nat(0xffffff), (high, low) => {
      const mac = high * 0x1000000 + low
      const parsed = parseMac(formatMac(mac))
      return parsed.ok && parsed.value === mac && macFromBytes(macToBytes(mac)) === mac
    }),
  )
  t.same([...macToBytes(0x02420a000001)], [2, 0x42, 10, 0, 0, 1])
  t.end()
})

t.test('a derived address is unicast, local, stable and spread out', (t) => {
  const seen = new Set<number>()
  for (let i = 0; i < 20000; i++) {
    const mac = localMac(`container-${String(i)}`)
    if (isMulticastMac(mac) || !isLocallyAdministeredMac(mac)) t.fail(formatMac(mac))
    seen.add(mac)
  }
  t.equal(seen.size, 20000, 'no two of 20,000 names meet')
  t.equal(localMac('a'), localMac('a'))
  t.equal(new Set(Array.from(seen, (mac) => mac & 0xff)).size, 256, 'the last byte takes every value')
  t.end()
})

t.test('interface identifier of RFC 4291 appendix A', (t) => {
  // The appendix turns 34-56-78-9A-BC-DE into 3656:78FF:FE9A:BCDE.
  t.same(interfaceIdentifier(0x3456789abcde), [0x365678ff, 0xfe9abcde])
  t.end()
})
