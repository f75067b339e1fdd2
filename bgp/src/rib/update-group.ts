/**
 * Peers with the same export policy and the same shape of session form an update group and share one Adj-RIB-Out.
 * It is a column, what was logged last for each element (a prefix, or with ADD-PATH a path), and a log of elements in
 * the order of their changes (change-log.ts). A member is a place in the log. A peer that joins begins at 0 and is
 * thereby sent the table; one that is slow stays where it is and costs nothing; one that asks for a refresh goes back
 * to 0. Changes wait in `pending` until a member asks: what undoes itself by then isn't logged. Encoded chunks of the
 * log are remembered as long as they are exact, so that members in the same place share them.
 */
import { maxMessageLength } from '../codec/context.ts'
import { type AfiSafi } from '../codec/iana.ts'
import { type ByteInterner } from './byte-interner.ts'
import { ChangeLog } from './change-log.ts'
import { type Chunk, readChunk } from './chunk.ts'
import { ChunkCache } from './chunk-cache.ts'
import { growInt32, growUint16, growUint8, grownCapacity } from './column.ts'
import { type Egress } from './egress.ts'
import { type FamilyRib } from './family-rib.ts'
import { type GroupMember, type Marker, isDue, newMember } from './group-member.ts'
import { IdQueue } from './id-queue.ts'
import { type PeerState } from './peer-state.ts'
import { type PackedGroup } from './packer.ts'
import { ByPrefix, Refused } from './verdict-cache.ts'

/** A chunk ends when it is estimated to be this long. */
const chunkBytes = 0x20000
/** Pending prefixes looked at, and attribute sets evaluated anew, per call: a pull stays within a few milliseconds. */
const flushLimit = 16384
const evaluationLimit = 512

export interface UpdateGroupOptions {
  readonly key: string
  readonly family: FamilyRib
  readonly egress: Egress
  readonly forms: ByteInterner
  readonly extendedMessage: boolean
  /** Most paths per prefix; 0: without ADD-PATH. */
  readonly addPath: number
  readonly peers: readonly PeerState[]
  /** Up to `limit` paths of a prefix, the best first, into `into`; returns how many. */
  readonly rank: (prefix: number, limit: number, into: number[]) => number
}

export class UpdateGroup implements PackedGroup {
  readonly key: string
  readonly afiSafi: AfiSafi
  readonly addPath: boolean
  readonly maxMessageLength: number
  readonly egress: Egress
  readonly members: GroupMember[] = []
  readonly #byPeer: (GroupMember | undefined)[] = []
  readonly #family: FamilyRib
  readonly #forms: ByteInterner
  readonly #peers: readonly PeerState[]
  readonly #rank: UpdateGroupOptions['rank']
  /** Most paths per prefix; 0: without ADD-PATH. */
  readonly pathLimit: number
  /** One more than the form logged last, which is held; 0: none or withdrawn. */
  #form = new Int32Array(64)
  /** Peer that the element logged last came from. */
  #source = new Uint16Array(64)
  /** 1: the source, a member, may still hold what was logged before, of another source. */
  #owed = new Uint8Array(64)
  readonly #log = new ChangeLog()
  #live = 0
  readonly #pending = new IdQueue()
  /** Elements kept back by the limit. */
  readonly #keptBack = new IdQueue()
  readonly #chunks = new ChunkCache(this.#log)
  /** Live elements by source, for members' counters. */
  #liveOf = new Int32Array(64)
  readonly #ranked: number[] = []
  /** The source that was looked at last while packing, and whether it is a member; -1: none yet. */
  #askedSource = -1
  #askedIsMember = false

  constructor(options: UpdateGroupOptions) {
    const { key, family, egress, forms, extendedMessage, addPath, peers, rank } = options
    this.key = key
    this.afiSafi = family.afiSafi
    this.egress = egress
    this.maxMessageLength = maxMessageLength({ extendedMessage })
    this.addPath = addPath > 0
    this.pathLimit = addPath
    this.#family = family
    this.#forms = forms
    this.#peers = peers
    this.#rank = rank
    this.touchAll()
  }

  get bytes(): number {
    return (
      this.#form.length * 7 +
      this.#log.bytes +
      this.#pending.bytes +
      this.#keptBack.bytes +
      this.#chunks.bytes +
      this.#liveOf.byteLength
    )
  }

  /** A prefix has another best path, or with ADD-PATH other paths. */
  touch(prefix: number): void {
    this.#pending.push(prefix)
  }

  /** Every prefix is looked at again: the group is new, or its policy depends on something that has changed. */
  touchAll(): void {
    this.egress.forget()
    const { best } = this.#family
    for (let prefix = 0; prefix < this.#family.prefixes.top; prefix++)
      if ((best[prefix] as number) >= 0 || this.#hasElement(prefix)) this.#pending.push(prefix)
  }

  /** ADD-PATH: a path is gone, and its slot is going to be another's. */
  pathGone(path: number): void {
    if (this.formOf(path) >= 0) this.#set(path, Refused, this.#source[path] as number)
  }

  join(peer: PeerState): GroupMember {
    // Chunks packed before it was a member don't know whose routes of a former session, still there, are its own.
    if ((this.#liveOf[peer.index] ?? 0) > 0) this.#chunks.clear()
    const member = newMember(peer, this.#log.end)
    this.members.push(member)
    this.#byPeer[peer.index] = member
    return member
  }

  /** True if nobody is left. */
  leave(member: GroupMember): boolean {
    const at = this.members.indexOf(member)
    if (at >= 0) this.members.splice(at, 1)
    this.#byPeer[member.peer.index] = undefined
    return this.members.length === 0
  }

  /**
   * Messages that withdraw from a peer what it may have of this group, which it leaves, and is not in the Adj-RIB-Out
   * of the group that it joins.
   */
  withdrawalsFor(peer: number, next: UpdateGroup): Uint8Array {
    while (next.#pending.size > 0) next.#flush()
    const { packer } = this.#family
    this.#askedSource = -1
    for (let place = 0; place < this.#log.end; place++) {
      const element = this.#log.at(place)
      if (element < 0 || next.formOf(element) >= 0) continue
      if (this.#source[element] !== peer || this.owes(element)) packer.addWithdrawal(element)
    }
    return packer.finish(this).bytes
  }

  /** Lets go of everything; the group isn't used afterwards. */
  close(): void {
    for (let element = 0; element < this.#form.length; element++) {
      const form = this.formOf(element)
      if (form >= 0) this.#forms.release(form)
      this.#form[element] = 0
      if (this.#log.placeOf(element) >= 0) this.#unpin(element)
    }
  }

  /** The member begins anew: all routes are sent again, `first` before and `last` behind them. */
  restart(member: GroupMember, first: Uint8Array | undefined, last: Marker | undefined): void {
    member.withdrawnUpTo = Math.max(member.withdrawnUpTo, member.position)
    member.position = 0
    if (first !== undefined) member.first.push(first)
    if (last !== undefined) member.last.push(last)
  }

  hasPending(member: GroupMember, decisions: number, deferred: boolean): boolean {
    return (
      member.reading !== undefined ||
      member.position < this.#log.end ||
      this.#pending.size > 0 ||
      member.first.length > 0 ||
      isDue(member.last[0], decisions, deferred)
    )
  }

  pull(member: GroupMember, maxBytes: number, decisions: number, deferred: boolean): Uint8Array | undefined {
    for (;;) {
      if (member.reading !== undefined) {
        const bytes = readChunk(member.reading, member.peer.index, maxBytes)
        if (bytes !== undefined) return bytes
        member.reading = undefined
      }
      const first = member.first.shift()
      if (first !== undefined) return first
      if (member.position === this.#log.end) this.#flush()
      if (member.position < this.#log.end) {
        this.#take(member)
        continue
      }
      if (this.#pending.size > 0) continue
      if (!isDue(member.last[0], decisions, deferred)) return undefined
      return member.last.shift()?.message
    }
  }

  /** How many routes the member has been or is going to be sent. */
  advertised(member: GroupMember): number {
    return this.#live - (this.#liveOf[member.peer.index] ?? 0)
  }

  /** What is sent to the members of a prefix: form and source by element. */
  sent(prefix: number): { element: number; form: number; source: number }[] {
    const found: { element: number; form: number; source: number }[] = []
    const note = (element: number): void => {
      const form = this.formOf(element)
      if (form >= 0) found.push({ element, form, source: this.#source[element] as number })
    }
    if (!this.addPath) note(prefix)
    else this.#eachPath(prefix, note)
    return found
  }

  /** Whether the limit of prefixes sent is reached. */
  get isFull(): boolean {
    return this.#live >= this.egress.maximum
  }

  prefixOf(element: number): number {
    return this.addPath ? (this.#family.paths.prefix[element] as number) : element
  }

  formOf(element: number): number {
    return element < this.#form.length ? (this.#form[element] as number) - 1 : -1
  }

  memberSourceOf(element: number): number {
    const source = this.#source[element] as number
    if (source !== this.#askedSource) {
      this.#askedSource = source
      this.#askedIsMember = this.#memberOf(source) !== undefined
    }
    return this.#askedIsMember ? source : -1
  }

  owes(element: number): boolean {
    return this.#owed[element] === 1
  }

  /** Brings the log up to date with the best paths, a bounded number of prefixes at a time. */
  #flush(): void {
    if (this.#log.isSparse) this.#compact()
    const enough = this.egress.evaluations + evaluationLimit
    for (let i = 0; i < flushLimit && this.egress.evaluations < enough; i++) {
      const prefix = this.#pending.shift()
      if (prefix < 0) return
      if (this.addPath) this.#flushPaths(prefix)
      else this.#flushBest(prefix)
    }
  }

  #flushBest(prefix: number): void {
    const best = this.#family.best[prefix] as number
    if (best < 0) this.#set(prefix, Refused, this.#sourceOf(prefix))
    else this.#setPath(prefix, prefix, this.#family.bestSet[prefix] as number, best)
  }

  #flushPaths(prefix: number): void {
    const count = this.#rank(prefix, this.pathLimit, this.#ranked)
    this.#eachPath(prefix, (path) => {
      const at = this.#ranked.indexOf(path)
      if ((at < 0 || at >= count) && this.formOf(path) >= 0)
        this.#set(path, Refused, this.#source[path] as number)
    })
    for (let i = 0; i < count; i++) {
      const path = this.#ranked[i] as number
      this.#setPath(path, prefix, this.#family.paths.accepted[path] as number, path)
    }
  }

  #setPath(element: number, prefix: number, set: number, path: number): void {
    const sourceIndex = this.#family.paths.peer[path] as number
    const source = this.#peers[sourceIndex] as PeerState
    const verdict = this.egress.evaluate(set, source)
    if (verdict !== ByPrefix) {
      this.#set(element, verdict, sourceIndex)
      if (verdict >= 0) this.#forms.releaseUnheld(verdict)
      return
    }
    const { byPrefix } = this.egress
    this.#set(element, byPrefix?.decide(this.#family.prefixes, prefix) ?? Refused, sourceIndex)
    byPrefix?.done((form) => this.#forms.releaseUnheld(form))
  }

  /** Logs that an element has a form, or none, if that is news. */
  #set(element: number, wanted: number, source: number): void {
    if (element >= this.#form.length) {
      if (wanted < 0) return
      this.#grow(element)
    }
    const old = (this.#form[element] as number) - 1
    let form = wanted
    if (form >= 0 && old < 0 && this.#live >= this.egress.maximum) {
      this.#keptBack.push(this.prefixOf(element))
      form = -1
    }
    const oldSource = this.#source[element] as number
    if (form < 0 && old < 0) return
    if (form === old && (source === oldSource || !this.#eitherIsMember(source, oldSource))) return

    this.#noteOwed(element, form, old, source, oldSource)
    if (form >= 0) this.#forms.retain(form)
    if (old >= 0) this.#forms.release(old)
    this.#form[element] = form + 1
    if (old >= 0) this.#count(oldSource, -1)
    if (form >= 0) {
      this.#source[element] = source
      this.#count(source, 1)
    } else {
      const waiting = this.#keptBack.shift()
      if (waiting >= 0) this.#pending.push(waiting)
    }
    if (this.#log.placeOf(element) < 0) this.#pin(element)
    this.#log.append(element)
  }

  #count(source: number, by: 1 | -1): void {
    this.#live += by
    if (source >= this.#liveOf.length)
      this.#liveOf = growInt32(this.#liveOf, grownCapacity(this.#liveOf.length, source + 1))
    this.#liveOf[source] = (this.#liveOf[source] as number) + by
  }

  /** See #owed. A source that has read past the entry before has been told. */
  #noteOwed(element: number, form: number, old: number, source: number, oldSource: number): void {
    const place = this.#log.placeOf(element)
    if (place < 0) {
      this.#owed[element] = 0
      return
    }
    const now = form >= 0 ? source : oldSource
    const member = this.#memberOf(now)
    let owed = 0
    if (member !== undefined) {
      const unread = Math.max(member.position, member.withdrawnUpTo) <= place
      if (now === oldSource) owed = this.#owed[element] === 1 && unread ? 1 : 0
      else owed = old >= 0 || unread ? 1 : 0
    }
    this.#owed[element] = owed
  }

  #eitherIsMember(a: number, b: number): boolean {
    return this.#memberOf(a) !== undefined || this.#memberOf(b) !== undefined
  }

  #memberOf(peer: number): GroupMember | undefined {
    return this.#byPeer[peer]
  }

  #sourceOf(element: number): number {
    return element < this.#source.length ? (this.#source[element] as number) : 0
  }

  #take(member: GroupMember): void {
    const { position } = member
    let chunk = this.#chunks.get(position)
    if (chunk === undefined) {
      chunk = this.#pack(position)
      if (this.members.length > 1) this.#chunks.keep(position, chunk)
    }
    member.position = chunk.end
    member.reading = {
      chunk,
      // Whoever has just begun needn't hear of routes that went before.
      offset: chunk.end <= member.withdrawnUpTo ? chunk.announcements : 0,
      nextCut: 0,
      owedSent: chunk.owed.size === 0,
    }
  }

  #pack(from: number): Chunk {
    const { packer } = this.#family
    this.#askedSource = -1
    let at = from
    let entries = 0
    for (; at < this.#log.end && packer.size < chunkBytes; at++) {
      const element = this.#log.at(at)
      if (element < 0) continue
      entries++
      const form = this.formOf(element)
      if (form < 0) packer.addWithdrawal(element)
      else packer.addAnnouncement(element, form)
    }
    return { ...packer.finish(this), end: at, entries }
  }

  /** Drops dead entries of the log, and withdrawals that every member has read. */
  #compact(): void {
    this.#chunks.clear()
    const readByAll = Math.min(
      ...this.members.map(({ position, withdrawnUpTo }) => Math.max(position, withdrawnUpTo)),
    )
    const moved = this.#log.compact(
      this.members.flatMap(({ position, withdrawnUpTo }) => [position, withdrawnUpTo]),
      (element, place) => {
        const isOver = place < readByAll && this.formOf(element) < 0
        if (isOver) this.#unpin(element)
        return isOver
      },
    )
    for (const member of this.members) {
      member.position = moved.get(member.position) ?? 0
      member.withdrawnUpTo = moved.get(member.withdrawnUpTo) ?? 0
    }
  }

  #hasElement(prefix: number): boolean {
    let found = false
    if (!this.addPath) return this.formOf(prefix) >= 0
    this.#eachPath(prefix, (path) => {
      found ||= this.formOf(path) >= 0
    })
    return found
  }

  #eachPath(prefix: number, visit: (path: number) => void): void {
    const { firstPath, paths } = this.#family
    for (let path = firstPath[prefix] as number; path >= 0; path = paths.next[path] as number) visit(path)
  }

  #pin(element: number): void {
    if (this.addPath) this.#family.pinPath(element)
    this.#family.pinPrefix(this.prefixOf(element))
  }

  #unpin(element: number): void {
    const prefix = this.prefixOf(element)
    if (this.addPath) this.#family.unpinPath(element)
    this.#family.unpinPrefix(prefix)
  }

  #grow(element: number): void {
    const capacity = grownCapacity(this.#form.length, element + 1)
    this.#form = growInt32(this.#form, capacity)
    this.#source = growUint16(this.#source, capacity)
    this.#owed = growUint8(this.#owed, capacity)
  }
}
