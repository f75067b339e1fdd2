import { type Prefix, compareAddresses, prefixCovers } from '@network/net'
import { decodeAttributes } from '../codec/attribute-block.ts'
import { plainContext } from '../codec/context.ts'
import { addressText, firstAddress } from './address-text.ts'
import { type ByteInterner } from './byte-interner.ts'
import { type DecisionColumns, decidingStep, isMultipath } from './decision.ts'
import { withoutNextHop } from './attribute-table.ts'
import { formBlock, formNextHop } from './egress.ts'
import { type FamilyRib } from './family-rib.ts'
import { type GroupTable } from './group-table.ts'
import { type LocRib, isCandidate } from './loc-rib.ts'
import { type PeerState } from './peer-state.ts'
import { type PeerTable } from './peer-table.ts'
import { type PathExplanation, type RibQuery, type RibRoute } from './rib.ts'

/** What a query is asked of. */
export interface QueriedFamily {
  readonly family: FamilyRib
  readonly columns: DecisionColumns
  readonly locRib: LocRib
  readonly groups: GroupTable
}

function pathsOf({ firstPath, paths }: FamilyRib, prefix: number): number[] {
  const list: number[] = []
  for (let path = firstPath[prefix] as number; path >= 0; path = paths.next[path] as number)
    if ((paths.received[path] as number) >= 0) list.push(path)
  return list
}

function stateOf(peers: PeerTable, family: FamilyRib, path: number): PeerState {
  return peers.states[family.paths.peer[path] as number] as PeerState
}

function routeOf(family: FamilyRib, peers: PeerTable, path: number, set: number): RibRoute {
  const { paths, prefixes } = family
  const state = stateOf(peers, family, path)
  const prefix = paths.prefix[path] as number
  const { attributes, nextHop } = family.sets.read(set)
  return {
    prefix: prefixes.prefix(prefix),
    peer: state.index,
    pathId: state.session?.receive.addPath.has(family.afiSafi) === true ? paths.pathIdOf(path) : undefined,
    best: family.best[prefix] === path,
    stale: state.keepsStale[family.index] && paths.generation[path] !== state.generation[family.index],
    accepted: (paths.accepted[path] as number) >= 0,
    nextHop: firstAddress(nextHop),
    attributes,
  }
}

export function explainPrefix(on: QueriedFamily, peers: PeerTable, prefix: Prefix): PathExplanation[] {
  const { family } = on
  family.prefixes.set(prefix)
  const id = family.prefixes.find()
  if (id < 0) return []
  const ranked: number[] = []
  ranked.length = on.locRib.rank(id, Infinity, ranked)
  const others = pathsOf(family, id).filter((path) => !ranked.includes(path))
  const best = family.best[id] as number
  const bestFirst = ranked.includes(best) ? [best, ...ranked.filter((path) => path !== best)] : ranked
  return [...bestFirst, ...others].map((path) => explainPath(on, peers, id, path, best))
}

function explainPath(
  { family, columns }: QueriedFamily,
  peers: PeerTable,
  prefix: number,
  path: number,
  best: number,
): PathExplanation {
  const { paths, sets } = family
  const accepted = paths.accepted[path] as number
  const route = routeOf(family, peers, path, accepted >= 0 ? accepted : (paths.received[path] as number))
  if (accepted < 0) {
    const state = stateOf(peers, family, path)
    const refusal = state.ingress?.refusal(
      paths.received[path] as number,
      family.prefixes,
      prefix,
      family.family,
    )
    return {
      ...route,
      decidedBy: 'refused',
      why: `not accepted: ${refusal ?? 'the peer has sent more prefixes than its limit lets in'}`,
      multipath: false,
    }
  }
  if (!isCandidate(family, path)) {
    const why = `its next hop ${addressText(sets.nextHopBytes(accepted))} is unreachable (RFC 4271 section 9.1.2.1)`
    return { ...route, decidedBy: 'unreachable', why, multipath: false }
  }
  if (path === best) return { ...route, decidedBy: 'best', why: 'the best path', multipath: false }
  if (best < 0 || !isCandidate(family, best))
    return { ...route, decidedBy: 'pending', why: 'not decided yet', multipath: false }
  const multipath = columns.options.maximumPaths > 1 && isMultipath(columns, path, best)
  const decided = decidingStep(columns, best, path)
  if (decided === undefined) return { ...route, decidedBy: 'pending', why: 'not decided yet', multipath }
  // MED is no order over all paths: this one would win against the best if another hadn't removed it.
  if (decided.order > 0)
    return {
      ...route,
      decidedBy: 'med',
      why: 'another path of its neighbouring AS has the lower MULTI_EXIT_DISC (RFC 4271 section 9.1.2.2 c)',
      multipath: false,
    }
  const { step, reason, source } = decided.row
  return { ...route, decidedBy: step, why: `the best path ${reason} (${source})`, multipath }
}

export function queryRoutes(
  on: QueriedFamily,
  peers: PeerTable,
  forms: ByteInterner,
  query: RibQuery,
): RibRoute[] {
  const { family } = on
  const limit = query.limit ?? 1000
  const routes: RibRoute[] = []
  for (const id of matchingPrefixes(family, query)) {
    if (routes.length >= limit) break
    routes.push(...routesOfPrefix(on, peers, forms, query, id))
  }
  routes.length = Math.min(routes.length, limit)
  return routes.sort(
    (a, b) => compareAddresses(a.prefix.address, b.prefix.address) || a.prefix.length - b.prefix.length,
  )
}

function* matchingPrefixes(family: FamilyRib, { prefix, match }: RibQuery): Generator<number> {
  const { prefixes } = family
  if (prefix !== undefined && match !== 'longer') {
    prefixes.set(prefix)
    const id = prefixes.find()
    if (id >= 0) yield id
    return
  }
  for (let id = 0; id < prefixes.top; id++) {
    if (!prefixes.inUse(id)) continue
    if (prefix === undefined || prefixCovers(prefix, prefixes.prefix(id))) yield id
  }
}

function routesOfPrefix(
  on: QueriedFamily,
  peers: PeerTable,
  forms: ByteInterner,
  { view, peer }: RibQuery,
  id: number,
): RibRoute[] {
  const { family } = on
  const { paths } = family
  if (view === 'advertised') return advertisedRoutes(on, peers, forms, peer, id)
  return pathsOf(family, id).flatMap((path) => {
    if (peer !== undefined && paths.peer[path] !== peer) return []
    const accepted = paths.accepted[path] as number
    if (view === 'received') return [routeOf(family, peers, path, paths.received[path] as number)]
    if (accepted < 0 || (view === 'best' && family.best[id] !== path)) return []
    return [routeOf(family, peers, path, accepted)]
  })
}

/** What a peer is sent for a prefix; its own routes are not sent to it. */
function advertisedRoutes(
  { family, groups }: QueriedFamily,
  peers: PeerTable,
  forms: ByteInterner,
  peer: number | undefined,
  id: number,
): RibRoute[] {
  const state = peer === undefined ? undefined : peers.states[peer]
  const group = state && groups.placeOf(state.index)?.group
  if (state?.session === undefined || group === undefined) return []
  const context = { ...plainContext, ...state.session.send }
  return group
    .sent(id)
    .filter(({ source }) => source !== peer)
    .map(({ element, form, source }) => {
      const bytes = forms.view(form)
      return {
        prefix: family.prefixes.prefix(id),
        peer: source,
        pathId: group.addPath ? element + 1 : undefined,
        best: true,
        stale: false,
        accepted: true,
        nextHop: firstAddress(formNextHop(bytes).slice()),
        attributes: withoutNextHop(decodeAttributes(formBlock(bytes), context)),
      }
    })
}
