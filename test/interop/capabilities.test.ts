/*
 * What is agreed in the OPEN and used later: enhanced route refresh (RFC 7313), roles (RFC 9234), messages longer than
 * 4096 octets (RFC 8654).
 */
import t from 'tap'
import { type PeerOptions, type Role, type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { type Bird, type BirdSession, startBird } from './peers/bird.ts'
import { type FrrNeighbor, type Frr, startFrr } from './peers/frr.ts'

const asn = 65001
const families = ['ipv4'] as const
const routes = ['10.50.0.0/24', '10.50.1.0/24']

let bench: Bench

t.jobs = 4
t.setTimeout(120_000)
t.before(async () => {
  bench = await openBench('agreed')
})
t.teardown(() => bench.close())

const bird = ({ place, folder, here, there }: Seat, session: Partial<BirdSession> = {}): Promise<Bird> =>
  startBird(place, folder, {
    asn,
    routerId: there.ipv4,
    routes,
    sessions: [
      { name: 'drover', local: there.ipv4, neighbor: here.ipv4, neighborAs: 64512, families, ...session },
    ],
  })

const frr = ({ place, folder, here, there }: Seat, neighbor: Partial<FrrNeighbor> = {}): Promise<Frr> =>
  startFrr(place, folder, {
    asn,
    routerId: there.ipv4,
    routes,
    neighbors: [{ address: here.ipv4, asn: 64512, families, ...neighbor }],
  })

async function speakerAt(seat: Seat, peer: Partial<PeerOptions> = {}): Promise<Speaker> {
  const speaker = bench.speaker({ asn: 64512, listen: [`${seat.here.ipv4}:179`] })
  await speaker.ready()
  speaker.peer({ address: seat.there.ipv4, asn, families, timers: { connectRetrySeconds: 1 }, ...peer })
  return speaker
}

const refreshers = [
  {
    name: 'BIRD',
    start: async (seat: Seat) => {
      const daemon = await bird(seat)
      return {
        ask: () => daemon.birdc('reload', 'in', 'drover'),
        learned: () => daemon.learned('drover'),
        stop: () => daemon.stop(),
      }
    },
  },
  {
    name: 'FRR',
    start: async (seat: Seat) => {
      const daemon = await frr(seat)
      return {
        ask: () => daemon.vtysh(`clear bgp ipv4 unicast ${seat.here.ipv4} in`),
        learned: () => daemon.learned(seat.here.ipv4, 'ipv4'),
        stop: () => daemon.stop(),
      }
    },
  },
] as const

for (const { name, start } of refreshers) {
  t.test(
    `enhanced refresh with ${name}: all comes again, nothing is lost between`,
    { buffered: true },
    async (t) => {
      const seat = await bench.seat(`refresh-${name.toLowerCase()}`)
      const daemon = await start(seat)
      const speaker = await speakerAt(seat)
      const [handle] = speaker.peers()
      if (handle === undefined) throw new Error('no peer')
      const status = () => speaker.peers()[0]
      speaker.originate('10.60.0.0/26')
      await until('both have all', async () => {
        return status()?.prefixes.ipv4.accepted === 2 && (await daemon.learned()).length === 1
      })
      t.match(status()?.negotiated, { routeRefresh: true, enhancedRouteRefresh: true })

      let lost = 0
      void (async () => {
        for await (const { changes } of speaker.best('ipv4')) {
          lost += changes.filter(({ nextHops, local }) => nextHops.length === 0 && !local).length
        }
      })()
      const before = status()?.counters
      if (before === undefined) throw new Error('no counters')
      t.equal(speaker.refresh(seat.there.ipv4, 'ipv4'), true)
      // Two more messages than UPDATEs: the beginning and the end of the refresh.
      await until('its routes come again, between the two marks', () => {
        const now = status()?.counters
        if (now === undefined || now.updatesIn === before.updatesIn) return false
        return now.messagesIn - before.messagesIn >= now.updatesIn - before.updatesIn + 2
      })
      t.equal(status()?.prefixes.ipv4.accepted, 2)
      t.equal(lost, 0)

      const sent = status()?.counters
      if (sent === undefined) throw new Error('no counters')
      await daemon.ask()
      await until('it gets ours again, between the two marks', () => {
        const now = status()?.counters
        if (now === undefined || now.updatesOut === sent.updatesOut) return false
        return now.messagesOut - sent.messagesOut >= 3
      })
      t.same(await daemon.learned(), ['10.60.0.0/26'])
      t.match(status(), { counters: { malformedUpdates: 0, established: 1, dropped: 0 } })
      await speaker.stop()
      await daemon.stop()
    },
  )
}

const roles: readonly { ours: Role; theirs: 'provider' | 'customer' | 'peer'; ok: boolean }[] = [
  { ours: 'customer', theirs: 'provider', ok: true },
  { ours: 'provider', theirs: 'customer', ok: true },
  { ours: 'peer', theirs: 'peer', ok: true },
  { ours: 'customer', theirs: 'customer', ok: false },
]

for (const name of ['BIRD', 'FRR'] as const) {
  t.test(`roles with ${name}`, { buffered: true }, async (t) => {
    const seat = await bench.seat(`role-${name.toLowerCase()}`)
    for (const [index, { ours, theirs, ok }] of roles.entries()) {
      const place = { ...seat, folder: `${seat.folder}${String(index)}` }
      const daemon =
        name === 'BIRD'
          ? await bird(place, { extra: [`local role ${theirs};`] })
          : await frr(place, { extra: [`local-role ${theirs}`] })
      const speaker = await speakerAt(seat, { role: ours, roleStrict: true })
      const status = () => speaker.peers()[0]
      if (ok) {
        await until(`${ours} and ${theirs}: we have its routes`, () => status()?.prefixes.ipv4.accepted === 2)
        t.equal(status()?.negotiated?.role, theirs, `${ours} and ${theirs} agree`)
        const attributes = speaker
          .routes({ family: 'ipv4', view: 'accepted' })
          .flatMap((route) => route.attributes)
          .filter((attribute) => attribute.name === 'ONLY_TO_CUSTOMER')
        const marked = theirs === 'customer' ? [] : [String(asn), String(asn)]
        t.same(
          attributes.map(({ value }) => value),
          marked,
          marked.length === 0
            ? 'a customer does not mark its routes'
            : 'its routes are marked for customers only',
        )
      } else {
        const notification = await until('it is refused', () => status()?.lastNotification)
        t.match(notification, { code: 2, subcode: 11 }, `${ours} and ${theirs} don't agree`)
      }
      await speaker.stop()
      await daemon.stop()
    }
  })
}

t.test(
  'longer messages with BIRD: attributes of more than 4096 octets go both ways',
  { buffered: true },
  async (t) => {
    const from = await bench.seat('long-from')
    const to = await bench.seat('long-to')
    const session = { extra: ['enable extended messages on;'] }
    const origin = await bird(from, session)
    const target = await startBird(to.place, to.folder, {
      asn: 65002,
      routerId: to.there.ipv4,
      sessions: [
        {
          name: 'drover',
          local: to.there.ipv4,
          neighbor: to.here.ipv4,
          neighborAs: 64512,
          families,
          ...session,
        },
      ],
    })
    const communities = Array.from({ length: 1500 }, (_, index) => `65001:${String(index + 1)}`)
    await origin.configure({
      asn,
      routerId: from.there.ipv4,
      routes: [{ prefix: '10.50.9.0/24', communities }],
      sessions: [
        {
          name: 'drover',
          local: from.there.ipv4,
          neighbor: from.here.ipv4,
          neighborAs: 64512,
          families,
          ...session,
        },
      ],
    })
    const speaker = bench.speaker({
      asn: 64512,
      listen: [from, to].map(({ here }) => `${here.ipv4}:179`),
    })
    await speaker.ready()
    speaker.peer({ address: from.there.ipv4, asn, families })
    speaker.peer({ address: to.there.ipv4, asn: 65002, families })
    const text = await until('the route has come through', async () => {
      const seen = await target.route('10.50.9.0/24')
      return seen.includes('10.50.9.0/24') && seen
    })
    t.equal([...text.matchAll(/\(65001,\d+\)/g)].length, communities.length, 'with all its communities')
    for (const status of speaker.peers()) t.equal(status.negotiated?.extendedMessage, true)
    t.same(
      speaker.peers().map(({ counters }) => counters.malformedUpdates),
      [0, 0],
    )
    await speaker.stop()
    await Promise.all([origin.stop(), target.stop()])
  },
)
