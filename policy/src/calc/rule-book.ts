/** The rules of active policies, or profiles, and which sets they hold on to. */
import type { Rule } from '@network/datastore/model'
import type { ActiveRules, SetId } from './active.ts'
import { activeRules, DENY_ALL } from './active-rules.ts'
import type { SetDefinition } from './member-sets.ts'
import { same } from './same.ts'

export interface RuleSource {
  readonly inbound: readonly Rule[]
  readonly outbound: readonly Rule[]
  /** Of a policy that has one. */
  readonly namespace: string | undefined
}

interface Sets {
  acquire(definition: SetDefinition): SetId
  release(id: SetId): void
}

interface Entry {
  readonly source: RuleSource | 'missing'
  readonly rules: ActiveRules | 'missing'
  readonly sets: readonly SetId[]
  readonly fault: string | undefined
}

export class RuleBook {
  readonly #sets: Sets
  readonly #entries = new Map<string, Entry>()
  #changes = new Map<string, ActiveRules | 'missing' | undefined>()

  constructor(sets: Sets) {
    this.#sets = sets
  }

  /** What is active under this id from now on. A source is read again only if it is another object. */
  set(id: string, source: RuleSource | 'missing' | undefined): void {
    const before = this.#entries.get(id)
    if (before?.source === source) return
    const entry = source === undefined ? undefined : this.#read(source)
    for (const set of before?.sets ?? []) this.#sets.release(set)
    if (entry === undefined) this.#entries.delete(id)
    else this.#entries.set(id, entry)
    if (!same(before?.rules, entry?.rules)) this.#changes.set(id, entry?.rules)
  }

  /** Changes since the last time; each id is set at most once between two drains. */
  drain(): ReadonlyMap<string, ActiveRules | 'missing' | undefined> {
    const changes = this.#changes
    this.#changes = new Map()
    return changes
  }

  /** By id, the end of a sentence: rules that can't be rendered and deny instead. */
  *faults(): Generator<[string, string]> {
    for (const [id, { fault }] of this.#entries) if (fault !== undefined) yield [id, fault]
  }

  *missing(): Generator<string> {
    for (const [id, { source }] of this.#entries) if (source === 'missing') yield id
  }

  #read(source: RuleSource | 'missing'): Entry {
    if (source === 'missing') return { source, rules: 'missing', sets: [], fault: undefined }
    const sets: SetId[] = []
    const need = (definition: SetDefinition): SetId => {
      const id = this.#sets.acquire(definition)
      sets.push(id)
      return id
    }
    const inbound = activeRules(source.inbound, source.namespace, need)
    const outbound = activeRules(source.outbound, source.namespace, need)
    if (inbound.ok && outbound.ok) {
      return { source, rules: { inbound: inbound.value, outbound: outbound.value }, sets, fault: undefined }
    }
    for (const set of sets) this.#sets.release(set)
    const fault = inbound.ok ? (outbound.ok ? undefined : outbound.error) : inbound.error
    return { source, rules: { inbound: DENY_ALL, outbound: DENY_ALL }, sets: [], fault }
  }
}
