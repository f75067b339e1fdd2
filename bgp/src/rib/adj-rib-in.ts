/**
 * Adj-RIB-In of all peers: what they announce goes into the path store, what they withdraw is marked, and the
 * prefixes become dirty for the decision process. A peer's generation counts up when its session goes or a refresh
 * begins; paths of an older generation are stale and are swept by a scan of the store that `sweep` does in pieces.
 */
import { type NlriRun, type Update } from '../codec/messages.ts'
import { u32At } from '../codec/reader.ts'
import { decodeAttributes, encodeAttributes } from '../codec/attribute-block.ts'
import { plainContext } from '../codec/context.ts'
import { Community } from '../codec/iana.ts'
import { type AttributeTable, withoutNextHop } from './attribute-table.ts'
import { SetFlag } from './attribute-keys.ts'
import { type FamilyRib } from './family-rib.ts'
import { PathFlag } from './path-store.ts'
import { type PeerIndex } from './peer.ts'
import { type PeerState } from './peer-state.ts'
import { ByPrefix, Refused } from './verdict-cache.ts'

/** Which of a peer's paths a sweep is about, and what it does to them. */
export type SweepKind =
  /** Paths of an older generation go. */
  | 'stale'
  /** Everything goes. */
  | 'all'
  /** The import policy is asked again. */
  | 'import'
  /** Paths that a limit has left out get another chance. */
  | 'leftOut'
  /** Stale paths become long-lived stale (RFC 9494). */
  | 'longLived'

export interface Sweep {
  readonly peer: PeerState
  readonly kind: SweepKind
  at: number
}

const nothing = new Uint8Array(0)

export class AdjRibIn {
  readonly #family: FamilyRib
  readonly #sets: AttributeTable
  readonly #sweeps: Sweep[] = []

  constructor(family: FamilyRib, sets: AttributeTable) {
    this.#family = family
    this.#sets = sets
  }

  get sweeping(): boolean {
    return this.#sweeps.length > 0
  }

  withdraw(peer: PeerIndex, state: PeerState, run: NlriRun): number {
    const { bytes } = run
    const { prefixes } = this.#family
    let at = 0
    let withdrawn = 0
    while (at < bytes.length) {
      const pathId = run.addPath ? u32At(bytes, at) : 0
      at = prefixes.read(bytes, run.addPath ? at + 4 : at)
      const prefix = prefixes.find()
      if (prefix < 0) continue
      const path = this.#family.findPath(prefix, peer, pathId)
      if (path >= 0 && this.#remove(path, state)) withdrawn++
    }
    return withdrawn
  }

  /** Takes a run of announcements; true if the peer's limit left some of them out. */
  announce(state: PeerState, run: NlriRun, update: Update): boolean {
    const { ingress } = state
    if (ingress === undefined) return false
    const set = this.#internReceived(state, run, update.attributes ?? nothing)
    this.#sets.sets.retain(set)
    const verdict = ingress.evaluate(set, this.#family.family)
    const byPrefix = verdict === ByPrefix ? ingress.byPrefix : undefined
    const { prefixes } = this.#family
    const { bytes } = run
    let overLimit = false
    let at = 0
    while (at < bytes.length) {
      const pathId = run.addPath ? u32At(bytes, at) : 0
      at = prefixes.read(bytes, run.addPath ? at + 4 : at)
      const prefix = this.#family.internPrefix()
      const accepted = byPrefix === undefined ? verdict : byPrefix.decide(prefixes, prefix)
      overLimit = this.put(state, prefix, pathId, set, accepted) || overLimit
    }
    byPrefix?.done((result) => this.#sets.sets.releaseUnheld(result))
    if (verdict >= 0) this.#sets.sets.releaseUnheld(verdict)
    this.#sets.sets.release(set)
    return overLimit
  }

  /** Makes a path what is given, held by it; true if a limit leaves it out. */
  put(state: PeerState, prefix: number, pathId: number, received: number, wanted: number): boolean {
    const { paths, firstPath, index } = this.#family
    let path = this.#family.findPath(prefix, state.index, pathId)
    if (path < 0) {
      path = paths.add(prefix, state.index, pathId, firstPath[prefix] as number)
      firstPath[prefix] = path
    }
    paths.generation[path] = state.generation[index]
    if (paths.received[path] === -1) {
      state.received[index]++
      paths.flags[path] = 0
    }
    const before = paths.received[path] as number
    if (before !== received) {
      this.#sets.sets.retain(received)
      if (before >= 0) this.#sets.sets.release(before)
      paths.received[path] = received
    }
    return this.#accept(state, path, wanted)
  }

  /** Marks a peer's path as gone; false if it was already. */
  #remove(path: number, state: PeerState): boolean {
    const { paths, index } = this.#family
    const received = paths.received[path] as number
    if (received < 0) return false
    this.#setAccepted(state, path, Refused)
    this.#setLeftOut(state, path, false)
    paths.flags[path] = (paths.flags[path] as number) | PathFlag.removed
    paths.received[path] = -1
    this.#sets.sets.release(received)
    state.received[index]--
    this.#family.dirty.push(paths.prefix[path] as number)
    return true
  }

  removeOwn(state: PeerState, prefix: number): boolean {
    const path = this.#family.findPath(prefix, state.index, 0)
    return path >= 0 && this.#remove(path, state)
  }

  /** Accepts a set for a path unless that would be one too many. */
  #accept(state: PeerState, path: number, wanted: number): boolean {
    const { paths, index } = this.#family
    const isNew = (paths.accepted[path] as number) < 0
    const leftOut = wanted >= 0 && isNew && state.accepted[index] >= this.#limit(state)
    this.#setLeftOut(state, path, leftOut)
    this.#setAccepted(state, path, leftOut ? Refused : wanted)
    return leftOut
  }

  #limit(state: PeerState): number {
    const configured = state.config.maximumIn?.[this.#family.family] ?? Infinity
    return Math.min(configured, state.ingress?.maximum ?? Infinity)
  }

  #setAccepted(state: PeerState, path: number, set: number): void {
    const { paths, index } = this.#family
    const before = paths.accepted[path] as number
    if (before === set) return
    if (set >= 0) this.#sets.sets.retain(set)
    if (before >= 0) this.#sets.sets.release(before)
    paths.accepted[path] = set
    if (before < 0) state.accepted[index]++
    else if (set < 0) {
      state.accepted[index]--
      if (state.leftOut[index] > 0 && state.accepted[index] < this.#limit(state)) this.sweep(state, 'leftOut')
    }
    this.#family.dirty.push(paths.prefix[path] as number)
  }

  #setLeftOut(state: PeerState, path: number, leftOut: boolean): void {
    const { paths, index } = this.#family
    const flags = paths.flags[path] as number
    if (((flags & PathFlag.overLimit) !== 0) === leftOut) return
    paths.flags[path] = flags ^ PathFlag.overLimit
    state.leftOut[index] += leftOut ? 1 : -1
  }

  /** How many of a peer's paths are kept as stale. */
  countStale(peer: PeerState): number {
    const { paths, index } = this.#family
    if (!peer.keepsStale[index]) return 0
    let count = 0
    for (let path = 0; path < paths.top; path++)
      if (
        paths.peer[path] === peer.index &&
        (paths.received[path] as number) >= 0 &&
        paths.generation[path] !== peer.generation[index]
      )
        count++
    return count
  }

  /** Starts a sweep over a peer's paths; work() carries it on. */
  sweep(peer: PeerState, kind: SweepKind): void {
    const known = this.#sweeps.find((sweep) => sweep.peer === peer && sweep.kind === kind)
    if (known !== undefined) known.at = 0
    else this.#sweeps.push({ peer, kind, at: 0 })
  }

  /** Finishes the sweeps of a peer at once: it is about to begin something new. */
  finishSweeps(peer: PeerState): void {
    for (let i = 0; i < this.#sweeps.length;) {
      const sweep = this.#sweeps[i] as Sweep
      if (sweep.peer !== peer) i++
      else {
        this.#sweeps.splice(i, 1)
        this.#run(sweep, Infinity)
      }
    }
  }

  /** Carries sweeps on over up to `slots` slots of the store. */
  continueSweeps(slots: number): void {
    const sweep = this.#sweeps[0]
    if (sweep === undefined) return
    if (this.#run(sweep, slots)) {
      const at = this.#sweeps.indexOf(sweep)
      this.#sweeps.splice(at, 1)
    }
  }

  /** True when the sweep has come to the end. */
  #run(sweep: Sweep, slots: number): boolean {
    const { paths, index } = this.#family
    const { peer, kind } = sweep
    const end = Math.min(paths.top, sweep.at + slots)
    for (let path = sweep.at; path < end; path++) {
      if (paths.peer[path] !== peer.index || (paths.received[path] as number) < 0) continue
      switch (kind) {
        case 'all':
          this.#remove(path, peer)
          break
        case 'stale':
          if (paths.generation[path] !== peer.generation[index]) this.#remove(path, peer)
          break
        case 'longLived':
          if (paths.generation[path] !== peer.generation[index]) this.#makeLongLived(path, peer)
          break
        case 'leftOut':
          if (((paths.flags[path] as number) & PathFlag.overLimit) !== 0) this.#reconsider(path, peer)
          break
        case 'import':
          this.#reconsider(path, peer)
          break
      }
    }
    sweep.at = end
    return end >= paths.top
  }

  #reconsider(path: number, peer: PeerState): void {
    const { ingress } = peer
    if (ingress === undefined) return
    const { paths, prefixes, family } = this.#family
    const verdict = ingress.evaluate(paths.received[path] as number, family)
    if (verdict !== ByPrefix) {
      this.#accept(peer, path, verdict)
      if (verdict >= 0) this.#sets.sets.releaseUnheld(verdict)
      return
    }
    const { byPrefix } = ingress
    this.#accept(peer, path, byPrefix?.decide(prefixes, paths.prefix[path] as number) ?? Refused)
    byPrefix?.done((result) => this.#sets.sets.releaseUnheld(result))
  }

  /** RFC 9494 section 4.2: LLGR_STALE is attached; a route with NO_LLGR goes. */
  #makeLongLived(path: number, peer: PeerState): void {
    const accepted = this.#family.paths.accepted[path] as number
    const received = this.#family.paths.received[path] as number
    if (((this.#sets.flags[received] as number) & SetFlag.noLlgr) !== 0) {
      this.#remove(path, peer)
      return
    }
    if (accepted < 0) return
    const object = this.#sets.read(accepted)
    const communities = object.attributes.communities ?? []
    if (communities.includes(Community.llgrStale)) return
    const set = this.#sets.internSet({
      ...object,
      attributes: { ...object.attributes, communities: [...communities, Community.llgrStale] },
    })
    this.#setAccepted(peer, path, set)
  }

  /** The set of a run: blocks of old speakers are rewritten with four-octet AS numbers. */
  #internReceived(state: PeerState, run: NlriRun, attributes: Uint8Array): number {
    const nextHop = run.nextHop ?? nothing
    const context = state.session?.receive
    if (context === undefined || context.as4) return this.#sets.internBlock(attributes, nextHop)
    const block = encodeAttributes(withoutNextHop(decodeAttributes(attributes, context)), {
      ...plainContext,
      peerType: 'internal',
    })
    return this.#sets.internBlock(block, nextHop)
  }
}
