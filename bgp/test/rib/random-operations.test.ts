/**
 * Random operations on the RIB beside a reference that knows nothing of columns, logs or groups: a map of paths, and
 * functions that say anew what every peer must know. Peers pull little or much, whenever chance has it; in the end
 * what each has heard must be what the reference says.
 */
import fc from 'fast-check'
import t from 'tap'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { formatPrefix, prefix as parse } from '@network/net'
import { accept, reject } from '../../src/filter/combinators.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { type RibPeer } from '../../src/rib/peer.ts'
import { type Rib } from '../../src/rib/rib.ts'
import { FarEnd, type HeardRoute, type SessionShape, ownAsn, settle, tickingClock } from './far-end.ts'

const ownRouterId = 0x0afe0001
const ownNextHop = { ipv4: '192.0.2.254', ipv6: '2001:db8::fe' }

interface Cast {
  readonly shape: SessionShape
  readonly peer: Partial<RibPeer>
}

const cast: readonly Cast[] = [
  { shape: { address: '10.0.0.1', routerId: '10.255.0.1' }, peer: { routeReflectorClient: true } },
  { shape: { address: '10.0.0.2', routerId: '10.255.0.2' }, peer: { routeReflectorClient: true } },
  { shape: { address: '10.0.0.3', routerId: '10.255.0.3' }, peer: { routeReflectorClient: true } },
  { shape: { address: '10.0.0.4', routerId: '10.255.0.4' }, peer: {} },
  { shape: { address: '10.0.0.5', routerId: '10.255.0.5' }, peer: {} },
  { shape: { address: '10.1.0.1', routerId: '10.255.1.1', asn: 65001 }, peer: {} },
  { shape: { address: '10.1.0.2', routerId: '10.255.1.2', asn: 65002 }, peer: {} },
  { shape: { address: '10.1.0.3', routerId: '10.255.1.3', asn: 65002 }, peer: {} },
  {
    shape: { address: '10.2.0.1', routerId: '10.255.2.1', addPath: [ipv4Unicast, ipv6Unicast] },
    peer: { routeReflectorClient: true },
  },
  {
    shape: { address: '10.2.0.2', routerId: '10.255.2.2', asn: 65003, addPath: [ipv4Unicast, ipv6Unicast] },
    peer: { addPathSend: 2 },
  },
]

const prefixes = [
  '10.0.0.0/8',
  '10.9.0.0/16',
  '10.9.1.0/24',
  '192.168.0.0/26',
  '192.168.0.64/26',
  '0.0.0.0/0',
  '2001:db8:1::/48',
  '2001:db8:1:2::/64',
  '::/0',
]

/** Attributes to choose from, made to tie and to differ at each step. */
const variants: readonly PathAttributes[] = [
  {},
  { localPref: 200 },
  { origin: 'incomplete' },
  { multiExitDisc: 10 },
  { multiExitDisc: 20 },
  { communities: [0xfc000001] },
  { communities: [0xffffff01] },
  { communities: [0xffffff02] },
]

interface Path {
  readonly peer: number
  readonly pathId: number
  readonly nextHop: string
  readonly attributes: PathAttributes
  stale: boolean
}

const local = -1

/** What the RIB is to know, in the simplest words. */
class Reference {
  readonly paths = new Map<string, Path[]>()
  /** Peers that are told nothing of 10.0.0.0/8, and peers that are believed nothing of it. */
  readonly denied = new Set<number>()
  readonly disbelieved = new Set<number>()

  accepted(prefix: string): Path[] {
    const paths = this.paths.get(prefix) ?? []
    return prefix.startsWith('10.') ? paths.filter(({ peer }) => !this.disbelieved.has(peer)) : paths
  }

  announce(prefix: string, path: Path): void {
    this.withdraw(prefix, path.peer, path.pathId)
    this.paths.set(prefix, [...(this.paths.get(prefix) ?? []), path])
  }

  withdraw(prefix: string, peer: number, pathId: number): void {
    const rest = (this.paths.get(prefix) ?? []).filter((path) => path.peer !== peer || path.pathId !== pathId)
    this.paths.set(prefix, rest)
  }

  drop(peer: number, which: (path: Path) => boolean): void {
    for (const [prefix, paths] of this.paths)
      this.paths.set(
        prefix,
        paths.filter((path) => path.peer !== peer || !which(path)),
      )
  }

  markStale(peer: number): void {
    for (const paths of this.paths.values())
      for (const path of paths) if (path.peer === peer) path.stale = true
  }

  /** RFC 4271 section 9.1.2.2, by elimination as the RFC tells it. */
  best(paths: readonly Path[]): Path | undefined {
    let left = [...paths]
    const keepLeast = (value: (path: Path) => number): void => {
      const least = Math.min(...left.map(value))
      left = left.filter((path) => value(path) === least)
    }
    if (left.length === 0) return undefined
    keepLeast(({ peer }) => (peer === local ? 0 : 1))
    keepLeast(({ attributes }) => -(attributes.localPref ?? 100))
    keepLeast(pathLength)
    keepLeast(({ attributes }) => ['igp', 'egp', 'incomplete'].indexOf(attributes.origin ?? 'igp'))
    const neighbour = (path: Path): number => firstOf(path)
    const med = ({ attributes }: Path): number => attributes.multiExitDisc ?? 0
    left = left.filter(
      (path) => !left.some((other) => neighbour(other) === neighbour(path) && med(other) < med(path)),
    )
    keepLeast(({ peer }) => (isExternal(peer) ? 0 : 1))
    keepLeast(({ peer, attributes }) => attributes.originatorId ?? idOf(peer))
    keepLeast(({ attributes }) => attributes.clusterList?.length ?? 0)
    keepLeast(({ peer }) => peer)
    keepLeast(({ pathId }) => pathId)
    return left[0]
  }

  ranked(prefix: string, limit: number): Path[] {
    let left = this.accepted(prefix)
    const ranked: Path[] = []
    while (ranked.length < limit) {
      const best = this.best(left)
      if (best === undefined) break
      ranked.push(best)
      left = left.filter((path) => path !== best)
    }
    return ranked
  }

  /** What a peer must have heard; path identifiers are the RIB's own, so of those only the routes are compared. */
  view(peer: number): string[] {
    const limit = (cast[peer]?.shape.addPath?.length ?? 0) > 0 ? (cast[peer]?.peer.addPathSend ?? 99) : 1
    const heard: string[] = []
    for (const prefix of this.paths.keys())
      for (const path of this.ranked(prefix, limit)) {
        const route = this.exported(prefix, path, peer)
        if (route !== undefined) heard.push(`${prefix} ${JSON.stringify(route)}`)
      }
    return heard.sort()
  }

  exported(prefix: string, path: Path, to: number): HeardRoute | undefined {
    const { attributes } = path
    const communities = attributes.communities ?? []
    if (path.peer === to || communities.includes(0xffffff02)) return undefined
    if (this.denied.has(to) && prefix.startsWith('10.')) return undefined
    const shared = {
      origin: attributes.origin ?? 'igp',
      ...(attributes.communities === undefined ? {} : { communities: attributes.communities }),
    }
    const own = prefix.includes(':') ? ownNextHop.ipv6 : ownNextHop.ipv4
    if (isExternal(to)) {
      if (communities.includes(0xffffff01)) return undefined
      const asns = [ownAsn, ...(attributes.asPath ?? []).flatMap((segment) => segment.asns)]
      const keepsMed = path.peer === local && attributes.multiExitDisc !== undefined
      return ordered(own, {
        ...shared,
        asPath: [{ type: 'sequence', asns }],
        ...(keepsMed ? { multiExitDisc: attributes.multiExitDisc } : {}),
      })
    }
    const learnedInside = path.peer !== local && !isExternal(path.peer)
    if (learnedInside && !isClient(path.peer) && !isClient(to)) return undefined
    return ordered(path.peer === local ? own : path.nextHop, {
      ...shared,
      asPath: attributes.asPath ?? [],
      localPref: attributes.localPref ?? 100,
      ...(attributes.multiExitDisc === undefined ? {} : { multiExitDisc: attributes.multiExitDisc }),
      ...(learnedInside ? { originatorId: idOf(path.peer), clusterList: [ownRouterId] } : {}),
    })
  }
}

function ordered(nextHop: string, attributes: PathAttributes): HeardRoute {
  return {
    nextHop,
    attributes: Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

const isExternal = (peer: number): boolean => (cast[peer]?.shape.asn ?? ownAsn) !== ownAsn
const isClient = (peer: number): boolean => cast[peer]?.peer.routeReflectorClient === true
const idOf = (peer: number): number =>
  peer === local ? ownRouterId : parse(`${cast[peer]?.shape.routerId ?? ''}/32`).address.w0
const pathLength = ({ attributes }: Path): number =>
  (attributes.asPath ?? []).reduce((sum, { asns }) => sum + asns.length, 0)
const firstOf = ({ attributes }: Path): number => attributes.asPath?.[0]?.asns[0] ?? 0

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
