import { formatPrefix, prefix } from '@network/net'
import t from 'tap'
import { Afi, Safi, afiSafi, ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { countNlri, nlriPrefixes, nlriRun, prefixBits } from '../../src/codec/nlri.ts'
import { hex } from './hex.ts'

const counts: readonly { name: string; octets: string; bits: number; addPath?: boolean; count: number }[] = [
  { name: 'nothing', octets: '', bits: 32, count: 0 },
  { name: 'a default route', octets: '00', bits: 32, count: 1 },
  {
    name: 'one of each octet count',
    octets: '00 01 80 08 0a 09 0a80 10 0a00 18 0a0000 20 0a000001',
    bits: 32,
    count: 7,
  },
  { name: '33 bits', octets: '21 0a00000100', bits: 32, count: -1 },
  { name: '128 bits', octets: `80 ${'20'.repeat(16)}`, bits: 128, count: 1 },
  { name: '129 bits', octets: `81 ${'20'.repeat(17)}`, bits: 128, count: -1 },
  { name: 'a prefix that overruns by one octet', octets: '18 0a00', bits: 32, count: -2 },
  { name: 'a path identifier', octets: '00000001 08 0a', bits: 32, addPath: true, count: 1 },
  { name: 'a path identifier alone', octets: '00000001', bits: 32, addPath: true, count: -2 },
  { name: 'a path identifier cut short', octets: '000001', bits: 32, addPath: true, count: -2 },
]
for (const { name, octets, bits, addPath = false, count } of counts) {
  t.test(`counting ${name}`, (t) => {
    const bytes = hex(`ff ${octets} 00`)
    t.equal(countNlri(bytes, 1, bytes.length - 1, bits, addPath), count)
    t.end()
  })
}

t.test('bits past the length are cleared', (t) => {
  const run = { afiSafi: ipv4Unicast, bytes: hex('0d 0b0d'), count: 1, addPath: false, nextHop: undefined }
  t.strictSame(
    [...nlriPrefixes(run)].map((entry) => formatPrefix(entry.prefix)),
    ['11.8.0.0/13'],
  )
  t.end()
})

t.test('a missing path identifier is 0 where others have one', (t) => {
  const run = nlriRun(ipv6Unicast, [{ prefix: prefix('::/0'), pathId: 5 }, { prefix: prefix('::/0') }])
  t.strictSame(run.bytes, hex('00000005 00 00000000 00'))
  t.end()
})

t.test('families whose NLRI are prefixes', (t) => {
  t.equal(prefixBits(ipv4Unicast), 32)
  t.equal(prefixBits(ipv6Unicast), 128)
  t.equal(prefixBits(afiSafi(Afi.ipv4, Safi.multicast)), 32)
  t.equal(prefixBits(afiSafi(Afi.ipv4, Safi.vpn)), 0)
  t.equal(prefixBits(afiSafi(Afi.l2vpn, Safi.evpn)), 0)
  t.end()
})
