/*
 * Graceful restart with packets on their way: a machine behind us and one behind the daemon, between them nothing but
 * kernel routes that the two speakers have learned from each other. Whoever restarts, by the book or by SIGKILL, no packet
 * is lost and no kernel route goes.
 */
import t from 'tap'
import { type Speaker } from '@network/bgp'
import { type Family } from '@network/net'
import { type Flow, type LabProcess, type Place, connect, reaches, startFlow, until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { startBird } from './peers/bird.ts'
import { startFrr } from './peers/frr.ts'

const families = ['ipv4', 'ipv6'] as const
const asn = 65001
/** The kernel's timers make fewer of it, half as many at least. */
const packetsPerSecond = 250

/** Networks of the seat of this number: ours, and the daemon's. */
const networks = (number: number) => ({
  ours: { ipv4: `10.60.${String(number)}.`, ipv6: `fd00:60:${String(number)}::` },
  theirs: { ipv4: `10.50.${String(number)}.`, ipv6: `fd00:50:${String(number)}::` },
})
/** What is announced is a part of the link: a daemon prefers the link's own route to one of the same prefix. */
const prefixesOf = ({ ipv4, ipv6 }: { readonly ipv4: string; readonly ipv6: string }): readonly string[] => [
  `${ipv4}0/25`,
  `${ipv6}/80`,
]

interface Router {
  established(): Promise<boolean>
  /** Ends it without a word and starts it again as a restarting speaker. */
  restart(): Promise<void>
  /** Families whose packets its own restart must not touch. */
  readonly keeps: readonly Family[]
  stop(): Promise<void>
}

const daemons: Readonly<Record<string, (seat: Seat, routes: readonly string[]) => Promise<Router>>> = {
  BIRD: async ({ place, folder, here, there }, routes) => {
    const bird = await startBird(place, folder, {
      asn,
      routerId: there.ipv4,
      routes,
      kernel: true,
      sessions: [{ name: 'drover', local: there.ipv4, neighbor: here.ipv4, neighborAs: 64512, families }],
    })
    return {
      established: () => bird.established('drover'),
      restart: () => bird.restart(),
      keeps: families,
      stop: () => bird.stop(),
    }
  },
  FRR: async ({ place, folder, here, there }, routes) => {
    const frr = await startFrr(place, folder, {
      asn,
      routerId: there.ipv4,
      routes,
      kernel: true,
      extra: ['bgp graceful-restart preserve-fw-state', 'bgp graceful-restart restart-time 60'],
      neighbors: [{ address: here.ipv4, asn: 64512, families }],
    })
    return {
      established: () => frr.established(here.ipv4),
      restart: () => frr.restart(),
      // Its bgpd, back again, has zebra take the IPv6 routes away and put them back 50 ms later.
      keeps: ['ipv4'],
      stop: () => frr.stop(),
    }
  },
}

let bench: Bench

t.jobs = 2
t.setTimeout(180_000)
t.before(async () => {
  bench = await openBench('forward')
})
t.teardown(() => bench.close())

/** A machine on a link of its own behind a router. */
async function machineBehind(
  router: Place,
  device: string,
  name: string,
  { ipv4, ipv6 }: { readonly ipv4: string; readonly ipv6: string },
): Promise<Place> {
  const place = await bench.lab.namespace(name)
  await connect(router, device, place, 'eth0')
  await router.run('ip', ['addr', 'add', `${ipv4}1/24`, 'dev', device])
  await router.run('ip', ['addr', 'add', `${ipv6}1/64`, 'dev', device, 'nodad'])
  await place.run('ip', ['addr', 'add', `${ipv4}2/24`, 'dev', 'eth0'])
  await place.run('ip', ['addr', 'add', `${ipv6}2/64`, 'dev', 'eth0', 'nodad'])
  await place.run('ip', ['route', 'add', 'default', 'via', `${ipv4}1`])
  await place.run('ip', ['route', 'add', 'default', 'via', `${ipv6}1`])
  return place
}

/** Keeps the kernel of our namespace as the best routes are; what an earlier speaker left stays until it is withdrawn. */
function program(speaker: Speaker, place: Place, device: string): void {
  for (const family of families) {
    void (async () => {
      for await (const { changes } of speaker.best(family)) {
        for (const { prefix, nextHops, local } of changes) {
          const via = nextHops[0]?.address
          if (via !== undefined)
            await place.run('ip', ['route', 'replace', prefix, 'via', via, 'dev', device, 'proto', '98'])
          else if (!local) await place.attempt('ip', ['route', 'del', prefix, 'proto', '98'])
        }
      }
    })()
  }
}

/** Notes every route that goes from a kernel. */
function watchRoutes(place: Place, which: RegExp): { lost(): Promise<string[]> } {
  const monitor: LabProcess = place.start(`routes-${String(process.hrtime()[1])}`, 'ip', ['monitor', 'route'])
  return {
    lost: async () => {
      await monitor.stop()
      return monitor
        .log()
        .split('\n')
        .filter((line) => line.startsWith('Deleted') && which.test(line))
    },
  }
}

for (const [index, [name, start]] of Object.entries(daemons).entries()) {
  t.test(`${name} and we restart in turn: no packet is lost`, { buffered: true }, async (t) => {
    const number = index + 1
    const { ours, theirs } = networks(number)
    const seat = await bench.seat(name.toLowerCase())
    const { here, there, device } = seat
    await seat.place.run('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    const near = await machineBehind(bench.us, `near${String(number)}`, `near${String(number)}`, ours)
    await machineBehind(seat.place, 'far', `far${String(number)}`, theirs)
    const daemon = await start(seat, prefixesOf(theirs))

    const bring = async (restarting: boolean): Promise<Speaker> => {
      const speaker = bench.speaker({
        asn: 64512,
        listen: [`${here.ipv4}:179`],
        ...(restarting ? { gracefulRestart: { restarting } } : {}),
      })
      program(speaker, bench.us, device)
      await speaker.apply({
        peers: [{ address: there.ipv4, asn, families, timers: { connectRetrySeconds: 1 } }],
        routes: prefixesOf(ours).map((prefix) => ({ prefix })),
      })
      return speaker
    }
    const settled = async (speaker: Speaker): Promise<void> => {
      await until(
        'the session is up and has brought the routes',
        async () => {
          const [peer] = speaker.peers()
          const { ipv4, ipv6 } = peer?.prefixes ?? {}
          const fresh = ipv4?.accepted === 1 && ipv6?.accepted === 1 && ipv4.stale + ipv6.stale === 0
          return peer?.state === 'Established' && fresh && (await daemon.established())
        },
        { timeoutMs: 60_000 },
      )
    }
    const unbroken = async (
      what: string,
      kept: readonly Family[],
      restart: () => Promise<void>,
    ): Promise<void> => {
      const flows: readonly Flow[] = kept.map((family) =>
        startFlow(near, `${theirs[family]}2`, 1000 / packetsPerSecond),
      )
      const routes = (networks: { readonly ipv4: string; readonly ipv6: string }): RegExp =>
        new RegExp(`^Deleted (${kept.map((family) => networks[family]).join('|')})`)
      const watches = [watchRoutes(bench.us, routes(theirs)), watchRoutes(seat.place, routes(ours))]
      const began = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 500))
      await restart()
      // What is to be lost would be when End-of-RIB has come and what is stale goes.
      await new Promise((resolve) => setTimeout(resolve, 1500))
      const seconds = (performance.now() - began) / 1000
      for (const flow of flows) {
        const { sent, lost } = await flow.finish()
        t.ok(
          sent > (seconds * packetsPerSecond) / 2.5,
          `${what}: ${String(sent)} packets in ${seconds.toFixed(1)} s`,
        )
        t.equal(lost, 0, `${what}: no packet is lost`)
      }
      for (const watch of watches) t.same(await watch.lost(), [], `${what}: no kernel route goes`)
    }

    let speaker = await bring(false)
    await settled(speaker)
    for (const address of [`${theirs.ipv4}2`, `${theirs.ipv6}2`])
      await until(`packets reach ${address}`, () => reaches(near, address, 1))

    await unbroken(`${name} is killed and comes back`, daemon.keeps, async () => {
      await daemon.restart()
      await settled(speaker)
    })
    await unbroken('we stop for an upgrade and come back', families, async () => {
      await speaker.stop({ graceful: true, reason: 'upgrade' })
      await until('the daemon has noticed', async () => !(await daemon.established()))
      speaker = await bring(true)
      await settled(speaker)
    })
    await speaker.stop()
    await daemon.stop()
  })
}
