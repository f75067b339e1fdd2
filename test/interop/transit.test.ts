/*
 * Five daemons around one speaker, each in an AS of its own and on a wire of its own: what one of them announces reaches
 * all others through us, with its attributes unchanged, and goes from them when it is withdrawn.
 */
import t from 'tap'
import { type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { startBird } from './peers/bird.ts'
import { type Daemon, type DaemonName, daemonNames, startDaemon } from './peers/daemon.ts'
import { type Exabgp, startExabgp } from './peers/exabgp.ts'
import { familyOf } from './peers/route.ts'

const asnOf = (name: DaemonName): number => 65001 + daemonNames.indexOf(name)

/** What a daemon originates: a prefix of each family, both communities where its configuration can set them. */
const routesOf = (name: DaemonName) => {
  const number = String(50 + daemonNames.indexOf(name))
  const communities = {
    communities: [`${String(asnOf(name))}:77`, '64999:1'],
    largeCommunities: [`4200000000:${number}:4294967295`],
  }
  const prefixes = [`10.${number}.0.0/24`, `fd00:${number}::/64`]
  // Over an IPv4 session OpenBGPD on Linux names :: as the next hop of its IPv6 routes, which nobody can use.
  return prefixes.slice(0, name === 'openbgpd' ? 1 : 2).map((prefix) => ({
    prefix,
    ...(name === 'frr' ? {} : communities),
  }))
}

const spelled = (community: string): RegExp => new RegExp(`\\b${community.replaceAll(':', '\\W{1,4}')}\\b`)

let bench: Bench
let speaker: Speaker
const daemons = new Map<DaemonName, Daemon>()
const seats = new Map<DaemonName, Seat>()

t.setTimeout(120_000)

t.before(async () => {
  bench = await openBench('transit')
  speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  for (const name of daemonNames) seats.set(name, await bench.seat(name))
  await Promise.all(
    [...seats].map(async ([name, seat]) => {
      const options = { asn: asnOf(name), ourAsn: 64512, routes: routesOf(name) }
      daemons.set(name, await startDaemon(name, seat, options))
      speaker.peer({
        name,
        address: seat.there.ipv4,
        asn: asnOf(name),
        timers: { connectRetrySeconds: 1 },
        localAddresses: seat.here,
      })
    }),
  )
})

t.teardown(() => bench.close())

t.test('every daemon has the routes of every other, with their communities', async (t) => {
  await until('all sessions are up', () => speaker.peers().every((peer) => peer.state === 'Established'), {
    timeoutMs: 30_000,
  })
  for (const [name, daemon] of daemons) {
    for (const origin of daemonNames) {
      if (origin === name) continue
      for (const route of routesOf(origin)) {
        const family = familyOf(route.prefix)
        await until(`${name} has ${route.prefix} of ${origin}`, async () =>
          (await daemon.learned(family)).includes(route.prefix),
        )
        const text = await daemon.route(route.prefix)
        for (const community of [...(route.communities ?? []), ...(route.largeCommunities ?? [])]) {
          t.match(text, spelled(community), `${name} sees ${community} on ${origin}'s ${route.prefix}`)
        }
        t.match(
          text,
          new RegExp(`64512\\W+${String(asnOf(origin))}\\b`),
          `${name}: the AS path of ${route.prefix} is ours and ${origin}'s`,
        )
      }
    }
  }
  t.same(
    speaker.peers().map(({ counters }) => counters.malformedUpdates),
    daemonNames.map(() => 0),
  )
})

t.test('an unknown transitive attribute passes, marked Partial; a withdrawn route goes', async (t) => {
  const from = await bench.seat('odd')
  const to = await bench.seat('even')
  const exabgp: Exabgp = await startExabgp(from.place, from.folder, {
    asn: 65010,
    routerId: from.there.ipv4,
    neighbor: { local: from.there.ipv4, address: from.here.ipv4, asn: 64512, families: ['ipv4'] },
  })
  const bird = await startBird(to.place, to.folder, {
    asn: 65011,
    routerId: to.there.ipv4,
    sessions: [
      {
        name: 'drover',
        local: to.there.ipv4,
        neighbor: to.here.ipv4,
        neighborAs: 64512,
        families: ['ipv4'],
      },
    ],
  })
  speaker.peer({ name: 'odd', address: from.there.ipv4, asn: 65010 })
  speaker.peer({ name: 'even', address: to.there.ipv4, asn: 65011 })
  await until('both are up', async () => exabgp.established() && (await bird.established('drover')))
  const prefix = '10.70.0.0/24'
  exabgp.announce({
    prefix,
    nextHop: from.there.ipv4,
    communities: ['65010:5'],
    extra: 'med 42 extended-community [ target:65010:9 ] attribute [ 0x99 0xc0 0x01020304 ]',
  })
  const text = await until('BIRD has the route', async () => {
    const seen = await bird.route(prefix)
    return seen.includes(prefix) && seen
  })
  t.match(text, /BGP\.99.*01 02 03 04/i, 'the attribute has come through')
  t.match(text, /\(rt, 65010, 9\)/, 'and the extended community')
  t.match(text, /\(65010,5\)/)
  t.notMatch(text, /BGP\.med/, 'MED stays with the neighbouring AS')
  exabgp.withdraw(prefix, from.there.ipv4)
  await until('BIRD has lost it', async () => !(await bird.route(prefix)).includes('via'))
})
