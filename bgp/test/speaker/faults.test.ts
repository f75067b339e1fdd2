import { type Log } from '@network/net'
import t from 'tap'
import { type Speaker, createSpeaker } from '../../src/index.ts'
import { update } from '../codec/hex.ts'
import { FakeClock } from './fake-network.ts'
import { type RawPeer, RawWire } from './raw-peer.ts'

/*
 * RFC 7606 through whole sessions: an UPDATE that is good, one that is not, and what has become of the session, of
 * the routes of both, of the counters and of the log.
 */
const good = {
  origin: '40010100',
  asPath: '40020602010000fde9',
  nextHop: '4003040a000002',
  localPref: '40050400000064',
}
const asPathOf = { external: good.asPath, internal: '400200' }
/** MP_REACH_NLRI of 2001:db8::/32 by 2001:db8::2. */
const mpReach = `800e1a0002011020010db8${'00'.repeat(11)}02002020010db8`
const first = '180a0100'
const second = '180a0200'

interface Row {
  readonly name: string
  readonly attributes: string
  /** Code of the good attribute that is left out. */
  readonly without?: keyof typeof good
  readonly withdrawn?: string
  readonly nlri?: string
  readonly external: Outcome
  readonly internal: Outcome
  readonly attribute: number | undefined
  /** Part of the octets in the log. */
  readonly bytes: string
}

type Outcome = 'accept' | 'discard' | 'treat-as-withdraw' | 'reset'

const rows: readonly Row[] = [
  {
    name: 'ORIGIN of two octets',
    attributes: '4001020000',
    without: 'origin',
    external: 'treat-as-withdraw',
    internal: 'treat-as-withdraw',
    attribute: 1,
    bytes: '4001020000',
  },
  {
    name: 'ORIGIN of an unknown value',
    attributes: '40010109',
    without: 'origin',
    external: 'treat-as-withdraw',
    internal: 'treat-as-withdraw',
    attribute: 1,
    bytes: '40010109',
  },
  {
    name: 'AS_PATH cut short',
    attributes: '40020402020000',
    without: 'asPath',
    external: 'treat-as-withdraw',
    internal: 'treat-as-withdraw',
    attribute: 2,
    bytes: '40020402020000',
  },
  {
    name: 'MULTI_EXIT_DISC of three octets',
    attributes: '800403000001',
    external: 'treat-as-withdraw',
    internal: 'treat-as-withdraw',
    attribute: 4,
    bytes: '800403000001',
  },
  {
    name: 'LOCAL_PREF of three octets',
    attributes: '400503000001',
    without: 'localPref',
    external: 'discard',
    internal: 'treat-as-withdraw',
    attribute: 5,
    bytes: '400503000001',
  },
  {
    name: 'ATOMIC_AGGREGATE that is not empty',
    attributes: '40060100',
    external: 'discard',
    internal: 'discard',
    attribute: 6,
    bytes: '40060100',
  },
  {
    name: 'AGGREGATOR of five octets',
    attributes: 'c007050000fde80a',
    external: 'discard',
    internal: 'discard',
    attribute: 7,
    bytes: 'c007050000fde80a',
  },
  {
    name: 'COMMUNITIES of three octets',
    attributes: 'c00803fde800',
    external: 'treat-as-withdraw',
    internal: 'treat-as-withdraw',
    attribute: 8,
    bytes: 'c00803fde800',
  },
  {
    name: 'ORIGINATOR_ID of three octets',
    attributes: '8009030a0000',
    external: 'discard',
    internal: 'treat-as-withdraw',
    attribute: 9,
    bytes: '8009030a0000',
  },
  {
    name: 'CLUSTER_LIST of three octets',
    attributes: '800a030a0000',
    external: 'discard',
    internal: 'treat-as-withdraw',
    attribute: 10,
    bytes: '800a030a0000',
  },
  {
    name: 'LARGE_COMMUNITIES of eleven octets',
    attributes: `c0200b${'00'.repeat(11)}`,
    external: 'treat-as-withdraw',
    internal: 'treat-as-withdraw',
    attribute: 32,
    bytes: 'c0200b',
  },
  {
    name: 'an unknown attribute that claims to be well-known',
    attributes: '40fa0100',
    external: 'reset',
    internal: 'reset',
    attribute: 250,
    bytes: '40fa0100',
  },
  {
    name: 'NLRI of 33 bits',
    attributes: '',
    nlri: '210a02000000',
    external: 'reset',
    internal: 'reset',
    attribute: undefined,
    bytes: '21',
  },
  {
    name: 'MP_REACH_NLRI twice',
    attributes: mpReach + mpReach,
    external: 'reset',
    internal: 'reset',
    attribute: 14,
    bytes: '800e',
  },
]

interface Line {
  readonly message: string
  readonly data: Record<string, unknown>
}

interface Scene {
  readonly clock: FakeClock
  readonly speaker: Speaker
  readonly wire: RawWire
  readonly lines: Line[]
}

const running: Speaker[] = []

t.afterEach(async () => {
  await Promise.all(running.splice(0).map((speaker) => speaker.stop()))
})

async function scene(type: 'external' | 'internal'): Promise<Scene & { peer: RawPeer }> {
  const clock = new FakeClock()
  const wire = new RawWire()
  const lines: Line[] = []
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (data, message) => void lines.push({ message, data: { ...data } }),
    error: () => undefined,
    child: () => log,
  }
  const speaker = createSpeaker(
    { asn: 64512, routerId: '10.0.0.1', listen: ['10.0.0.1:179'] },
    {
      clock,
      log,
      sockets: wire.sockets,
      interfaces: () => [{ device: 'eth0', address: '10.0.0.1', length: 24 }],
    },
  )
  running.push(speaker)
  await speaker.ready()
  speaker.peer({ name: 'neighbour', address: '10.0.0.2', asn: type, passive: true })
  return { clock, speaker, wire, lines, peer: connect(wire, type) }
}

function connect(wire: RawWire, type: 'external' | 'internal'): RawPeer {
  const peer = wire.dial('10.0.0.2')
  peer.open({ asn: type === 'external' ? 65001 : 64512, routerId: 0x0a000002 })
  return peer
}

const attributesFor = (type: 'external' | 'internal', without?: keyof typeof good): string =>
  (without === 'origin' ? '' : good.origin) +
  (without === 'asPath' ? '' : asPathOf[type]) +
  (without === 'nextHop' ? '' : good.nextHop) +
  (without === 'localPref' || type === 'external' ? '' : good.localPref)

const prefixes = (speaker: Speaker): string[] =>
  speaker
    .routes({ family: 'ipv4', view: 'accepted' })
    .map((route) => route.prefix)
    .sort()

for (const type of ['external', 'internal'] as const) {
  for (const row of rows) {
    const outcome = row[type]
    t.test(`${type}: ${row.name}: ${outcome}`, async (t) => {
      const { speaker, peer, lines } = await scene(type)
      peer.send(update('', attributesFor(type), first + second))
      t.same(prefixes(speaker), ['10.1.0.0/24', '10.2.0.0/24'])
      peer.send(update('', attributesFor(type, row.without) + row.attributes, row.nlri ?? second))
      const status = speaker.peers()[0]
      t.equal(status?.counters.malformedUpdates, 1)
      t.match(status?.faults, [{ action: outcome, attribute: row.attribute, count: 1 }])
      const told = lines.filter(({ message }) => message.includes('malformed UPDATE'))
      t.equal(told.length, 1)
      t.match(told[0], { data: { peer: 'neighbour', action: outcome, heldBack: 0 } })
      t.match(told[0]?.data['bytes'], new RegExp(`^${row.bytes}`), 'with the octets')
      if (outcome === 'reset') {
        t.not(status?.state, 'Established')
        t.match(status?.lastNotification, { direction: 'sent', code: 3 })
        t.ok(peer.closed)
        t.match(peer.messages().at(-1), { type: 'notification', code: 3 }, 'and the peer is told')
        await new Promise((resolve) => setImmediate(resolve))
        t.same(prefixes(speaker), [], 'its routes are gone')
      } else {
        t.equal(status?.state, 'Established')
        t.notOk(peer.closed)
        t.same(
          prefixes(speaker),
          outcome === 'discard' ? ['10.1.0.0/24', '10.2.0.0/24'] : ['10.1.0.0/24'],
          'the prefix named beside the fault, and no other',
        )
      }
    })
  }
}

t.test('one line a minute, however many there are, and it tells how many were held back', async (t) => {
  const { clock, speaker, peer, lines } = await scene('external')
  const bad = (attributes: string): void =>
    peer.send(update('', attributesFor('external') + attributes, second))
  const told = (): Line[] => lines.filter(({ message }) => message.includes('malformed UPDATE'))
  for (let i = 0; i < 1000; i++) bad('c00803fde800')
  for (let i = 0; i < 10; i++) bad('40060100')
  t.equal(told().length, 1)
  clock.advance(59_000)
  t.equal(told().length, 1, 'not before the minute is over')
  clock.advance(2000)
  t.match(told()[1], { data: { heldBack: 1009, bytes: '40060100', action: 'discard' } })
  t.match(told()[1]?.message, /last of 1009/)
  peer.send(update('', '', ''))
  t.match(speaker.peers(), [
    {
      counters: { malformedUpdates: 1010 },
      faults: [
        { action: 'treat-as-withdraw', attribute: 8, count: 1000 },
        { action: 'discard', attribute: 6, count: 10 },
      ],
    },
  ])
  bad('40060100')
  t.equal(told().length, 2, 'a line has just been written')
  peer.hangUp()
  clock.advance(61_000)
  t.equal(told().length, 3)
  clock.advance(600_000)
  t.equal(told().length, 3, 'and nothing more when there is nothing more')
})

t.test('a peer that is reset over and over by its faults fills no log', async (t) => {
  const { clock, speaker, wire, lines, peer } = await scene('external')
  peer.hangUp()
  for (let i = 0; i < 30; i++) {
    clock.advance(100)
    const again = connect(wire, 'external')
    again.send(update('', attributesFor('external') + '40fa0100', second))
  }
  const resets = speaker.peers()[0]?.faults[0]?.count ?? 0
  t.ok(resets >= 1)
  t.ok(lines.filter(({ message }) => message.includes('malformed UPDATE')).length <= 1)
})
