/*
 * Sessions of the shortest hold time beside a neighbour that announces whole tables as fast as they are taken: BIRD, which
 * is sent all of it, and FRR, which is sent none of it.
 */
import path from 'node:path'
import t from 'tap'
import { until } from '../lab/index.ts'
import { openBench } from './bench.ts'
import { startBird } from './peers/bird.ts'
import { startFrr } from './peers/frr.ts'

const routes = 250_000
const loadSeconds = 10
const holdTimeSeconds = 3
const families = ['ipv4'] as const

t.setTimeout(240_000)

t.test('hold times of 3 s while whole tables are taken in and passed on', async (t) => {
  const bench = await openBench('hold')
  t.teardown(() => bench.close())
  const [all, none, feeding] = [await bench.seat('bird'), await bench.seat('frr'), await bench.seat('feeder')]
  const bird = await startBird(all.place, all.folder, {
    asn: 65001,
    routerId: all.there.ipv4,
    sessions: [
      {
        ...{ name: 'drover', local: all.there.ipv4, neighbor: all.here.ipv4, neighborAs: 64512 },
        ...{ families, holdTimeSeconds },
      },
    ],
  })
  const frr = await startFrr(none.place, none.folder, {
    asn: 65002,
    routerId: none.there.ipv4,
    neighbors: [
      { address: none.here.ipv4, asn: 64512, families, extra: [`timers 1 ${String(holdTimeSeconds)}`] },
    ],
  })
  t.teardown(async () => {
    await bird.stop()
    await frr.stop()
  })
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  speaker.peer({ name: 'bird', address: all.there.ipv4, asn: 65001, families })
  const nothing = { rules: [], otherwise: 'reject' } as const
  speaker.peer({ name: 'frr', address: none.there.ipv4, asn: 65002, families, export: nothing })
  speaker.peer({ name: 'feeder', address: feeding.there.ipv4, asn: 65003, families, passive: true })
  const status = (name: string) => speaker.peers().find((peer) => peer.name === name)
  await until('both are up', () => ['bird', 'frr'].every((name) => status(name)?.state === 'Established'))

  const feeder = feeding.place.start('feeder', process.execPath, [
    ...[
      '--import=tsx',
      '--conditions=@network/source',
      path.join(import.meta.dirname, 'peers/table-feeder.ts'),
    ],
    ...[feeding.here.ipv4, '65003', String(routes), String(loadSeconds)],
  ])
  /** What is left of BIRD's hold timer when least is left: 2 s and more as long as our keepalives come on time. */
  let leastLeft = holdTimeSeconds
  await until(
    'the last table is sent and everything of it has arrived',
    async () => {
      const { text } = await bird.protocol('drover')
      leastLeft = Math.min(leastLeft, Number(/Hold timer:\s+([\d.]+)\//.exec(text)?.[1] ?? leastLeft))
      if (!feeder.running()) throw new Error(`the feeder has ended: ${feeder.log()}`)
      const arrived = /(\d+) imported/.exec(text)?.[1] === String(routes)
      return feeder.log().includes('sent ') && arrived && status('feeder')?.prefixes.ipv4.accepted === routes
    },
    { timeoutMs: 180_000, intervalMs: 100 },
  )
  // A hold timer that had been kept waiting would have expired by now.
  await new Promise((resolve) => setTimeout(resolve, holdTimeSeconds * 1000 + 500))
  const tables = Number(/sent (\d+)/.exec(feeder.log())?.[1])
  t.ok(tables >= 4, `${String(tables)} tables of ${String(routes)} routes`)
  for (const name of ['bird', 'frr']) {
    t.match(status(name), {
      state: 'Established',
      negotiated: { holdTimeSeconds },
      counters: { established: 1, dropped: 0 },
    })
  }
  t.ok(await bird.established('drover'))
  t.ok(await frr.established(none.here.ipv4))
  t.ok(leastLeft > 1, `BIRD's hold timer of 3 s never had less than ${leastLeft.toFixed(1)} s left`)
  await feeder.stop()
})
