/*
 * Every kind of session with every daemon. Each daemon has its own wire and all go at once; its cases go one after
 * another, each with a fresh daemon and a fresh speaker.
 */
import t, { type Test } from 'tap'
import { type PeerOptions, type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { type Daemon, type DaemonName, type DaemonOptions, daemonNames, startDaemon } from './peers/daemon.ts'
import { familyOf } from './peers/route.ts'

const theirRoutes = [
  { prefix: '10.50.0.0/24' },
  { prefix: '10.50.1.0/24' },
  { prefix: 'fd00:50::/64' },
] as const
const ourRoutes = ['10.60.0.0/26', '10.60.0.64/26', 'fd00:60::/64']

interface Case {
  readonly name: string
  readonly daemon: Omit<DaemonOptions, 'ourAsn'>
  readonly peer?: (seat: Seat) => Partial<PeerOptions>
  /** Daemons that cannot do it, with the reason. */
  readonly except?: Partial<Record<DaemonName, string>>
}

const cases: readonly Case[] = [
  { name: 'eBGP, we dial', daemon: { asn: 65001, passive: true } },
  {
    name: 'eBGP, the daemon dials',
    daemon: { asn: 65001 },
    peer: () => ({ passive: true }),
  },
  { name: 'eBGP, both dial', daemon: { asn: 65001 } },
  { name: 'eBGP with four-octet AS numbers', daemon: { asn: 4200000002 } },
  { name: 'iBGP', daemon: { asn: 64512 } },
  { name: 'eBGP over IPv6', daemon: { asn: 65001, overIpv6: true, families: ['ipv6'] } },
  { name: 'iBGP over IPv6', daemon: { asn: 64512, overIpv6: true, families: ['ipv6'] } },
  {
    name: 'eBGP, IPv4 alone: IPv6 is not negotiated',
    daemon: { asn: 65001, families: ['ipv4'] },
  },
  {
    name: 'eBGP from a range',
    daemon: { asn: 65001 },
    peer: ({ here }) => ({ range: here.ipv4.replace(/\.1$/, '.0/24'), name: 'rack' }),
  },
  {
    name: 'eBGP with MD5',
    daemon: { asn: 65001, password: 'correct-horse' },
    peer: () => ({ password: 'correct-horse' }),
    except: { openbgpd: 'OpenBGPD has MD5 on OpenBSD alone' },
  },
  {
    name: 'eBGP with GTSM',
    daemon: { asn: 65001, ttlSecurity: true },
    peer: () => ({ ttlSecurityHops: 1 }),
  },
  { name: 'eBGP with a hold time of 3 s', daemon: { asn: 65001, holdTimeSeconds: 3 } },
]

let bench: Bench

t.jobs = daemonNames.length
t.setTimeout(240_000)
t.before(async () => {
  bench = await openBench('matrix')
})
t.teardown(() => bench.close())

for (const name of daemonNames) {
  t.test(name, { buffered: true }, async (t) => {
    const seat = await bench.seat(name)
    for (const one of cases) {
      const refused = one.except?.[name]
      if (refused !== undefined) {
        t.comment(`${name}, ${one.name}: ${refused}`)
        continue
      }
      await t.test(one.name, (t) => session(t, name, seat, one))
    }
  })
}

async function session(
  t: Test,
  name: DaemonName,
  seat: Seat,
  { daemon: options, peer }: Case,
): Promise<void> {
  const daemon = await startDaemon(name, seat, { ...options, ourAsn: 64512, routes: theirRoutes })
  const speaker = bench.speaker({ asn: 64512, listen: [`${seat.here.ipv4}:179`, `[${seat.here.ipv6}]:179`] })
  try {
    await speaker.ready()
    for (const prefix of ourRoutes) speaker.originate(prefix, { communities: ['64512:7'] })
    const more = peer?.(seat) ?? {}
    speaker.peer({
      asn: options.asn,
      ...(more.range === undefined
        ? { address: options.overIpv6 === true ? seat.there.ipv6 : seat.there.ipv4 }
        : {}),
      timers: { connectRetrySeconds: 1 },
      ...more,
    })
    await exchange(t, speaker, daemon, seat, options)
  } finally {
    await speaker.stop()
    await daemon.stop()
  }
}

async function exchange(
  t: Test,
  speaker: Speaker,
  daemon: Daemon,
  { there }: Seat,
  { families = ['ipv4', 'ipv6'], holdTimeSeconds, asn, overIpv6 }: Case['daemon'],
): Promise<void> {
  const status = () => speaker.peers()[0]
  // Over an IPv4 session OpenBGPD on Linux names :: as the next hop of its IPv6 routes: treated as withdrawn (RFC 7606).
  const unusable = daemon.name === 'openbgpd' && overIpv6 !== true && families.includes('ipv6')
  await until(
    'both sides call the session established',
    async () => status()?.state === 'Established' && (await daemon.established()),
  ).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${status()?.lastError?.text ?? ''} ${await daemon.session()}`)
  })
  for (const family of ['ipv4', 'ipv6'] as const) {
    const mine = (prefix: string): boolean => families.includes(family) && familyOf(prefix) === family
    const ours = ourRoutes.filter(mine)
    await until(`the daemon has our ${family} routes`, async () => {
      return (await daemon.learned(family)).length === ours.length
    })
    t.same(await daemon.learned(family), ours, `the daemon has our ${family} routes`)
    const theirs = unusable && family === 'ipv6' ? [] : theirRoutes.map(({ prefix }) => prefix).filter(mine)
    await until(`we have its ${family} routes`, () => {
      return status()?.prefixes[family].accepted === theirs.length
    })
    const held = speaker.routes({ family, view: 'accepted' }).filter((route) => !route.local)
    t.same(held.map(({ prefix }) => prefix).sort(), theirs, `we have its ${family} routes`)
    const mapped = daemon.name === 'gobgp' && family === 'ipv6' && overIpv6 !== true
    // Over an IPv4 session GoBGP names its IPv4 address, mapped into IPv6.
    const expected = mapped ? `::ffff:${there.ipv4}` : there[family]
    for (const { prefix, nextHop } of held) t.equal(nextHop, expected, `${prefix} is reached over the daemon`)
    for (const prefix of ours) t.match(await daemon.route(prefix), /64512[:, ]+7\b/, 'with their community')
  }
  await until('its bad next hop is counted', () => !unusable || status()?.counters.malformedUpdates === 1)
  t.match(status(), {
    type: asn === 64512 ? 'internal' : 'external',
    counters: { malformedUpdates: unusable ? 1 : 0, established: 1, dropped: 0 },
    negotiated: { as4: true, routeRefresh: true, holdTimeSeconds: holdTimeSeconds ?? 90 },
  })
  t.same(status()?.negotiated?.families.length, families.length)
  if (holdTimeSeconds === undefined) return
  const heard = status()?.counters.messagesIn ?? 0
  const since = performance.now()
  await until('the hold time has passed, and keepalives have come', () => {
    const now = status()?.counters.messagesIn ?? 0
    return performance.now() - since > holdTimeSeconds * 1000 + 500 && now >= heard + 3
  })
  t.match(status(), { state: 'Established', counters: { established: 1, dropped: 0 } }, 'it holds')
  t.ok(await daemon.established())
}
