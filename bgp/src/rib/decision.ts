/**
 * RFC 4271's decision process over columns. The steps stand in one table, in order, each a comparison of two paths
 * that is negative if the first is preferred. MED compares only paths of the same neighbouring AS and is therefore
 * no order over all paths: selection first takes the best by the steps before it, then removes those that MED
 * removes, and orders the rest, so that the result doesn't depend on the order of arrival.
 */
import { type AttributeTable } from './attribute-table.ts'
import { SetFlag } from './attribute-keys.ts'
import { localPeer } from './peer.ts'
import { type PathStore } from './path-store.ts'

/** The facts about a peer that the decision process compares, by peer index. */
export interface DecisionPeers {
  readonly external: Uint8Array
  readonly routerId: Uint32Array
  /** Five words per peer: 4 or 6, then the address, IPv4 in the first of its words. */
  readonly address: Uint32Array
}

export interface DecisionOptions {
  readonly alwaysCompareMed: boolean
  readonly maximumPaths: number
  readonly asPathRelax: boolean
}

/** Everything a comparison looks at. */
export interface DecisionColumns {
  readonly paths: PathStore
  readonly sets: AttributeTable
  readonly peers: DecisionPeers
  readonly options: DecisionOptions
}

export type DecisionStep =
  | 'local'
  | 'longLivedStale'
  | 'localPref'
  | 'asPathLength'
  | 'origin'
  | 'med'
  | 'external'
  | 'interiorCost'
  | 'routerId'
  | 'clusterListLength'
  | 'peerAddress'
  | 'pathId'

export interface DecisionRow {
  readonly step: DecisionStep
  /** Where it is written. */
  readonly source: string
  /** What the preferred path has, as the end of 'the best path …'. */
  readonly reason: string
  compare(c: DecisionColumns, a: number, b: number): number
}

const setOf = (c: DecisionColumns, path: number): number => c.paths.accepted[path] as number
const peerOf = (c: DecisionColumns, path: number): number => c.paths.peer[path] as number

type Comparison = (c: DecisionColumns, a: number, b: number) => number

const compareLocal: Comparison = (c, a, b) => notLocal(c, a) - notLocal(c, b)

const compareLongLivedStale: Comparison = (c, a, b) => longLivedStale(c, a) - longLivedStale(c, b)

const compareLocalPref: Comparison = (c, a, b) =>
  (c.sets.localPref[setOf(c, b)] as number) - (c.sets.localPref[setOf(c, a)] as number)

const comparePathLength: Comparison = (c, a, b) =>
  (c.sets.pathLength[setOf(c, a)] as number) - (c.sets.pathLength[setOf(c, b)] as number)

const compareOrigin: Comparison = (c, a, b) =>
  (c.sets.origin[setOf(c, a)] as number) - (c.sets.origin[setOf(c, b)] as number)

const compareMed: Comparison = (c, a, b) => {
  const x = setOf(c, a)
  const y = setOf(c, b)
  if (!c.options.alwaysCompareMed && c.sets.neighbourAs[x] !== c.sets.neighbourAs[y]) return 0
  return (c.sets.med[x] as number) - (c.sets.med[y] as number)
}

const compareExternal: Comparison = (c, a, b) =>
  (c.peers.external[peerOf(c, b)] as number) - (c.peers.external[peerOf(c, a)] as number)

const compareInteriorCost: Comparison = (c, a, b) =>
  c.sets.nextHopCost(setOf(c, a)) - c.sets.nextHopCost(setOf(c, b))

const compareRouterId: Comparison = (c, a, b) => identifier(c, a) - identifier(c, b)

const compareClusterListLength: Comparison = (c, a, b) =>
  (c.sets.clusterLength[setOf(c, a)] as number) - (c.sets.clusterLength[setOf(c, b)] as number)

const comparePeerAddress: Comparison = (c, a, b) => comparePeerAddresses(c.peers, peerOf(c, a), peerOf(c, b))

const comparePathId: Comparison = (c, a, b) =>
  c.paths.pathIdOf(a) - c.paths.pathIdOf(b) || peerOf(c, a) - peerOf(c, b)

/** The steps in order. The three chains below call the same functions by name, which is several times as fast. */
export const decisionSteps: readonly DecisionRow[] = [
  { step: 'local', source: 'own routes come first', reason: 'is one of our own', compare: compareLocal },
  {
    step: 'longLivedStale',
    source: 'RFC 9494 section 4.3',
    reason: 'is not long-lived stale',
    compare: compareLongLivedStale,
  },
  {
    step: 'localPref',
    source: 'RFC 4271 section 9.1.1',
    reason: 'has the higher LOCAL_PREF',
    compare: compareLocalPref,
  },
  {
    step: 'asPathLength',
    source: 'RFC 4271 section 9.1.2.2 a',
    reason: 'has the shorter AS_PATH',
    compare: comparePathLength,
  },
  {
    step: 'origin',
    source: 'RFC 4271 section 9.1.2.2 b',
    reason: 'has the lower ORIGIN',
    compare: compareOrigin,
  },
  {
    step: 'med',
    source: 'RFC 4271 section 9.1.2.2 c',
    reason: 'has the lower MULTI_EXIT_DISC from the same neighbouring AS',
    compare: compareMed,
  },
  {
    step: 'external',
    source: 'RFC 4271 section 9.1.2.2 d',
    reason: 'was learned from an external peer',
    compare: compareExternal,
  },
  {
    step: 'interiorCost',
    source: 'RFC 4271 section 9.1.2.2 e',
    reason: 'has the nearer next hop',
    compare: compareInteriorCost,
  },
  {
    step: 'routerId',
    source: 'RFC 4271 section 9.1.2.2 f, RFC 4456 section 9',
    reason: 'has the lower BGP identifier or ORIGINATOR_ID',
    compare: compareRouterId,
  },
  {
    step: 'clusterListLength',
    source: 'RFC 4456 section 9',
    reason: 'has the shorter CLUSTER_LIST',
    compare: compareClusterListLength,
  },
  {
    step: 'peerAddress',
    source: 'RFC 4271 section 9.1.2.2 g',
    reason: 'came from the lower peer address',
    compare: comparePeerAddress,
  },
  {
    step: 'pathId',
    source: 'RFC 7911: paths of one peer',
    reason: 'has the lower path identifier',
    compare: comparePathId,
  },
]

/** The steps before MED. */
function compareBeforeMed(c: DecisionColumns, a: number, b: number): number {
  return (
    compareLocal(c, a, b) ||
    compareLongLivedStale(c, a, b) ||
    compareLocalPref(c, a, b) ||
    comparePathLength(c, a, b) ||
    compareOrigin(c, a, b)
  )
}

/** The steps behind MED that paths must tie in to share the load. */
function compareReach(c: DecisionColumns, a: number, b: number): number {
  return compareExternal(c, a, b) || compareInteriorCost(c, a, b)
}

/** The steps that only break ties. */
function compareTies(c: DecisionColumns, a: number, b: number): number {
  return (
    compareRouterId(c, a, b) ||
    compareClusterListLength(c, a, b) ||
    comparePeerAddress(c, a, b) ||
    comparePathId(c, a, b)
  )
}

function notLocal(c: DecisionColumns, path: number): number {
  return peerOf(c, path) === localPeer ? 0 : 1
}

function longLivedStale(c: DecisionColumns, path: number): number {
  return (c.sets.flags[setOf(c, path)] as number) & SetFlag.llgrStale
}

function identifier(c: DecisionColumns, path: number): number {
  const set = setOf(c, path)
  return ((c.sets.flags[set] as number) & SetFlag.originatorId) !== 0
    ? (c.sets.originatorId[set] as number)
    : (c.peers.routerId[peerOf(c, path)] as number)
}

/** Orders two peers by address, IPv4 first; 0 if both have the same one, on two links. */
export function comparePeerAddresses(peers: DecisionPeers, a: number, b: number): number {
  for (let i = 0; i < 5; i++) {
    const order = (peers.address[a * 5 + i] as number) - (peers.address[b * 5 + i] as number)
    if (order !== 0) return order
  }
  return 0
}

/** The step by which two paths differ, and which of them it prefers (negative: the first); undefined if none does. */
export function decidingStep(
  c: DecisionColumns,
  a: number,
  b: number,
): { row: DecisionRow; order: number } | undefined {
  for (const row of decisionSteps) {
    const order = row.compare(c, a, b)
    if (order !== 0) return { row, order }
  }
  return undefined
}

/** The index of the best one of candidates[0 … count); `count` is 1 at least. */
export function selectBest(c: DecisionColumns, candidates: Int32Array, count: number): number {
  let best = 0
  let tied = 1
  for (let i = 1; i < count; i++) {
    const order = compareBeforeMed(c, candidates[i] as number, candidates[best] as number)
    if (order < 0) {
      best = i
      tied = 1
    } else if (order === 0) tied++
  }
  if (tied === 1) return best
  const lead = candidates[best] as number
  const medMatters = medsDiffer(c, candidates, count)
  let winner = -1
  for (let i = 0; i < count; i++) {
    const path = candidates[i] as number
    if (tied < count && compareBeforeMed(c, path, lead) !== 0) continue
    if (medMatters && medRemoves(c, candidates, count, path, lead)) continue
    if (winner < 0) {
      winner = i
      continue
    }
    const other = candidates[winner] as number
    if ((compareReach(c, path, other) || compareTies(c, path, other)) < 0) winner = i
  }
  return winner
}

function medsDiffer(c: DecisionColumns, candidates: Int32Array, count: number): boolean {
  const first = c.sets.med[setOf(c, candidates[0] as number)]
  for (let i = 1; i < count; i++) if (c.sets.med[setOf(c, candidates[i] as number)] !== first) return true
  return false
}

/** Whether one of the candidates that tie with `lead` before MED beats the path by MED. */
function medRemoves(
  c: DecisionColumns,
  candidates: Int32Array,
  count: number,
  path: number,
  lead: number,
): boolean {
  for (let i = 0; i < count; i++) {
    const other = candidates[i] as number
    if (compareMed(c, other, path) < 0 && compareBeforeMed(c, other, lead) === 0) return true
  }
  return false
}

/** Whether a path may share the load with the best one: equal in every step up to the interior cost. */
export function isMultipath(c: DecisionColumns, path: number, best: number): boolean {
  if ((compareBeforeMed(c, path, best) || compareMed(c, path, best) || compareReach(c, path, best)) !== 0)
    return false
  return c.options.asPathRelax || c.sets.pathHash[setOf(c, path)] === c.sets.pathHash[setOf(c, best)]
}
