/*
 * BIRD behind a router: sessions over two hops, with and without a limit of how many there may be.
 */
import path from 'node:path'
import t from 'tap'
import { type PeerOptions } from '@network/bgp'
import { connect, until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { startBird } from './peers/bird.ts'

const asn = 65001
const far = '10.98.7.2'
const families = ['ipv4'] as const

const cases: readonly {
  readonly name: string
  readonly bird: readonly string[]
  readonly peer: Partial<PeerOptions>
  /** What keeps the session down, in its last error; undefined: it comes up. */
  readonly told?: RegExp
}[] = [
  { name: 'multihop 2', bird: ['multihop 2;'], peer: { multihop: 2 } },
  { name: 'multihop 2, of all that is allowed', bird: ['multihop;'], peer: { multihop: 255 } },
  {
    name: 'TTL security over two hops',
    bird: ['multihop 2;', 'ttl security on;'],
    peer: { ttlSecurityHops: 2 },
  },
  {
    name: 'no multihop: a TTL of 1 ends at the router',
    bird: ['multihop 2;'],
    peer: {},
    told: /Nobody answered|no route/,
  },
  {
    name: 'TTL security over one hop only',
    bird: ['multihop 2;', 'ttl security on;'],
    peer: { ttlSecurityHops: 1 },
    told: /TTL below 255/,
  },
]

let bench: Bench
let seat: Seat

t.setTimeout(120_000)
t.before(async () => {
  bench = await openBench('hops')
  seat = await bench.seat('router')
  await seat.place.run('sysctl', ['-qw', 'net.ipv4.ip_forward=1'])
})
t.teardown(() => bench.close())

t.test('a peer two hops away', async (t) => {
  const place = await bench.lab.namespace('far')
  await connect(seat.place, 'behind', place, 'wire')
  await seat.place.run('ip', ['addr', 'add', '10.98.7.1/24', 'dev', 'behind'])
  await place.run('ip', ['addr', 'add', `${far}/24`, 'dev', 'wire'])
  await place.run('ip', ['route', 'add', 'default', 'via', '10.98.7.1'])
  await bench.us.run('ip', ['route', 'add', '10.98.7.0/24', 'via', seat.there.ipv4])

  for (const [index, { name, bird: extra, peer, told }] of cases.entries()) {
    await t.test(name, async (t) => {
      const bird = await startBird(place, path.join(bench.lab.folder, `bird${String(index)}`), {
        asn,
        routerId: far,
        routes: ['10.50.0.0/24'],
        sessions: [
          {
            ...{ name: 'drover', local: far, neighbor: seat.here.ipv4, neighborAs: 64512 },
            ...{ families, passive: true, extra },
          },
        ],
      })
      const speaker = bench.speaker({ asn: 64512 })
      await speaker.ready()
      speaker.originate('10.60.0.0/26')
      const timers = { connectRetrySeconds: 1 }
      const handle = speaker.peer({ address: far, asn, families, timers, ...peer })
      if (told === undefined) {
        await until('routes have gone both ways', async () => {
          const { length } = await bird.learned('drover')
          return length === 1 && handle.status().prefixes.ipv4.accepted === 1
        })
        const [route] = speaker.routes({ family: 'ipv4', view: 'received' })
        t.equal(route?.nextHop, far)
      } else {
        await until('the session says why', () => told.test(handle.status().lastError?.text ?? ''))
        t.not(handle.status().state, 'Established')
      }
      await speaker.stop()
      await bird.stop()
    })
  }
})
