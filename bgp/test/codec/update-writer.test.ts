import { prefix } from '@network/net'
import t from 'tap'
import { encodeAttributes } from '../../src/codec/attribute-block.ts'
import { type CodecContext, plainContext } from '../../src/codec/context.ts'
import { type AfiSafi, ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { nlriRun, putNlri } from '../../src/codec/nlri.ts'
import {
  announceOverhead,
  beginAnnounce,
  beginWithdraw,
  encodeUpdate,
  finishAnnounce,
  finishWithdraw,
  putEndOfRib,
  withdrawOverhead,
} from '../../src/codec/update-writer.ts'
import { decodeUpdate } from '../../src/codec/update.ts'
import { hex } from './hex.ts'

const context: CodecContext = { ...plainContext, extendedNextHop: new Set([ipv4Unicast]) }
const ipv4NextHop = hex('0a000001')
const ipv6NextHop = hex('20010db8000000000000000000000001')
const bothNextHops = hex('20010db8000000000000000000000001 fe800000000000000000000000000001')
const block = encodeAttributes(
  { origin: 'igp', asPath: [{ type: 'sequence', asns: [65001] }], multiExitDisc: 5, communities: [1] },
  context,
)

const shapes: readonly { name: string; family: AfiSafi; nextHop: Uint8Array; count: number }[] = [
  { name: 'IPv4', family: ipv4Unicast, nextHop: ipv4NextHop, count: 3 },
  { name: 'IPv4 over IPv6', family: ipv4Unicast, nextHop: ipv6NextHop, count: 3 },
  { name: 'IPv4 over IPv6, more than 255 octets', family: ipv4Unicast, nextHop: bothNextHops, count: 100 },
  { name: 'IPv6', family: ipv6Unicast, nextHop: ipv6NextHop, count: 3 },
  {
    name: 'IPv6 with two next hops, more than 255 octets',
    family: ipv6Unicast,
    nextHop: bothNextHops,
    count: 100,
  },
]

const start = 7

for (const { name, family, nextHop, count } of shapes) {
  const prefixes = Array.from({ length: count }, (_, i) =>
    prefix(family === ipv4Unicast ? `10.${String(i)}.0.0/16` : `2001:db8:${i.toString(16)}::/48`),
  )
  t.test(`${name}: announcing`, (t) => {
    const buffer = new Uint8Array(4096).fill(0xaa)
    let at = beginAnnounce(buffer, start, family, block, nextHop)
    const head = at
    for (const entry of prefixes) at = putNlri(buffer, at, entry)
    const nlriLength = at - head
    const end = finishAnnounce(buffer, start, at, family, block, nextHop)
    const overhead = announceOverhead(family, block, nextHop)
    t.ok(end - start <= overhead + nlriLength, 'the overhead is an upper bound')
    t.ok(end - start >= overhead + nlriLength - 1, 'and a close one')
    const message = buffer.slice(start, end)
    const decoded = decodeUpdate(message, context)
    if (decoded.type !== 'update') throw new Error(decoded.reason)
    t.strictSame(decoded.faults, [])
    t.strictSame(decoded.announced, [
      {
        ...nlriRun(
          family,
          prefixes.map((entry) => ({ prefix: entry })),
        ),
        nextHop,
      },
    ])
    t.strictSame(encodeUpdate(decoded, context), message, 'is what encodeUpdate writes')
    t.ok(
      buffer.subarray(0, start).every((octet) => octet === 0xaa),
      'nothing is written before the start',
    )
    t.end()
  })

  t.test(`${name}: withdrawing`, (t) => {
    const buffer = new Uint8Array(4096).fill(0xaa)
    let at = beginWithdraw(buffer, start, family)
    const head = at
    for (const entry of prefixes) at = putNlri(buffer, at, entry)
    const nlriLength = at - head
    const end = finishWithdraw(buffer, start, at, family)
    t.ok(end - start <= withdrawOverhead(family) + nlriLength, 'the overhead is an upper bound')
    const message = buffer.slice(start, end)
    const decoded = decodeUpdate(message, context)
    if (decoded.type !== 'update') throw new Error(decoded.reason)
    t.strictSame(decoded.withdrawn, [
      nlriRun(
        family,
        prefixes.map((entry) => ({ prefix: entry })),
      ),
    ])
    t.strictSame(encodeUpdate(decoded, context), message)
    t.end()
  })

  t.test(`${name}: End-of-RIB`, (t) => {
    const buffer = new Uint8Array(64)
    const end = putEndOfRib(buffer, start, family)
    t.match(decodeUpdate(buffer.slice(start, end), context), { type: 'update', endOfRib: family, faults: [] })
    t.end()
  })
}

t.test('NEXT_HOP stands in the order of codes', (t) => {
  const message = encodeUpdate(
    {
      announced: [nlriRun(ipv4Unicast, [{ prefix: prefix('10.0.0.0/8') }], ipv4NextHop)],
      attributes: hex(''),
    },
    context,
  )
  t.equal(message.length, 25)
  const buffer = new Uint8Array(128)
  const at = putNlri(buffer, beginAnnounce(buffer, 0, ipv4Unicast, block, ipv4NextHop), prefix('10.0.0.0/8'))
  const end = finishAnnounce(buffer, 0, at, ipv4Unicast, block, ipv4NextHop)
  const codes = hex('40010100 40020602010000fde9 4003040a000001 80040400000005 c0080400000001')
  t.strictSame(buffer.slice(23, end - 2), codes)
  t.end()
})

t.test('what does not fit into a message is refused to its maker', (t) => {
  const entries = Array.from({ length: 1000 }, () => ({ prefix: prefix('10.0.0.1/32') }))
  const withdrawn = [nlriRun(ipv4Unicast, entries)]
  t.throws(() => encodeUpdate({ withdrawn }, context), RangeError)
  t.equal(encodeUpdate({ withdrawn }, { ...context, extendedMessage: true }).length, 5023)
  t.throws(() => encodeUpdate({ withdrawn: [...withdrawn, ...withdrawn] }, context), RangeError)
  t.end()
})
