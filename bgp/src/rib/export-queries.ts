/*
 * For people: what each peer is sent for a prefix, and what keeps it back from those that are not. The rules are asked
 * again (egress.ts); Adj-RIB-Out says what has come of it so far.
 */
import { type Prefix } from '@network/net'
import { decodeAttributes } from '../codec/attribute-block.ts'
import { plainContext } from '../codec/context.ts'
import { type ByteInterner } from './byte-interner.ts'
import { formBlock } from './egress.ts'
import { type QueriedFamily } from './queries.ts'
import { type UpdateGroup } from './update-group.ts'
import { type PeerState } from './peer-state.ts'
import { type PeerTable } from './peer-table.ts'
import { type ExportExplanation } from './rib.ts'

type Answer = Omit<ExportExplanation, 'peer'>

/** What becomes of a prefix towards every peer of ours, by the peers' order; several of a peer with ADD-PATH. */
export function explainExports(
  on: QueriedFamily,
  peers: PeerTable,
  forms: ByteInterner,
  prefix: Prefix,
): ExportExplanation[] {
  const { family } = on
  family.prefixes.set(prefix)
  const id = family.prefixes.find()
  if (id < 0) return []
  return peers.states.slice(1).flatMap((state) => {
    if (state.removed) return []
    const group = on.groups.placeOf(state.index)?.group
    if (!state.up) return [{ peer: state.index, ...notSent('down', 'the session is not up') }]
    if (group === undefined)
      return [{ peer: state.index, ...notSent('family', `${family.family} is not negotiated`) }]
    const paths = group.addPath
      ? candidates(on, id, group)
      : [family.best[id] as number].filter((path) => path >= 0)
    if (paths.length === 0) return [{ peer: state.index, ...notSent('noPath', 'no path of it is selected') }]
    return paths.map((path) => ({
      peer: state.index,
      ...explainPath(on, peers, forms, state, group, id, path),
    }))
  })
}

function candidates({ locRib }: QueriedFamily, prefix: number, group: UpdateGroup): number[] {
  const ranked: number[] = []
  ranked.length = locRib.rank(prefix, group.pathLimit, ranked)
  return ranked
}

function explainPath(
  { family }: QueriedFamily,
  peers: PeerTable,
  forms: ByteInterner,
  to: PeerState,
  group: UpdateGroup,
  prefix: number,
  path: number,
): Answer {
  const source = peers.states[family.paths.peer[path] as number] as PeerState
  const element = group.addPath ? path : prefix
  const of = { from: source.index, pathId: group.addPath ? element + 1 : undefined }
  if (source.index === to.index)
    return { ...notSent('ownRoute', 'it is the route that this peer sent'), ...of }
  const set = family.paths.accepted[path] as number
  const { sent, decidedBy, why } = group.egress.explain(set, source, family.prefixes, prefix)
  if (!sent) return { ...notSent(decidedBy, why), ...of }
  const form = group.formOf(element)
  if (form < 0) {
    return group.isFull
      ? { ...notSent('limit', `the limit of ${String(group.egress.maximum)} prefixes is reached`), ...of }
      : { ...notSent('pending', 'it waits to be sent'), ...of }
  }
  return { ...of, sent, decidedBy, why: `${why}${loopNote(to, forms.view(form))}` }
}

/** RFC 4271 section 9.1.2 leaves it to the receiver to refuse a path that it stands in. */
function loopNote({ session }: PeerState, form: Uint8Array): string {
  if (session?.peerType !== 'external') return ''
  const { asPath = [] } = decodeAttributes(formBlock(form), { ...plainContext, ...session.send })
  return asPath.some(({ asns }) => asns.includes(session.peerAsn))
    ? `; its AS ${String(session.peerAsn)} is in the AS_PATH, for which it refuses it by default`
    : ''
}

function notSent(decidedBy: string, why: string): Answer {
  return { sent: false, decidedBy, why, from: undefined, pathId: undefined }
}
