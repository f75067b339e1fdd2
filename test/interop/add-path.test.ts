/*
 * ADD-PATH (RFC 7911) in both directions. Two origins in ASes of their own announce one prefix: through the daemon to
 * us, then through us to the daemon; each time both paths must arrive.
 */
import t from 'tap'
import { type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { type BirdSession, startBird } from './peers/bird.ts'
import { startFrr } from './peers/frr.ts'
import { startGobgp } from './peers/gobgp.ts'
import { startOpenbgpd } from './peers/openbgpd.ts'
import { type PeerNeighbor } from './peers/session.ts'

const hubAsn = 64512
const daemonAsn = 65001
const origins = [65011, 65012] as const
const prefix = '10.61.0.0/24'
const families = ['ipv4'] as const

/** A daemon between two origins and us; its session with us (`hub`) has ADD-PATH, the others don't. */
interface Middle {
  route(prefix: string): Promise<string>
  stop(): Promise<void>
}

type Start = (seat: Seat, hub: PeerNeighbor, others: readonly PeerNeighbor[]) => Promise<Middle>

const daemons: Readonly<Record<string, Start>> = {
  BIRD: ({ place, folder, there }, hub, others) => {
    const session = (name: string, { address, asn, ...terms }: PeerNeighbor): BirdSession => ({
      ...terms,
      name,
      local: there.ipv4,
      neighbor: address,
      neighborAs: asn,
    })
    return startBird(place, folder, {
      asn: daemonAsn,
      routerId: there.ipv4,
      sessions: [
        { ...session('hub', hub), channelExtra: ['add paths on;'] },
        ...others.map((each, index) => session(`origin${String(index)}`, each)),
      ],
    })
  },
  FRR: ({ place, folder, there }, hub, others) =>
    startFrr(place, folder, {
      asn: daemonAsn,
      routerId: there.ipv4,
      neighbors: [{ ...hub, familyExtra: ['addpath-tx-all-paths'] }, ...others],
    }),
  GoBGP: ({ place, folder, there }, hub, others) =>
    startGobgp(place, folder, {
      asn: daemonAsn,
      routerId: there.ipv4,
      neighbors: [{ ...hub, addPath: { receive: true, sendMax: 8 } }, ...others],
    }),
  OpenBGPD: ({ place, folder, there }, hub, others) =>
    startOpenbgpd(place, folder, {
      asn: daemonAsn,
      routerId: there.ipv4,
      neighbors: [{ ...hub, extra: ['announce add-path send all', 'announce add-path recv yes'] }, ...others],
    }),
}

let bench: Bench

t.jobs = 4
t.setTimeout(120_000)
t.before(async () => {
  bench = await openBench('addpath')
})
t.teardown(() => bench.close())

for (const [name, start] of Object.entries(daemons)) {
  t.test(`${name}: both paths go both ways`, { buffered: true }, async (t) => {
    const seat = await bench.seat(name.toLowerCase())
    const hub = seat.here.ipv4
    const addresses = origins.map((_, index) => hub.replace(/1$/, String(3 + index)))
    for (const address of addresses) await bench.address(`${address}/24`, seat.device)
    const only = (address: string) => ({
      interfaces: () => [{ device: seat.device, address, length: 24 }],
    })
    const neighbor = (address: string, asn: number): PeerNeighbor => ({
      address,
      asn,
      families,
      passive: true,
    })
    const daemon = await start(
      seat,
      neighbor(hub, hubAsn),
      addresses.map((address, index) => neighbor(address, origins[index] ?? 0)),
    )
    const timers = { connectRetrySeconds: 1 }

    const startOrigins = async (towards: string, asn: number): Promise<readonly Speaker[]> => {
      const speakers: Speaker[] = []
      for (const [index, address] of addresses.entries()) {
        const speaker = bench.speaker(
          { asn: origins[index] ?? 0, routerId: address, listen: [`${address}:179`] },
          only(address),
        )
        speakers.push(speaker)
        await speaker.ready()
        speaker.originate(prefix)
        speaker.peer({
          address: towards,
          asn,
          sourceAddress: address,
          localAddresses: { ipv4: address },
          timers,
        })
      }
      return speakers
    }
    const startHub = async (): Promise<Speaker> => {
      const speaker = bench.speaker({ asn: hubAsn, routerId: hub, listen: [`${hub}:179`] }, only(hub))
      await speaker.ready()
      speaker.peer({
        name: 'daemon',
        address: seat.there.ipv4,
        asn: daemonAsn,
        families,
        sourceAddress: hub,
        addPath: { receive: true, send: 4 },
        timers,
      })
      return speaker
    }

    const first = [await startHub(), ...(await startOrigins(seat.there.ipv4, daemonAsn))] as const
    const paths = await until(
      'both paths come through the daemon',
      () => {
        const held = first[0].routes({ family: 'ipv4', view: 'received', prefix })
        return held.length === 2 && held
      },
      { timeoutMs: 30_000 },
    )
    t.same(
      paths.map(({ attributes }) => attributes.find((one) => one.name === 'AS_PATH')?.value).sort(),
      origins.map((asn) => `${String(daemonAsn)} ${String(asn)}`),
    )
    t.equal(new Set(paths.map(({ pathId }) => pathId)).size, 2, 'each with a path identifier of its own')
    t.match(first[0].peers()[0], {
      counters: { malformedUpdates: 0 },
      negotiated: { addPathReceive: [/ipv4/i], addPathSend: [/ipv4/i] },
    })
    await first[1]?.stop()
    await until(
      'one is withdrawn, the other stays',
      () => first[0].routes({ family: 'ipv4', view: 'received', prefix }).length === 1,
    )
    await Promise.all(first.map((speaker) => speaker.stop()))
    await until('the daemon has lost all', async () => !/6501[12]/.test(await daemon.route(prefix)))

    const relay = await startHub()
    for (const [index, address] of addresses.entries()) {
      relay.peer({ address, asn: origins[index] ?? 0, sourceAddress: hub, passive: true })
    }
    const second = await startOrigins(hub, hubAsn)
    const has = async (asn: number): Promise<boolean> =>
      new RegExp(`${String(hubAsn)} ${String(asn)}\\b`).test(await daemon.route(prefix))
    await until(
      'the daemon has both paths through us',
      async () => (await has(origins[0])) && (await has(origins[1])),
      { timeoutMs: 30_000 },
    )
    await second[0]?.stop()
    await until('one is withdrawn', async () => !(await has(origins[0])))
    t.ok(await has(origins[1]), 'the other stays')
    await Promise.all([relay, ...second].map((speaker) => speaker.stop()))
    await daemon.stop()
  })
}
