import path from 'node:path'
import type { BgpPeerReport, BgpRouteReport } from '@network/agent/client'
import { type Test, test } from 'tap'
import { NOW, createBench, fakeServer, temporaryFolder } from './fake-world.ts'

const peer: BgpPeerReport = {
  name: 'tor1',
  address: '192.0.2.1',
  port: 179,
  asn: 65001,
  state: 'Established',
  since: NOW - 65_000,
  origin: 'peers[0]',
  routerId: '192.0.2.1',
  families: ['ipv4'],
  holdTimeSeconds: 90,
  keepaliveSeconds: 30,
  prefixesReceived: 12,
  prefixesAccepted: 10,
  prefixesSent: 3,
  messagesIn: 1,
  messagesOut: 1,
  flaps: 0,
  lastError: { text: 'It was down.', at: NOW - 70_000, current: false },
}
const route: BgpRouteReport = {
  prefix: '10.65.0.0/26',
  best: true,
  nextHops: ['192.0.2.1'],
  asPath: '65001',
  origin: 'igp',
  localPreference: 100,
  med: undefined,
  communities: [],
  from: 'tor1',
  accepted: true,
  stale: false,
  multipath: false,
  pathId: undefined,
  step: undefined,
  decidedBy: undefined,
}
const why = [
  { ...route, step: 'best', decidedBy: 'the best path' },
  { ...route, best: false, accepted: false, step: 'refused', decidedBy: "not accepted: rule 1 of 'strict'" },
]

const notSent = { sent: false, step: 'ownRoute', decidedBy: 'it is the route that this peer sent' }
const exported = [
  { ...notSent, peer: 'tor1', from: 'tor1' },
  ...['b', 'c', 'd', 'e', 'f', 'g'].map((peer) => ({
    ...{ peer, from: 'tor1', sent: true, step: 'filter' },
    decidedBy: "rule 2 of 'ours' accepts it",
  })),
  { peer: 'h', from: 'tor1', sent: false, step: 'rule', decidedBy: 'it carries NO_EXPORT (RFC 1997)' },
]

const answers: Readonly<Record<string, unknown>> = {
  '/v1/bgp/peers': [
    peer,
    { ...peer, name: 'b', state: 'Active', lastError: { text: 'Nobody answered.', at: NOW, current: true } },
    { ...peer, name: 'c', state: 'Idle', shutdown: 'rack 3 is moved' },
  ],
  '/v1/bgp/routes': { routes: [route], truncated: true },
  '/v1/bgp/why': { prefix: route.prefix, routes: why, exports: exported },
  '/v1/bgp/refresh': { asked: ['tor1'], notAsked: ['b'] },
  '/v1/bgp/shutdown': { peers: ['tor1'] },
  '/v1/bgp/reload': {
    ...{ file: '/etc/r.yaml', added: ['x'], removed: [], updated: [], originated: 1, withdrawn: 0 },
    reset: [{ peer: 'tor1', because: ['password'] }],
  },
}

async function bench(t: Test, other: Readonly<Record<string, unknown>> = {}) {
  const socket = path.join(temporaryFolder(t), 'reflector.sock')
  const server = await fakeServer(t, socket, ({ url }) => {
    const call = url.split('?')[0] ?? ''
    return { body: other[call] ?? answers[call] }
  })
  const { run } = createBench({ socket })
  return { calls: server.calls, run: (...words: string[]) => run(['bgp', ...words]) }
}

test('peers are a table that says why one is not up', async (t) => {
  const { run } = await bench(t)
  t.same((await run('peers')).out.split('\n'), [
    'PEER   ADDRESS        AS   STATE         SINCE   RECEIVED   ACCEPTED   SENT   WHY NOT UP',
    'tor1   192.0.2.1   65001   Established   1m 5s         12         10      3',
    'b      192.0.2.1   65001   Active        1m 5s         12         10      3   Nobody answered.',
    'c      192.0.2.1   65001   Shutdown      1m 5s         12         10      3   shut down: rack 3 is moved',
    '',
  ])
  t.match(JSON.parse((await run('peers', '-o', 'json')).out), [{ name: 'tor1' }, {}, {}])
})

const asks: { words: string[]; method: string; url: string; body?: unknown }[] = [
  { words: ['routes'], method: 'GET', url: '/v1/bgp/routes?view=best' },
  {
    words: ['routes', '10.0.0.0/8', '--family', 'ipv4'],
    method: 'GET',
    url: '/v1/bgp/routes?view=best&family=ipv4&prefix=10.0.0.0%2F8',
  },
  { words: ['received', 'tor1'], method: 'GET', url: '/v1/bgp/routes?view=received&peer=tor1' },
  { words: ['advertised', 'tor1'], method: 'GET', url: '/v1/bgp/routes?view=advertised&peer=tor1' },
  { words: ['why', '10.65.0.7'], method: 'GET', url: '/v1/bgp/why?prefix=10.65.0.7' },
  { words: ['refresh'], method: 'POST', url: '/v1/bgp/refresh', body: {} },
  { words: ['refresh', 'tor1'], method: 'POST', url: '/v1/bgp/refresh', body: { peer: 'tor1' } },
  {
    words: ['shutdown', 'tor1', '--message', 'rack 3'],
    method: 'POST',
    url: '/v1/bgp/shutdown',
    body: { peer: 'tor1', message: 'rack 3' },
  },
  { words: ['shutdown', '--undo'], method: 'POST', url: '/v1/bgp/shutdown', body: { undo: true } },
  { words: ['reload'], method: 'POST', url: '/v1/bgp/reload', body: {} },
]

for (const { words, ...expected } of asks) {
  test(`drover bgp ${words.join(' ')} asks for just that`, async (t) => {
    const { calls, run } = await bench(t)
    await run(...words)
    t.match(calls, [expected])
    t.same(calls[0]?.body, expected.body)
  })
}

test('why names the step or the filter, for what comes in and for what goes out; nothing found is exit code 3', async (t) => {
  const { run } = await bench(t)
  t.same((await run('why', '10.65.0.7')).out.split('\n'), [
    'PREFIX           NEXT HOP    FROM   AS PATH   PREF   MED   WHY',
    '* 10.65.0.0/26   192.0.2.1   tor1   65001      100     -   the best path',
    "  10.65.0.0/26   192.0.2.1   tor1   65001      100     -   not accepted: rule 1 of 'strict'",
    '',
    'TO                      SENT   FROM   WHY',
    "b, c, d, e and 2 more   yes    tor1   rule 2 of 'ours' accepts it",
    'tor1                    no     tor1   it is the route that this peer sent',
    'h                       no     tor1   it carries NO_EXPORT (RFC 1997)',
    '',
  ])
  const json = JSON.parse((await run('why', '10.65.0.7', '-o', 'json')).out) as object
  t.match(json, { exports: { 0: { peer: 'tor1', sent: false, step: 'ownRoute' }, length: 8 } })
  const { run: empty } = await bench(t, { '/v1/bgp/why': { routes: [] } })
  t.match(await empty('why', '10.9.0.0/16'), { exitCode: 3, err: /10\.9\.0\.0\/16/ })
})

test('what is left out, or could not be asked, is a warning', async (t) => {
  const { run } = await bench(t)
  t.match(await run('routes'), { exitCode: 0, err: /^warning: there are more routes/ })
  t.match(await run('refresh'), {
    exitCode: 0,
    out: 'Asked to send again: tor1.\n',
    err: /^warning: .*: b$/m,
  })
  t.match(await run('shutdown', 'tor1'), { out: 'Shut down: tor1.\n' })
  t.match(await run('shutdown', 'tor1', '--undo'), { out: 'May come up again: tor1.\n' })
})

test('reload tells what changed', async (t) => {
  const { run } = await bench(t)
  t.equal(
    (await run('reload')).out,
    'Peers added: x.\nSessions reset: tor1 (password).\nOwn routes: 1 announced, 0 withdrawn.\n',
  )
})

test('command lines that make no sense', async (t) => {
  const { calls, run } = await bench(t)
  for (const words of [[], ['why'], ['received'], ['paers'], ['routes', '--family', 'ipx']]) {
    t.match(await run(...words), { exitCode: 2, err: /^error: / }, words.join(' '))
  }
  t.match(await createBench().run(['reflector']), { exitCode: 2, err: /--config FILE/ })
  t.same(calls, [])
})
