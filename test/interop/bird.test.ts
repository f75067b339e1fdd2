import path from 'node:path'
import t from 'tap'
import { type BestChange, type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, here, openBench, there } from './bench.ts'
import { type Bird, type BirdOptions, type BirdSession, startBird } from './peers/bird.ts'

const birdRoutes = ['10.50.0.0/24', '10.50.1.0/24', 'fd00:50::/64']
const ourRoutes = ['10.60.0.0/26', '10.60.0.64/26', 'fd00:60::/64']

let bench: Bench
let run = 0

t.setTimeout(120_000)

t.before(async () => {
  bench = await openBench('bird')
})

t.teardown(async () => {
  await bench.close()
})

function bird(session: Partial<BirdSession>, options: Partial<BirdOptions> = {}): Promise<Bird> {
  return startBird(bench.peer, path.join(bench.lab.folder, `bird${run++}`), {
    asn: 65001,
    routerId: there.ipv4,
    routes: birdRoutes,
    sessions: [
      {
        name: 'drover',
        local: there.ipv4,
        neighbor: here.ipv4,
        neighborAs: 64512,
        families: ['ipv4', 'ipv6'],
        ...session,
      },
    ],
    ...options,
  })
}

/** What a consumer of best routes holds, kept from the batches. */
function follow(speaker: Speaker, family: 'ipv4' | 'ipv6') {
  const table = new Map<string, BestChange>()
  const state = { table, converged: false }
  void (async () => {
    for await (const batch of speaker.best(family)) {
      for (const change of batch.changes) {
        if (change.nextHops.length === 0 && !change.local) table.delete(change.prefix)
        else table.set(change.prefix, change)
      }
      state.converged = batch.converged
    }
  })()
  return state
}

const learned = (table: ReadonlyMap<string, BestChange>): string[] =>
  [...table.values()].flatMap((change) => (change.local ? [] : [change.prefix])).sort()

async function both(speaker: Speaker, daemon: Bird): Promise<void> {
  await until('both sides call the session established', async () => {
    return speaker.peers()[0]?.state === 'Established' && (await daemon.established('drover'))
  })
}

const sessions: readonly {
  name: string
  asn: number
  birdAs: number
  bird: Partial<BirdSession>
  peer: object
}[] = [
  { name: 'eBGP, we dial', asn: 64512, birdAs: 65001, bird: { passive: true }, peer: {} },
  { name: 'eBGP, BIRD dials', asn: 64512, birdAs: 65001, bird: {}, peer: { passive: true } },
  { name: 'eBGP, both dial', asn: 64512, birdAs: 65001, bird: {}, peer: {} },
  { name: 'iBGP', asn: 64512, birdAs: 64512, bird: {}, peer: {} },
  { name: 'eBGP with four-octet AS numbers', asn: 4200000001, birdAs: 4200000002, bird: {}, peer: {} },
  {
    name: 'eBGP over IPv6',
    asn: 64512,
    birdAs: 65001,
    bird: { local: there.ipv6, neighbor: here.ipv6, families: ['ipv6'] },
    peer: { address: there.ipv6 },
  },
  {
    name: 'eBGP with the right MD5 key',
    asn: 64512,
    birdAs: 65001,
    bird: { password: 'correct horse' },
    peer: { password: 'correct horse' },
  },
  {
    name: 'eBGP with the right MD5 key, BIRD dials',
    asn: 64512,
    birdAs: 65001,
    bird: { password: 'correct horse' },
    peer: { password: 'correct horse', passive: true },
  },
  {
    name: 'eBGP with GTSM',
    asn: 64512,
    birdAs: 65001,
    bird: { ttlSecurity: true },
    peer: { ttlSecurityHops: 1 },
  },
  {
    name: 'eBGP from a range',
    asn: 64512,
    birdAs: 65001,
    bird: {},
    peer: { address: undefined, range: '10.99.0.0/24', name: 'rack' },
  },
]

for (const { name, asn, birdAs, bird: session, peer } of sessions) {
  t.test(`${name}: routes of both families go both ways`, async (t) => {
    const daemon = await bird({ ...session, neighborAs: asn }, { asn: birdAs })
    const speaker = bench.speaker({ asn })
    await speaker.ready()
    const v4 = follow(speaker, 'ipv4')
    const v6 = follow(speaker, 'ipv6')
    for (const prefix of ourRoutes) speaker.originate(prefix, { communities: ['64512:7'] })
    const { address = there.ipv4, ...options } = { address: there.ipv4, ...peer } as { address?: string }
    const range = 'range' in options
    speaker.peer({ asn: birdAs, ...(range ? {} : { address }), ...options })
    await both(speaker, daemon)

    const v6Only = session.families?.length === 1
    const wanted = ourRoutes.filter((prefix) => !v6Only || prefix.includes(':'))
    await until('BIRD has our routes', async () => (await daemon.learned('drover')).length === wanted.length)
    t.same(await daemon.learned('drover'), [...wanted].sort())
    t.match(await daemon.route('fd00:60::/64'), /\(64512,7\)/, 'with their community')
    await until(
      "we have BIRD's routes",
      () => v6.table.has('fd00:50::/64') && (v6Only || v4.table.size === 4),
    )
    t.same(learned(v4.table), v6Only ? [] : ['10.50.0.0/24', '10.50.1.0/24'])
    t.same(learned(v6.table), ['fd00:50::/64'])
    if (!v6Only) {
      t.match(v4.table.get('10.50.0.0/24'), { nextHops: [{ address: there.ipv4 }], local: false })
    }
    t.equal(v6.table.get('fd00:50::/64')?.nextHops[0]?.address, there.ipv6)
    await until('everything has been told', () => v4.converged && v6.converged)

    const before = speaker.peers()[0]
    t.match(before, {
      prefixes: { ipv6: { received: 1, accepted: 1, advertised: 1 } },
      counters: { malformedUpdates: 0 },
    })
    await speaker.stop({ reason: 'the test is over' })
    await until('BIRD has lost our routes', async () => (await daemon.learned('drover')).length === 0)
    t.match((await daemon.protocol('drover')).text, /the test is over|Administrative shutdown/i)
    await daemon.stop()
  })
}

t.test('a withdrawn route is withdrawn, and comes back', async (t) => {
  const daemon = await bird({})
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  speaker.peer({ address: there.ipv4, asn: 65001 })
  const route = speaker.originate('10.60.0.0/26')
  await until('BIRD has it', async () => (await daemon.learned('drover')).length === 1)
  route.dispose()
  await until('BIRD has lost it', async () => (await daemon.learned('drover')).length === 0)
  speaker.originate('10.60.0.0/26', { med: 7 })
  await until('BIRD has it again', async () => (await daemon.route('10.60.0.0/26')).includes('BGP.med: 7'))
  const [status] = speaker.peers()
  t.equal(status?.counters.established, 1)
  await speaker.stop()
  await daemon.stop()
})

t.test('a wrong MD5 key and a missing one: no session, and the log of the session says why', async (t) => {
  for (const [ours, theirs] of [
    ['right', 'wrong'],
    ['right', undefined],
    [undefined, 'right'],
  ] as const) {
    const daemon = await bird(theirs === undefined ? {} : { password: theirs })
    const speaker = bench.speaker({ asn: 64512 })
    await speaker.ready()
    const peer = speaker.peer({
      address: there.ipv4,
      asn: 65001,
      ...(ours === undefined ? {} : { password: ours }),
      timers: { connectRetrySeconds: 1 },
    })
    await until('the session tells of the key', () => /MD5/.test(peer.status().lastError?.text ?? ''))
    t.match(peer.status().lastError?.text, ours === undefined ? /If the peer expects a password/ : /password/)
    t.notMatch(peer.status().state, 'Established')
    t.ok(bench.log.some((line) => line.level === 'warn' && line.message.includes('MD5')))
    await speaker.stop()
    await daemon.stop()
  }
})

t.test('graceful restart, we restart: BIRD keeps our routes, and they are the same afterwards', async (t) => {
  const daemon = await bird({}, { kernel: true })
  const declare = (speaker: Speaker) =>
    speaker.apply({
      peers: [{ address: there.ipv4, asn: 65001, timers: { connectRetrySeconds: 1 } }],
      routes: ourRoutes.map((prefix) => ({ prefix })),
    })
  const first = bench.speaker({ asn: 64512 })
  await declare(first)
  await until('BIRD has our routes', async () => (await daemon.learned('drover')).length === 3)

  const seen: number[] = []
  const watch = { on: true }
  const watcher = (async () => {
    while (watch.on) {
      seen.push((await daemon.learned('drover')).length)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  })()
  await first.stop({ graceful: true, reason: 'upgrade' })
  t.notMatch((await daemon.protocol('drover')).text, /Received: Administrative/, 'no NOTIFICATION')
  await new Promise((resolve) => setTimeout(resolve, 500))

  const second = bench.speaker({ asn: 64512, gracefulRestart: { restarting: true } })
  const v4 = follow(second, 'ipv4')
  await declare(second)
  await both(second, daemon)
  t.match(
    (await daemon.protocol('drover')).text,
    /Neighbor graceful restart active|Restart recovery|Graceful restart/,
  )
  await until("we have BIRD's routes", () => v4.converged && learned(v4.table).length === 2)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  await until('BIRD was asked often', () => seen.length > 20)
  watch.on = false
  await watcher
  t.same([...new Set(seen)], [3], 'BIRD has our routes at every moment')
  await second.stop()
  await daemon.stop()
})

t.test(
  'graceful restart, BIRD restarts: we keep its routes as stale until it has told them anew',
  async (t) => {
    const daemon = await bird({}, { kernel: true })
    const speaker = bench.speaker({ asn: 64512 })
    await speaker.ready()
    const v4 = follow(speaker, 'ipv4')
    let lost = 0
    void (async () => {
      for await (const batch of speaker.best('ipv4'))
        lost += batch.changes.filter((c) => c.nextHops.length === 0).length
    })()
    const peer = speaker.peer({ address: there.ipv4, asn: 65001, timers: { connectRetrySeconds: 1 } })
    await until("we have BIRD's routes", () => learned(v4.table).length === 2)
    await daemon.restart('SIGKILL', async () => {
      await until('the session is down', () => peer.status().state !== 'Established')
      t.equal(peer.status().restarting, true)
      t.match(speaker.routes({ family: 'ipv4', view: 'received' }), [{ stale: true }, { stale: true }])
      t.same(learned(v4.table), ['10.50.0.0/24', '10.50.1.0/24'])
    })
    await until('the session is up', () => peer.status().state === 'Established', { timeoutMs: 30_000 })
    await until('nothing is stale', () => !peer.status().restarting, { timeoutMs: 30_000 })
    t.match(speaker.routes({ family: 'ipv4', view: 'received' }), [{ stale: false }, { stale: false }])
    t.equal(lost, 0, 'no route was withdrawn from the consumer')
    await speaker.stop()
    await daemon.stop()
  },
)

t.test('graceful restart, BIRD stays away: its routes go when its restart time is over', async (t) => {
  await bird({ extra: ['graceful restart time 2;'] }, { kernel: true })
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  const v4 = follow(speaker, 'ipv4')
  const peer = speaker.peer({ address: there.ipv4, asn: 65001 })
  await until("we have BIRD's routes", () => learned(v4.table).length === 2)
  const { pid } = await bench.peer
    .run('cat', [path.join(bench.lab.folder, `bird${run - 1}`, 'bird.pid')])
    .then(({ stdout }) => ({ pid: Number(stdout) }))
  process.kill(pid, 'SIGKILL')
  await until('the session is down', () => peer.status().state !== 'Established')
  t.same(learned(v4.table).length, 2)
  await until('the routes are gone', () => learned(v4.table).length === 0, { timeoutMs: 5000 })
  t.equal(peer.status().restarting, false)
  await speaker.stop()
})

t.test('apply: what the change does not touch stays up', async (t) => {
  const daemon = await bird({})
  const speaker = bench.speaker({ asn: 64512 })
  const peer = { address: there.ipv4, asn: 65001 } as const
  t.match(await speaker.apply({ peers: [peer], routes: [{ prefix: '10.60.0.0/26' }] }), {
    added: [there.ipv4],
    originated: 1,
  })
  await until('BIRD has our route', async () => (await daemon.learned('drover')).length === 1)

  const policy = { rules: [{ match: { prefixes: [{ prefix: '10.60.0.64/26' }] }, then: 'accept' }] } as const
  const changed = await speaker.apply({
    peers: [
      { ...peer, export: policy },
      { address: '10.99.0.77', asn: 65077 },
    ],
    routes: [{ prefix: '10.60.0.0/26' }, { prefix: '10.60.0.64/26' }],
  })
  t.match(changed, { added: ['10.99.0.77'], updated: [there.ipv4], reset: [], originated: 1, withdrawn: 0 })
  await until(
    'BIRD has what the policy lets out',
    async () => (await daemon.learned('drover')).join() === '10.60.0.64/26',
  )
  t.equal(speaker.peers().find((one) => one.name === there.ipv4)?.counters.established, 1, 'no reset')

  const reset = await speaker.apply({ peers: [{ ...peer, timers: { holdTimeSeconds: 30 } }], routes: [] })
  t.match(reset, {
    removed: ['10.99.0.77'],
    reset: [{ peer: there.ipv4, because: ['holdTimeSeconds'] }],
    withdrawn: 2,
  })
  await both(speaker, daemon)
  t.equal(speaker.peers()[0]?.negotiated?.holdTimeSeconds, 30)
  t.match(await speaker.apply({ peers: [{ ...peer, timers: { holdTimeSeconds: 30 } }], routes: [] }), {
    added: [],
    removed: [],
    reset: [],
    updated: [],
    originated: 0,
    withdrawn: 0,
  })
  await speaker.stop()
  await daemon.stop()
})

t.test('a route refresh brings everything again', async (t) => {
  const daemon = await bird({})
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  const peer = speaker.peer({ address: there.ipv4, asn: 65001 })
  const v4 = follow(speaker, 'ipv4')
  await until("we have BIRD's routes", () => learned(v4.table).length === 2)
  const before = peer.status().counters.updatesIn
  t.equal(peer.refresh('ipv4'), true)
  await until('they come again', () => peer.status().counters.updatesIn > before)
  speaker.originate('10.60.0.0/26')
  await until('BIRD has our route', async () => (await daemon.learned('drover')).length === 1)
  const sent = peer.status().counters.updatesOut
  await daemon.birdc('reload', 'in', 'drover')
  await until('BIRD gets it again', () => peer.status().counters.updatesOut > sent)
  t.equal((await daemon.learned('drover')).length, 1)
  await speaker.stop()
  await daemon.stop()
})

t.test('more prefixes than the limit: Cease/1, and the session stays down', async (t) => {
  const daemon = await bird({})
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  const peer = speaker.peer({ address: there.ipv4, asn: 65001, prefixLimit: { in: { ipv4: 1 } } })
  await until('the session has ended', () => peer.status().lastNotification?.code === 6)
  t.match(peer.status(), { state: 'Idle', lastNotification: { direction: 'sent', code: 6, subcode: 1 } })
  await new Promise((resolve) => setTimeout(resolve, 3000))
  t.equal(peer.status().state, 'Idle')
  t.equal(speaker.routes({ family: 'ipv4', view: 'received' }).length, 0)
  await speaker.stop()
  await daemon.stop()
})

t.test('a hold time of 3 s holds', async (t) => {
  const daemon = await bird({ holdTimeSeconds: 3 })
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  const peer = speaker.peer({ address: there.ipv4, asn: 65001 })
  await both(speaker, daemon)
  await new Promise((resolve) => setTimeout(resolve, 8000))
  t.match(peer.status(), {
    state: 'Established',
    negotiated: { holdTimeSeconds: 3 },
    counters: { dropped: 0 },
  })
  await speaker.stop()
  await daemon.stop()
})

t.test('port 179 taken: who, where, and what to do', async (t) => {
  const daemon = await bird({})
  const speaker = bench.speaker({ asn: 64512 })
  await speaker.ready()
  const second = bench.speaker({ asn: 64513 })
  await t.rejects(second.ready(), { code: 'address-in-use', message: /0\.0\.0\.0:179/, remedy: /ss -ltnp/ })
  await t.rejects(second.apply({ peers: [], routes: [] }), { code: 'address-in-use' })
  await speaker.stop()
  await daemon.stop()
})
