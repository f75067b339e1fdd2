import { type Address } from './address.ts'
import { type Prefix } from './prefix.ts'
import { PrefixTrie } from './trie.ts'

/** A set of prefixes of both families, asked by address and by overlap. */
export class PrefixSet {
  readonly #trie: PrefixTrie<true>

  constructor(prefixes: Iterable<Prefix> = []) {
    this.#trie = new PrefixTrie()
    for (const prefix of prefixes) this.add(prefix)
  }

  get size(): number {
    return this.#trie.size
  }

  add(prefix: Prefix): void {
    this.#trie.set(prefix, true)
  }

  /** Takes exactly this prefix out; false if it wasn't in. */
  delete(prefix: Prefix): boolean {
    return this.#trie.delete(prefix)
  }

  /** Whether exactly this prefix is in. */
  has(prefix: Prefix): boolean {
    return this.#trie.has(prefix)
  }

  /** Whether a prefix of the set contains the address. */
  contains(address: Address): boolean {
    return this.#trie.longestMatch(address) !== undefined
  }

  /** Whether one prefix of the set covers all of the given one. */
  covers(prefix: Prefix): boolean {
    return this.#trie.longestCovering(prefix) !== undefined
  }

  /** Whether a prefix of the set shares an address with the given one. */
  overlaps(prefix: Prefix): boolean {
    return this.#trie.overlaps(prefix)
  }

  /** In the order of comparePrefixes. */
  *[Symbol.iterator](): Generator<Prefix> {
    for (const [prefix] of this.#trie) yield prefix
  }
}
