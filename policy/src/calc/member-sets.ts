/**
 * The sets that active rules name, and who is in them. A member is counted once for each endpoint or network set
 * that brings it, since two may bring the same address; what changed is kept against what was told the last time.
 */
import { formatSelector, type Selector } from '@network/datastore/model'
import { shortDigest } from '../digest.ts'
import type { SetChange, SetId } from './active.ts'
import { LabelIndex } from './label-index.ts'
import type { LabelSource } from './label-source.ts'

/** A port that rules may name. */
export interface MemberPort {
  readonly name: string
  /** Number of the protocol. */
  readonly protocol: number
  readonly port: number
}

/** What brings members: an endpoint with its addresses, a network set with its nets. */
export interface Member {
  /** Canonical prefixes. */
  readonly addresses: readonly string[]
  readonly ports: readonly MemberPort[]
}

/** All addresses in scope; with `port`, the addresses and numbers of ports of that name and protocol. */
export interface SetDefinition {
  readonly selector: Selector
  readonly port?: { readonly name: string; readonly protocol: number }
}

interface MemberSet extends SetDefinition {
  readonly id: SetId
  /** What the id is a digest of. */
  readonly text: string
  uses: number
  announced: boolean
  /** How many items bring a member. */
  readonly counts: Map<string, number>
  /** Members that came or went since the last drain, and whether they were in then. */
  readonly touched: Map<string, boolean>
}

/** Protocols with ports, in the words of ipset(8). */
const PORT_PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
  [136, 'udplite'],
])

export function hasNamedPorts(protocol: number): boolean {
  return PORT_PROTOCOLS.has(protocol)
}

function textOf({ selector, port }: SetDefinition): string {
  const scope = formatSelector(selector)
  return port === undefined
    ? `addresses\0${scope}`
    : `ports\0${port.name}\0${String(port.protocol)}\0${scope}`
}

function idOf(text: string): SetId {
  return `${text.charAt(0)}${shortDigest(text, 20)}`
}

export class MemberSets<Item extends Member> {
  readonly #sets = new Map<SetId, MemberSet>()
  /** The same by what their ids are digests of: many rules name one set, and a digest takes longer than looking it up. */
  readonly #byText = new Map<string, MemberSet>()
  readonly #changed = new Set<MemberSet>()
  readonly #index: LabelIndex<Item, MemberSet>

  constructor() {
    this.#index = new LabelIndex<Item, MemberSet>({
      matched: (set, item) => {
        for (const member of membersOf(set, item)) this.#add(set, member)
      },
      unmatched: (set, item) => {
        for (const member of membersOf(set, item)) this.#remove(set, member)
      },
    })
  }

  /** One more active rule names the set; it is gathered if it is new. */
  acquire(definition: SetDefinition): SetId {
    const text = textOf(definition)
    let set = this.#byText.get(text)
    if (set === undefined) {
      const id = idOf(text)
      set = { ...definition, id, text, uses: 0, announced: false, counts: new Map(), touched: new Map() }
      this.#sets.set(id, set)
      this.#byText.set(text, set)
      this.#index.addQuery(set)
    }
    set.uses++
    this.#changed.add(set)
    return set.id
  }

  /** One fewer; a set that none names goes at the next drain. */
  release(id: SetId): void {
    const set = this.#sets.get(id)
    if (set === undefined) return
    set.uses--
    this.#changed.add(set)
  }

  /** An item is new, gone, or has other labels. */
  move(item: Item, from: LabelSource | undefined, to: LabelSource | undefined): void {
    this.#index.move(item, from, to)
  }

  relabel(source: LabelSource): void {
    this.#index.relabel(source)
  }

  /** An item in the sets of `source` brings other members than `before`. */
  changed(item: Item, source: LabelSource, before: Member): void {
    for (const set of this.#index.queriesOf(source)) {
      for (const member of membersOf(set, item)) this.#add(set, member)
      for (const member of membersOf(set, before)) this.#remove(set, member)
    }
  }

  members(id: SetId): readonly string[] {
    return [...(this.#sets.get(id)?.counts.keys() ?? [])]
  }

  drain(): ReadonlyMap<SetId, SetChange | undefined> {
    const changes = new Map<SetId, SetChange | undefined>()
    for (const set of this.#changed) {
      const type = set.port === undefined ? 'addresses' : 'ports'
      if (set.uses === 0) {
        this.#index.deleteQuery(set)
        this.#sets.delete(set.id)
        this.#byText.delete(set.text)
        if (set.announced) changes.set(set.id, undefined)
      } else if (!set.announced) {
        set.announced = true
        changes.set(set.id, { type, added: [...set.counts.keys()], removed: [], created: true })
      } else {
        const added: string[] = []
        const removed: string[] = []
        for (const [member, wasIn] of set.touched) {
          const isIn = set.counts.has(member)
          if (isIn !== wasIn) (isIn ? added : removed).push(member)
        }
        if (added.length + removed.length > 0) changes.set(set.id, { type, added, removed, created: false })
      }
      set.touched.clear()
    }
    this.#changed.clear()
    return changes
  }

  #add(set: MemberSet, member: string): void {
    const count = set.counts.get(member) ?? 0
    set.counts.set(member, count + 1)
    if (count === 0) this.#touch(set, member, false)
  }

  #remove(set: MemberSet, member: string): void {
    const count = set.counts.get(member) ?? 0
    if (count > 1) set.counts.set(member, count - 1)
    else if (set.counts.delete(member)) this.#touch(set, member, true)
  }

  #touch(set: MemberSet, member: string, wasIn: boolean): void {
    if (!set.announced) return
    if (!set.touched.has(member)) set.touched.set(member, wasIn)
    this.#changed.add(set)
  }
}

function membersOf({ port }: SetDefinition, item: Member): readonly string[] {
  if (port === undefined) return item.addresses
  const members: string[] = []
  for (const { name, protocol, port: number } of item.ports) {
    if (name !== port.name || protocol !== port.protocol) continue
    for (const address of item.addresses) {
      const bare = address.slice(0, address.indexOf('/'))
      members.push(`${bare},${PORT_PROTOCOLS.get(protocol) ?? ''}:${String(number)}`)
    }
  }
  return members
}
