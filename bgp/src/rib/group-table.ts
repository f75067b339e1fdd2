/**
 * The update groups of one family, and which of them each peer is in. A group is made for the first peer of its kind
 * and goes with the last one. A peer whose configuration has changed moves to another group, and is sent the difference.
 */
import { Egress } from './egress.ts'
import { type ByteInterner } from './byte-interner.ts'
import { type FamilyRib } from './family-rib.ts'
import { addPathLimit, groupKey } from './group-key.ts'
import { type GroupMember } from './group-member.ts'
import { type SpeakerIdentity } from './ingress.ts'
import { type LocRib } from './loc-rib.ts'
import { type PeerIndex, type RibSession } from './peer.ts'
import { type PeerState } from './peer-state.ts'
import { UpdateGroup } from './update-group.ts'

/** Where a peer is. */
export interface GroupPlace {
  readonly group: UpdateGroup
  readonly member: GroupMember
}

/** What groups are made of. */
export interface GroupParts {
  readonly family: FamilyRib
  readonly locRib: LocRib
  readonly identity: SpeakerIdentity
  readonly forms: ByteInterner
  readonly peers: readonly PeerState[]
}

export class GroupTable {
  readonly groups: UpdateGroup[] = []
  readonly #parts: GroupParts
  /** By peer index. */
  readonly #places: (GroupPlace | undefined)[] = []

  constructor(parts: GroupParts) {
    this.#parts = parts
  }

  get bytes(): number {
    return this.groups.reduce((sum, group) => sum + group.bytes, 0)
  }

  /** Where a peer is; undefined while the family is not spoken with it. */
  placeOf(peer: PeerIndex): GroupPlace | undefined {
    return this.#places[peer]
  }

  join(peer: PeerState, session: RibSession): GroupMember {
    const group = this.#groupFor(peer, session)
    const member = group.join(peer)
    this.#places[peer.index] = { group, member }
    return member
  }

  leave(peer: PeerState): void {
    const place = this.#places[peer.index]
    if (place === undefined) return
    this.#places[peer.index] = undefined
    if (!place.group.leave(place.member)) return
    const { followers } = this.#parts.family
    this.groups.splice(this.groups.indexOf(place.group), 1)
    followers.splice(followers.indexOf(place.group), 1)
    place.group.close()
  }

  /** After a change of the peer's configuration. */
  regroup(peer: PeerState, session: RibSession): void {
    const old = this.#places[peer.index]
    if (old === undefined || old.group.key === this.#keyOf(peer, session)) return
    const withdrawals = old.group.withdrawalsFor(peer.index, this.#groupFor(peer, session))
    this.leave(peer)
    const member = this.join(peer, session)
    member.first.push(...old.member.first)
    if (withdrawals.length > 0) member.first.push(withdrawals)
    member.last.push(...old.member.last)
  }

  #keyOf(peer: PeerState, session: RibSession): string {
    const { family } = this.#parts
    return groupKey(family.afiSafi, family.family, peer.config, session)
  }

  #groupFor(peer: PeerState, session: RibSession): UpdateGroup {
    const key = this.#keyOf(peer, session)
    const known = this.groups.find((group) => group.key === key)
    if (known !== undefined) return known
    const { family, locRib, identity, forms, peers } = this.#parts
    const { afiSafi, sets } = family
    const group = new UpdateGroup({
      key,
      family,
      egress: new Egress(afiSafi, family.family, peer.config, session, identity, sets, forms),
      forms,
      extendedMessage: session.send.extendedMessage,
      addPath: addPathLimit(afiSafi, peer.config, session),
      peers,
      rank: (prefix, limit, into) => locRib.rank(prefix, limit, into),
    })
    this.groups.push(group)
    family.followers.push(group)
    return group
  }
}
