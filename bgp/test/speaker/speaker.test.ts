import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Log } from '@network/net'
import t from 'tap'
import { type BestBatch, type Speaker, type SpeakerOptions, createSpeaker } from '../../src/index.ts'
import { FakeClock, FakeNetwork } from './fake-network.ts'
import { RawWire } from './raw-peer.ts'

/*
 * Speakers of one process over loopback: each has an address of 127.0.0.0/8 and a port that was free.
 */
interface Host {
  readonly speaker: Speaker
  readonly address: string
  readonly nextHop: string
  readonly port: number
}

const running: Speaker[] = []

t.afterEach(async () => {
  await Promise.all(running.splice(0).map((speaker) => speaker.stop()))
})

async function host(n: number, options: Partial<SpeakerOptions> = {}): Promise<Host> {
  const address = `127.0.0.${n}`
  const speaker = createSpeaker({ asn: 64512, routerId: `10.0.0.${n}`, listen: [`${address}:0`], ...options })
  running.push(speaker)
  const [bound] = await speaker.ready()
  if (bound === undefined) throw new Error('not listening')
  return { speaker, address, nextHop: `10.0.0.${n}`, port: bound.port }
}

/** How `from` names `to` as its peer. */
const to = (from: Host, peer: Host, asn: number | 'internal' | 'external' = 'internal') =>
  ({
    name: peer.address,
    address: peer.address,
    port: peer.port,
    sourceAddress: from.address,
    asn,
    multihop: 1,
    // 127.0.0.0/8 is no next hop: on the wire each host is 10.0.0.n.
    localAddresses: { ipv4: from.nextHop },
    timers: { connectRetrySeconds: 0.2, idleHoldSeconds: 0.1 },
  }) as const

async function until(what: string, probe: () => boolean): Promise<void> {
  const end = Date.now() + 10_000
  while (!probe()) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const state = ({ speaker }: Host, peer: Host): string | undefined =>
  speaker.peers().find((one) => one.address === peer.address)?.state

const prefixes = ({ speaker }: Host): string[] =>
  speaker
    .routes({ family: 'ipv4' })
    .map((route) => route.prefix)
    .sort()

t.test('two speakers: one dials, routes go both ways and go with their handles', async (t) => {
  const [a, b] = [await host(11), await host(12)]
  a.speaker.peer(to(a, b))
  b.speaker.peer({ ...to(b, a), passive: true })
  const mine = a.speaker.originate('10.1.0.0/26')
  b.speaker.originate('10.2.0.0/26')
  await until('both have both', () => prefixes(a).length === 2 && prefixes(b).length === 2)
  t.match(b.speaker.routes({ family: 'ipv4', prefix: '10.1.0.0/26' }), [
    { peer: a.address, local: false, nextHop: a.nextHop },
  ])
  mine.dispose()
  mine.dispose()
  await until('it is withdrawn', () => prefixes(b).join() === '10.2.0.0/26')
  t.match(b.speaker.explain('10.2.0.0/26'), [{ decidedBy: 'best', local: true }])
  t.same(structuredClone(a.speaker.peers()), a.speaker.peers(), 'what is shown can cross threads')
})

t.test(
  'ECMP: two peers with the same prefix are two next hops; one that goes leaves the other',
  async (t) => {
    const [a, b, c] = [await host(11, { asn: 65000 }), await host(12), await host(13)]
    for (const other of [b, c]) {
      a.speaker.peer(to(a, other, 64512))
      other.speaker.peer({ ...to(other, a, 65000), passive: true })
      other.speaker.originate('10.9.0.0/24')
    }
    const seen: BestBatch[] = []
    void (async () => {
      for await (const batch of a.speaker.best('ipv4')) seen.push(batch)
    })()
    const last = () => seen.flatMap((batch) => batch.changes).at(-1)
    await until('both next hops are there', () => last()?.nextHops.length === 2)
    t.same(
      last()
        ?.nextHops.map((hop) => hop.address)
        .sort(),
      [b.nextHop, c.nextHop],
    )
    await c.speaker.stop()
    await until('one is left', () => last()?.nextHops.length === 1)
    t.same(last()?.nextHops, [{ address: b.nextHop, interface: undefined }])
    await b.speaker.stop()
    await until('none is left', () => last()?.nextHops.length === 0)
  },
)

t.test('a slow consumer of best routes gets what is true then, each prefix once', async (t) => {
  const [a, b] = [await host(11), await host(12)]
  a.speaker.peer(to(a, b))
  b.speaker.peer({ ...to(b, a), passive: true })
  const reader = a.speaker.best('ipv4')[Symbol.asyncIterator]()
  await until('the session is up', () => state(a, b) === 'Established')
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 200; i++) b.speaker.originate(`10.${i}.0.0/16`, { med: round })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await until('all have come', () => prefixes(a).length === 200)
  const names: string[] = []
  while (names.length < 200) {
    const { value } = (await reader.next()) as IteratorResult<BestBatch, undefined>
    names.push(...(value?.changes.map((change) => change.prefix) ?? []))
  }
  t.equal(new Set(names).size, names.length, 'no prefix twice')
  await reader.return?.()
  t.match(await reader.next(), { done: true })
})

t.test('converged is told when every reachable peer has told its routes, and not before', async (t) => {
  const b = await host(12)
  for (let i = 0; i < 100; i++) b.speaker.originate(`10.${i}.0.0/16`)
  const a = await host(11)
  const nobody = { ...to(a, b), name: 'nobody', address: '127.0.0.99' } as const
  const batches: BestBatch[] = []
  void (async () => {
    for await (const batch of a.speaker.best('ipv4')) batches.push(batch)
  })()
  b.speaker.peer({ ...to(b, a), passive: true })
  await a.speaker.apply({ peers: [to(a, b), nobody], routes: [] })
  await until('it is told', () => batches.at(-1)?.converged === true)
  const before = batches.findIndex((batch) => batch.converged)
  const told = batches.slice(0, before + 1).reduce((sum, batch) => sum + batch.changes.length, 0)
  t.equal(told, 100)
})

t.test(
  'a restarting speaker sends its own routes at once and selects when all have told theirs',
  async (t) => {
    const [b, c] = [await host(12), await host(13)]
    b.speaker.originate('10.2.0.0/16')
    c.speaker.originate('10.3.0.0/16')
    const a = await host(11, { gracefulRestart: { restarting: true, selectionDeferralSeconds: 30 } })
    const batches: BestBatch[] = []
    void (async () => {
      for await (const batch of a.speaker.best('ipv4')) batches.push(batch)
    })()
    b.speaker.peer({ ...to(b, a), passive: true })
    // c dials, and comes late.
    await a.speaker.apply({
      peers: [to(a, b), { ...to(a, c), passive: true }],
      routes: [{ prefix: '10.1.0.0/26' }],
    })
    await until("b has a's route", () => prefixes(b).includes('10.1.0.0/26'))
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.same(
      batches.flatMap((batch) => batch.changes).filter((change) => !change.local),
      [],
      'nothing is selected while c is awaited',
    )
    c.speaker.peer(to(c, a))
    await until('both are selected', () => batches.at(-1)?.converged === true)
    t.same(
      batches
        .flatMap((batch) => batch.changes.filter((change) => !change.local))
        .map((change) => change.prefix)
        .sort(),
      ['10.2.0.0/16', '10.3.0.0/16'],
    )
  },
)

t.test(
  'make before break: a peer that goes stays until the one that comes has told its routes',
  async (t) => {
    const [a, old, fresh] = [await host(11), await host(12), await host(13)]
    for (const other of [old, fresh]) other.speaker.originate('10.9.0.0/24')
    old.speaker.peer({ ...to(old, a), passive: true })
    await a.speaker.apply({ peers: [to(a, old)], routes: [] })
    await until('the route is there', () => prefixes(a).length === 1)
    let missing = 0
    void (async () => {
      for await (const batch of a.speaker.best('ipv4')) {
        missing += batch.changes.filter((change) => change.nextHops.length === 0).length
      }
    })()
    const report = await a.speaker.apply({ peers: [to(a, fresh)], routes: [] })
    t.match(report, { added: [fresh.address], removed: [old.address] })
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.equal(state(a, old), 'Established', 'kept while nobody has come')
    fresh.speaker.peer({ ...to(fresh, a), passive: true })
    await until('the old one is gone', () => state(a, old) === undefined)
    t.equal(state(a, fresh), 'Established')
    t.equal(missing, 0, 'there was a route all the time')
  },
)

t.test(
  'a reader that takes nothing costs one bit per change, delays nobody and gets what is true in the end',
  async (t) => {
    const clock = new FakeClock()
    const network = new FakeNetwork(clock)
    const make = (n: number): Speaker => {
      const options = { asn: 64512, routerId: `10.0.0.${n}`, listen: [`10.0.0.${n}:179`] }
      const interfaces = () => [{ device: 'eth0', address: `10.0.0.${n}`, length: 24 }]
      const speaker = createSpeaker(options, { clock, sockets: network.host(`10.0.0.${n}`), interfaces })
      running.push(speaker)
      return speaker
    }
    const turn = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        await new Promise((resolve) => setImmediate(resolve))
        clock.advance(1)
      }
    }
    const [a, slow, quick] = [make(1), make(2), make(3)]
    await Promise.all([slow.ready(), quick.ready()])
    for (const [n, speaker] of [
      [2, slow],
      [3, quick],
    ] as const) {
      speaker.peer({ address: '10.0.0.1', asn: 'internal', passive: true })
      a.peer({ name: `to ${n}`, address: `10.0.0.${n}`, asn: 'internal' })
    }
    await turn()
    t.match(a.peers(), [{ state: 'Established' }, { state: 'Established' }])
    const received = (speaker: Speaker): string[] =>
      speaker
        .routes({ family: 'ipv4' })
        .map(
          (route) =>
            `${route.prefix} ${route.attributes.find(({ name }) => name === 'MULTI_EXIT_DISC')?.value ?? ''}`,
        )

    const end = network.ends.find(
      (one) => one.localAddress === '10.0.0.1' && one.remoteAddress === '10.0.0.2',
    )
    if (end === undefined) throw new Error('no connection')
    end.backlog = 70_000
    const before = a.peers()[0]?.counters.bytesOut
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 200; i++) a.originate(`10.1.${i}.0/24`, { med: round })
      await turn()
      t.equal(received(quick).length, 200, 'the other one has all')
    }
    t.equal(a.peers()[0]?.counters.bytesOut, before, 'nothing is encoded for the slow one')
    t.equal(received(slow).length, 0)
    end.backlog = 0
    end.handlers?.drained()
    await turn()
    t.same(received(slow).sort(), received(quick).sort())
    const { updatesOut = 0 } = a.peers()[0]?.counters ?? {}
    t.ok(updatesOut < 10, `${updatesOut} UPDATEs for ten rounds of changes that have become one`)
  },
)

t.test('nobody is taken for a peer who is none', async (t) => {
  const [a, b] = [await host(11), await host(12)]
  a.speaker.peer({ ...to(a, b), address: '127.0.0.99', passive: true })
  b.speaker.peer(to(b, a))
  await until('it was turned away', () => b.speaker.peers()[0]?.lastNotification !== undefined)
  t.match(b.speaker.peers()[0]?.lastNotification, { direction: 'received', code: 6, subcode: 5 })
  t.equal(a.speaker.peers().length, 1)
})

t.test('prefixLimit.out leaves the rest out and says so', async (t) => {
  const [a, b] = [await host(11), await host(12)]
  b.speaker.peer({ ...to(b, a), passive: true })
  for (let i = 0; i < 5; i++) a.speaker.originate(`10.1.${i}.0/24`)
  const peer = a.speaker.peer({ ...to(a, b), prefixLimit: { out: { ipv4: 3 } } })
  await until('three are there', () => prefixes(b).length === 3)
  t.same(peer.status().outLimitReached, ['ipv4'])
  await a.speaker.apply({ peers: [to(a, b)], routes: [{ prefix: '10.1.0.0/24' }] })
  await until('one is there', () => prefixes(b).length === 1)
  t.same(peer.status().outLimitReached, [])
})

t.test('connections that are no peer’s are logged once a minute', async (t) => {
  const clock = new FakeClock()
  const wire = new RawWire()
  const lines: string[] = []
  const log: Log = {
    debug: () => undefined,
    info: (_data, message) => void lines.push(message),
    warn: () => undefined,
    error: () => undefined,
    child: () => log,
  }
  const options = { asn: 64512, routerId: '10.0.0.1', listen: ['10.0.0.1:179'] }
  const speaker = createSpeaker(options, { clock, sockets: wire.sockets, log })
  running.push(speaker)
  await speaker.ready()
  speaker.peer({ address: '10.0.0.2', asn: 65001, passive: true })
  for (let i = 0; i < 100; i++) {
    const stranger = wire.dial('10.0.0.9')
    t.ok(stranger.closed)
    t.match(stranger.messages(), [{ type: 'notification', code: 6, subcode: 5 }])
  }
  t.equal(lines.length, 1)
  clock.advance(61_000)
  t.match(lines[1], /last of 99 in a minute/)
  clock.advance(600_000)
  t.equal(lines.length, 2)
})

t.test('a range takes whoever comes from it, and forgets who goes', async (t) => {
  const [a, b, c] = [await host(11), await host(12), await host(13)]
  a.speaker.peer({
    name: 'rack',
    range: '127.0.0.0/24',
    asn: 'internal',
    routeReflectorClient: true,
    multihop: 1,
  })
  for (const one of [b, c]) {
    one.speaker.peer(to(one, a))
    one.speaker.originate(`10.${one.port % 200}.0.0/16`)
  }
  await until(
    'both are there',
    () => a.speaker.peers().filter((peer) => peer.state === 'Established').length === 2,
  )
  t.match(a.speaker.peers(), [{ range: 'rack' }, { range: 'rack' }])
  await until('each has the route of the other', () => prefixes(b).length === 2 && prefixes(c).length === 2)
  await c.speaker.stop()
  await until('it is forgotten', () => a.speaker.peers().length === 1)
})

t.test('apply refuses a state that makes no sense before anything has changed', async (t) => {
  const [a, b] = [await host(11), await host(12)]
  b.speaker.peer({ ...to(b, a), passive: true })
  await a.speaker.apply({ peers: [to(a, b)], routes: [{ prefix: '10.1.0.0/26' }] })
  await until('up', () => state(a, b) === 'Established')
  const wrong = [
    { peers: [], routes: [{ prefix: '10.1.0.1/26' }] },
    { peers: [{ ...to(a, b), asn: -1 }], routes: [] },
    { peers: [], routes: [{ prefix: '10.1.0.0/26', attributes: { med: -1 } }] },
    {
      peers: [
        { ...to(a, b), export: { rules: [{ match: { communities: ['?'] }, then: 'accept' as const }] } },
      ],
      routes: [],
    },
  ]
  for (const desired of wrong) await t.rejects(a.speaker.apply(desired), { code: 'invalid-options' })
  t.equal(state(a, b), 'Established')
  t.same(prefixes(a), ['10.1.0.0/26'])
  t.throws(() => a.speaker.peer(to(a, b)), { code: 'duplicate-peer' })
  t.throws(() => a.speaker.routes({ family: 'ipv4', view: 'advertised', peer: 'nobody' }), {
    code: 'unknown-peer',
  })
})

t.test('a stopped speaker refuses, and leaves nothing that would keep its process alive', async (t) => {
  const a = await host(11)
  await a.speaker.stop()
  await a.speaker.stop()
  t.throws(() => a.speaker.originate('10.0.0.0/8'), { code: 'stopped' })
  await t.rejects(a.speaker.apply({ peers: [], routes: [] }), { code: 'stopped' })

  const program = `
    import { createSpeaker } from '@network/bgp'
    const speaker = createSpeaker({ asn: 64512, routerId: '10.0.0.1', listen: ['127.0.0.15:0'] })
    await speaker.ready()
    speaker.peer({ address: '127.0.0.16', asn: 65001, port: 1 })
    speaker.originate('10.0.0.0/8')
    void (async () => { for await (const batch of speaker.best('ipv4')) void batch })()
    setTimeout(() => speaker.stop(), 300)
  `
  const args = ['--import=tsx', '--conditions=@network/source', '--input-type=module', '-e', program]
  const began = Date.now()
  await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname, timeout: 20_000 })
  t.ok(Date.now() - began < 20_000)
})
