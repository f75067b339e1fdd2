import t from 'tap'
import { decodeAttributes, encodeAttributes, without } from '../../src/codec/attribute-block.ts'
import { plainContext } from '../../src/codec/context.ts'
import { attributeCases } from './cases.ts'
import { hex } from './hex.ts'

for (const { name, octets, value, context = plainContext } of attributeCases) {
  t.test(name, (t) => {
    t.strictSame(decodeAttributes(octets, context), value, 'decodes')
    t.strictSame(encodeAttributes(value, context), octets, 'encodes')
    for (let length = 0; length < octets.length; length++)
      t.ok(
        decodeAttributes(octets.slice(0, length), context),
        `${String(length)} octets give what can be read`,
      )
    t.end()
  })
}

const old = { ...plainContext, as4: false }

t.test('AS4_PATH shorter than AS_PATH is completed from its head', (t) => {
  const block = hex('40020c 0203 fde8 fde9 5ba0 0101 fdea  c0110c 0201 00010000 0101 0000fdea')
  t.strictSame(decodeAttributes(block, old).asPath, [
    { type: 'sequence', asns: [65000, 65001, 65536] },
    { type: 'set', asns: [65002] },
  ])
  t.end()
})

t.test('AS4_PATH longer than AS_PATH is ignored', (t) => {
  const block = hex('400204 0201 5ba0  c0110a 0202 00010000 00010001')
  t.strictSame(decodeAttributes(block, old).asPath, [{ type: 'sequence', asns: [23456] }])
  t.end()
})

t.test('an AGGREGATOR that is not AS_TRANS makes AS4_AGGREGATOR and AS4_PATH stale', (t) => {
  const block = hex('400204 0201 5ba0  c00706 fde8 0a000001  c01106 0201 00010000  c01208 00010000 0a000002')
  const { asPath, aggregator } = decodeAttributes(block, old)
  t.strictSame(asPath, [{ type: 'sequence', asns: [23456] }])
  t.strictSame(aggregator, { asn: 65000, routerId: 0x0a000001 })
  t.end()
})

t.test('AS4_PATH leaves confederation segments out', (t) => {
  const encoded = encodeAttributes(
    {
      asPath: [
        { type: 'confed-sequence', asns: [65536] },
        { type: 'sequence', asns: [65537] },
      ],
    },
    old,
  )
  t.strictSame(encoded, hex('400208 0301 5ba0 0201 5ba0  c01106 0201 00010001'))
  t.end()
})

t.test('an unknown optional non-transitive attribute is dropped, a transitive one becomes Partial', (t) => {
  t.strictSame(decodeAttributes(hex('80fe01 07 c0fd01 08'), plainContext), {
    opaque: [{ flags: 0xe0, code: 253, value: hex('08') }],
  })
  t.end()
})

t.test('ranges are cut out of octets, without a copy where they lie at the ends', (t) => {
  const bytes = Uint8Array.from({ length: 10 }, (_, i) => i)
  const cases: readonly { ranges: readonly number[]; kept: readonly number[]; view: boolean }[] = [
    { ranges: [], kept: [1, 2, 3, 4, 5, 6, 7, 8], view: true },
    { ranges: [1, 3], kept: [3, 4, 5, 6, 7, 8], view: true },
    { ranges: [7, 9], kept: [1, 2, 3, 4, 5, 6], view: true },
    { ranges: [1, 3, 7, 9], kept: [3, 4, 5, 6], view: true },
    { ranges: [3, 5], kept: [1, 2, 5, 6, 7, 8], view: false },
    { ranges: [1, 2, 3, 5, 8, 9], kept: [2, 5, 6, 7], view: false },
    { ranges: [1, 9], kept: [], view: true },
  ]
  for (const { ranges, kept, view } of cases) {
    const result = without(bytes, 1, 9, ranges)
    t.strictSame([...result], kept, `less ${ranges.join()}`)
    t.equal(result.buffer === bytes.buffer, view)
  }
  t.end()
})
