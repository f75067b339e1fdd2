/**
 * What happens to an attribute set on its way to the peers of an update group: rules that keep it back (well-known
 * communities, reflection, RFC 9234), the export policy, the changes that RFC 4271, 4456 and the peers' options ask
 * for, and the encoding for what was negotiated. The result, interned by its bytes, is what Adj-RIB-Out compares:
 * two sets that look the same to the group are the same.
 */
import { encodeAttributes } from '../codec/attribute-block.ts'
import { editBlock, editGrowth } from '../codec/block-edit.ts'
import { type AfiSafi, Role } from '../codec/iana.ts'
import { maxMessageLength } from '../codec/context.ts'
import { type PathAttributes } from '../codec/path-attributes.ts'
import { announceOverhead } from '../codec/update-writer.ts'
import { actionNextHop } from '../filter/actions.ts'
import { type PolicySource } from '../filter/policy-question.ts'
import { type CompiledPolicy, type Verdict, compilePolicy, isPrefixVerdict } from '../filter/compile.ts'
import { type AttributeSet, type AttributeTable } from './attribute-table.ts'
import { SetFlag } from './attribute-keys.ts'
import { type ByteInterner } from './byte-interner.ts'
import { type EgressWay, egressAttributes, egressEdit } from './egress-attributes.ts'
import { egressNextHop, inSubnet } from './egress-next-hop.ts'
import { type SpeakerIdentity, localSource, policySource } from './ingress.ts'
import { localPeer, type RibPeer, type RibSession } from './peer.ts'
import { type PeerState } from './peer-state.ts'
import { VerdictByPrefix } from './policy-verdict.ts'
import { type PrefixTable } from './prefix-table.ts'
import { ByPrefix, Refused, VerdictCache } from './verdict-cache.ts'

/** Room that one more NLRI may need: path identifier, length octet, sixteen octets. */
const longestNlri = 21

export class Egress {
  readonly afiSafi: AfiSafi
  readonly family: 'ipv4' | 'ipv6'
  /** Most prefixes sent. */
  readonly maximum: number
  /** Set when evaluate() has answered ByPrefix. */
  byPrefix: VerdictByPrefix | undefined
  /** How many sets were not known and had to be worked out. */
  evaluations = 0
  readonly #peer: RibPeer
  readonly #session: RibSession
  readonly #identity: SpeakerIdentity
  readonly #sets: AttributeTable
  readonly #forms: ByteInterner
  readonly #policy: CompiledPolicy | undefined
  readonly #cache: VerdictCache

  /** `peer` and `session` are those of any member: what members differ in isn't looked at. */
  constructor(
    afiSafi: AfiSafi,
    family: 'ipv4' | 'ipv6',
    peer: RibPeer,
    session: RibSession,
    identity: SpeakerIdentity,
    sets: AttributeTable,
    forms: ByteInterner,
  ) {
    this.afiSafi = afiSafi
    this.family = family
    this.#peer = peer
    this.#session = session
    this.#identity = identity
    this.#sets = sets
    this.#forms = forms
    this.#policy = peer.export === undefined ? undefined : compilePolicy(peer.export)
    this.maximum = Math.min(this.#policy?.maximum ?? Infinity, peer.maximumOut?.[family] ?? Infinity)
    this.#cache = new VerdictCache(sets.sets, forms)
  }

  /** The form to send of a set from a peer, Refused, or ByPrefix. A form made here is held by nobody yet. */
  evaluate(set: number, source: PeerState): number {
    const known = this.#cache.get(set, source.sourceKey)
    if (known !== undefined) return known
    const result = this.#evaluate(set, source)
    if (result !== ByPrefix) this.#cache.put(set, source.sourceKey, result)
    return result
  }

  forget(): void {
    this.#cache.clear()
  }

  /** For a person: why a set isn't sent, as the end of a sentence; undefined if no rule but a policy keeps it back. */
  refusal(set: number, source: PeerState): string | undefined {
    const { peerType } = this.#session
    const flags = this.#sets.flags[set] as number
    if ((flags & SetFlag.noAdvertise) !== 0) return 'it carries NO_ADVERTISE (RFC 1997)'
    if (peerType === 'internal') {
      const learnedInside = source.index !== localPeer && source.session?.peerType === 'internal'
      const reflects = source.config.routeReflectorClient === true || this.#peer.routeReflectorClient === true
      return learnedInside && !reflects
        ? 'it was learned from an internal peer, and neither peer is a client (RFC 4456 section 6)'
        : undefined
    }
    if ((flags & SetFlag.noExport) !== 0) return 'it carries NO_EXPORT (RFC 1997)'
    const { role } = this.#peer
    if ((flags & SetFlag.noPeer) !== 0 && role === Role.peer) return 'it carries NOPEER (RFC 3765)'
    if (this.#peer.requirePolicy === true && this.#peer.export === undefined)
      return 'the external peer has no export policy (RFC 8212)'
    const upwards = role === Role.customer || role === Role.peer || role === Role.routeServerClient
    if ((flags & SetFlag.onlyToCustomer) !== 0 && upwards)
      return 'it carries OTC and the peer is no customer (RFC 9234 section 5)'
    return undefined
  }

  /** For a person: what becomes of a set for a prefix, and by which rule. */
  explain(set: number, source: PeerState, prefixes: PrefixTable, prefix: number): EgressExplanation {
    const rule = this.refusal(set, source)
    if (rule !== undefined) return { sent: false, decidedBy: 'rule', why: rule }
    const object = this.#sets.read(set)
    const verdict = this.#verdict(object, source, prefixes, prefix)
    if (verdict?.accept === false)
      return { sent: false, decidedBy: 'filter', why: `${verdict.by} refuses it` }
    if (this.#nextHop(set, source, verdict) === undefined)
      return { sent: false, decidedBy: 'nextHop', why: 'there is no next hop for it that the peer can use' }
    const form = this.#apply(set, source, verdict, () => object)
    if (form < 0)
      return { sent: false, decidedBy: 'length', why: 'its attributes leave no room in a message (RFC 8654)' }
    this.#forms.releaseUnheld(form)
    const why = verdict === undefined ? 'there is no export filter' : `${verdict.by} accepts it`
    return { sent: true, decidedBy: verdict === undefined ? 'default' : 'filter', why }
  }

  #verdict(
    object: AttributeSet,
    source: PeerState,
    prefixes: PrefixTable,
    prefix: number,
  ): Verdict | undefined {
    if (this.#policy === undefined) return undefined
    const answer = this.#policy.evaluate(this.family, exportSource(source), () => object)
    if (!isPrefixVerdict(answer)) return answer
    return answer.verdicts[new VerdictByPrefix(answer, () => Refused).verdict(prefixes, prefix)]
  }

  #evaluate(set: number, source: PeerState): number {
    this.evaluations++
    if (this.refusal(set, source) !== undefined) return Refused
    let object: AttributeSet | undefined
    const read = (): AttributeSet => (object ??= this.#sets.read(set))
    const apply = (verdict: Verdict | undefined): number => this.#apply(set, source, verdict, read)
    if (this.#policy === undefined) return apply(undefined)
    const answer = this.#policy.evaluate(this.family, exportSource(source), read)
    if (!isPrefixVerdict(answer)) return answer.accept ? apply(answer) : Refused
    this.byPrefix = new VerdictByPrefix(answer, apply)
    return ByPrefix
  }

  #nextHop(set: number, source: PeerState, verdict: Verdict | undefined): Uint8Array | undefined {
    const { sharedSubnet } = this.#session
    const sourceAddress = source.session?.peerAddress
    return egressNextHop({
      afiSafi: this.afiSafi,
      nextHop: this.#sets.nextHopBytes(set),
      wanted: actionNextHop(verdict?.actions),
      source: kindOf(source),
      sourceShared:
        sharedSubnet !== undefined &&
        sourceAddress !== undefined &&
        source.session?.interface === this.#session.interface &&
        inSubnet(sourceAddress, sharedSubnet),
      peer: this.#peer,
      session: this.#session,
    })
  }

  #apply(set: number, source: PeerState, verdict: Verdict | undefined, read: () => AttributeSet): number {
    const nextHop = this.#nextHop(set, source, verdict)
    if (nextHop === undefined) return Refused
    const way: EgressWay = {
      source: kindOf(source),
      sourceRouterId: source.session?.peerRouterId ?? 0,
      peer: this.#peer,
      session: this.#session,
      identity: this.#identity,
    }
    const actions = verdict?.actions
    const edited = actions === undefined ? this.#edit(set, way, nextHop) : undefined
    if (edited !== undefined) return edited
    return this.#encode(egressAttributes(read().attributes, way, actions), nextHop)
  }

  /** The form made octet by octet; undefined if that can't be done. */
  #edit(set: number, way: EgressWay, nextHop: Uint8Array): number | undefined {
    const edit = egressEdit(way)
    if (edit === undefined) return undefined
    const block = this.#sets.block(set)
    const start = 1 + nextHop.length
    const form = this.#forms.reserve(start + block.length + editGrowth)
    const end = editBlock(block, 0, block.length, edit, form, start)
    return end < 0 ? undefined : this.#intern(form, end, nextHop)
  }

  #encode(attributes: PathAttributes, nextHop: Uint8Array): number {
    const block = encodeAttributes(attributes, this.#session.send)
    const start = 1 + nextHop.length
    const form = this.#forms.reserve(start + block.length)
    form.set(block, start)
    return this.#intern(form, start + block.length, nextHop)
  }

  /** The id of a form whose block is there; one that leaves no room for a prefix is refused. */
  #intern(form: Uint8Array, end: number, nextHop: Uint8Array): number {
    const length = end - 1 - nextHop.length
    if (
      announceOverhead(this.afiSafi, { length }, nextHop) + longestNlri >
      maxMessageLength(this.#session.send)
    )
      return Refused
    form[0] = nextHop.length
    for (let i = 0; i < nextHop.length; i++) form[1 + i] = nextHop[i] as number
    return this.#forms.internReserved(end)
  }
}

/** What becomes of a set on its way out. */
export interface EgressExplanation {
  readonly sent: boolean
  readonly decidedBy: 'rule' | 'filter' | 'nextHop' | 'length' | 'default'
  /** For a person. */
  readonly why: string
}

function kindOf({ index, session }: PeerState): 'local' | 'internal' | 'external' {
  return index === localPeer ? 'local' : session?.peerType === 'internal' ? 'internal' : 'external'
}

function exportSource({ index, config, session }: PeerState): PolicySource {
  return index === localPeer ? localSource : policySource(config, session)
}

/** The next hop in a form. */
export function formNextHop(form: Uint8Array): Uint8Array {
  return form.subarray(1, 1 + (form[0] as number))
}

/** The attribute block in a form, without NEXT_HOP. */
export function formBlock(form: Uint8Array): Uint8Array {
  return form.subarray(1 + (form[0] as number))
}
