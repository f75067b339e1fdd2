/** Who has an interface, where several endpoints name the same one: the first by key. */
export class Claims<Item extends { readonly key: string }> {
  readonly #claimants = new Map<string, Set<Item>>()
  readonly #claimed = new Map<Item, string>()

  /** The item names this interface now, or none. Answers whom that may concern. */
  claim(item: Item, interfaceName: string | undefined): Iterable<Item> {
    const before = this.#claimed.get(item)
    if (before === interfaceName) return [item]
    const concerned = new Set([item])
    if (before !== undefined) {
      const claimants = this.#claimants.get(before)
      claimants?.delete(item)
      for (const other of claimants ?? []) concerned.add(other)
      if (claimants?.size === 0) this.#claimants.delete(before)
      this.#claimed.delete(item)
    }
    if (interfaceName !== undefined) {
      const claimants = this.#claimants.get(interfaceName)
      for (const other of claimants ?? []) concerned.add(other)
      if (claimants === undefined) this.#claimants.set(interfaceName, new Set([item]))
      else claimants.add(item)
      this.#claimed.set(item, interfaceName)
    }
    return concerned
  }

  /** The interface that the item has, if it has the one that it names. */
  held(item: Item): string | undefined {
    const interfaceName = this.#claimed.get(item)
    if (interfaceName === undefined) return undefined
    for (const other of this.#claimants.get(interfaceName) ?? []) {
      if (other.key < item.key) return undefined
    }
    return interfaceName
  }

  /** The interfaces that items name and don't have. */
  *refused(): Generator<[Item, string]> {
    for (const [item, interfaceName] of this.#claimed) {
      if (this.held(item) === undefined) yield [item, interfaceName]
    }
  }
}
