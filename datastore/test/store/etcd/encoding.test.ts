import t from 'tap'
import {
  leaseIdFromText,
  leaseIdToText,
  prefixRange,
  rangeEndOfPrefix,
  toKeyValue,
} from '../../../src/store/etcd/encoding.ts'

await t.test('the end of a prefix', (t) => {
  const table: [string, number[]][] = [
    ['a', [0x62]],
    ['/x/', [0x2f, 0x78, 0x30]],
    ['', [0]],
    ['\x7f', [0x80]],
    ['é', [0xc3, 0xaa]],
  ]
  for (const [prefix, end] of table) t.same([...rangeEndOfPrefix(prefix)], end, JSON.stringify(prefix))
  t.same([...prefixRange('').key], [0], 'no key is empty')
  t.end()
})

await t.test('lease ids keep all their bits', (t) => {
  for (const id of ['1', '7ac2a1fd5c7a0008', '7fffffffffffffff', 'ffffffffffffffff']) {
    t.equal(leaseIdToText(leaseIdFromText(id)!), id)
  }
  t.equal(leaseIdFromText('ffffffffffffffff'), '-1', 'signed on the wire')
  for (const text of ['', 'xyz', '12345678901234567', '-1', '0x1']) t.equal(leaseIdFromText(text), undefined)
  t.equal(leaseIdToText('0'), undefined)
  t.end()
})

await t.test('bytes that are no text become text all the same', (t) => {
  const wire = { version: '1', create_revision: '7', mod_revision: '9007199254740991', lease: '16' }
  t.same(toKeyValue({ ...wire, key: Buffer.from('/k'), value: Buffer.from([0xff, 0x61]) }), {
    key: '/k',
    value: '\uFFFDa',
    modRevision: Number.MAX_SAFE_INTEGER,
    createRevision: 7,
    lease: '10',
  })
  t.end()
})
