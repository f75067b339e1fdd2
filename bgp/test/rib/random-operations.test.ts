/**
 * Random operations on the RIB beside a reference (reference.ts). Peers pull little or much, whenever chance has it; in the
 * end what each has heard must be what the reference says.
 */
import fc from 'fast-check'
import t from 'tap'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { formatPrefix, prefix as parse } from '@network/net'
import { accept, reject } from '../../src/filter/combinators.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { type Rib } from '../../src/rib/rib.ts'
import { FarEnd, type HeardRoute, ownAsn, settle, tickingClock } from './far-end.ts'
import { Reference, cast, local, ordered, ownRouterId, prefixes, variants } from './reference.ts'

type Operation =
  | { do: 'announce'; peer: number; prefixes: number[]; variant: number; pathId: number }
  | { do: 'withdraw'; peer: number; prefix: number; pathId: number }
  | { do: 'originate' | 'unoriginate'; prefix: number; variant: number }
  | { do: 'down' | 'restart'; peer: number }
  | { do: 'up' | 'endOfRib' | 'refresh' | 'export' | 'import'; peer: number }
  | { do: 'pull'; peer: number; maxBytes: number; pieces: number }
  | { do: 'read'; limit: number }
  | { do: 'work' }

const peerOf = fc.nat(cast.length - 1)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('announce' as const),
      peer: peerOf,
      prefixes: fc.uniqueArray(fc.nat(prefixes.length - 1), { minLength: 1, maxLength: 4 }),
      variant: fc.nat(variants.length - 1),
      pathId: fc.nat(2),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('withdraw' as const),
      peer: peerOf,
      prefix: fc.nat(prefixes.length - 1),
      pathId: fc.nat(2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('originate' as const, 'unoriginate' as const),
      prefix: fc.nat(prefixes.length - 1),
      variant: fc.nat(variants.length - 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('down' as const, 'restart' as const), peer: peerOf }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'up' as const,
        'endOfRib' as const,
        'refresh' as const,
        'export' as const,
        'import' as const,
      ),
      peer: peerOf,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('pull' as const),
      peer: peerOf,
      maxBytes: fc.constantFrom(1, 100, 4096),
      pieces: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('work' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('read' as const), limit: fc.integer({ min: 1, max: 9 }) }),
  },
)

const familyOf = (prefix: string): 'ipv4' | 'ipv6' => (prefix.includes(':') ? 'ipv6' : 'ipv4')

class Run {
  readonly rib: Rib = createRib({ asn: ownAsn, routerId: ownRouterId })
  readonly reference = new Reference()
  readonly ends = cast.map(({ shape, peer }) => new FarEnd(this.rib, shape, peer))
  readonly isUp = cast.map(() => false)
  readonly readers = [this.rib.bestReader(ipv4Unicast), this.rib.bestReader(ipv6Unicast)]
  /** What the readers have told: the peer of each best path. */
  readonly best = new Map<string, number>()

  constructor() {
    this.ends.forEach((_, peer) => {
      this.up(peer)
    })
  }

  up(peer: number): void {
    if (this.isUp[peer] === true) return
    this.isUp[peer] = true
    this.ends[peer]?.up()
  }

  apply(op: Operation): void {
    switch (op.do) {
      case 'announce':
        this.announce(op)
        break
      case 'withdraw': {
        if (this.isUp[op.peer] !== true) return
        const prefix = prefixes[op.prefix] ?? ''
        const pathId = this.pathIdOf(op.peer, op.pathId)
        this.ends[op.peer]?.withdraw([prefix], pathId)
        this.reference.withdraw(prefix, op.peer, pathId)
        break
      }
      case 'originate': {
        const prefix = prefixes[op.prefix] ?? ''
        const attributes = variants[op.variant] ?? {}
        this.rib.originate(parse(prefix), { attributes })
        this.reference.announce(prefix, { peer: local, pathId: 0, nextHop: '', attributes, stale: false })
        break
      }
      case 'unoriginate': {
        const prefix = prefixes[op.prefix] ?? ''
        this.rib.withdraw(parse(prefix))
        this.reference.withdraw(prefix, local, 0)
        break
      }
      case 'work':
        this.rib.work(1, tickingClock)
        break
      case 'read':
        this.read(op.limit)
        break
      case 'pull':
        if (this.isUp[op.peer] === true) this.ends[op.peer]?.pull(op.maxBytes, op.pieces)
        break
      default:
        this.session(op.do, op.peer)
    }
  }

  announce({ peer, prefixes: chosen, variant, pathId }: Operation & { do: 'announce' }): void {
    if (this.isUp[peer] !== true) return
    const names = chosen.map((index) => prefixes[index] ?? '')
    const family = familyOf(names[0] ?? '')
    const same = names.filter((name) => familyOf(name) === family)
    const nextHop = family === 'ipv4' ? `172.16.0.${peer + 1}` : `2001:db8:ff::${peer + 1}`
    const asn = cast[peer]?.shape.asn
    const attributes: PathAttributes = {
      origin: 'igp',
      asPath: asn === undefined ? [] : [{ type: 'sequence', asns: [asn] }],
      ...variants[variant],
    }
    const id = this.pathIdOf(peer, pathId)
    this.ends[peer]?.announce({ prefixes: same, nextHop, attributes, pathId: id })
    for (const prefix of same)
      this.reference.announce(prefix, { peer, pathId: id, nextHop, attributes, stale: false })
  }

  pathIdOf(peer: number, wanted: number): number {
    return cast[peer]?.shape.addPath === undefined ? 0 : wanted
  }

  session(
    what: 'down' | 'restart' | 'up' | 'endOfRib' | 'refresh' | 'export' | 'import',
    peer: number,
  ): void {
    const end = this.ends[peer] as FarEnd
    if (what === 'up') this.up(peer)
    if (this.isUp[peer] !== true) return
    switch (what) {
      case 'down':
        this.rib.peerDown(end.index)
        this.isUp[peer] = false
        this.reference.drop(peer, () => true)
        break
      case 'restart':
        this.rib.peerDown(end.index, { stale: new Set([ipv4Unicast, ipv6Unicast]) })
        this.isUp[peer] = false
        this.reference.drop(peer, ({ stale }) => stale)
        this.reference.markStale(peer)
        break
      case 'endOfRib':
        this.rib.endOfRib(end.index, ipv4Unicast)
        this.rib.endOfRib(end.index, ipv6Unicast)
        this.reference.drop(peer, ({ stale }) => stale)
        break
      case 'refresh':
        this.rib.refreshOut(end.index, ipv4Unicast, true)
        break
      case 'export':
      case 'import': {
        const { denied, disbelieved } = this.reference
        const chosen = what === 'export' ? denied : disbelieved
        if (!chosen.delete(peer)) chosen.add(peer)
        const policyFor = (refused: boolean) => (refused ? reject.within('10.0.0.0/8') : accept)
        this.rib.updatePeer(end.index, {
          name: cast[peer]?.shape.address ?? '',
          ...cast[peer]?.peer,
          export: policyFor(denied.has(peer)),
          import: policyFor(disbelieved.has(peer)),
        })
        break
      }
    }
  }

  /** Everything comes to rest. */
  finish(): void {
    this.ends.forEach((_, peer) => {
      this.up(peer)
    })
    settle(this.rib)
    for (const end of this.ends) end.pull()
    this.read(1000)
  }

  read(limit: number): void {
    for (const reader of this.readers)
      for (const { prefix, local: own, peer } of reader.take(limit)) {
        const text = formatPrefix(prefix)
        if (own) this.best.set(text, local)
        else if (peer !== undefined) this.best.set(text, peer - 1)
        else if (!this.best.delete(text)) throw new Error(`${text} is gone but was never there`)
      }
  }

  heard(peer: number): string[] {
    const routes = this.ends[peer]?.routes ?? new Map<string, HeardRoute>()
    return [...routes]
      .map(
        ([key, { nextHop, attributes }]) =>
          `${key.replace(/#.*/, '')} ${JSON.stringify(ordered(nextHop, attributes))}`,
      )
      .sort()
  }
}

t.test('what each peer has heard is what the reference says', (t) => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 120 }), (operations) => {
      const run = new Run()
      for (const op of operations) run.apply(op)
      run.finish()
      cast.forEach(({ shape }, peer) => {
        const heard = run.heard(peer)
        const expected = run.reference.view(peer)
        if (JSON.stringify(heard) !== JSON.stringify(expected))
          throw new Error(`${shape.address} heard\n${heard.join('\n')}\ninstead of\n${expected.join('\n')}`)
        const { index } = run.ends[peer] as FarEnd
        const advertised = [ipv4Unicast, ipv6Unicast].map(
          (family) => run.rib.counters(index, family).advertised,
        )
        if ((advertised[0] ?? 0) + (advertised[1] ?? 0) !== heard.length)
          throw new Error(
            `${shape.address} is said to be told ${advertised.join(' + ')}, not ${heard.length}`,
          )
      })
      for (const prefix of prefixes) {
        const best = run.reference.best(run.reference.accepted(prefix))?.peer
        if (best !== run.best.get(prefix))
          throw new Error(
            `readers hear of ${String(run.best.get(prefix))} for ${prefix}, not ${String(best)}`,
          )
      }
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('nothing is left when all peers and own routes are gone', (t) => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 80 }), (operations) => {
      const run = new Run()
      for (const op of operations) run.apply(op)
      run.finish()
      for (const prefix of prefixes) run.rib.withdraw(parse(prefix))
      for (const end of run.ends) run.rib.removePeer(end.index)
      settle(run.rib)
      run.read(1000)
      const { prefixes: prefixesLeft, paths, attributeSets, egressSets, updateGroups } = run.rib.memory()
      const left = { prefixesLeft, paths, attributeSets, egressSets, updateGroups }
      if (Object.values(left).some((count) => count !== 0)) throw new Error(JSON.stringify(left))
    }),
    { numRuns: 200 },
  )
  t.end()
})
