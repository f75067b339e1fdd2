/**
 * Puts the parts of the RIB together. An update goes from receive() into Adj-RIB-In and makes prefixes dirty; work()
 * decides dirty prefixes and makes update groups and readers dirty; pull() brings a peer's update group up to date
 * and encodes, when the peer's socket has room. Each stage remembers only which prefixes are dirty, so changes that
 * come faster than they are carried on coalesce in every stage.
 */
import { addressToBytes } from '@network/net'
import { type AfiSafi, RefreshSubtype, ipv4Unicast, ipv6Unicast } from '../codec/iana.ts'
import { encodeRouteRefresh } from '../codec/message.ts'
import { putEndOfRib } from '../codec/update-writer.ts'
import { AdjRibIn } from './adj-rib-in.ts'
import { AttributeTable, withoutNextHop } from './attribute-table.ts'
import { BestQueue } from './best-queue.ts'
import { ByteInterner } from './byte-interner.ts'
import { type DecisionColumns } from './decision.ts'
import { FamilyRib } from './family-rib.ts'
import { type Marker } from './group-member.ts'
import { GroupTable } from './group-table.ts'
import { Ingress, type SpeakerIdentity } from './ingress.ts'
import { LocRib } from './loc-rib.ts'
import { NextHopTable } from './next-hop-table.ts'
import { PeerTable } from './peer-table.ts'
import { localPeer } from './peer.ts'
import { type FamilyIndex, type PeerState, renewSourceKey } from './peer-state.ts'
import { explainExports } from './export-queries.ts'
import { explainPrefix, queryRoutes } from './queries.ts'
import { type Rib, type RibModules, type RibOptions } from './rib.ts'

/** Prefixes decided, and slots swept, between two looks at the clock. */
const decisionsPerLook = 64
const slotsPerLook = 16384

/** One family with what works on it. */
interface Line {
  readonly family: FamilyRib
  readonly adjRibIn: AdjRibIn
  readonly locRib: LocRib
  readonly columns: DecisionColumns
  readonly groups: GroupTable
}

/** An empty RIB for IPv4 and IPv6 unicast. */
export function createRib(options: RibOptions, modules: RibModules = {}): Rib {
  const identity: SpeakerIdentity = {
    asn: options.asn,
    routerId: options.routerId,
    clusterId: options.clusterId ?? options.routerId,
  }
  const nextHops = new NextHopTable(
    modules.resolveNextHop ?? (() => ({ reachable: true, cost: 0 })),
    modules.isOwnAddress ?? (() => false),
  )
  const sets = new AttributeTable(nextHops)
  const forms = new ByteInterner()
  const peers = new PeerTable()
  const decision = {
    alwaysCompareMed: options.alwaysCompareMed ?? false,
    maximumPaths: options.maximumPaths ?? 16,
    asPathRelax: options.asPathRelax ?? true,
  }
  let deferred = false

  const line = (afiSafi: AfiSafi, name: 'ipv4' | 'ipv6', index: FamilyIndex): Line => {
    const family = new FamilyRib(afiSafi, name, index, sets, forms)
    const columns = { paths: family.paths, sets, peers, options: decision }
    const locRib = new LocRib(family, columns)
    const groups = new GroupTable({ family, locRib, identity, forms, peers: peers.states })
    return { family, columns, adjRibIn: new AdjRibIn(family, sets), locRib, groups }
  }
  const lines: readonly [Line, Line] = [line(ipv4Unicast, 'ipv4', 0), line(ipv6Unicast, 'ipv6', 1)]
  const lineOf = (afiSafi: AfiSafi): Line | undefined =>
    lines.find(({ family }) => family.afiSafi === afiSafi)

  const decisionsDone = ({ family }: Line): number => family.dirty.taken
  /** What is sent when everything known by now has been sent. */
  const markerFor = (on: Line, message: Uint8Array, waitsForSelection: boolean): Marker => ({
    message,
    decisions: on.family.dirty.taken + on.family.dirty.size,
    waitsForSelection,
  })

  function nextGeneration(peer: PeerState, index: FamilyIndex): void {
    peer.generation[index] = (peer.generation[index] + 1) & 0xff
  }

  function goDown(peer: PeerState, stale: ReadonlySet<AfiSafi>): void {
    for (const on of lines) {
      const { index, afiSafi } = on.family
      on.groups.leave(peer)
      // RFC 4724 section 4.2: what is stale already goes when the peer restarts once more.
      if (peer.keepsStale[index]) on.adjRibIn.sweep(peer, 'stale')
      on.adjRibIn.finishSweeps(peer)
      nextGeneration(peer, index)
      peer.keepsStale[index] = stale.has(afiSafi)
      if (!peer.keepsStale[index] && peer.received[index] > 0) on.adjRibIn.sweep(peer, 'stale')
    }
    peer.up = false
  }

  function touchGroups(): void {
    for (const { groups } of lines) for (const group of groups.groups) group.touchAll()
  }

  /** What has been received goes through the checks and the import policy again. */
  function askImportAgain(peer: PeerState): void {
    if (peer.session === undefined || peer.removed) return
    peer.ingress = new Ingress(peer.index, peer.config, peer.session, identity, sets)
    for (const { family, adjRibIn } of lines)
      if (peer.received[family.index] > 0) adjRibIn.sweep(peer, 'import')
  }

  /** Everything that has a path is decided anew. */
  function decideAll({ family }: Line): void {
    for (let prefix = 0; prefix < family.prefixes.top; prefix++)
      if ((family.firstPath[prefix] as number) >= 0) family.dirty.push(prefix)
  }

  const endOfRib = (afiSafi: AfiSafi): Uint8Array => {
    const message = new Uint8Array(32)
    return message.slice(0, putEndOfRib(message, 0, afiSafi))
  }

  return {
    addPeer: (peer) => peers.add(peer),

    updatePeer(index, config) {
      const peer = peers.get(index)
      const before = peer.config
      peer.config = config
      renewSourceKey(peer)
      const { session } = peer
      if (session === undefined) return
      askImportAgain(peer)
      for (const { groups } of lines) groups.regroup(peer, session)
      if (before.routeReflectorClient !== config.routeReflectorClient || before.name !== config.name)
        touchGroups()
    },

    removePeer(index) {
      const peer = peers.get(index)
      goDown(peer, new Set())
      for (const { adjRibIn } of lines) {
        adjRibIn.sweep(peer, 'all')
        adjRibIn.finishSweeps(peer)
      }
      peers.remove(index)
    },

    peerUp(index, session) {
      const peer = peers.get(index)
      if (peer.up) goDown(peer, new Set())
      for (const { adjRibIn } of lines) adjRibIn.finishSweeps(peer)
      peer.session = session
      peer.up = true
      peers.setFacts(index, session)
      renewSourceKey(peer)
      peer.ingress = new Ingress(index, peer.config, session, identity, sets)
      for (const on of lines) {
        const { family, adjRibIn } = on
        if (session.families.includes(family.afiSafi)) {
          on.groups.join(peer, session).last.push(markerFor(on, endOfRib(family.afiSafi), true))
        } else if (peer.keepsStale[family.index]) {
          peer.keepsStale[family.index] = false
          adjRibIn.sweep(peer, 'stale')
        }
      }
    },

    peerDown(index, options) {
      goDown(peers.get(index), options?.stale ?? new Set<AfiSafi>())
    },

    receive(index, update) {
      const peer = peers.get(index)
      let announced = 0
      let withdrawn = 0
      const overLimit: AfiSafi[] = []
      for (const run of update.withdrawn) {
        const on = lineOf(run.afiSafi)
        if (on !== undefined) withdrawn += on.adjRibIn.withdraw(index, peer, run)
      }
      for (const run of update.announced) {
        const on = lineOf(run.afiSafi)
        if (on === undefined) continue
        announced += run.count
        if (on.adjRibIn.announce(peer, run, update) && !overLimit.includes(run.afiSafi))
          overLimit.push(run.afiSafi)
      }
      return { announced, withdrawn, overLimit }
    },

    endOfRib(index, afiSafi) {
      dropStale(index, afiSafi)
    },

    dropStale,

    keepLongLived(index, afiSafi) {
      lineOf(afiSafi)?.adjRibIn.sweep(peers.get(index), 'longLived')
    },

    refreshOut(index, afiSafi, enhanced) {
      const on = lineOf(afiSafi)
      const place = on?.groups.placeOf(index)
      if (on === undefined || place === undefined) return
      const mark = (subtype: number): Uint8Array => encodeRouteRefresh({ afiSafi, subtype })
      const last = enhanced ? markerFor(on, mark(RefreshSubtype.end), false) : undefined
      place.group.restart(place.member, enhanced ? mark(RefreshSubtype.begin) : undefined, last)
    },

    refreshInBegin(index, afiSafi) {
      const on = lineOf(afiSafi)
      if (on === undefined) return
      const peer = peers.get(index)
      on.adjRibIn.finishSweeps(peer)
      nextGeneration(peer, on.family.index)
      peer.keepsStale[on.family.index] = true
    },

    refreshInEnd(index, afiSafi) {
      dropStale(index, afiSafi)
    },

    originate(prefix, { attributes, nextHop }) {
      const on = lineOf(prefix.address.family === 'ipv4' ? ipv4Unicast : ipv6Unicast)
      if (on === undefined) return
      const set = sets.internSet({
        attributes: { origin: 'igp', asPath: [], ...withoutNextHop(attributes) },
        nextHop: nextHop === undefined ? new Uint8Array(0) : addressToBytes(nextHop),
        priority: undefined,
      })
      sets.sets.retain(set)
      on.family.prefixes.set(prefix)
      on.adjRibIn.put(peers.get(localPeer), on.family.internPrefix(), 0, set, set)
      sets.sets.release(set)
    },

    withdraw(prefix) {
      const on = lines[prefix.address.family === 'ipv4' ? 0 : 1]
      on.family.prefixes.set(prefix)
      const id = on.family.prefixes.find()
      return id >= 0 && on.adjRibIn.removeOwn(peers.get(localPeer), id)
    },

    deferSelection(next) {
      if (deferred === next) return
      deferred = next
      if (!deferred) for (const on of lines) decideAll(on)
    },

    nextHopsChanged() {
      const { resolved, own } = nextHops.refresh()
      if (resolved) for (const on of lines) decideAll(on)
      if (own) for (const peer of peers.states) askImportAgain(peer)
    },

    work(budgetMs, monotonic) {
      const deadline = monotonic() + budgetMs
      for (const { family, adjRibIn, locRib } of lines) {
        while (adjRibIn.sweeping || family.dirty.size > 0) {
          if (adjRibIn.sweeping) adjRibIn.continueSweeps(slotsPerLook)
          for (let i = 0; i < decisionsPerLook; i++) if (!locRib.decideNext(deferred)) break
          if (monotonic() >= deadline) return lines.some(isBusy)
        }
      }
      return false
    },

    hasPending: (index) =>
      lines.some((on) => {
        const place = on.groups.placeOf(index)
        return place?.group.hasPending(place.member, decisionsDone(on), deferred) === true
      }),

    pull(index, maxBytes) {
      for (const on of lines) {
        const place = on.groups.placeOf(index)
        const bytes = place?.group.pull(place.member, maxBytes, decisionsDone(on), deferred)
        if (bytes !== undefined) return bytes
      }
      return undefined
    },

    bestReader(afiSafi) {
      const on = lineOf(afiSafi)
      if (on === undefined) throw new RangeError(`There is no table for address family ${afiSafi}.`)
      const { readers } = on.family
      const reader = new BestQueue(on.family, on.columns, () => {
        readers.splice(readers.indexOf(reader), 1)
      })
      readers.push(reader)
      return reader
    },

    counters(index, afiSafi) {
      const on = lineOf(afiSafi)
      const peer = peers.get(index)
      if (on === undefined) return { received: 0, accepted: 0, stale: 0, advertised: 0 }
      const { index: at } = on.family
      const place = on.groups.placeOf(index)
      return {
        received: peer.received[at],
        accepted: peer.accepted[at],
        stale: on.adjRibIn.countStale(peer),
        advertised: place?.group.advertised(place.member) ?? 0,
      }
    },

    explain: (prefix) => explainPrefix(lines[prefix.address.family === 'ipv4' ? 0 : 1], peers, prefix),

    explainExports(prefix) {
      return explainExports(lines[prefix.address.family === 'ipv4' ? 0 : 1], peers, forms, prefix)
    },

    routes(query) {
      const on = lineOf(query.afiSafi)
      return on === undefined ? [] : queryRoutes(on, peers, forms, query)
    },

    memory: () => ({
      bytes:
        sets.bytes +
        forms.bytes +
        lines.reduce((sum, { family, groups }) => sum + family.bytes + groups.bytes, 0),
      prefixes: lines.reduce((sum, { family }) => sum + family.prefixes.size, 0),
      paths: lines.reduce((sum, { family }) => sum + family.paths.size, 0),
      attributeSets: sets.sets.size,
      egressSets: forms.size,
      updateGroups: lines.reduce((sum, { groups }) => sum + groups.groups.length, 0),
    }),
  }

  function dropStale(index: number, afiSafi: AfiSafi): void {
    const on = lineOf(afiSafi)
    const peer = peers.get(index)
    if (on === undefined || !peer.keepsStale[on.family.index]) return
    peer.keepsStale[on.family.index] = false
    on.adjRibIn.sweep(peer, 'stale')
  }
}

function isBusy({ family, adjRibIn }: Line): boolean {
  return adjRibIn.sweeping || family.dirty.size > 0
}
