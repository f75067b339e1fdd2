import fc from 'fast-check'
import t from 'tap'
import { addressFromBytes, formatPrefix, prefixOf } from '@network/net'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { putNlri } from '../../src/codec/nlri.ts'
import { PrefixTable } from '../../src/rib/prefix-table.ts'

for (const [family, afiSafi, octets] of [
  ['ipv4', ipv4Unicast, 4],
  ['ipv6', ipv6Unicast, 16],
] as const) {
  const prefix = fc
    .tuple(fc.uint8Array({ minLength: octets, maxLength: octets }), fc.nat(octets * 8))
    .map(([bytes, length]) => prefixOf(addressFromBytes(bytes, 0, family), length))
  const step = fc.record({ add: fc.boolean(), prefix, dirt: fc.nat(255) })

  t.test(`${family}: the table and a map agree through additions and removals`, (t) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new PrefixTable(afiSafi)
        const ids = new Map<string, number>()
        const buffer = new Uint8Array(32)
        for (const { add, prefix: one, dirt } of steps) {
          const end = putNlri(buffer, 0, one)
          // Bits past the length may have any value (RFC 4271 section 4.3).
          if (one.length % 8 !== 0)
            buffer[end - 1] = (buffer[end - 1] ?? 0) | (dirt & (0xff >> (one.length % 8)))
          if (table.read(buffer, 0) !== end) return false
          const text = formatPrefix(one)
          const known = ids.get(text)
          if (table.find() !== (known ?? -1)) return false
          if (add) {
            const id = table.intern()
            if (known !== undefined && known !== id) return false
            if (known === undefined && [...ids.values()].includes(id)) return false
            ids.set(text, id)
          } else if (known !== undefined) {
            table.free(known)
            ids.delete(text)
          }
        }
        for (const [text, id] of ids) {
          const written = table.put(id, buffer, 0)
          if (
            formatPrefix(table.prefix(id)) !== text ||
            table.read(buffer, 0) !== written ||
            table.find() !== id
          )
            return false
        }
        return table.size === ids.size
      }),
      { numRuns: 200 },
    )
    t.end()
  })
}

t.test('segments split: 50,000 prefixes are found again, half of them after the other half is gone', (t) => {
  const table = new PrefixTable(ipv4Unicast)
  const nlri = (i: number): Uint8Array => Uint8Array.of(24, 10 + (i >> 16), (i >> 8) & 255, i & 255)
  const ids = Array.from({ length: 50_000 }, (_, i) => {
    table.read(nlri(i), 0)
    return table.intern()
  })
  t.equal(new Set(ids).size, 50_000)
  for (let i = 0; i < 50_000; i += 2) table.free(ids[i] ?? 0)
  let wrong = 0
  for (let i = 0; i < 50_000; i++) {
    table.read(nlri(i), 0)
    if (table.find() !== (i % 2 === 0 ? -1 : ids[i])) wrong++
  }
  t.equal(wrong, 0)
  t.equal(table.size, 25_000)
  for (let i = 0; i < 50_000; i += 2) {
    table.read(nlri(i), 0)
    table.intern()
  }
  t.equal(table.top, 50_000, 'ids are used again')
  t.end()
})

t.test('prefixes that come and go leave no slots behind: 10,000 of 300,000 are there at a time', (t) => {
  const table = new PrefixTable(ipv4Unicast)
  const at = (i: number): Uint8Array => {
    const scattered = Math.imul(i, 0x9e3779b1) >>> 8
    return Uint8Array.of(24, scattered >> 16, (scattered >> 8) & 255, scattered & 255)
  }
  const there: { nlri: Uint8Array; id: number }[] = []
  let octets = 0
  let wrong = 0
  for (let i = 0; i < 300_000; i++) {
    const nlri = at(i)
    table.read(nlri, 0)
    if (table.find() >= 0) continue
    there.push({ nlri, id: table.intern() })
    if (there.length > 10_000) table.free(there.splice((i * 7919) % there.length, 1)[0]?.id ?? -1)
    if (i === 30_000) octets = table.bytes
  }
  for (const { nlri, id } of there) {
    table.read(nlri, 0)
    if (table.find() !== id) wrong++
  }
  t.equal(wrong, 0)
  t.equal(table.size, 10_000)
  t.ok(table.bytes <= 2 * octets, `${table.bytes} octets, ${octets} at first`)
  t.end()
})
