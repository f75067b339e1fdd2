import t from 'tap'
import {
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  linkBandwidth,
  linkBandwidthCommunity,
  parseCommunity,
  parseLargeCommunity,
} from '../../src/codec/communities.ts'

t.test('communities', (t) => {
  t.equal(formatCommunity(0xffff029a), '65535:666')
  t.equal(parseCommunity('65535:666'), 0xffff029a)
  for (const text of ['', '1', '1:2:3', '65536:1', '1:65536', '-1:1', ' 1:1', '01:1', '1:x'])
    t.equal(parseCommunity(text), undefined, `'${text}'`)
  t.end()
})

t.test('large communities', (t) => {
  const community = { global: 4294967295, local1: 0, local2: 7 }
  t.equal(formatLargeCommunity(community), '4294967295:0:7')
  t.strictSame(parseLargeCommunity('4294967295:0:7'), community)
  for (const text of ['1:2', '4294967296:1:1', '1:2:3:4', '1::3'])
    t.equal(parseLargeCommunity(text), undefined)
  t.end()
})

const extended: readonly [high: number, low: number, text: string][] = [
  [0x0002fc00, 1, 'rt:64512:1'],
  [0x00030001, 4294967295, 'soo:1:4294967295'],
  [0x01020a00, 0x00010007, 'rt:10.0.0.1:7'],
  [0x02020001, 0x00000007, 'rt:65536:7'],
  [0x4004fc00, 0x49989680, 'bandwidth:64512:1250000'],
  [0x80060000, 0, '8006000000000000'],
]
for (const [high, low, text] of extended) {
  t.test(`extended community ${text}`, (t) => {
    t.equal(formatExtendedCommunity({ high, low }), text)
    t.end()
  })
}

t.test('link bandwidth', (t) => {
  const community = linkBandwidthCommunity(64512, 1250000)
  t.strictSame(community, { high: 0x4004fc00, low: 0x49989680 })
  t.equal(linkBandwidth([{ high: 0x0002fc00, low: 1 }, community]), 1250000)
  t.equal(linkBandwidth([{ high: 0x0002fc00, low: 1 }]), undefined)
  t.end()
})
