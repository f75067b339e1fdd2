/** Chains on their way to the drivers, and the jumps into them: those that came out different since they were asked the last time. */
import type { Family } from '@network/net'
import type { RenderedChain, RenderedFamily, Table } from './rendered.ts'
import { sameList } from './same-list.ts'

/** Chains that are rendered together: those of one policy, of one workload, of the frame. */
export type ChainGroup = readonly {
  readonly table: Table
  readonly name: string
  readonly rules: RenderedChain
}[]

interface Told {
  /** By group, then by 'table name'. */
  readonly groups: Map<string, ReadonlyMap<string, ChainGroup[number]>>
  /** The group that a chain is of, by 'table name': an interface's chains may pass from one endpoint to another. */
  readonly owners: Map<string, string>
  /** By 'table hook'. */
  readonly jumps: Map<string, RenderedChain>
}

interface Pending {
  readonly chains: Record<Table, Map<string, RenderedChain | undefined>>
  readonly jumps: Record<Table, Map<string, RenderedChain>>
}

function nothingTold(): Told {
  return { groups: new Map(), owners: new Map(), jumps: new Map() }
}

function nothingPending(): Pending {
  return {
    chains: { raw: new Map(), mangle: new Map(), nat: new Map(), filter: new Map() },
    jumps: { raw: new Map(), mangle: new Map(), nat: new Map(), filter: new Map() },
  }
}

export class ToldChains {
  readonly #told: Record<Family, Told> = { ipv4: nothingTold(), ipv6: nothingTold() }
  #pending: Record<Family, Pending> = { ipv4: nothingPending(), ipv6: nothingPending() }
  #changed = false

  /** Whether anything changed since the last `take`. */
  get changed(): boolean {
    return this.#changed
  }

  /** Replaces a group's chains; undefined: it is gone. */
  setGroup(family: Family, key: string, group: ChainGroup | undefined): void {
    const { groups, owners } = this.#told[family]
    const { chains } = this.#pending[family]
    const before = groups.get(key)
    const after = new Map((group ?? []).map((chain) => [`${chain.table} ${chain.name}`, chain]))
    for (const [id, chain] of after) {
      owners.set(id, key)
      const last = before?.get(id)
      if (last !== undefined && sameRules(last.rules, chain.rules)) continue
      chains[chain.table].set(chain.name, chain.rules)
      this.#changed = true
    }
    for (const [id, chain] of before ?? []) {
      if (after.has(id) || owners.get(id) !== key) continue
      owners.delete(id)
      chains[chain.table].set(chain.name, undefined)
      this.#changed = true
    }
    if (group === undefined) groups.delete(key)
    else groups.set(key, after)
  }

  /** Replaces our rules in one of the kernel's own chains. */
  setJumps(family: Family, table: Table, hook: string, rules: RenderedChain): void {
    const { jumps } = this.#told[family]
    const key = `${table} ${hook}`
    if (sameRules(jumps.get(key) ?? [], rules)) return
    jumps.set(key, rules)
    this.#pending[family].jumps[table].set(hook, rules)
    this.#changed = true
  }

  /** What is pending, which then no longer is. */
  take(): Record<Family, RenderedFamily> {
    const pending = this.#pending
    this.#pending = { ipv4: nothingPending(), ipv6: nothingPending() }
    this.#changed = false
    return pending
  }
}

function sameRules(a: RenderedChain, b: RenderedChain): boolean {
  return a.length === b.length && a.every(({ args }, place) => sameList(args, b[place]?.args))
}
