/**
 * What happens to an attribute set on its way from a peer into the decision process: checks that refuse it (loops,
 * next hops of our own, RFC 9234), changes that RFCs ask for, then the import policy. The result is remembered per
 * set; only a policy that looks at prefixes is asked for each of them.
 */
import { formatIpv4Word } from '@network/net'
import { firstAs, prependAs } from '../codec/as-path.ts'
import { Role } from '../codec/iana.ts'
import { type PathAttributes } from '../codec/path-attributes.ts'
import { actionNextHop, applyActions } from '../filter/actions.ts'
import { type CompiledPolicy, type Verdict, compilePolicy, isPrefixVerdict } from '../filter/compile.ts'
import { type PolicySource } from '../filter/policy-question.ts'
import { addressText } from './address-text.ts'
import { type AttributeSet, type AttributeTable } from './attribute-table.ts'
import { SetFlag, countAsInBlock, hasCluster } from './attribute-keys.ts'
import { type PeerIndex, type RibPeer, type RibSession } from './peer.ts'
import { type PrefixTable } from './prefix-table.ts'
import { VerdictByPrefix } from './policy-verdict.ts'
import { ByPrefix, Refused, VerdictCache } from './verdict-cache.ts'

/** Who we are. */
export interface SpeakerIdentity {
  readonly asn: number
  readonly routerId: number
  readonly clusterId: number
}

export class Ingress {
  readonly source: PolicySource
  /** Most prefixes that the policy lets in. */
  readonly maximum: number
  /** Set when evaluate() has answered ByPrefix. */
  byPrefix: VerdictByPrefix | undefined
  readonly #index: PeerIndex
  readonly #peer: RibPeer
  readonly #session: RibSession
  readonly #identity: SpeakerIdentity
  readonly #sets: AttributeTable
  readonly #policy: CompiledPolicy | undefined
  /** AS numbers that we are to this peer or in general. */
  readonly #ownAsns: readonly number[]
  readonly #caches: readonly [VerdictCache, VerdictCache]

  constructor(
    index: PeerIndex,
    peer: RibPeer,
    session: RibSession,
    identity: SpeakerIdentity,
    sets: AttributeTable,
  ) {
    this.#index = index
    this.#peer = peer
    this.#session = session
    this.#identity = identity
    this.#sets = sets
    this.#ownAsns = [...new Set([identity.asn, peer.localAsn ?? identity.asn])]
    this.#policy = peer.import === undefined ? undefined : compilePolicy(peer.import)
    this.maximum = this.#policy?.maximum ?? Infinity
    this.#caches = [new VerdictCache(sets.sets, sets.sets), new VerdictCache(sets.sets, sets.sets)]
    this.source = policySource(peer, session)
  }

  /** The accepted set, Refused, or ByPrefix. A set made here is held by nobody yet. */
  evaluate(set: number, family: 'ipv4' | 'ipv6'): number {
    const cache = this.#caches[family === 'ipv4' ? 0 : 1]
    const known = cache.get(set, this.#index)
    if (known !== undefined) return known
    const result = this.#evaluate(set, family)
    if (result !== ByPrefix) cache.put(set, this.#index, result)
    return result
  }

  /** For a person: what refuses a set for a prefix, as the end of a sentence; undefined if nothing does. */
  refusal(set: number, prefixes: PrefixTable, prefix: number, family: 'ipv4' | 'ipv6'): string | undefined {
    const reason = this.#check(set)
    if (reason !== undefined || this.#policy === undefined) return reason
    const object = this.#received(set)
    const answer = this.#policy.evaluate(family, this.source, () => object)
    const verdict = isPrefixVerdict(answer)
      ? answer.verdicts[new VerdictByPrefix(answer, () => Refused).verdict(prefixes, prefix)]
      : answer
    return verdict?.accept === false ? `${verdict.by} refuses it` : undefined
  }

  #evaluate(set: number, family: 'ipv4' | 'ipv6'): number {
    if (this.#check(set) !== undefined) return Refused
    if (this.#policy === undefined && !this.#changes(set)) return set
    let object: AttributeSet | undefined
    const received = (): AttributeSet => (object ??= this.#received(set))
    const apply = (verdict: Verdict | undefined): number => this.#apply(set, received, verdict)
    if (this.#policy === undefined) return apply(undefined)
    const answer = this.#policy.evaluate(family, this.source, received)
    if (!isPrefixVerdict(answer)) return answer.accept ? apply(answer) : Refused
    this.byPrefix = new VerdictByPrefix(answer, apply)
    return ByPrefix
  }

  #check(set: number): string | undefined {
    const { routerId, clusterId } = this.#identity
    const { peerType, peerAsn } = this.#session
    if (this.#sets.nextHops.own[this.#sets.nextHop[set] as number] === 1)
      return `its next hop ${addressText(this.#sets.nextHopBytes(set))} is our own address`
    const flags = this.#sets.flags[set] as number
    if (this.#sets.pathHash[set] !== 0) {
      const loop = this.#asLoop(set)
      if (loop !== undefined) return loop
    }
    if (peerType === 'internal') {
      if ((flags & SetFlag.originatorId) !== 0 && this.#sets.originatorId[set] === routerId)
        return 'its ORIGINATOR_ID is our own (RFC 4456 section 8)'
      if ((this.#sets.clusterLength[set] as number) > 0 && hasCluster(this.#sets.block(set), clusterId))
        return `our cluster id ${formatIpv4Word(clusterId)} is in its CLUSTER_LIST (RFC 4456 section 8)`
      return undefined
    }
    if (this.#peer.requirePolicy === true && this.#peer.import === undefined)
      return 'the external peer has no import policy (RFC 8212)'
    if (this.#peer.enforceFirstAs === true && this.#sets.neighbourAs[set] !== peerAsn)
      return `its AS_PATH does not begin with the peer's AS ${peerAsn}`
    return this.#routeLeak(set, flags)
  }

  #asLoop(set: number): string | undefined {
    const allowed = this.#peer.allowOwnAsn ?? 0
    const block = this.#sets.block(set)
    for (const own of this.#ownAsns) {
      const count = countAsInBlock(block, own)
      if (count > allowed) return `our AS ${own} is ${count}× in its AS_PATH, ${allowed}× is allowed`
    }
    return undefined
  }

  /** RFC 9234 section 5, ingress rules 1 and 2. */
  #routeLeak(set: number, flags: number): string | undefined {
    if ((flags & SetFlag.onlyToCustomer) === 0) return undefined
    const { role } = this.#peer
    const value = this.#sets.onlyToCustomer[set] as number
    if (role === Role.provider || role === Role.routeServer)
      return `it is a route leak: OTC ${value} comes from a customer (RFC 9234 section 5)`
    if (role === Role.peer && value !== this.#session.peerAsn)
      return `it is a route leak: OTC ${value} is not the peer's AS (RFC 9234 section 5)`
    return undefined
  }

  /** Whether received() has anything to change. */
  #changes(set: number): boolean {
    const flags = this.#sets.flags[set] as number
    return (
      (this.#peer.localAsn !== undefined && this.#peer.localAsnOnImport === true) ||
      this.#lowersPreference(flags) ||
      this.#addsOnlyToCustomer(flags)
    )
  }

  #lowersPreference(flags: number): boolean {
    if (this.#session.peerType !== 'external') return false
    if (this.#peer.gracefulShutdown === true) return true
    return this.#peer.honourGracefulShutdown !== false && (flags & SetFlag.gracefulShutdown) !== 0
  }

  /** RFC 9234 section 5, ingress rule 3. */
  #addsOnlyToCustomer(flags: number): boolean {
    const { role } = this.#peer
    const fromAbove = role === Role.customer || role === Role.peer || role === Role.routeServerClient
    return this.#session.peerType === 'external' && fromAbove && (flags & SetFlag.onlyToCustomer) === 0
  }

  /** The set with the changes that don't wait for a policy. */
  #received(set: number): AttributeSet {
    const object = this.#sets.read(set)
    const flags = this.#sets.flags[set] as number
    let attributes: PathAttributes = object.attributes
    const { localAsn, localAsnOnImport } = this.#peer
    if (
      localAsn !== undefined &&
      localAsnOnImport === true &&
      this.#session.peerType === 'external' &&
      firstAs(attributes.asPath ?? []) !== localAsn
    )
      attributes = { ...attributes, asPath: prependAs(attributes.asPath ?? [], localAsn) }
    if (this.#lowersPreference(flags)) attributes = { ...attributes, localPref: 0 }
    if (this.#addsOnlyToCustomer(flags)) attributes = { ...attributes, onlyToCustomer: this.#session.peerAsn }
    return { ...object, attributes }
  }

  #apply(set: number, received: () => AttributeSet, verdict: Verdict | undefined): number {
    const actions = verdict?.actions
    if (actions === undefined && !this.#changes(set)) return set
    const object = received()
    if (actions === undefined) return this.#sets.internSet(object)
    const nextHop = actionNextHop(actions)
    return this.#sets.internSet({
      attributes: applyActions(object.attributes, actions),
      nextHop: nextHop === undefined || nextHop === 'self' ? object.nextHop : nextHop,
      priority: actions.priority ?? object.priority,
    })
  }
}

/** What policies see of a peer. */
export function policySource(peer: RibPeer, session: RibSession | undefined): PolicySource {
  return {
    local: false,
    peer: peer.name,
    address: session && addressText(session.peerAddress),
    peerType: session?.peerType,
    interface: session?.interface,
  }
}

export const localSource: PolicySource = {
  local: true,
  peer: undefined,
  address: undefined,
  peerType: undefined,
  interface: undefined,
}
