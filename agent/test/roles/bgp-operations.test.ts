import type { DesiredState, PeerStatus, RouteExplanation, RouteQuery } from '@network/bgp'
import t from 'tap'
import { readBgpLookUp, readRouteQuery, readShutdownRequest } from '../../src/api/bgp-requests.ts'
import { type ServedSpeaker, createBgpOperations, withShutdowns } from '../../src/roles/bgp-operations.ts'

const state: DesiredState = {
  peers: [
    { name: 'tor1', address: '10.0.0.254', asn: 65001, port: 1790 },
    { name: 'rack', range: '10.1.0.0/16', asn: 'internal' },
  ],
  routes: [],
}

function status(name: string, address: string, range?: string): PeerStatus {
  const prefixes = { received: 2, accepted: 1, stale: 0, advertised: 3 }
  return {
    name,
    address,
    range,
    interface: undefined,
    asn: 65001,
    type: 'external',
    state: 'Active',
    since: 5,
    routerId: undefined,
    localAddress: undefined,
    passive: false,
    negotiated: undefined,
    counters: {
      ...{ messagesIn: 0, messagesOut: 0, updatesIn: 0, updatesOut: 0, bytesIn: 0, bytesOut: 0 },
      ...{ connectAttempts: 0, established: 0, dropped: 0, malformedUpdates: 0 },
    },
    faults: [],
    outLimitReached: [],
    prefixes: { ipv4: prefixes, ipv6: { ...prefixes, received: 0 } },
    restarting: false,
    lastError: undefined,
    lastNotification: undefined,
  }
}

function explained(prefix: string): RouteExplanation {
  return {
    prefix,
    peer: 'tor1',
    local: false,
    best: true,
    stale: false,
    accepted: true,
    pathId: undefined,
    nextHop: '10.0.0.254',
    attributes: [{ name: 'AS_PATH', value: '65001' }],
    decidedBy: 'best',
    why: 'the best path',
    multipath: false,
  }
}

/** A speaker that notes what it is asked, and operations upon it. */
function bench() {
  const queries: RouteQuery[] = []
  const refreshed: string[] = []
  let shutdowns: ReadonlyMap<string, string> = new Map()
  const served: ServedSpeaker = {
    peers: () => Promise.resolve([status('tor1', '10.0.0.254'), status('10.1.0.7', '10.1.0.7', 'rack')]),
    routes: (query) => {
      queries.push(query)
      return Promise.resolve([])
    },
    explain: (prefix) => Promise.resolve(prefix === '10.65.0.0/16' ? [explained(prefix)] : []),
    explainExports: () =>
      Promise.resolve([
        {
          ...{ peer: 'tor1', sent: false, decidedBy: 'filter', why: "rule 1 of 'out' refuses it" },
          ...{ from: 'local', pathId: undefined },
        },
      ]),
    refresh: (peer) => {
      refreshed.push(peer)
      return Promise.resolve(peer === 'tor1')
    },
    declared: () => state.peers,
    origin: (name) => (name === 'tor1' ? 'peers[0]' : undefined),
    get shutdowns() {
      return shutdowns
    },
    shutDown: (next) => {
      shutdowns = next
      return Promise.resolve()
    },
  }
  return {
    operations: createBgpOperations(() => served),
    queries,
    refreshed,
    shutdowns: () => [...shutdowns],
  }
}

t.test('peers say where they are declared, and what has shut them down', async (t) => {
  const { operations } = bench()
  await operations.bgpShutdown({ peer: '10.0.0.254', message: 'moved' })
  t.match(await operations.bgpPeers(), [
    { name: 'tor1', port: 1790, origin: 'peers[0]', shutdown: 'moved', prefixesReceived: 2, prefixesSent: 6 },
    { name: '10.1.0.7', port: 179, origin: 'range rack', shutdown: undefined },
  ])
})

t.test('routes are asked for by name or address of a peer', async (t) => {
  const { operations, queries } = bench()
  await operations.bgpRoutes({ view: 'received', peer: '10.0.0.254', family: 'ipv4', prefix: '10.0.0.0/8' })
  t.match(queries, [
    { family: 'ipv4', view: 'received', peer: 'tor1', prefix: '10.0.0.0/8', match: 'longer' },
  ])
  await operations.bgpRoutes({})
  t.same(
    queries.slice(1).map(({ family }) => family),
    ['ipv4', 'ipv6'],
  )
  await t.rejects(operations.bgpRoutes({ peer: 'nobody' }), {
    code: 'unknown-peer',
    remedy: /tor1, 10\.1\.0\.7/,
  })
})

t.test('why of an address finds the longest prefix around it', async (t) => {
  const { operations } = bench()
  const found = await operations.bgpWhy(readBgpLookUp(new URLSearchParams({ prefix: '10.65.3.4' })))
  t.match(found, { prefix: '10.65.0.0/16', routes: [{ from: 'tor1', step: 'best', asPath: '65001' }] })
  t.match(found.exports, [
    { peer: 'tor1', sent: false, step: 'filter', decidedBy: "rule 1 of 'out' refuses it", from: 'local' },
  ])
  const none = await operations.bgpWhy(readBgpLookUp(new URLSearchParams({ prefix: '10.65.3.0/24' })))
  t.same(none, { prefix: undefined, routes: [], exports: [] })
})

t.test('refresh tells whom it could ask', async (t) => {
  const { operations } = bench()
  t.same(await operations.bgpRefresh({}), { asked: ['tor1'], notAsked: ['10.1.0.7'] })
  t.same(await operations.bgpRefresh({ peer: '10.1.0.7' }), { asked: [], notAsked: ['10.1.0.7'] })
})

t.test('shutdown and back: one peer, a range, all of them', async (t) => {
  const { operations, shutdowns } = bench()
  t.same(await operations.bgpShutdown({ peer: 'rack' }), { peers: ['rack'] })
  t.same(await operations.bgpShutdown({ message: 'bye' }), { peers: ['tor1', 'rack'] })
  t.same(shutdowns(), [
    ['rack', 'bye'],
    ['tor1', 'bye'],
  ])
  t.same(await operations.bgpShutdown({ peer: 'tor1', undo: true }), { peers: ['tor1'] })
  t.same(shutdowns(), [['rack', 'bye']])
  await t.rejects(operations.bgpShutdown({ peer: '10.1.0.7' }), { code: 'conflict', message: /range rack/ })
  await t.rejects(operations.bgpShutdown({ peer: 'nobody' }), { code: 'unknown-peer' })
})

t.test('shutdowns lie over the declared state', (t) => {
  t.equal(withShutdowns(state, new Map()), state)
  const over = withShutdowns(
    state,
    new Map([
      ['tor1', 'moved'],
      ['rack', ''],
      ['gone', 'x'],
    ]),
  )
  t.same(
    over.peers.map(({ shutdown }) => shutdown),
    ['moved', true],
  )
  t.end()
})

t.test('without a speaker there is nothing to see and nothing to steer', async (t) => {
  const operations = createBgpOperations(() => undefined)
  t.same(await operations.bgpPeers(), [])
  t.same(await operations.bgpRoutes({}), { routes: [], truncated: false })
  t.same(await operations.bgpWhy({ prefixes: ['10.0.0.0/8'] }), {
    prefix: undefined,
    routes: [],
    exports: [],
  })
  await t.rejects(operations.bgpRefresh({}), { code: 'not-ready' })
  await t.rejects(operations.bgpShutdown({}), { code: 'not-ready' })
})

const refused: [what: string, read: () => unknown, says: RegExp][] = [
  ['an unknown parameter', () => readRouteQuery(new URLSearchParams('pere=x')), /'pere'.*peer/],
  ['a parameter twice', () => readRouteQuery(new URLSearchParams('peer=x&peer=y')), /peer: given twice/],
  ['an unknown view', () => readRouteQuery(new URLSearchParams('view=all')), /'all'.*best.*advertised/],
  ['advertised to nobody', () => readRouteQuery(new URLSearchParams('view=advertised')), /peer: missing/],
  [
    'the wrong family',
    () => readRouteQuery(new URLSearchParams('family=ipv6&prefix=10.0.0.0/8')),
    /family ipv6/,
  ],
  ['host bits', () => readRouteQuery(new URLSearchParams('prefix=10.0.0.1/8')), /10\.0\.0\.1\/8/],
  ['why of nothing', () => readBgpLookUp(new URLSearchParams()), /prefix: missing/],
  ['why of a word', () => readBgpLookUp(new URLSearchParams('prefix=x')), /'x'/],
  ['a message too long', () => readShutdownRequest({ message: 'é'.repeat(200) }), /400 octets.*255/],
  ['a message with undo', () => readShutdownRequest({ message: 'x', undo: true }), /message/],
  ['an unknown field', () => readShutdownRequest({ mesage: 'x' }), /'message'/],
]

for (const [what, read, says] of refused) {
  t.test(`refused: ${what}`, (t) => {
    t.throws(read, { code: 'invalid-request', message: says })
    t.end()
  })
}
