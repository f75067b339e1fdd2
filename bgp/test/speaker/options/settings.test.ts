import t from 'tap'
import { Convergence } from '../../../src/speaker/convergence.ts'
import { Deadline } from '../../../src/speaker/deadline.ts'
import { SpeakerError } from '../../../src/speaker/error.ts'
import { type PeerOptions, type SpeakerOptions } from '../../../src/speaker/options/options.ts'
import { ownRoute } from '../../../src/speaker/options/originate.ts'
import { deepEqual, planPeers, resettingChanges } from '../../../src/speaker/options/plan.ts'
import { resolveDesired } from '../../../src/speaker/options/resolve-desired.ts'
import { resolvePeer } from '../../../src/speaker/options/resolve-peer.ts'
import { resolveSpeaker } from '../../../src/speaker/options/resolve-speaker.ts'
import { type PeerSettings } from '../../../src/speaker/options/settings.ts'
import { FakeClock } from '../fake-network.ts'

const own: SpeakerOptions = { asn: 64512, routerId: '10.0.0.1', listen: ['10.0.0.1:179'] }
const local = resolveSpeaker(own)
const plain: PeerOptions = { address: '10.0.0.254', asn: 65001 }

function refusal(call: () => unknown): SpeakerError {
  try {
    call()
  } catch (error) {
    if (error instanceof SpeakerError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const speakerRefusals: readonly (readonly [Partial<SpeakerOptions>, RegExp])[] = [
  [{ asn: 0 }, /asn is 0/],
  [{ asn: 4294967295 }, /asn is 4294967295/],
  [{ asn: 1.5 }, /asn is 1\.5/],
  [{ routerId: '0.0.0.0' }, /routerId is 0\.0\.0\.0/],
  [{ routerId: '10.0.0' }, /routerId: '10\.0\.0' is not a router id/],
  [{ clusterId: '::1' }, /clusterId is ::1/],
  [{ listen: ['10.0.0.1'] }, /listen has '10\.0\.0\.1'/],
  [{ listen: ['10.0.0.1:99999'] }, /99999/],
  [{ listen: ['nowhere:179'] }, /'nowhere' is not an address/],
  [{ listen: ['10.0.0.1:179', '10.0.0.1:179'] }, /twice/],
  [{ maximumPaths: 0 }, /maximumPaths is 0/],
]

for (const [options, message] of speakerRefusals) {
  t.test(`refused: ${JSON.stringify(options)}`, (t) => {
    const error = refusal(() => resolveSpeaker({ ...own, ...options }))
    t.match(error, { code: 'invalid-options', message })
    t.ok(error.remedy, 'says what to do')
    t.end()
  })
}

const peerRefusals: readonly (readonly [Partial<Record<keyof PeerOptions, unknown>>, RegExp])[] = [
  [{ address: undefined }, /neither address nor range/],
  [{ range: '10.0.0.0/24' }, /both address and range/],
  [{ address: '10.0.0.300' }, /octet 300/],
  [{ address: undefined, range: '10.0.0.1/24' }, /host bits/],
  [{ address: '10.0.0.1' }, /is this speaker itself/],
  [{ address: 'fe80::1' }, /link-local address without an interface/],
  [{ asn: 0 }, /asn of peer 10\.0\.0\.254 is 0/],
  [{ asn: 'both' }, /asn of peer 10\.0\.0\.254 is 'both'/],
  [{ localAsn: 23456 }, /localAsn of peer 10\.0\.0\.254 is 23456/],
  [{ routeReflectorClient: true }, /its AS is not ours/],
  [{ routeServerClient: true, asn: 64512 }, /of our own AS/],
  [{ address: undefined, range: '10.0.0.0/24', passive: false }, /cannot be dialled/],
  [{ multihop: 2, ttlSecurityHops: 1 }, /both multihop and ttlSecurityHops/],
  [{ families: [] }, /no families/],
  [{ families: ['ipx'] }, /family 'ipx'/],
  [{ password: '' }, /password of peer 10\.0\.0\.254 is 0 bytes/],
  [{ password: 'x'.repeat(81) }, /81 bytes/],
  [{ sourceAddress: '::1' }, /is ipv4, its sourceAddress ::1 is not/],
  [{ sourceAddress: '10.0.0.254' }, /itself as sourceAddress/],
  [{ interface: 'eth0; reboot' }, /not a device name/],
  [{ port: 0 }, /port of peer 10\.0\.0\.254 is 0/],
  [{ timers: { holdTimeSeconds: 2 } }, /holdTimeSeconds of peer 10\.0\.0\.254 is 2/],
  [{ timers: { holdTimeSeconds: 70000 } }, /70000/],
  [{ gracefulRestart: { restartTimeSeconds: 4096 } }, /4096/],
  [{ addPath: { send: 0 } }, /addPath\.send of peer 10\.0\.0\.254 is 0/],
  [{ ttlSecurityHops: 255 }, /255/],
  [{ import: { rules: [{ match: { communities: ['64512'] }, then: 'accept' }] } }, /import of peer.*'64512'/],
  [
    { export: { rules: [{ match: { prefixes: [{ prefix: '10.0.0.1/8' }] }, then: 'accept' }] } },
    /export of peer/,
  ],
  [{ export: { rules: [{ then: 'accept', set: { addCommunities: ['x'] } }] } }, /export of peer.*'x'/],
]

for (const [options, message] of peerRefusals) {
  t.test(`refused: ${JSON.stringify(options)}`, (t) => {
    const error = refusal(() => resolvePeer({ ...plain, ...options } as PeerOptions, local))
    t.match(error.message, message)
    t.ok(error.remedy, 'says what to do')
    t.end()
  })
}

t.test('peers that would be mistaken for one another are refused', (t) => {
  const refused = (...peers: readonly PeerOptions[]): SpeakerError =>
    refusal(() => resolveDesired({ peers, routes: [] }, local))
  t.match(refused(plain, plain), { code: 'duplicate-peer' })
  t.match(refused(plain, { ...plain, name: 'tor' }), {
    code: 'duplicate-peer',
    message: /same address 10\.0\.0\.254/,
  })
  t.match(refused({ range: '10.0.0.0/24', asn: 1 }, { range: '10.0.0.128/25', asn: 2 }), {
    message: /10\.0\.0\.0\/24 and 10\.0\.0\.128\/25 overlap/,
  })
  t.match(
    refusal(() =>
      resolveDesired({ peers: [], routes: [{ prefix: '10.1.0.0/26' }, { prefix: '10.1.0.0/26' }] }, local),
    ),
    { message: /given twice/ },
  )
  t.end()
})

t.test('defaults', (t) => {
  t.match(resolvePeer(plain, local), {
    name: '10.0.0.254',
    port: 179,
    passive: false,
    ttl: 1,
    minimumTtl: undefined,
    holdTimeSeconds: 90,
    extendedNextHop: false,
    gracefulRestart: { restartTimeSeconds: 120, helper: true, notification: true },
  })
  t.match(resolvePeer({ ...plain, asn: 64512 }, local), { peerAsn: 'internal', ttl: undefined })
  t.match(resolvePeer({ ...plain, ttlSecurityHops: 1 }, local), { ttl: 255, minimumTtl: 255 })
  t.match(resolvePeer({ ...plain, ttlSecurityHops: 3 }, local), { ttl: 255, minimumTtl: 253 })
  t.match(resolvePeer({ address: 'fe80::1', interface: 'eth0', asn: 65001 }, local), {
    address: 'fe80::1%eth0',
  })
  t.match(resolvePeer({ range: '10.0.0.0/24', asn: 65001 }, local), { passive: true, address: undefined })
  t.same(
    resolveSpeaker({ ...own, listen: [':1790', '[fe80::1%eth0]:179'] }).listen.map(({ address, port }) => [
      address,
      port,
    ]),
    [
      ['0.0.0.0', 1790],
      ['::', 1790],
      ['fe80::1%eth0', 179],
    ],
  )
  t.end()
})

t.test('what resets a session, and what does not', (t) => {
  const before = resolvePeer(plain, local)
  const changes = (options: Partial<PeerOptions>): readonly string[] =>
    resettingChanges(before, resolvePeer({ ...plain, ...options }, local))
  t.same(changes({ password: 'x' }), ['password'])
  t.same(changes({ asn: 65002, port: 1790 }), ['port', 'peerAsn'])
  t.same(changes({ timers: { holdTimeSeconds: 30 } }), ['holdTimeSeconds'])
  t.same(changes({ addPath: { send: 4 } }), ['addPathSend'])
  t.same(changes({ shutdown: 'rack move' }), ['shutdown'])
  t.same(changes({ families: ['ipv4'] }), ['families'])
  for (const options of [
    { passive: true },
    { timers: { connectRetrySeconds: 9 } },
    { export: { rules: [] } },
    { nextHop: 'self' },
    { prefixLimit: { in: { ipv4: 5 } } },
  ] satisfies readonly Partial<PeerOptions>[]) {
    t.same(changes(options), [], JSON.stringify(options))
  }
  t.end()
})

t.test('a plan from what there is to what there shall be', (t) => {
  const named = (name: string, options: Partial<PeerOptions> = {}): PeerSettings =>
    resolvePeer({ ...plain, address: `10.0.1.${name}`, name, ...options }, local)
  const map = (...settings: readonly PeerSettings[]) => new Map(settings.map((one) => [one.name, one]))
  const plan = planPeers(
    map(named('1'), named('2'), named('3'), named('4')),
    map(named('1'), named('2', { nextHop: 'self' }), named('3', { password: 'x' }), named('5')),
  )
  t.match(plan, {
    add: [{ name: '5' }],
    remove: ['4'],
    reset: [{ settings: { name: '3' }, because: ['password'] }],
    update: [{ name: '2' }],
  })
  t.ok(deepEqual({ a: [1, { b: 2 }], c: undefined }, { a: [1, { b: 2 }] }))
  t.notOk(deepEqual({ a: [1] }, { a: { 0: 1 } }))
  t.notOk(deepEqual({ a: null }, { a: {} }))
  t.end()
})

t.test('routes of our own', (t) => {
  t.match(ownRoute('10.1.0.0/26', { med: 7, communities: ['64512:1', 'no-export'], nextHop: '10.0.0.9' }), {
    attributes: { origin: 'igp', asPath: [], multiExitDisc: 7, communities: [0xfc000001, 0xffffff01] },
    nextHop: { w0: 0x0a000009 },
  })
  t.match(
    refusal(() => ownRoute('10.1.0.0/26', { communities: ['64512'] })),
    { message: /'64512' is not a community/ },
  )
  t.match(
    refusal(() => ownRoute('10.1.0.0/26', { largeCommunities: ['1:2'] })),
    { message: /'1:2' is not a large/ },
  )
  t.match(
    refusal(() => ownRoute('10.1.0.0/26', { med: -1 })),
    { message: /med is -1/ },
  )
  t.match(
    refusal(() => ownRoute('10.1.0.0/26', { nextHop: 'me' })),
    { message: /next hop 'me'/ },
  )
  t.end()
})

t.test('convergence waits for what will come and for nothing else', (t) => {
  const wait = new Convergence()
  t.ok(wait.complete)
  for (const peer of ['told', 'unreachable', 'plain', 'gone']) wait.expect(peer)
  wait.established('told', [257, 513], false)
  wait.endOfRib('told', 257)
  t.same(wait.waitingFor, ['unreachable', 'plain', 'gone', 'told'])
  wait.endOfRib('told', 513)
  wait.established('plain', [], false)
  wait.giveUp('unreachable')
  t.same(wait.waitingFor, ['gone'])
  wait.endOfRib('gone', 257)
  t.notOk(wait.selectable, 'an End-of-RIB without a session is none')
  wait.close()
  t.ok(wait.complete)
  wait.expect('late')
  t.ok(wait.complete, 'once over, it stays over')
  t.end()
})

t.test('who restarts together: both select without the other, consumers wait for both', (t) => {
  const wait = new Convergence()
  for (const peer of ['restarted', 'told']) wait.expect(peer)
  wait.established('restarted', [257, 513], true)
  t.notOk(wait.selectable)
  wait.established('told', [257], false)
  wait.endOfRib('told', 257)
  t.ok(wait.selectable, 'not held up by one that waits itself')
  t.notOk(wait.complete)
  wait.select()
  wait.endOfRib('restarted', 257)
  wait.lost('restarted')
  wait.endOfRib('restarted', 513)
  t.same(wait.waitingFor, ['restarted'], 'its next session tells the rest')
  wait.established('restarted', [257, 513], false)
  for (const family of [257, 513]) {
    t.notOk(wait.complete)
    wait.endOfRib('restarted', family)
  }
  t.ok(wait.complete)
  t.end()
})

t.test('a deadline that moves rings once, at its last place', (t) => {
  const clock = new FakeClock()
  const rings: number[] = []
  const deadline = new Deadline(clock, () => void rings.push(clock.monotonic()))
  deadline.start(100)
  for (let i = 0; i < 50; i++) {
    clock.advance(10)
    deadline.start(100)
    t.ok(clock.pending <= 1)
  }
  clock.advance(1000)
  t.same(rings, [600])
  deadline.start(100)
  deadline.start(20)
  clock.advance(50)
  t.same(rings, [600, 1520], 'also when it moves nearer')
  deadline.start(10)
  deadline.stop()
  clock.advance(100)
  t.equal(rings.length, 2)
  t.equal(clock.pending, 0)
  t.end()
})
