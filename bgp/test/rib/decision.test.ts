import fc from 'fast-check'
import t from 'tap'
import { formatAddress, prefix as parse } from '@network/net'
import { ipv4Unicast } from '../../src/codec/iana.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { decisionSteps } from '../../src/rib/decision.ts'
import { type Rib } from '../../src/rib/rib.ts'
import { FarEnd, ownAsn, routerId, settle } from './far-end.ts'

interface Told {
  readonly address: string
  readonly routerId?: string
  readonly asn?: number
  readonly attributes?: PathAttributes
  readonly nextHop?: string
  readonly pathId?: number
}

interface Case {
  readonly step: string
  readonly name: string
  /** The first one must win. */
  readonly paths: readonly [Told, Told, ...Told[]]
}

const prefix = '10.1.0.0/16'
const path = (...asns: number[]): PathAttributes => ({ asPath: [{ type: 'sequence', asns }] })
const llgrStale = { communities: [0xffff0006] }

/** Next hops of 198.51.100.0/24 cost their last octet; 203.0.113.0/24 can't be reached. */
function newRib(): Rib {
  return createRib(
    { asn: ownAsn, routerId: routerId('10.254.0.1') },
    {
      resolveNextHop: (address) => ({
        reachable: address[0] !== 203,
        cost: address[0] === 198 ? (address[3] ?? 0) : 0,
      }),
    },
  )
}

const cases: readonly Case[] = [
  {
    step: 'longLivedStale',
    name: 'long-lived stale loses against a longer path',
    paths: [
      { address: '10.0.0.2', attributes: path(1, 2, 3) },
      { address: '10.0.0.1', attributes: { ...path(1), ...llgrStale, localPref: 500 } },
    ],
  },
  {
    step: 'localPref',
    name: 'the higher LOCAL_PREF wins',
    paths: [
      { address: '10.0.0.2', attributes: { ...path(1, 2, 3), localPref: 101 } },
      { address: '10.0.0.1', attributes: path(1) },
    ],
  },
  {
    step: 'localPref',
    name: 'a LOCAL_PREF above 2³¹ is not negative',
    paths: [
      { address: '10.0.0.2', attributes: { localPref: 0xfffffffe } },
      { address: '10.0.0.1', attributes: { localPref: 1 } },
    ],
  },
  {
    step: 'asPathLength',
    name: 'a: a set counts 1',
    paths: [
      {
        address: '10.0.0.2',
        attributes: {
          asPath: [
            { type: 'sequence', asns: [1] },
            { type: 'set', asns: [2, 3, 4] },
          ],
        },
      },
      { address: '10.0.0.1', attributes: path(1, 2, 3) },
    ],
  },
  {
    step: 'asPathLength',
    name: 'a: confederation segments count 0',
    paths: [
      {
        address: '10.0.0.2',
        attributes: {
          asPath: [
            { type: 'confed-sequence', asns: [7, 8, 9] },
            { type: 'sequence', asns: [1] },
          ],
        },
      },
      { address: '10.0.0.1', attributes: path(1, 2) },
    ],
  },
  {
    step: 'origin',
    name: 'b: IGP before EGP',
    paths: [
      { address: '10.0.0.2', attributes: { origin: 'igp' } },
      { address: '10.0.0.1', attributes: { origin: 'egp' } },
    ],
  },
  {
    step: 'origin',
    name: 'b: EGP before INCOMPLETE',
    paths: [
      { address: '10.0.0.2', attributes: { origin: 'egp' } },
      { address: '10.0.0.1', attributes: { origin: 'incomplete' } },
    ],
  },
  {
    step: 'med',
    name: 'c: the lower MED of one neighbouring AS',
    paths: [
      { address: '10.0.0.2', attributes: { ...path(1), multiExitDisc: 5 } },
      { address: '10.0.0.1', attributes: { ...path(1), multiExitDisc: 6 } },
    ],
  },
  {
    step: 'med',
    name: 'c: no MED is the lowest',
    paths: [
      { address: '10.0.0.2', attributes: path(1) },
      { address: '10.0.0.1', attributes: { ...path(1), multiExitDisc: 1 } },
    ],
  },
  {
    step: 'routerId',
    name: 'c: MEDs of different neighbouring ASes are not compared',
    paths: [
      { address: '10.0.0.1', attributes: { ...path(1), multiExitDisc: 6 } },
      { address: '10.0.0.2', attributes: { ...path(2), multiExitDisc: 5 } },
    ],
  },
  {
    step: 'med',
    name: 'c: what MED removes doesn’t win by a later step',
    paths: [
      { address: '10.0.0.2', attributes: { ...path(2), multiExitDisc: 9 } },
      { address: '10.0.0.1', attributes: { ...path(1), multiExitDisc: 9 } },
      { address: '10.0.0.3', attributes: { ...path(1), multiExitDisc: 1 } },
    ],
  },
  {
    step: 'external',
    name: 'd: external before internal',
    paths: [
      { address: '10.0.0.2', asn: 65001, attributes: path(65001) },
      { address: '10.0.0.1', attributes: path(65001) },
    ],
  },
  {
    step: 'interiorCost',
    name: 'e: the nearer next hop',
    paths: [
      { address: '10.0.0.2', nextHop: '198.51.100.1' },
      { address: '10.0.0.1', nextHop: '198.51.100.9' },
    ],
  },
  {
    step: 'routerId',
    name: 'f: the lower BGP identifier, as an unsigned number',
    paths: [
      { address: '10.0.0.2', routerId: '10.255.0.1' },
      { address: '10.0.0.1', routerId: '200.255.0.2' },
    ],
  },
  {
    step: 'routerId',
    name: 'f: ORIGINATOR_ID stands for the identifier',
    paths: [
      { address: '10.0.0.2', routerId: '10.255.0.9', attributes: { originatorId: 1 } },
      { address: '10.0.0.1', routerId: '10.255.0.1' },
    ],
  },
  {
    step: 'clusterListLength',
    name: 'RFC 4456: the shorter CLUSTER_LIST',
    paths: [
      { address: '10.0.0.2', attributes: { originatorId: 1, clusterList: [1] } },
      { address: '10.0.0.1', attributes: { originatorId: 1, clusterList: [1, 2] } },
    ],
  },
  {
    step: 'peerAddress',
    name: 'g: the lower peer address, as an unsigned number',
    paths: [
      { address: '10.0.0.1', routerId: '10.255.0.1' },
      { address: '200.0.0.2', routerId: '10.255.0.1' },
    ],
  },
  {
    step: 'pathId',
    name: 'the lower path identifier of one peer',
    paths: [
      { address: '10.0.0.1', pathId: 1 },
      { address: '10.0.0.1', pathId: 2 },
    ],
  },
  {
    step: 'unreachable',
    name: 'an unreachable next hop takes no part',
    paths: [
      { address: '10.0.0.2', attributes: path(1, 2, 3) },
      { address: '10.0.0.1', nextHop: '203.0.113.1' },
    ],
  },
]

function tell(rib: Rib, paths: readonly Told[]): void {
  const ends = new Map<string, FarEnd>()
  // Peers are there in the order of their addresses, whatever the order in which they speak.
  for (const { address, routerId, asn } of [...paths].sort((a, b) => (a.address < b.address ? -1 : 1))) {
    if (ends.has(address)) continue
    const shape = {
      address,
      routerId: routerId ?? `10.255.0.${address.at(-1) ?? ''}`,
      addPath: paths.some(({ pathId }) => pathId !== undefined) ? [ipv4Unicast] : [],
      ...(asn === undefined ? {} : { asn }),
    }
    ends.set(address, new FarEnd(rib, shape).up())
  }
  for (const { address, attributes, nextHop, pathId } of paths)
    ends.get(address)?.announce({
      prefixes: [prefix],
      nextHop: nextHop ?? address,
      attributes: { asPath: [], ...attributes },
      ...(pathId === undefined ? {} : { pathId }),
    })
  settle(rib)
}

for (const { step, name, paths } of cases) {
  t.test(name, (t) => {
    for (const order of [paths, [...paths].reverse()]) {
      const rib = newRib()
      tell(rib, order)
      const [best, ...others] = rib.explain(parse(prefix))
      const winner = paths[0]
      t.equal(best?.decidedBy, 'best')
      t.equal(best?.nextHop && formatAddress(best.nextHop), winner.nextHop ?? winner.address)
      if (winner.pathId !== undefined) t.equal(best?.pathId, winner.pathId)
      t.ok(
        others.some(({ decidedBy }) => decidedBy === step),
        `${step} among ${others.map(({ decidedBy }) => decidedBy).join()}`,
      )
    }
    t.end()
  })
}

t.test('own routes come first', (t) => {
  const rib = newRib()
  tell(rib, [
    { address: '10.0.0.1', attributes: { localPref: 1000 } },
    { address: '10.0.0.2', attributes: {} },
  ])
  rib.originate(parse(prefix), { attributes: {} })
  settle(rib)
  t.equal(rib.explain(parse(prefix))[0]?.peer, 0)
  t.equal(rib.explain(parse(prefix))[1]?.decidedBy, 'local')
  t.end()
})

t.test('every step has a case', (t) => {
  const tested = new Set([...cases.map(({ step }) => step), 'local'])
  for (const { step } of decisionSteps) t.ok(tested.has(step), step)
  t.end()
})

const told = fc.record({
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'),
  attributes: fc.record({
    asPath: fc
      .constantFrom([1], [2], [1, 2], [])
      .map((asns) => (asns.length === 0 ? [] : [{ type: 'sequence' as const, asns }])),
    multiExitDisc: fc.nat(2),
    localPref: fc.constantFrom(100, 200),
  }),
})

t.test('the best path and its next hops do not depend on the order of arrival', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(told, { minLength: 2, maxLength: 5, selector: ({ address }) => address }),
      fc.func(fc.integer()),
      (paths, rank) => {
        const shuffled = [...paths].sort((a, b) => rank(a.address) - rank(b.address))
        const results = [paths, shuffled, [...paths].reverse(), [...paths, ...paths]].map((order) => {
          const rib = newRib()
          tell(rib, order)
          return JSON.stringify(rib.bestReader(ipv4Unicast).take())
        })
        return results.every((result) => result === results[0])
      },
    ),
    { numRuns: 300 },
  )
  t.end()
})

t.test('ECMP', (t) => {
  const paths: readonly Told[] = [
    { address: '10.0.0.1', asn: 65001, attributes: path(65001, 7) },
    { address: '10.0.0.2', asn: 65002, attributes: path(65002, 7) },
    { address: '10.0.0.3', asn: 65003, attributes: path(65003, 7) },
    { address: '10.0.0.4', asn: 65004, attributes: path(65004, 7, 7) },
  ]
  const hops = (options: { maximumPaths?: number; asPathRelax?: boolean }): string[] => {
    const rib = createRib({ asn: ownAsn, routerId: 1, ...options })
    tell(rib, paths)
    const [change] = rib.bestReader(ipv4Unicast).take()
    return (change?.nextHops ?? []).map(({ address }) => formatAddress(address))
  }
  t.same(hops({}), ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  t.same(hops({ maximumPaths: 2 }), ['10.0.0.1', '10.0.0.2'])
  t.same(hops({ maximumPaths: 1 }), ['10.0.0.1'])
  t.same(hops({ asPathRelax: false }), ['10.0.0.1'])
  t.end()
})

t.test('a second next hop that comes and goes is a change for a reader', (t) => {
  const rib = createRib({ asn: ownAsn, routerId: 1 })
  const one = new FarEnd(rib, { address: '10.0.0.1', asn: 65001 }).up()
  const two = new FarEnd(rib, { address: '10.0.0.2', asn: 65002, routerId: '10.255.0.2' }).up()
  one.announce({ prefixes: [prefix], nextHop: '10.0.0.1' })
  settle(rib)
  const reader = rib.bestReader(ipv4Unicast)
  t.equal(reader.take()[0]?.nextHops.length, 1)
  two.announce({ prefixes: [prefix], nextHop: '10.0.0.2' })
  settle(rib)
  t.equal(reader.take()[0]?.nextHops.length, 2)
  two.withdraw([prefix])
  settle(rib)
  t.equal(reader.take()[0]?.nextHops.length, 1)
  one.withdraw([prefix])
  settle(rib)
  t.same(reader.take(), [
    { prefix: parse(prefix), nextHops: [], local: false, peer: undefined, priority: undefined },
  ])
  one.announce({ prefixes: [prefix], nextHop: '10.0.0.1' }).withdraw([prefix])
  settle(rib)
  t.notOk(reader.pending, 'what undoes itself is no news')
  t.end()
})

t.test('next hops that become unreachable, and again reachable', (t) => {
  let reachable = true
  const rib = createRib({ asn: ownAsn, routerId: 1 }, { resolveNextHop: () => ({ reachable, cost: 0 }) })
  new FarEnd(rib, { address: '10.0.0.1' }).up().announce({ prefixes: [prefix], nextHop: '10.0.0.1' })
  settle(rib)
  const reader = rib.bestReader(ipv4Unicast)
  t.equal(reader.take()[0]?.nextHops.length, 1)
  reachable = false
  rib.nextHopsChanged()
  settle(rib)
  t.equal(reader.take()[0]?.nextHops.length, 0)
  t.equal(rib.explain(parse(prefix))[0]?.decidedBy, 'unreachable')
  reachable = true
  rib.nextHopsChanged()
  settle(rib)
  t.equal(reader.take()[0]?.nextHops.length, 1)
  t.end()
})
