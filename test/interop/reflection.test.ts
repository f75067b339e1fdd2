/*
 * Route reflection (RFC 4456) in one AS: we reflect between BIRD, FRR and GoBGP, and BIRD, FRR, GoBGP and OpenBGPD reflect between two
 * of our speakers.
 */
import t from 'tap'
import { type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { startBird } from './peers/bird.ts'
import { type Daemon, startDaemon } from './peers/daemon.ts'
import { startFrr } from './peers/frr.ts'
import { startGobgp } from './peers/gobgp.ts'
import { startOpenbgpd } from './peers/openbgpd.ts'

const asn = 64512

let bench: Bench

t.jobs = 5
t.setTimeout(120_000)
t.before(async () => {
  bench = await openBench('reflection')
})
t.teardown(() => bench.close())

t.test('our reflector: each client has what the others announce', { buffered: true }, async (t) => {
  const names = ['bird', 'frr', 'gobgp'] as const
  const seats: Seat[] = []
  for (const name of names) seats.push(await bench.seat(`client-${name}`))
  const speaker = bench.speaker({
    asn,
    clusterId: '10.255.0.1',
    listen: seats.map(({ here }) => `${here.ipv4}:179`),
  })
  await speaker.ready()
  const clients: Daemon[] = []
  for (const [index, name] of names.entries()) {
    const seat = seats[index]
    if (seat === undefined) throw new Error('a seat is missing')
    const number = String(50 + index)
    const routes = [
      { prefix: `10.${number}.0.0/24` },
      { prefix: `fd00:${number}::/64`, nextHop: seat.there.ipv6 },
    ]
    clients.push(await startDaemon(name, seat, { asn, ourAsn: asn, routes }))
    speaker.peer({
      name,
      address: seat.there.ipv4,
      asn: 'internal',
      routeReflectorClient: true,
      timers: { connectRetrySeconds: 1 },
    })
    // The next hop of a reflected route is the other client: let it be reachable.
    for (const other of names.keys()) {
      if (other === index) continue
      const near = seats[other]
      if (near === undefined) continue
      const network = near.there.ipv4.replace(/\.2$/, '.0/24')
      await seat.place.run('ip', ['route', 'add', network, 'via', seat.here.ipv4])
      await seat.place.run('ip', [
        '-6',
        'route',
        'add',
        near.there.ipv6.replace(/2$/, '/64'),
        'via',
        seat.here.ipv6,
      ])
    }
  }
  for (const [index, client] of clients.entries()) {
    for (const [other, origin] of seats.entries()) {
      if (other === index) continue
      const number = String(50 + other)
      for (const [family, prefix] of [
        ['ipv4', `10.${number}.0.0/24`],
        ['ipv6', `fd00:${number}::/64`],
      ] as const) {
        await until(
          `${client.name} has ${prefix}`,
          async () => (await client.learned(family)).includes(prefix),
          {
            timeoutMs: 30_000,
          },
        )
        const text = await client.route(prefix)
        t.match(
          text,
          new RegExp(`originator[^\n]*${origin.there.ipv4}`, 'i'),
          `${client.name}: the originator of ${prefix}`,
        )
        t.match(text, /cluster[^\n]*10\.255\.0\.1/i, `${client.name}: our cluster is in the list`)
      }
    }
    t.notOk(
      (await client.learned('ipv4')).includes(`10.${String(50 + index)}.0.0/24`),
      'its own does not come back',
    )
  }
  await speaker.stop()
})

interface Reflector {
  readonly name: string
  start(seat: Seat, clients: readonly string[]): Promise<{ stop(): Promise<void> }>
}

const families = ['ipv4', 'ipv6'] as const

const reflectors: readonly Reflector[] = [
  {
    name: 'BIRD',
    start: ({ place, folder, there }, clients) =>
      startBird(place, folder, {
        asn,
        routerId: there.ipv4,
        sessions: clients.map((neighbor, index) => ({
          name: `client${String(index)}`,
          local: there.ipv4,
          neighbor,
          neighborAs: asn,
          families,
          routeReflectorClient: true,
        })),
      }),
  },
  {
    name: 'FRR',
    start: ({ place, folder, there }, clients) =>
      startFrr(place, folder, {
        asn,
        routerId: there.ipv4,
        neighbors: clients.map((address) => ({ address, asn, families, routeReflectorClient: true })),
      }),
  },
  {
    name: 'GoBGP',
    start: ({ place, folder, there }, clients) =>
      startGobgp(place, folder, {
        asn,
        routerId: there.ipv4,
        neighbors: clients.map((address) => ({ address, asn, families, routeReflectorClient: true })),
      }),
  },
  {
    name: 'OpenBGPD',
    start: ({ place, folder, there }, clients) =>
      startOpenbgpd(place, folder, {
        asn,
        routerId: there.ipv4,
        neighbors: clients.map((address) => ({ address, asn, families, routeReflectorClient: true })),
      }),
  },
]

for (const reflector of reflectors) {
  t.test(`${reflector.name} reflects between two of us`, { buffered: true }, async (t) => {
    const seat = await bench.seat(`reflector-${reflector.name.toLowerCase()}`)
    const second = seat.here.ipv4.replace(/1$/, '3')
    await bench.address(`${second}/24`, seat.device)
    const clients = [seat.here.ipv4, second]
    const daemon = await reflector.start(seat, clients)
    const speakers: Speaker[] = []
    for (const [index, address] of clients.entries()) {
      const speaker = bench.speaker(
        { asn, routerId: address, listen: [`${address}:179`] },
        // Both live on this host: each shall take the other's address for another's.
        { interfaces: () => [{ device: seat.device, address, length: 24 }] },
      )
      speakers.push(speaker)
      await speaker.ready()
      const communities = [`64512:${String(index)}`]
      speaker.originate(`10.6${String(index)}.0.0/26`, { communities, localPreference: 321 })
      speaker.originate(`fd00:6${String(index)}::/64`, { communities })
      speaker.peer({
        address: seat.there.ipv4,
        asn: 'internal',
        sourceAddress: address,
        localAddresses: { ipv4: address, ipv6: seat.here.ipv6 },
        timers: { connectRetrySeconds: 1 },
      })
    }
    for (const [index, speaker] of speakers.entries()) {
      const other = 1 - index
      for (const [family, prefix] of [
        ['ipv4', `10.6${String(other)}.0.0/26`],
        ['ipv6', `fd00:6${String(other)}::/64`],
      ] as const) {
        const route = await until(
          `we have ${prefix}`,
          () =>
            speaker.routes({ family, view: 'received' }).find((one) => one.prefix === prefix && !one.local),
          { timeoutMs: 30_000 },
        )
        const values = Object.fromEntries(route.attributes.map(({ name, value }) => [name, value]))
        t.match(values, {
          ORIGINATOR_ID: clients[other],
          CLUSTER_LIST: seat.there.ipv4,
          COMMUNITIES: `64512:${String(other)}`,
          AS_PATH: '',
        })
        if (family === 'ipv4') t.equal(values['LOCAL_PREF'], '321')
      }
      t.equal(
        speaker.routes({ family: 'ipv4', view: 'accepted' }).filter((route) => !route.local).length,
        1,
        'and nothing else: what is ours does not come back as a route of the reflector',
      )
    }
    await Promise.all(speakers.map((speaker) => speaker.stop()))
    await daemon.stop()
  })
}
