import { type Log } from '@network/net'
import t, { type Test } from 'tap'
import { type PeerOptions, type PeerStatus, type Speaker, createSpeaker } from '../../src/index.ts'
import { type Capability } from '../../src/codec/messages.ts'
import { encodeKeepalive } from '../../src/codec/message.ts'
import { encodeOpen, makeOpen } from '../../src/codec/open.ts'
import { ipv4Unicast } from '../../src/codec/iana.ts'
import { update } from '../codec/hex.ts'
import { FakeClock } from './fake-network.ts'
import { type RawPeer, RawWire } from './raw-peer.ts'

/*
 * Peers that come from a range: found, kept and forgotten, by the hundred.
 */
const asn = 64512
const announcement = (host: number, third: number): Uint8Array =>
  update(
    '',
    `400101004002004003040a01${hex(third)}${hex(host)}40050400000064`,
    `180a${hex(third)}${hex(host)}`,
  )
const hex = (octet: number): string => octet.toString(16).padStart(2, '0')
/** ORIGIN of an unknown value: treated as withdraw. */
const faulty = update('', '400101094002004003040a00000240050400000064', '180a0900')

interface Bench {
  readonly clock: FakeClock
  readonly wire: RawWire
  readonly speaker: Speaker
  readonly lines: string[]
  readonly turn: () => Promise<void>
  readonly peer: (address: string) => PeerStatus | undefined
  readonly dial: (address: string, id: number, capabilities?: readonly Capability[]) => RawPeer
}

async function bench(t: Test, ...peers: readonly PeerOptions[]): Promise<Bench> {
  const clock = new FakeClock()
  const wire = new RawWire()
  const lines: string[] = []
  const note = (_data: object, message: string): void => void lines.push(message)
  const log: Log = { debug: () => undefined, info: note, warn: note, error: note, child: () => log }
  const interfaces = () => [{ device: 'eth0', address: '10.0.0.1', length: 8 }]
  const speaker = createSpeaker(
    { asn, routerId: '10.0.0.1', listen: ['10.0.0.1:179'] },
    { clock, log, sockets: wire.sockets, interfaces },
  )
  t.teardown(() => speaker.stop())
  await speaker.ready()
  await speaker.apply({ peers, routes: [] })
  return {
    clock,
    wire,
    speaker,
    lines,
    turn: async () => {
      for (let i = 0; i < 40; i++) {
        await new Promise((resolve) => setImmediate(resolve))
        clock.advance(1)
      }
    },
    peer: (address) => speaker.peers().find((one) => one.name === address),
    dial: (address, id, capabilities) => {
      const peer = wire.dial(address)
      peer.open({ asn, routerId: 0x0b000000 + id, ...(capabilities === undefined ? {} : { capabilities }) })
      return peer
    },
  }
}

const rack: PeerOptions = {
  name: 'rack',
  range: '10.1.0.0/16',
  asn: 'internal',
  routeReflectorClient: true,
  families: ['ipv4'],
}

t.test(
  '300 clients of a range have what all others announce, and in the end nobody has anything',
  async (t) => {
    const { speaker, dial, turn, peer } = await bench(t, rack)
    const count = 300
    const addressOf = (i: number): string => `10.1.${i >>> 8}.${i & 255}`
    const clients = Array.from({ length: count }, (_, i) => dial(addressOf(i), i))
    await turn()
    t.equal(speaker.peers().filter(({ state }) => state === 'Established').length, count)
    for (const [i, client] of clients.entries()) client.send(announcement(i & 255, i >>> 8))
    await turn()
    for (const address of [addressOf(0), addressOf(count - 1)])
      t.match(peer(address)?.prefixes.ipv4, { accepted: 1, advertised: count - 1 })
    for (const client of clients.slice(1)) client.hangUp()
    await turn()
    t.match(
      speaker.peers().map(({ name }) => name),
      [addressOf(0)],
      'who has gone is forgotten',
    )
    t.equal(peer(addressOf(0))?.prefixes.ipv4.advertised, 0)
  },
)

t.test('an address finds its range, or none', async (t) => {
  const { dial, turn, peer } = await bench(
    t,
    rack,
    { ...rack, name: 'other rack', range: '10.2.0.0/24' },
    { ...rack, name: 'closed rack', range: '10.3.0.0/24', shutdown: true },
    { ...rack, name: 'six', range: '2001:db8::/64', asn: 'internal' },
  )
  const rows: readonly (readonly [address: string, range: string | undefined])[] = [
    ['10.1.2.3', 'rack'],
    ['10.2.0.255', 'other rack'],
    ['10.2.1.0', undefined],
    ['10.3.0.1', undefined],
    ['2001:db8::5', 'six'],
    ['2001:db8:0:1::5', undefined],
  ]
  for (const [i, [address, range]] of rows.entries()) {
    const raw = dial(address, i)
    await turn()
    t.equal(raw.closed, range === undefined, address)
    t.equal(peer(address)?.range, range, address)
  }
})

t.test('a range that is taken away takes its peers along, and nobody comes from it any more', async (t) => {
  const { speaker, dial, turn } = await bench(t, rack)
  const raw = dial('10.1.0.1', 1)
  await turn()
  t.equal(speaker.peers().length, 1)
  await speaker.apply({ peers: [], routes: [] })
  t.ok(raw.closed)
  t.same(speaker.peers(), [])
  t.ok(dial('10.1.0.2', 2).closed)
})

t.test('what is kept for a restarting peer keeps the peer, for the restart time', async (t) => {
  const { clock, dial, turn, peer } = await bench(t, rack)
  const restarting: Capability = {
    kind: 'graceful-restart',
    restarting: false,
    notification: false,
    restartTimeSeconds: 30,
    families: [{ afiSafi: ipv4Unicast, forwarding: true }],
  }
  const capabilities: readonly Capability[] = [
    { kind: 'multiprotocol', afiSafi: ipv4Unicast },
    { kind: 'as4', asn },
    restarting,
  ]
  const raw = dial('10.1.0.1', 1, capabilities)
  raw.send(announcement(1, 0))
  await turn()
  raw.hangUp()
  await turn()
  t.match(peer('10.1.0.1'), { restarting: true, prefixes: { ipv4: { stale: 1 } } })
  clock.advance(29_000)
  await turn()
  t.match(peer('10.1.0.1'), { restarting: true })
  clock.advance(2000)
  await turn()
  t.equal(peer('10.1.0.1'), undefined)
})

t.test('faults are counted on when a peer of a range comes back', async (t) => {
  const { speaker, dial, turn, peer } = await bench(t, rack)
  for (const round of [1, 2, 3]) {
    const raw = dial('10.1.0.1', 1)
    raw.send(faulty)
    await turn()
    t.match(peer('10.1.0.1'), {
      counters: { malformedUpdates: round },
      faults: [{ action: 'treat-as-withdraw', attribute: 1, count: round }],
    })
    raw.hangUp()
    await turn()
    t.equal(peer('10.1.0.1'), undefined)
  }
  dial('10.1.0.2', 2)
  await turn()
  t.match(peer('10.1.0.2'), { counters: { malformedUpdates: 0 }, faults: [] }, 'and another starts at none')
  await speaker.apply({ peers: [], routes: [] })
  await speaker.apply({ peers: [rack], routes: [] })
  dial('10.1.0.1', 1)
  await turn()
  t.match(peer('10.1.0.1'), { counters: { malformedUpdates: 0 } }, 'a range declared anew begins anew')
})

t.test(
  'our OPEN to who dials us leaves with the KEEPALIVE that answers theirs, or after a while',
  async (t) => {
    const { clock, wire, turn } = await bench(t, rack)
    const types = (raw: RawPeer): string[] => raw.messages().map(({ type }) => type)
    const quick = wire.dial('10.1.0.1')
    await turn()
    t.same(types(quick), [], 'it is waited for')
    quick.send(encodeOpen(makeOpen({ asn, routerId: 0x0b000001, holdTimeSeconds: 90, capabilities: [] })))
    t.same(types(quick), ['open', 'keepalive'])
    quick.send(encodeKeepalive())
    t.same(types(quick), ['open', 'keepalive'])

    const silent = wire.dial('10.1.0.2')
    clock.advance(99)
    t.same(types(silent), [])
    clock.advance(1)
    t.same(types(silent), ['open'])

    const wrong = wire.dial('10.1.0.3')
    wrong.send(Uint8Array.of(255, 255))
    t.same(types(wrong), ['open'], 'also before a message that is in pieces')
    const stranger = wire.dial('10.1.0.4')
    stranger.send(
      encodeOpen(makeOpen({ asn: 1, routerId: 0x0b000004, holdTimeSeconds: 90, capabilities: [] })),
    )
    t.same(types(stranger), ['open', 'notification'])
    clock.advance(200)
    t.same(types(stranger), ['open', 'notification'], 'and once')
  },
)
