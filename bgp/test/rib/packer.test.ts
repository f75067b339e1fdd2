import t from 'tap'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { type RibPeer } from '../../src/rib/peer.ts'
import { FarEnd, type SessionShape, octets, ownAsn, settle } from './far-end.ts'
import { ipv4Unicast } from '../../src/codec/iana.ts'

const client: Partial<RibPeer> = { routeReflectorClient: true }

interface Case {
  readonly name: string
  readonly shape: Partial<SessionShape>
  readonly prefix: (i: number) => string
  readonly nextHop: string
  readonly count: number
  /** Octets of one NLRI. */
  readonly nlri: number
  /** Messages needed to announce, and to withdraw. */
  readonly announce: number
  readonly withdraw: number
}

const ipv4Prefix = (i: number): string => `10.${i >> 8}.${i & 255}.0/24`
const ipv6Prefix = (i: number): string => `2001:db8:${(i + 1).toString(16)}::/48`

const cases: readonly Case[] = [
  {
    name: 'IPv4: 1,000 prefixes of four octets',
    shape: {},
    prefix: ipv4Prefix,
    nextHop: '192.0.2.1',
    count: 1000,
    nlri: 4,
    // 4,096 less header and lengths 23, attributes 4 + 3 + 7 + 7 + 7 + 7.
    announce: Math.ceil(1000 / Math.floor((4096 - 23 - 35) / 4)),
    withdraw: Math.ceil(1000 / Math.floor((4096 - 23) / 4)),
  },
  {
    name: 'IPv4 with path identifiers',
    shape: { addPath: [ipv4Unicast] },
    prefix: ipv4Prefix,
    nextHop: '192.0.2.1',
    count: 1000,
    nlri: 8,
    announce: 2,
    withdraw: 2,
  },
  {
    name: 'IPv6: 1,000 prefixes of seven octets',
    shape: {},
    prefix: ipv6Prefix,
    nextHop: '2001:db8::1',
    count: 1000,
    nlri: 7,
    announce: 2,
    withdraw: 2,
  },
  {
    name: 'IPv4 over an IPv6 next hop (RFC 8950): packed like all else',
    shape: { extendedNextHop: true, local: { ipv6: octets('2001:db8::fe') } },
    prefix: ipv4Prefix,
    nextHop: '2001:db8::1',
    count: 1000,
    nlri: 4,
    announce: 1,
    withdraw: 1,
  },
  {
    name: 'extended messages (RFC 8654)',
    shape: { extendedMessage: true },
    prefix: ipv4Prefix,
    nextHop: '192.0.2.1',
    count: 10_000,
    nlri: 4,
    announce: 1,
    withdraw: 1,
  },
]

for (const { name, shape, prefix, nextHop, count, announce, withdraw, nlri } of cases) {
  t.test(name, (t) => {
    const rib = createRib({ asn: ownAsn, routerId: 0x0afe0001 })
    const teller = new FarEnd(rib, { address: '10.0.0.1', ...shape, addPath: [] }, client).up()
    const listener = new FarEnd(rib, { address: '10.0.0.2', ...shape }, client).up()
    listener.pull()
    listener.messages = 0
    const prefixes = Array.from({ length: count }, (_, i) => prefix(i))
    teller.announce({ prefixes, nextHop })
    settle(rib)
    listener.pull()
    t.equal(listener.routes.size, count)
    t.equal(listener.messages, announce)
    const most = shape.extendedMessage === true ? 65535 : 4096
    t.ok(listener.longest <= most, `${listener.longest} octets`)
    if (announce > 1) t.ok(listener.longest > most - 2 * nlri, 'the first is full')
    t.equal(teller.pull() || teller.routes.size > 0, false, 'the source hears nothing')

    listener.messages = 0
    teller.withdraw(prefixes)
    settle(rib)
    listener.pull()
    t.equal(listener.routes.size, 0)
    t.equal(listener.messages, withdraw)
    teller.pull()
    t.equal(teller.withdrawals, 0)
    t.end()
  })
}

t.test('prefixes that alternate between two attribute sets are gathered', (t) => {
  const rib = createRib({ asn: ownAsn, routerId: 0x0afe0001 })
  const teller = new FarEnd(rib, { address: '10.0.0.1' }, client).up()
  const listener = new FarEnd(rib, { address: '10.0.0.2' }, client).up()
  listener.pull()
  listener.messages = 0
  for (let i = 0; i < 1000; i++)
    teller.announce({ prefixes: [ipv4Prefix(i)], nextHop: '192.0.2.1', attributes: { multiExitDisc: i % 2 } })
  settle(rib)
  listener.pull()
  t.equal(listener.routes.size, 1000)
  t.equal(listener.messages, 2)
  t.end()
})

t.test('messages shared by sources are cut for each of them alone', (t) => {
  for (const [nextHop, prefix] of [
    ['192.0.2.1', ipv4Prefix],
    ['2001:db8::1', ipv6Prefix],
  ] as const) {
    const rib = createRib({ asn: ownAsn, routerId: 0x0afe0001 })
    // To a reflector's client, routes of external peers look the same whichever peer they come from.
    const shape = { asn: 65001, sharedSubnet: '10.0.0.0/8' }
    const ends = [1, 2, 3, 4].map((i) =>
      new FarEnd(
        rib,
        { ...shape, address: `10.0.0.${i}`, routerId: `10.255.0.${i}` },
        { nextHop: 'unchanged' },
      ).up(),
    )
    for (const end of ends) end.pull()
    const attributes: PathAttributes = { communities: [1] }
    for (let i = 0; i < 60; i++) ends[i % 3]?.announce({ prefixes: [prefix(i)], nextHop, attributes })
    settle(rib)
    ends.forEach((end, at) => {
      end.pull()
      t.equal(end.routes.size, at === 3 ? 60 : 40)
      for (let i = 0; i < 60; i++) t.equal(end.routes.has(prefix(i)), i % 3 !== at)
    })
    for (let i = 0; i < 60; i++) ends[i % 3]?.withdraw([prefix(i)])
    settle(rib)
    ends.forEach((end, at) => {
      end.pull()
      t.equal(end.routes.size, 0)
      t.equal(end.withdrawals, at === 3 ? 60 : 40)
    })
  }
  t.end()
})

t.test('many messages of one source are left out for it, be they withdrawals or announcements', (t) => {
  const rib = createRib({ asn: ownAsn, routerId: 0x0afe0001 })
  const teller = new FarEnd(rib, { address: '10.0.0.1' }, client).up()
  const listener = new FarEnd(rib, { address: '10.0.0.2' }, client).up()
  const tell = (from: number, to: number): void => {
    for (let i = from; i < to; i++)
      teller.announce({ prefixes: [ipv4Prefix(i)], nextHop: '192.0.2.1', attributes: { multiExitDisc: i } })
    settle(rib)
  }
  tell(0, 20)
  listener.announce({ prefixes: [ipv4Prefix(100)], nextHop: '192.0.2.2' })
  tell(20, 40)
  listener.pull()
  teller.pull()
  teller.withdraw(Array.from({ length: 10 }, (_, i) => ipv4Prefix(i)))
  settle(rib)
  listener.pull()
  teller.pull()
  t.equal(listener.routes.size, 30)
  t.same([...teller.routes.keys()], [ipv4Prefix(100)])
  // Who asks for everything again is not told what is withdrawn, and still nothing of its own.
  for (const end of [teller, listener]) {
    rib.refreshOut(end.index, ipv4Unicast, false)
    end.routes.clear()
    end.pull(1)
  }
  t.same([...teller.routes.keys()], [ipv4Prefix(100)])
  t.equal(listener.routes.size, 30)
  t.equal(teller.withdrawals + listener.withdrawals, 10)
  t.end()
})

t.test('attributes that leave no room for a prefix are not sent', (t) => {
  const rib = createRib({ asn: ownAsn, routerId: 0x0afe0001 })
  const teller = new FarEnd(rib, { address: '10.0.0.1', extendedMessage: true }, client).up()
  const small = new FarEnd(rib, { address: '10.0.0.2' }, client).up()
  const large = new FarEnd(rib, { address: '10.0.0.3', extendedMessage: true }, client).up()
  const communities = Array.from({ length: 1100 }, (_, i) => i)
  teller.announce({ prefixes: ['10.1.0.0/16'], nextHop: '192.0.2.1', attributes: { communities } })
  settle(rib)
  small.pull()
  large.pull()
  t.equal(small.routes.size, 0)
  t.equal(large.routes.size, 1)
  t.same(small.marks, ['end-of-rib ipv4', 'end-of-rib ipv6'])
  t.end()
})
