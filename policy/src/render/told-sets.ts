/** Sets on their way to the drivers: what came and went since they were asked the last time, whoever needs a set. */
import type { Family } from '@network/net'
import type { LiteralSets } from './literal-sets.ts'
import type { RenderedChanges, RenderedSetChange } from './rendered.ts'

export class ToldSets {
  readonly #pending = new Map<string, RenderedSetChange | undefined>()
  /** What groups of chains bring along, by group. */
  readonly #literals: Record<Family, Map<string, LiteralSets>> = { ipv4: new Map(), ipv6: new Map() }
  readonly #literalUsers = new Map<string, number>()
  readonly #singles = new Map<string, ReadonlySet<string>>()
  #changed = false

  /** Whether anything changed since the last `take`. */
  get changed(): boolean {
    return this.#changed
  }

  /** A set is as this change says. */
  tell(name: string, change: RenderedSetChange | undefined): void {
    this.#changed = true
    const before = this.#pending.get(name)
    if (change === undefined || before === undefined || change.created) {
      // A set that came and changed within one drain, or went and came back, is told as it is now.
      this.#pending.set(name, change)
      return
    }
    const added = new Set(before.added)
    const removed = new Set(before.removed)
    for (const member of change.removed) {
      if (!added.delete(member) || !before.created) removed.add(member)
    }
    for (const member of change.added) {
      removed.delete(member)
      added.add(member)
    }
    this.#pending.set(name, {
      ...before,
      added: [...added],
      removed: before.created ? [] : [...removed],
    })
  }

  /** What a group of chains brings along, instead of what it brought before. */
  setLiterals(family: Family, group: string, literals: LiteralSets | undefined): void {
    const before = this.#literals[family].get(group)
    if (literals === undefined || literals.wanted.size === 0) this.#literals[family].delete(group)
    else this.#literals[family].set(group, literals)
    for (const [name, set] of literals?.wanted ?? []) {
      if (before?.wanted.has(name) === true) continue
      const users = (this.#literalUsers.get(name) ?? 0) + 1
      this.#literalUsers.set(name, users)
      if (users === 1)
        this.tell(name, {
          type: set.type,
          family: set.family,
          created: true,
          added: set.members,
          removed: [],
        })
    }
    for (const name of before?.wanted.keys() ?? []) {
      if (literals?.wanted.has(name) === true) continue
      const users = (this.#literalUsers.get(name) ?? 1) - 1
      if (users > 0) {
        this.#literalUsers.set(name, users)
        continue
      }
      this.#literalUsers.delete(name)
      this.tell(name, undefined)
    }
  }

  /** A set of ours told whole; only the difference is passed on. */
  setSingle(
    name: string,
    type: 'hash:net' | 'hash:net,iface',
    family: Family,
    members: readonly string[] | undefined,
  ): void {
    const before = this.#singles.get(name)
    if (members === undefined) {
      if (before === undefined) return
      this.#singles.delete(name)
      this.tell(name, undefined)
      return
    }
    const after = new Set(members)
    const added = [...after].filter((member) => before?.has(member) !== true)
    const removed = [...(before ?? [])].filter((member) => !after.has(member))
    this.#singles.set(name, after)
    if (before !== undefined && added.length === 0 && removed.length === 0) return
    this.tell(name, { type, family, created: before === undefined, added, removed })
  }

  /** What is pending, which then no longer is. */
  take(): RenderedChanges['sets'] {
    const sets = new Map(this.#pending)
    this.#pending.clear()
    this.#changed = false
    return sets
  }
}
