import { type Address, addressBit, type Family, ipv4, ipv6 } from './address.ts'
import { hostPrefix, type Prefix } from './prefix.ts'

/*
 * Longest-prefix match. One trie holds both families, each under a root of its own. It is path-compressed: a node
 * stands for a prefix that is held, or for the place where two held prefixes part, so n prefixes take fewer than 2n
 * nodes and a lookup visits at most as many nodes as there are distinct lengths on its way. Nodes are columns of
 * typed arrays addressed by index, freed ones form a list; only the values are objects, and they are the caller's.
 * A trie must not be changed while one of its generators is
 * still being read.
 */

const NONE = 0xffffffff
const ROOTS = { ipv4: 0, ipv6: 1 } as const

/** Bits that the node at `base` of the words and the key share from the left, up to `limit`. */
function commonBits(words: Uint32Array, base: number, key: Address, limit: number): number {
  let common = Math.clz32((words[base] ?? 0) ^ key.w0)
  if (common === 32) {
    common += Math.clz32((words[base + 1] ?? 0) ^ key.w1)
    if (common === 64) {
      common += Math.clz32((words[base + 2] ?? 0) ^ key.w2)
      if (common === 96) common += Math.clz32((words[base + 3] ?? 0) ^ key.w3)
    }
  }
  return common < limit ? common : limit
}

function masked(word: number, bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? word >>> 0 : (word & (0xffffffff << (32 - bits))) >>> 0
}

/** Values by prefix, both families, with longest-prefix match. */
export class PrefixTrie<V> {
  /** Four per node, past the node's length zero. */
  #words = new Uint32Array(0)
  #lengths = new Uint8Array(0)
  /** Two per node: the child whose next bit is 0, the one whose next bit is 1. */
  #children = new Uint32Array(0)
  /** 1 if the node's prefix is held. */
  #held = new Uint8Array(0)
  #values: (V | undefined)[] = []
  #used = 0
  #free = NONE
  #size = 0

  constructor(entries: Iterable<readonly [Prefix, V]> = []) {
    this.#reserve(16)
    this.#make(ipv4(0), 0)
    this.#make(ipv6(0, 0, 0, 0), 0)
    for (const [prefix, value] of entries) this.set(prefix, value)
  }

  /** How many prefixes are held. */
  get size(): number {
    return this.#size
  }

  /** Holds a value under a prefix, in place of the one before. */
  set(prefix: Prefix, value: V): void {
    const { address: key, length } = prefix
    let parent = NONE
    let side: 0 | 1 = 0
    let node: number = ROOTS[key.family]
    for (;;) {
      const nodeLength = this.#lengths[node] ?? 0
      const common = commonBits(this.#words, node * 4, key, Math.min(nodeLength, length))
      if (common < nodeLength) {
        node = this.#split(parent, side, node, key, common)
        if (common === length) break
      } else if (nodeLength === length) {
        break
      }
      side = addressBit(key, this.#lengths[node] ?? 0)
      const child = this.#children[node * 2 + side] ?? NONE
      if (child === NONE) {
        const leaf = this.#make(key, length)
        this.#children[node * 2 + side] = leaf
        node = leaf
        break
      }
      parent = node
      node = child
    }
    if (this.#held[node] === 0) {
      this.#held[node] = 1
      this.#size++
    }
    this.#values[node] = value
  }

  /** The value under exactly this prefix. */
  get(prefix: Prefix): V | undefined {
    const node = this.#find(prefix)
    return node === NONE ? undefined : this.#values[node]
  }

  /** Whether exactly this prefix is held. */
  has(prefix: Prefix): boolean {
    return this.#find(prefix) !== NONE
  }

  /** Takes a prefix out; false if it wasn't held. */
  delete(prefix: Prefix): boolean {
    const { address: key, length } = prefix
    let grandparent = NONE
    let parent = NONE
    let node: number = ROOTS[key.family]
    while (node !== NONE) {
      const nodeLength = this.#lengths[node] ?? 0
      if (nodeLength > length || commonBits(this.#words, node * 4, key, nodeLength) < nodeLength) return false
      if (nodeLength === length) break
      grandparent = parent
      parent = node
      node = this.#children[node * 2 + addressBit(key, nodeLength)] ?? NONE
    }
    if (node === NONE || this.#held[node] === 0) return false
    this.#held[node] = 0
    this.#values[node] = undefined
    this.#size--
    this.#contract(node, parent)
    if (parent !== NONE) this.#contract(parent, grandparent)
    return true
  }

  clear(): void {
    this.#used = 0
    this.#free = NONE
    this.#size = 0
    this.#values = []
    this.#make(ipv4(0), 0)
    this.#make(ipv6(0, 0, 0, 0), 0)
  }

  /** The longest prefix held that contains the address, and its value. */
  longestMatch(address: Address): readonly [Prefix, V] | undefined {
    return this.longestCovering(hostPrefix(address))
  }

  /** The longest prefix held that covers the given one; a prefix covers itself. */
  longestCovering(prefix: Prefix): readonly [Prefix, V] | undefined {
    const { address: key, length } = prefix
    let best = NONE
    let node: number = ROOTS[key.family]
    while (node !== NONE) {
      const nodeLength = this.#lengths[node] ?? 0
      if (nodeLength > length || commonBits(this.#words, node * 4, key, nodeLength) < nodeLength) break
      if (this.#held[node] === 1) best = node
      if (nodeLength === length) break
      node = this.#children[node * 2 + addressBit(key, nodeLength)] ?? NONE
    }
    return best === NONE ? undefined : this.#entry(best, key.family)
  }

  /** The prefixes held that cover the given one, shortest first, itself included. */
  *covering(prefix: Prefix): Generator<readonly [Prefix, V]> {
    const { address: key, length } = prefix
    let node: number = ROOTS[key.family]
    while (node !== NONE) {
      const nodeLength = this.#lengths[node] ?? 0
      if (nodeLength > length || commonBits(this.#words, node * 4, key, nodeLength) < nodeLength) return
      if (this.#held[node] === 1) yield this.#entry(node, key.family)
      if (nodeLength === length) return
      node = this.#children[node * 2 + addressBit(key, nodeLength)] ?? NONE
    }
  }

  /** The prefixes held inside the given one, itself included, in the order of comparePrefixes. */
  *coveredBy(prefix: Prefix): Generator<readonly [Prefix, V]> {
    const { address: key, length } = prefix
    let node: number = ROOTS[key.family]
    while (node !== NONE) {
      const nodeLength = this.#lengths[node] ?? 0
      if (nodeLength >= length) {
        if (commonBits(this.#words, node * 4, key, length) === length) yield* this.#below(node, key.family)
        return
      }
      if (commonBits(this.#words, node * 4, key, nodeLength) < nodeLength) return
      node = this.#children[node * 2 + addressBit(key, nodeLength)] ?? NONE
    }
  }

  /** Whether a prefix held shares an address with the given one. */
  overlaps(prefix: Prefix): boolean {
    if (this.longestCovering(prefix) !== undefined) return true
    return this.coveredBy(prefix).next().done !== true
  }

  /** All prefixes held with their values, in the order of comparePrefixes: IPv4 first, then by address and length. */
  *entries(family?: Family): Generator<readonly [Prefix, V]> {
    if (family !== 'ipv6') yield* this.#below(ROOTS.ipv4, 'ipv4')
    if (family !== 'ipv4') yield* this.#below(ROOTS.ipv6, 'ipv6')
  }

  [Symbol.iterator](): Generator<readonly [Prefix, V]> {
    return this.entries()
  }

  *#below(top: number, family: Family): Generator<readonly [Prefix, V]> {
    const stack = [top]
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (this.#held[node] === 1) yield this.#entry(node, family)
      const zero = this.#children[node * 2] ?? NONE
      const one = this.#children[node * 2 + 1] ?? NONE
      if (one !== NONE) stack.push(one)
      if (zero !== NONE) stack.push(zero)
    }
  }

  #find(prefix: Prefix): number {
    const { address: key, length } = prefix
    let node: number = ROOTS[key.family]
    while (node !== NONE) {
      const nodeLength = this.#lengths[node] ?? 0
      if (nodeLength > length || commonBits(this.#words, node * 4, key, nodeLength) < nodeLength) return NONE
      if (nodeLength === length) return this.#held[node] === 1 ? node : NONE
      node = this.#children[node * 2 + addressBit(key, nodeLength)] ?? NONE
    }
    return NONE
  }

  #entry(node: number, family: Family): readonly [Prefix, V] {
    const base = node * 4
    const address =
      family === 'ipv4'
        ? ipv4(this.#words[base] ?? 0)
        : ipv6(
            this.#words[base] ?? 0,
            this.#words[base + 1] ?? 0,
            this.#words[base + 2] ?? 0,
            this.#words[base + 3] ?? 0,
          )
    return [{ address, length: this.#lengths[node] ?? 0 }, this.#values[node] as V]
  }

  /** Puts a node of `length` bits of the key between `parent` and `node`. */
  #split(parent: number, side: 0 | 1, node: number, key: Address, length: number): number {
    const middle = this.#make(key, length)
    const bit = addressBit(this.#entry(node, key.family)[0].address, length)
    this.#children[middle * 2 + bit] = node
    this.#children[parent * 2 + side] = middle
    return middle
  }

  /** Removes a node that holds nothing and has at most one child. Roots stay. */
  #contract(node: number, parent: number): void {
    if (parent === NONE || this.#held[node] === 1) return
    const zero = this.#children[node * 2] ?? NONE
    const one = this.#children[node * 2 + 1] ?? NONE
    if (zero !== NONE && one !== NONE) return
    const side = this.#children[parent * 2] === node ? 0 : 1
    this.#children[parent * 2 + side] = zero === NONE ? one : zero
    this.#children[node * 2] = this.#free
    this.#free = node
  }

  #make(key: Address, length: number): number {
    let node = this.#free
    if (node === NONE) {
      node = this.#used++
      if (node >= this.#lengths.length) this.#reserve(this.#lengths.length * 2)
    } else {
      this.#free = this.#children[node * 2] ?? NONE
    }
    const base = node * 4
    this.#words[base] = masked(key.w0, length)
    this.#words[base + 1] = masked(key.w1, length - 32)
    this.#words[base + 2] = masked(key.w2, length - 64)
    this.#words[base + 3] = masked(key.w3, length - 96)
    this.#lengths[node] = length
    this.#children[node * 2] = NONE
    this.#children[node * 2 + 1] = NONE
    this.#held[node] = 0
    return node
  }

  #reserve(capacity: number): void {
    this.#words = grown(this.#words, new Uint32Array(capacity * 4))
    this.#lengths = grown(this.#lengths, new Uint8Array(capacity))
    this.#children = grown(this.#children, new Uint32Array(capacity * 2))
    this.#held = grown(this.#held, new Uint8Array(capacity))
  }
}

function grown<A extends Uint8Array | Uint32Array>(old: A, bigger: A): A {
  bigger.set(old)
  return bigger
}
