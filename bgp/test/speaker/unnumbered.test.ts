import t from 'tap'
import { type Capability, ipv4Unicast, ipv6Unicast } from '../../src/codec/index.ts'
import { type PeerOptions, type Speaker, type SpeakerModules, createSpeaker } from '../../src/index.ts'
import { message } from '../codec/hex.ts'
import { FakeClock } from './fake-network.ts'
import { RawWire } from './raw-peer.ts'

const running: Speaker[] = []

t.afterEach(async () => {
  await Promise.all(running.splice(0).map((speaker) => speaker.stop()))
})

/** Router discovery by hand. */
class FakeDiscovery implements NonNullable<SpeakerModules['discovery']> {
  readonly watched = new Map<string, (address: string) => void>()

  watch(device: string, heard: (address: string) => void): { close(): void } {
    this.watched.set(device, heard)
    return { close: () => void this.watched.delete(device) }
  }
}

async function scene() {
  const clock = new FakeClock()
  const wire = new RawWire()
  const discovery = new FakeDiscovery()
  const interfaces = () => [{ device: 'eth1', address: 'fe80::1', length: 64 }]
  const speaker = createSpeaker(
    { asn: 64512, routerId: '10.0.0.1', listen: ['[::]:179'] },
    { clock, sockets: wire.sockets, discovery, interfaces, random: () => 0.5 },
  )
  running.push(speaker)
  await speaker.ready()
  return { clock, wire, discovery, speaker }
}

const peer: PeerOptions = { interface: 'eth1', asn: 'external' }
const capabilities: readonly Capability[] = [
  { kind: 'multiprotocol', afiSafi: ipv4Unicast },
  { kind: 'multiprotocol', afiSafi: ipv6Unicast },
  { kind: 'as4', asn: 65001 },
  { kind: 'extended-next-hop', entries: [{ afiSafi: ipv4Unicast, nextHopAfi: 2 }] },
]
const open = { asn: 65001, routerId: 0x0a000002, capabilities }

t.test('nobody is dialled until somebody is heard, and never oneself', async (t) => {
  const { clock, wire, discovery, speaker } = await scene()
  const handle = speaker.peer(peer)
  clock.advance(60_000)
  t.match(handle.status(), { name: 'eth1', address: '', interface: 'eth1', state: 'Idle' })
  const heard = discovery.watched.get('eth1')
  heard?.('fe80::1')
  clock.advance(60_000)
  t.equal(wire.dialled.length, 0, 'our own advertisement')
  heard?.('fe80::2')
  t.match(handle.status(), { address: 'fe80::2%eth1', state: 'Connect' })
  t.same(
    wire.dialled.map(({ connection }) => connection.remoteAddress),
    ['fe80::2%eth1'],
  )
  wire.dialled[0]?.handlers?.connected()
  wire.dialled[0]?.open(open)
  t.equal(handle.status().state, 'Established')
  heard?.('fe80::3')
  t.match(
    handle.status(),
    { address: 'fe80::2%eth1', state: 'Established' },
    'another router changes nothing',
  )
  wire.dialled[0]?.hangUp()
  heard?.('fe80::3')
  clock.advance(30_000)
  t.equal(wire.dialled.at(-1)?.connection.remoteAddress, 'fe80::3%eth1', 'until the session is gone')
  handle.dispose()
  t.equal(discovery.watched.size, 0)
})

t.test('a neighbour that heard us first is taken, one on another link is not', async (t) => {
  const { wire, speaker } = await scene()
  const handle = speaker.peer({ ...peer, passive: true })
  const stranger = wire.dial('fe80::2%eth2')
  t.ok(stranger.closed)
  t.ok(wire.dial('2001:db8::2').closed)
  const neighbour = wire.dial('fe80::2%eth1')
  t.notOk(neighbour.closed)
  neighbour.open(open)
  t.match(handle.status(), { address: 'fe80::2%eth1', state: 'Established' })
})

t.test(
  'with a password only who has been heard is taken: before, no key holds for its address',
  async (t) => {
    const { wire, discovery, speaker } = await scene()
    const handle = speaker.peer({ ...peer, passive: true, password: 'secret' })
    t.ok(wire.dial('fe80::2%eth1').closed)
    t.match(handle.status(), { address: '', state: 'Idle' })
    discovery.watched.get('eth1')?.('fe80::2')
    t.ok(wire.dial('fe80::3%eth1').closed, 'another one')
    const neighbour = wire.dial('fe80::2%eth1')
    t.notOk(neighbour.closed)
    neighbour.open(open)
    t.match(handle.status(), { address: 'fe80::2%eth1', state: 'Established' })
  },
)

const linkLocal = 'fe80000000000000' + '0000000000000002'
const global = '20010db800000000' + '0000000000000002'

for (const { name, nextHop, expected } of [
  { name: '16 octets, link-local', nextHop: linkLocal, expected: 'fe80::2' },
  { name: '16 octets, global', nextHop: global, expected: '2001:db8::2' },
  { name: '32 octets, global and link-local', nextHop: global + linkLocal, expected: '2001:db8::2' },
  { name: '32 octets, link-local twice', nextHop: linkLocal + linkLocal, expected: 'fe80::2' },
]) {
  t.test(`IPv4 routes with an IPv6 next hop of ${name}`, async (t) => {
    const { wire, speaker } = await scene()
    const handle = speaker.peer(peer)
    const neighbour = wire.dial('fe80::2%eth1')
    neighbour.open(open)
    t.match(handle.status(), { negotiated: { extendedNextHop: ['ipv4/unicast'] } })
    const length = (nextHop.length / 2).toString(16).padStart(2, '0')
    const reach = `000101${length}${nextHop}00180a0100`
    const mp = `800e${(reach.length / 2).toString(16).padStart(2, '0')}${reach}`
    const attributes = `${mp}4001010040020602010000fde9`
    const size = (attributes.length / 2).toString(16).padStart(4, '0')
    neighbour.send(message(2, `0000${size}${attributes}`))
    t.match(handle.status(), { faults: [], prefixes: { ipv4: { accepted: 1 } } })
    await new Promise((resolve) => setImmediate(resolve))
    t.match(speaker.routes({ family: 'ipv4' }), [{ prefix: '10.1.0.0/24', nextHop: expected }])
    for await (const { changes } of speaker.best('ipv4')) {
      if (changes.length === 0) continue
      t.match(changes[0]?.nextHops, [
        { address: expected, interface: expected.startsWith('fe80') ? 'eth1' : undefined },
      ])
      break
    }
  })
}

t.test('what makes no sense is refused', async (t) => {
  const { speaker } = await scene()
  t.throws(() => speaker.peer({ asn: 65001 }), { code: 'invalid-options', remedy: /interface alone/ })
  speaker.peer(peer)
  t.throws(() => speaker.peer({ ...peer, name: 'again' }), { code: 'duplicate-peer', message: /eth1/ })
})

t.test('apply leaves an unnumbered session alone that it does not change', async (t) => {
  const { wire, speaker } = await scene()
  const state = { peers: [peer], routes: [] }
  await speaker.apply(state)
  const neighbour = wire.dial('fe80::2%eth1')
  neighbour.open(open)
  const report = await speaker.apply({ ...state, peers: [{ ...peer, allowOwnAsn: 1 }] })
  t.match(report, { updated: ['eth1'], reset: [], added: [], removed: [] })
  t.match(speaker.peers(), [{ state: 'Established', address: 'fe80::2%eth1' }])
  await speaker.apply({ peers: [], routes: [] })
  t.ok(neighbour.closed)
})
