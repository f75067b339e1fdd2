import { canonicalAddress } from './network/zoned-address.ts'

/**
 * Who is at an address. Several can be at one, if they differ in their port: whoever came first is found.
 */
export class AddressIndex<T> {
  readonly #at = new Map<string, Set<T>>()

  /** How many addresses somebody is at. */
  get size(): number {
    return this.#at.size
  }

  add(address: string, who: T): void {
    const key = canonicalAddress(address)
    const there = this.#at.get(key)
    if (there === undefined) this.#at.set(key, new Set([who]))
    else there.add(who)
  }

  delete(address: string, who: T): void {
    const key = canonicalAddress(address)
    const there = this.#at.get(key)
    there?.delete(who)
    if (there?.size === 0) this.#at.delete(key)
  }

  find(address: string): T | undefined {
    const [first] = this.#at.get(canonicalAddress(address)) ?? []
    return first
  }

  clear(): void {
    this.#at.clear()
  }
}
