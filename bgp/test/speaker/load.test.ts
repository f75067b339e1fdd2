import net from 'node:net'
import { performance } from 'node:perf_hooks'
import { type Prefix, address, formatPrefix } from '@network/net'
import t from 'tap'
import {
  encodeAttributes,
  encodeKeepalive,
  encodeOpen,
  encodeUpdate,
  ipv4Unicast,
  makeOpen,
  nlriRun,
  plainContext,
} from '../../src/codec/index.ts'
import { type PeerStatus, type Speaker, createSpeaker } from '../../src/index.ts'
import { FakeClock } from './fake-network.ts'
import { type RawPeer, RawWire } from './raw-peer.ts'

const running: Speaker[] = []
const sockets: net.Socket[] = []

t.setTimeout(90_000)

t.afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(running.splice(0).map((speaker) => speaker.stop()))
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

t.test(
  'a dead reader gets keepalives on time and nothing else, and is given up by the send hold timer',
  async (t) => {
    const clock = new FakeClock()
    const wire = new RawWire()
    const speaker = createSpeaker(
      { asn: 64512, routerId: '10.0.0.1', listen: ['10.0.0.1:179'] },
      {
        clock,
        sockets: wire.sockets,
        interfaces: () => [{ device: 'eth0', address: '10.0.0.1', length: 24 }],
      },
    )
    running.push(speaker)
    await speaker.ready()
    const join = (n: number): RawPeer => {
      speaker.peer({
        address: `10.0.0.${n}`,
        asn: 'internal',
        passive: true,
        timers: { holdTimeSeconds: 9, sendHoldSeconds: 60 },
      })
      const peer = wire.dial(`10.0.0.${n}`)
      peer.open({ asn: 64512, routerId: 0x0a000000 + n })
      return peer
    }
    const [dead, alive] = [join(2), join(3)]
    await turn()
    dead.written = []
    dead.backlog = 70_000
    alive.written = []
    const sentAt: number[] = []
    dead.onWrite = () => void sentAt.push(clock.monotonic())
    const began = clock.monotonic()
    for (let second = 0; second < 50; second++) {
      for (let i = 0; i < 200; i++) speaker.originate(`10.1.${i}.0/24`, { med: second })
      clock.advance(1000)
      await turn()
      for (const peer of [dead, alive]) peer.send(encodeKeepalive())
    }
    t.notOk(dead.closed)
    t.same(
      [...new Set(dead.messages().map((message) => message.type))],
      ['keepalive'],
      'no route is encoded for it',
    )
    const gaps = [began, ...sentAt].slice(0, -1).map((at, i) => (sentAt[i] ?? at) - at)
    t.ok(
      sentAt.length >= 16 && Math.max(...gaps) <= 3000,
      `${sentAt.length} keepalives, the longest gap ${Math.max(...gaps)} ms`,
    )
    t.equal(
      alive.messages().filter((message) => message.type === 'update').length >= 50,
      true,
      'the other one has every change',
    )
    for (let second = 0; second < 12; second++) {
      clock.advance(1000)
      for (const peer of [dead, alive]) peer.send(encodeKeepalive())
    }
    t.ok(dead.closed, 'a minute after it has taken something for the last time')
    t.match(dead.messages().at(-1), { type: 'notification', code: 8 })
    t.match(speaker.peers()[1], { state: 'Established', counters: { dropped: 0 } })
  },
)

const routes = 300_000
const perSet = 10
const rounds = 6

const lastPrefix = formatPrefix(prefixAt(routes - 1))

function prefixAt(index: number): Prefix {
  return { address: { family: 'ipv4', w0: 0x14000000 + index * 256, w1: 0, w2: 0, w3: 0 }, length: 24 }
}

/** A table as UPDATEs, ten prefixes to an attribute set; a community tells one round from another. */
function table(round: number, ownAs: number): Uint8Array {
  const messages: Uint8Array[] = []
  for (let at = 0; at < routes; at += perSet) {
    const prefixes = Array.from({ length: perSet }, (_, i) => ({ prefix: prefixAt(at + i) }))
    const attributes = encodeAttributes(
      {
        origin: 'igp',
        asPath: [{ type: 'sequence', asns: [ownAs, 1 + (at % 60_000)] }],
        nextHop: address('10.0.0.9'),
        communities: [0xfe080000 + round],
      },
      plainContext,
    )
    messages.push(
      encodeUpdate(
        { announced: [nlriRun(ipv4Unicast, prefixes, Uint8Array.of(10, 0, 0, 9))], attributes },
        plainContext,
      ),
    )
  }
  return Buffer.concat(messages)
}

interface Client {
  readonly socket: net.Socket
  readonly address: string
  bytes: number
  /** Moments at which something came. */
  readonly heardAt: number[]
}

async function client(port: number, n: number, asn: number, holdTimeSeconds: number): Promise<Client> {
  const own = `127.0.0.${n}`
  const socket = net.connect({ host: '127.0.0.31', port, localAddress: own, noDelay: true })
  sockets.push(socket)
  const one: Client = { socket, address: own, bytes: 0, heardAt: [] }
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => {
    one.bytes += bytes.length
    one.heardAt.push(performance.now())
  })
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(
    encodeOpen(
      makeOpen({
        asn,
        routerId: 0x0a000000 + n,
        holdTimeSeconds,
        capabilities: [
          { kind: 'multiprotocol', afiSafi: ipv4Unicast },
          { kind: 'as4', asn },
        ],
      }),
    ),
  )
  socket.write(encodeKeepalive())
  return one
}

t.test(
  `a session of 3 s hold time beside ${rounds} tables of ${routes} routes, and a reader that stops`,
  async (t) => {
    const speaker = createSpeaker({ asn: 64512, routerId: '10.0.0.1', listen: ['127.0.0.31:0'] })
    running.push(speaker)
    const [bound] = await speaker.ready()
    const nothing = { rules: [], otherwise: 'reject' } as const
    for (const [n, asn, quiet] of [
      [32, 65032, false],
      [33, 65033, true],
      [34, 65034, false],
      [35, 65035, false],
    ] as const) {
      speaker.peer({
        address: `127.0.0.${n}`,
        asn,
        passive: true,
        multihop: 1,
        localAddresses: { ipv4: '10.0.0.1' },
        ...(quiet ? { export: nothing } : {}),
      })
    }
    const port = bound?.port ?? 0
    const feeder = await client(port, 32, 65032, 90)
    const short = await client(port, 33, 65033, 3)
    const quick = await client(port, 34, 65034, 90)
    const stopped = await client(port, 35, 65035, 90)
    const status = (address: string): PeerStatus | undefined =>
      speaker.peers().find((peer) => peer.address === address)
    const until = async (what: string, probe: () => boolean): Promise<void> => {
      const end = performance.now() + 30_000
      while (!probe()) {
        if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
    await until('all are up', () => speaker.peers().every(({ state }) => state === 'Established'))
    stopped.socket.pause()
    const beats = setInterval(() => {
      for (const { socket } of [feeder, short, quick]) socket.write(encodeKeepalive())
    }, 900)
    const tables = Array.from({ length: rounds }, (_, round) => table(round, 65032))
    const began = performance.now()
    short.heardAt.length = 0
    for (const [round, bytes] of tables.entries()) {
      const before = quick.bytes
      await new Promise((resolve) => feeder.socket.write(bytes, resolve))
      await until('the table is taken in and passed on', () => {
        const [last] = speaker.routes({
          family: 'ipv4',
          view: 'advertised',
          peer: quick.address,
          prefix: lastPrefix,
        })
        const communities = last?.attributes.find(({ name }) => name === 'COMMUNITIES')?.value
        const { bytesOut } = status(quick.address)?.counters ?? {}
        // What is sent on is longer than what came: our AS number has been added.
        const whole = quick.bytes - before >= bytes.length
        return whole && communities === `65032:${round}` && quick.bytes === bytesOut
      })
      t.equal(status(feeder.address)?.prefixes.ipv4.accepted, routes)
    }
    // Long enough for the hold time to have expired if anything had been held up.
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 4000 - (performance.now() - began))))
    await until(
      'the quick reader has the last round',
      () => quick.bytes === (status(quick.address)?.counters.bytesOut ?? 0),
    )
    clearInterval(beats)
    const seconds = (performance.now() - began) / 1000
    const gaps = short.heardAt.map((at, i) => at - (i === 0 ? began : (short.heardAt[i - 1] ?? began)))
    const lateMs = Math.max(...gaps) - 1000
    t.match(status(short.address), { state: 'Established', counters: { dropped: 0 } })
    t.ok(
      lateMs < 1000,
      `the latest keepalive came ${lateMs.toFixed(0)} ms after its second, in ${seconds.toFixed(1)} s`,
    )
    t.match(status(stopped.address), { state: 'Established', counters: { dropped: 0 } })
    const heldMiB = (status(stopped.address)?.counters.bytesOut ?? 0) / 1048576
    const sentMiB = quick.bytes / 1048576
    t.ok(sentMiB > 8, `the quick reader got ${sentMiB.toFixed(1)} MiB`)
    t.ok(
      heldMiB < sentMiB,
      `for the stopped one ${heldMiB.toFixed(1)} MiB were encoded: what kernels hold, and no more`,
    )
    t.comment(`latest keepalive ${lateMs.toFixed(0)} ms, ${seconds.toFixed(1)} s in all`)
  },
)
