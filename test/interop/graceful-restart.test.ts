/*
 * Graceful restart (RFC 4724, 8538) with FRR and GoBGP in both roles: no route is lost on either side at any moment.
 */
import t from 'tap'
import { type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { startFrr } from './peers/frr.ts'
import { startGobgp } from './peers/gobgp.ts'

const ourRoutes = ['10.60.0.0/26', '10.60.0.64/26']
const theirRoutes = ['10.50.0.0/24', '10.50.1.0/24']
const families = ['ipv4'] as const

interface Restarting {
  established(): Promise<boolean>
  learned(): Promise<readonly string[]>
  /** Ends it, and starts it again once `whileDown` is over. */
  restart(whileDown: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

const daemons: Readonly<Record<string, (seat: Seat) => Promise<Restarting>>> = {
  FRR: async ({ place, folder, here, there }) => {
    const frr = await startFrr(place, folder, {
      asn: 65001,
      routerId: there.ipv4,
      routes: theirRoutes,
      extra: ['bgp graceful-restart preserve-fw-state', 'bgp graceful-restart restart-time 60'],
      neighbors: [{ address: here.ipv4, asn: 64512, families }],
    })
    return {
      established: () => frr.established(here.ipv4),
      learned: () => frr.learned(here.ipv4, 'ipv4'),
      restart: (whileDown) => frr.restart('SIGKILL', whileDown),
      stop: () => frr.stop(),
    }
  },
  GoBGP: async ({ place, folder, here, there }) => {
    const gobgp = await startGobgp(place, folder, {
      asn: 65001,
      routerId: there.ipv4,
      routes: theirRoutes.map((prefix) => ({ prefix })),
      neighbors: [{ address: here.ipv4, asn: 64512, families }],
    })
    return {
      established: () => gobgp.established(here.ipv4),
      learned: () => gobgp.learned(here.ipv4, 'ipv4'),
      restart: async (whileDown) => {
        await gobgp.crash()
        await whileDown()
        // GoBGP loses what it was told by its client: no session before it has been told again.
        await place.run('ip', ['route', 'add', 'blackhole', here.ipv4])
        await gobgp.recover()
        await place.run('ip', ['route', 'del', 'blackhole', here.ipv4])
      },
      stop: () => gobgp.stop(),
    }
  },
}

let bench: Bench

t.jobs = 2
t.setTimeout(120_000)
t.before(async () => {
  bench = await openBench('restart')
})
t.teardown(() => bench.close())

for (const [name, start] of Object.entries(daemons)) {
  t.test(name, { buffered: true }, async (t) => {
    const seat = await bench.seat(name.toLowerCase())
    const daemon = await start(seat)
    const listen = [`${seat.here.ipv4}:179`]
    const declare = (speaker: Speaker) =>
      speaker.apply({
        peers: [{ address: seat.there.ipv4, asn: 65001, families, timers: { connectRetrySeconds: 1 } }],
        routes: ourRoutes.map((prefix) => ({ prefix })),
      })
    const established = (speaker: Speaker): Promise<boolean> =>
      until(
        'the session is up',
        async () => speaker.peers()[0]?.state === 'Established' && (await daemon.established()),
        { timeoutMs: 40_000 },
      )

    const first = bench.speaker({ asn: 64512, listen })
    await declare(first)
    await established(first)
    await until('the daemon has our routes', async () => (await daemon.learned()).length === ourRoutes.length)
    await until("we have the daemon's", () => first.peers()[0]?.prefixes.ipv4.accepted === theirRoutes.length)

    let lost = 0
    void (async () => {
      for await (const { changes } of first.best('ipv4')) {
        lost += changes.filter(({ nextHops, local }) => nextHops.length === 0 && !local).length
      }
    })()
    await daemon.restart(async () => {
      await until('the session is down', () => first.peers()[0]?.state !== 'Established')
      t.equal(first.peers()[0]?.restarting, true)
      const kept = first.routes({ family: 'ipv4', view: 'accepted' }).filter((route) => !route.local)
      t.same(
        kept.map(({ prefix, stale }) => [prefix, stale]),
        theirRoutes.map((prefix) => [prefix, true]),
      )
    })
    await established(first)
    await until('nothing is stale any more', () => first.peers()[0]?.restarting === false, {
      timeoutMs: 40_000,
    })
    t.match(first.peers()[0], { prefixes: { ipv4: { accepted: theirRoutes.length, stale: 0 } } })
    t.equal(lost, 0, `${name} restarts: no route of it was lost here`)

    await until(
      'the daemon has our routes again',
      async () => (await daemon.learned()).length === ourRoutes.length,
    )
    const seen: number[] = []
    const watch = { on: true }
    const watcher = (async () => {
      while (watch.on) seen.push((await daemon.learned()).length)
    })()
    await first.stop({ graceful: true, reason: 'upgrade' })
    await until('the daemon has noticed', async () => !(await daemon.established()))
    const second = bench.speaker({ asn: 64512, listen, gracefulRestart: { restarting: true } })
    await declare(second)
    await established(second)
    await until(
      "we have the daemon's routes",
      () => second.peers()[0]?.prefixes.ipv4.accepted === theirRoutes.length,
      {
        timeoutMs: 40_000,
      },
    )
    const count = seen.length
    await until('a few looks more', () => seen.length >= count + 5)
    watch.on = false
    await watcher
    t.same([...new Set(seen)], [ourRoutes.length], `we restart: ${name} has our routes at every moment`)
    await second.stop()
    await daemon.stop()
  })
}
