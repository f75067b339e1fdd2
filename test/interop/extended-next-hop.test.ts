/*
 * IPv4 routes with IPv6 next hops (RFC 8950) over IPv6 sessions.
 */
import t from 'tap'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { startBird } from './peers/bird.ts'
import { startFrr } from './peers/frr.ts'
import { startGobgp } from './peers/gobgp.ts'

const asn = 65001
const routes = ['10.50.0.0/24', '10.50.1.0/24', 'fd00:50::/64']
const families = ['ipv4', 'ipv6'] as const

interface Running {
  learned(): Promise<readonly string[]>
  route(prefix: string): Promise<string>
  stop(): Promise<void>
}

const daemons: Readonly<Record<string, (seat: Seat) => Promise<Running>>> = {
  BIRD: async ({ place, folder, here, there }) => {
    const bird = await startBird(place, folder, {
      asn,
      routerId: there.ipv4,
      routes,
      sessions: [
        {
          name: 'drover',
          local: there.ipv6,
          neighbor: here.ipv6,
          neighborAs: 64512,
          families,
          channelExtra: ['extended next hop on;'],
        },
      ],
    })
    return {
      learned: async () => (await bird.learned('drover')).filter((prefix) => !prefix.includes(':')),
      route: (prefix) => bird.route(prefix),
      stop: () => bird.stop(),
    }
  },
  FRR: async ({ place, folder, here, there }) => {
    const frr = await startFrr(place, folder, {
      asn,
      routerId: there.ipv4,
      routes,
      neighbors: [{ address: here.ipv6, asn: 64512, families, extra: ['capability extended-nexthop'] }],
    })
    return {
      learned: () => frr.learned(here.ipv6, 'ipv4'),
      route: (prefix) => frr.route(prefix),
      stop: () => frr.stop(),
    }
  },
  GoBGP: async ({ place, folder, here, there }) => {
    const gobgp = await startGobgp(place, folder, {
      asn,
      routerId: there.ipv4,
      routes: routes.map((prefix) => ({ prefix })),
      neighbors: [{ address: here.ipv6, asn: 64512, families }],
    })
    return {
      learned: () => gobgp.learned(here.ipv6, 'ipv4'),
      route: (prefix) => gobgp.route(prefix),
      stop: () => gobgp.stop(),
    }
  },
}

let bench: Bench

t.jobs = 3
t.setTimeout(60_000)
t.before(async () => {
  bench = await openBench('nexthop')
})
t.teardown(() => bench.close())

for (const [name, start] of Object.entries(daemons)) {
  t.test(`${name}: IPv4 routes over an IPv6 session`, { buffered: true }, async (t) => {
    const seat = await bench.seat(name.toLowerCase())
    // There is no IPv4 address that either side could name.
    for (const [place, device] of [
      [seat.place, 'wire'],
      [bench.us, seat.device],
    ] as const) {
      await place.run('ip', ['-4', 'addr', 'flush', 'dev', device])
    }
    const daemon = await start(seat)
    const speaker = bench.speaker({ asn: 64512, listen: [`[${seat.here.ipv6}]:179`] })
    await speaker.ready()
    const ours = Array.from({ length: 100 }, (_, index) => `10.60.${String(index)}.0/24`)
    for (const prefix of ours) speaker.originate(prefix)
    speaker.peer({ address: seat.there.ipv6, asn, timers: { connectRetrySeconds: 1 } })
    await until('the daemon has our IPv4 routes', async () => (await daemon.learned()).length === ours.length)
    t.match(
      await daemon.route('10.60.7.0/24'),
      new RegExp(seat.here.ipv6.replace(':0:', ':0{1,4}:')),
      'with our IPv6 address',
    )
    await until('we have its IPv4 routes', () => speaker.peers()[0]?.prefixes.ipv4.accepted === 2)
    for (const route of speaker.routes({ family: 'ipv4', view: 'accepted' })) {
      if (!route.local) t.equal(route.nextHop, seat.there.ipv6)
    }
    const [status] = speaker.peers()
    t.match(status?.negotiated?.extendedNextHop, [/ipv4/i])
    t.ok((status?.counters.updatesOut ?? 99) < 10, 'packed like all else')
    t.equal(status?.counters.malformedUpdates, 0)
    await speaker.stop()
    await daemon.stop()
  })
}
