import path from 'node:path'
import t from 'tap'
import { until } from '../lab/index.ts'
import { type Bench, here, openBench, there } from './bench.ts'
import { type Frr, type FrrNeighbor, type FrrOptions, startFrr } from './peers/frr.ts'

const frrRoutes = ['10.50.0.0/24', '10.50.1.0/24', 'fd00:50::/64']
const ourRoutes = ['10.60.0.0/26', '10.60.0.64/26', 'fd00:60::/64']

let bench: Bench
let run = 0

t.setTimeout(120_000)

t.before(async () => {
  bench = await openBench('frr')
})

t.teardown(async () => {
  await bench.close()
})

function frr(neighbor: Partial<FrrNeighbor>, options: Partial<FrrOptions> = {}): Promise<Frr> {
  return startFrr(bench.peer, path.join(bench.lab.folder, `frr${run++}`), {
    asn: 65001,
    routerId: there.ipv4,
    routes: frrRoutes,
    neighbors: [{ address: here.ipv4, asn: 64512, families: ['ipv4', 'ipv6'], ...neighbor }],
    ...options,
  })
}

const cases: readonly {
  name: string
  frrAs: number
  frr: Partial<FrrNeighbor>
  peer: object
}[] = [
  { name: 'eBGP', frrAs: 65001, frr: {}, peer: {} },
  { name: 'eBGP, FRR dials', frrAs: 65001, frr: {}, peer: { passive: true } },
  { name: 'iBGP', frrAs: 64512, frr: {}, peer: {} },
  {
    name: 'eBGP with the right MD5 key',
    frrAs: 65001,
    frr: { password: 'correct' },
    peer: { password: 'correct' },
  },
  {
    name: 'eBGP with GTSM',
    frrAs: 65001,
    frr: { ttlSecurity: true },
    peer: { ttlSecurityHops: 1 },
  },
]

for (const { name, frrAs, frr: neighbor, peer } of cases) {
  t.test(`${name}: routes of both families go both ways`, async (t) => {
    const daemon = await frr(neighbor, { asn: frrAs })
    const speaker = bench.speaker({ asn: 64512 })
    await speaker.ready()
    for (const prefix of ourRoutes) speaker.originate(prefix, { largeCommunities: ['64512:1:2'] })
    const handle = speaker.peer({ address: there.ipv4, asn: frrAs, ...peer })
    await until(
      'the session is up',
      async () => handle.status().state === 'Established' && (await daemon.established(here.ipv4)),
    )
    await until('FRR has our routes', async () => {
      const four = await daemon.learned(here.ipv4, 'ipv4')
      const six = await daemon.learned(here.ipv4, 'ipv6')
      return four.length === 2 && six.length === 1
    })
    t.same(await daemon.learned(here.ipv4, 'ipv4'), ['10.60.0.0/26', '10.60.0.64/26'])
    t.same(await daemon.learned(here.ipv4, 'ipv6'), ['fd00:60::/64'])
    t.match(await daemon.route('10.60.0.0/26'), /64512:1:2/, 'with their large community')
    t.match(await daemon.route('fd00:60::/64'), new RegExp(here.ipv6), 'with our IPv6 address as next hop')
    await until("we have FRR's routes", () => {
      const { ipv4, ipv6 } = handle.status().prefixes
      return ipv4.accepted === 2 && ipv6.accepted === 1
    })
    t.same(
      speaker
        .routes({ family: 'ipv4', view: 'accepted', peer: there.ipv4 })
        .map((route) => route.prefix)
        .sort(),
      ['10.50.0.0/24', '10.50.1.0/24'],
    )
    t.match(handle.status(), {
      counters: { malformedUpdates: 0 },
      negotiated: { as4: true, routeRefresh: true, enhancedRouteRefresh: true },
    })
    await speaker.stop({ reason: 'end of test' })
    await until('FRR has heard why', async () =>
      /end of test|Administrative Shutdown/i.test((await daemon.neighbor(here.ipv4)).text),
    )
    await daemon.stop()
  })
}

t.test('a wrong MD5 key: no session, and its log says why', async (t) => {
  const daemon = await frr({ password: 'wrong' })
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  const handle = speaker.peer({
    address: there.ipv4,
    asn: 65001,
    password: 'right',
    timers: { connectRetrySeconds: 1 },
  })
  await until('the session tells of the key', () => /MD5/.test(handle.status().lastError?.text ?? ''))
  t.not(handle.status().state, 'Established')
  await speaker.stop()
  await daemon.stop()
})

t.test('FRR is told of what we cannot accept, and we of what it cannot', async (t) => {
  const daemon = await frr({ asn: 64999 })
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  const handle = speaker.peer({ address: there.ipv4, asn: 65001 })
  await until('it is refused', () => handle.status().lastNotification !== undefined)
  t.match(handle.status().lastNotification, { code: 2, subcode: 2, text: /Bad Peer AS/ })
  await speaker.stop()
  await daemon.stop()
})
