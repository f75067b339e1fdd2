/**
 * Which queries hold for which items, kept while both change. Items with one source form a group: a query is evaluated
 * once for a group. Queries stand in an index under the labels that they need, groups in one under the labels that
 * they have, so that a new group looks only at queries that might hold for it, and a new query only at such groups.
 */
import { evaluateSelector, type Selector } from '@network/datastore/model'
import type { LabelSource } from './label-source.ts'
import { type LabelKey, requiredLabels } from './requirement.ts'

export interface Query {
  readonly selector: Selector
}

export interface MatchListener<Item, Q> {
  matched(query: Q, item: Item): void
  unmatched(query: Q, item: Item): void
}

interface Group<Item, Q> {
  readonly source: LabelSource
  /** Those under which the group stands in the index. */
  labels: ReadonlyMap<string, string>
  readonly items: Set<Item>
  readonly queries: Set<Q>
}

interface QueriesOfLabel<Q> {
  /** Those that need the label with whatever value. */
  readonly any: Set<Q>
  readonly byValue: Map<string, Set<Q>>
}

export class LabelIndex<Item, Q extends Query> {
  readonly #listener: MatchListener<Item, Q>
  readonly #groups = new Map<LabelSource, Group<Item, Q>>()
  readonly #groupsByLabel = new Map<string, Map<string, Set<Group<Item, Q>>>>()
  readonly #groupsOfQuery = new Map<Q, Set<Group<Item, Q>>>()
  readonly #queriesByLabel = new Map<string, QueriesOfLabel<Q>>()
  readonly #unrestricted = new Set<Q>()

  constructor(listener: MatchListener<Item, Q>) {
    this.#listener = listener
  }

  /** An item is new (`from` undefined), gone (`to` undefined), or has other labels than before. */
  move(item: Item, from: LabelSource | undefined, to: LabelSource | undefined): void {
    if (from === to) return
    const before = from === undefined ? undefined : this.#groups.get(from)
    const after = to === undefined ? undefined : (this.#groups.get(to) ?? this.#make(to))
    before?.items.delete(item)
    after?.items.add(item)
    for (const query of before?.queries ?? []) {
      if (after?.queries.has(query) !== true) this.#listener.unmatched(query, item)
    }
    for (const query of after?.queries ?? []) {
      if (before?.queries.has(query) !== true) this.#listener.matched(query, item)
    }
    if (before?.items.size === 0) this.#drop(before)
  }

  /** The effective labels of a source are others now. */
  relabel(source: LabelSource): void {
    const group = this.#groups.get(source)
    if (group === undefined) return
    const before = group.labels
    group.labels = source.effective
    for (const [label, value] of before) {
      if (group.labels.get(label) !== value) this.#unindex(label, value, group)
    }
    for (const [label, value] of group.labels) {
      if (before.get(label) !== value) this.#index(label, value, group)
    }
    const holding = this.#holding(group)
    for (const query of [...group.queries]) {
      if (holding.has(query)) continue
      this.#part(query, group)
      for (const item of group.items) this.#listener.unmatched(query, item)
    }
    for (const query of holding) {
      if (group.queries.has(query)) continue
      this.#join(query, group)
      for (const item of group.items) this.#listener.matched(query, item)
    }
  }

  addQuery(query: Q): void {
    this.#groupsOfQuery.set(query, new Set())
    const keys = requiredLabels(query.selector)
    if (keys === undefined) this.#unrestricted.add(query)
    for (const key of keys ?? []) this.#queriesFor(key).add(query)
    for (const group of this.#candidates(keys)) {
      if (group.queries.has(query) || !this.#holds(query, group)) continue
      this.#join(query, group)
      for (const item of group.items) this.#listener.matched(query, item)
    }
  }

  /** The listener hears nothing of it. */
  deleteQuery(query: Q): void {
    for (const group of this.#groupsOfQuery.get(query) ?? []) group.queries.delete(query)
    this.#groupsOfQuery.delete(query)
    this.#unrestricted.delete(query)
    for (const { label, value } of requiredLabels(query.selector) ?? []) {
      const ofLabel = this.#queriesByLabel.get(label)
      if (ofLabel === undefined) continue
      if (value === undefined) ofLabel.any.delete(query)
      else {
        const queries = ofLabel.byValue.get(value)
        queries?.delete(query)
        if (queries?.size === 0) ofLabel.byValue.delete(value)
      }
      if (ofLabel.any.size === 0 && ofLabel.byValue.size === 0) this.#queriesByLabel.delete(label)
    }
  }

  /** The queries that hold for items of this source. */
  queriesOf(source: LabelSource): Iterable<Q> {
    return this.#groups.get(source)?.queries ?? []
  }

  /** The items that a query holds for. */
  *itemsOf(query: Q): Generator<Item> {
    for (const group of this.#groupsOfQuery.get(query) ?? []) yield* group.items
  }

  #make(source: LabelSource): Group<Item, Q> {
    const group: Group<Item, Q> = {
      source,
      labels: source.effective,
      items: new Set(),
      queries: new Set(),
    }
    this.#groups.set(source, group)
    for (const [label, value] of group.labels) this.#index(label, value, group)
    for (const query of this.#holding(group)) this.#join(query, group)
    return group
  }

  #drop(group: Group<Item, Q>): void {
    this.#groups.delete(group.source)
    for (const [label, value] of group.labels) this.#unindex(label, value, group)
    for (const query of group.queries) this.#groupsOfQuery.get(query)?.delete(group)
  }

  #join(query: Q, group: Group<Item, Q>): void {
    group.queries.add(query)
    this.#groupsOfQuery.get(query)?.add(group)
  }

  #part(query: Q, group: Group<Item, Q>): void {
    group.queries.delete(query)
    this.#groupsOfQuery.get(query)?.delete(group)
  }

  #holds(query: Q, group: Group<Item, Q>): boolean {
    return evaluateSelector(query.selector, group.labels, group.source.namespace)
  }

  #holding(group: Group<Item, Q>): Set<Q> {
    const holding = new Set<Q>()
    const consider = (queries: Iterable<Q>): void => {
      for (const query of queries) {
        if (!holding.has(query) && this.#holds(query, group)) holding.add(query)
      }
    }
    consider(this.#unrestricted)
    for (const [label, value] of group.labels) {
      const ofLabel = this.#queriesByLabel.get(label)
      if (ofLabel === undefined) continue
      consider(ofLabel.any)
      consider(ofLabel.byValue.get(value) ?? [])
    }
    return holding
  }

  *#candidates(keys: readonly LabelKey[] | undefined): Generator<Group<Item, Q>> {
    if (keys === undefined) yield* this.#groups.values()
    for (const { label, value } of keys ?? []) {
      const byValue = this.#groupsByLabel.get(label)
      if (byValue === undefined) continue
      if (value !== undefined) yield* byValue.get(value) ?? []
      else for (const groups of byValue.values()) yield* groups
    }
  }

  #queriesFor({ label, value }: LabelKey): Set<Q> {
    let ofLabel = this.#queriesByLabel.get(label)
    if (ofLabel === undefined) {
      ofLabel = { any: new Set(), byValue: new Map() }
      this.#queriesByLabel.set(label, ofLabel)
    }
    if (value === undefined) return ofLabel.any
    let queries = ofLabel.byValue.get(value)
    if (queries === undefined) {
      queries = new Set()
      ofLabel.byValue.set(value, queries)
    }
    return queries
  }

  #index(label: string, value: string, group: Group<Item, Q>): void {
    let byValue = this.#groupsByLabel.get(label)
    if (byValue === undefined) {
      byValue = new Map()
      this.#groupsByLabel.set(label, byValue)
    }
    const groups = byValue.get(value)
    if (groups === undefined) byValue.set(value, new Set([group]))
    else groups.add(group)
  }

  #unindex(label: string, value: string, group: Group<Item, Q>): void {
    const byValue = this.#groupsByLabel.get(label)
    const groups = byValue?.get(value)
    groups?.delete(group)
    if (groups?.size === 0) byValue?.delete(value)
    if (byValue?.size === 0) this.#groupsByLabel.delete(label)
  }
}
