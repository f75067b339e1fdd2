import { formatAddress, formatPrefix } from '@network/net'
import t from 'tap'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { readMrt, ribEntryNextHop } from '../../src/mrt/mrt.ts'
import { hex } from '../codec/hex.ts'

function record(type: number, subtype: number, body: string): string {
  const u16 = (value: number): string => value.toString(16).padStart(4, '0')
  return `60000000 ${u16(type)} ${u16(subtype)} 0000${u16(hex(body).length)} ${body}`
}

const keepalive = `${'ff'.repeat(16)} 0013 04`

const peerTable = record(
  13,
  1,
  `0a000001 0002 7631 0003
   00 0a000002 c0000201 fde8
   02 0a000003 c0000202 00010000
   03 0a000004 20010db8000000000000000000000001 00010001`,
)

t.test('sessions: messages of both widths of AS numbers and both families', (t) => {
  const file = hex(
    record(16, 1, `fde8 fde9 0000 0001 c0000201 c0000202 ${keepalive}`) +
      record(16, 4, `00010000 0000fde9 0000 0002 ${'20'.repeat(16)} ${'21'.repeat(16)} ${keepalive}`) +
      record(16, 9, `00010000 0000fde9 0000 0001 c0000201 c0000202 ${keepalive}`) +
      record(17, 6, `0000000a fde8 fde9 0000 0001 c0000201 c0000202 ${keepalive}`),
  )
  const common = { kind: 'message', timestamp: 0x60000000, message: hex(keepalive) }
  t.match(
    [...readMrt(file)],
    [
      { ...common, peerAs: 65000, localAs: 65001, as4: false, addPath: false, sent: false },
      { ...common, peerAs: 65536, localAs: 65001, as4: true, peer: { family: 'ipv6' } },
      { ...common, peerAs: 65536, as4: true, addPath: true },
      { ...common, peerAs: 65000, as4: false, sent: true },
    ],
  )
  t.end()
})

t.test('sessions: state changes', (t) => {
  const file = hex(
    record(16, 0, 'fde8 fde9 0000 0001 c0000201 c0000202 0005 0006') +
      record(16, 5, '00010000 0000fde9 0000 0001 c0000201 c0000202 0006 0001'),
  )
  t.match(
    [...readMrt(file)],
    [
      { kind: 'state-change', peerAs: 65000, oldState: 5, newState: 6 },
      { kind: 'state-change', peerAs: 65536, oldState: 6, newState: 1 },
    ],
  )
  t.end()
})

t.test('tables: peers, prefixes, path identifiers', (t) => {
  const attributes = '40010100 800e12 10 20010db8000000000000000000000001 00'
  const file = hex(
    peerTable +
      record(13, 2, '00000001 18 0a0100 0001 0002 5f000000 0004 40010100') +
      record(13, 8, '00000002 0d 0b0d 0001 0001 5f000000 00000007 0000') +
      record(13, 4, `00000003 20 20010db8 0001 0000 5f000000 0019 ${attributes}`),
  )
  const [table, plain, addPath, ipv6] = [...readMrt(file)]
  t.match(table, { kind: 'peer-index-table', collectorId: 0x0a000001, viewName: 'v1' })
  if (table?.kind !== 'peer-index-table') throw new Error('no table of peers')
  t.strictSame(
    table.peers.map((peer) => [formatAddress(peer.address), peer.asn]),
    [
      ['192.0.2.1', 65000],
      ['192.0.2.2', 65536],
      ['2001:db8::1', 65537],
    ],
  )
  t.match(plain, {
    kind: 'rib',
    afiSafi: ipv4Unicast,
    entries: [{ peerIndex: 2, attributes: hex('40010100') }],
  })
  t.match(addPath, { kind: 'rib', addPath: true, entries: [{ peerIndex: 1, pathId: 7 }] })
  if (addPath?.kind !== 'rib' || ipv6?.kind !== 'rib') throw new Error('no table entries')
  t.equal(formatPrefix(addPath.prefix), '11.8.0.0/13', 'bits past the length are cleared')
  t.equal(ipv6.afiSafi, ipv6Unicast)
  t.strictSame(
    ribEntryNextHop(ipv6.entries[0]?.attributes ?? hex('')),
    hex('20010db8000000000000000000000001'),
  )
  t.equal(ribEntryNextHop(hex('40010100')), undefined)
  t.end()
})

t.test('records of other types are told, and the next one follows', (t) => {
  const file = hex(record(11, 2, '0102') + record(16, 3, '01') + record(13, 6, '') + peerTable)
  t.match(
    [...readMrt(file)],
    [
      { kind: 'other', type: 11, subtype: 2 },
      { kind: 'other', type: 16, subtype: 3 },
      { kind: 'other', type: 13, subtype: 6 },
      { kind: 'peer-index-table' },
    ],
  )
  t.end()
})

t.test('a file cut anywhere ends with a fault, or between records', (t) => {
  const first = hex(peerTable)
  const file = hex(peerTable + record(16, 1, `fde8 fde9 0000 0001 c0000201 c0000202 ${keepalive}`))
  for (let length = 1; length < file.length; length++) {
    const records = [...readMrt(file.slice(0, length))]
    const last = records.at(-1)?.kind
    if (length !== first.length && last !== 'fault')
      t.fail(`${String(length)} octets end with ${String(last)}`)
  }
  t.equal([...readMrt(file.slice(0, first.length))].length, 1)
  t.end()
})

t.test('a record cut short within is a fault, and the next one follows', (t) => {
  const file = hex(record(13, 1, '0a000001 0000 0005 00') + record(16, 0, 'fde8') + peerTable)
  t.match([...readMrt(file)], [{ kind: 'fault', offset: 0 }, { kind: 'fault' }, { kind: 'peer-index-table' }])
  t.end()
})
