import {
  type Address,
  type Clock,
  type Family,
  type Log,
  type Prefix,
  comparePrefixes,
  prefixContains,
} from '@network/net'
import type { Block } from '../ipam/block.ts'
import { decodeBlock } from '../ipam/block-encoding.ts'
import { affinitiesPrefix, blockKey, blocksPrefix, parseAffinityKey, parseBlockKey } from '../model/keys.ts'
import type { KeyValue, Store } from '../store/store.ts'

/*
 * Blocks as they were last seen. The node's own stay here, so that an attach is one round trip: what is planned on
 * an old copy fails its compare-and-swap, and the failed transaction's answer brings the present value. Others are
 * kept only as long as a listing is of use. Nothing here is believed when a request is about to be refused: then the
 * planner asks for a listing made after the request came in.
 */

/** A block with the revision to compare. `block` is undefined if its value can't be read: then it is left alone. */
export interface SeenBlock {
  readonly cidr: Prefix
  readonly block: Block | undefined
  readonly modRevision: number
}

const pageSize = 500

export class BlockCache {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #node: string
  readonly #blocks = new Map<string, SeenBlock>()
  /** Networks of all blocks that are known to exist, by family. */
  readonly #existing = { ipv4: new Map<string, Prefix>(), ipv6: new Map<string, Prefix>() }
  /** Monotonic time before the last look: at own affinities, at all keys, at all values. */
  readonly #readAt = new Map<string, number>()
  /** How many blocks of others have been noted since they were last forgotten. */
  #others = 0
  /** The newest revision seen. */
  revision = 0

  constructor(modules: { store: Store; clock: Clock; log: Log }, options: { node: string }) {
    this.#store = modules.store
    this.#clock = modules.clock
    this.#log = modules.log
    this.#node = options.node
  }

  /** Forgets everything, as after changes that somebody else made on purpose. */
  forget(): void {
    this.#blocks.clear()
    this.#existing.ipv4.clear()
    this.#existing.ipv6.clear()
    this.#readAt.clear()
  }

  /** Forgets blocks of other nodes, unless a listing since `monotonic` may still serve. */
  forgetOthersBefore(monotonic: number): void {
    if (!this.#isOld('values ipv4', monotonic) || !this.#isOld('values ipv6', monotonic)) return
    if (this.#others === 0) return
    for (const [key, seen] of this.#blocks) {
      if (seen.block?.affinity !== this.#node) this.#blocks.delete(key)
    }
    this.#others = 0
    this.#readAt.delete('values ipv4')
    this.#readAt.delete('values ipv6')
  }

  /**
   * The node's blocks of a family in order: those it has affinities for at `notBefore` (monotonic) or later. What
   * is in them may have been seen earlier.
   */
  async own(family: Family, notBefore: number, deadlineMs: number): Promise<SeenBlock[]> {
    if (this.#isOld(`own ${family}`, notBefore)) {
      const readAt = this.#clock.monotonic()
      const { items, revision } = await this.#store.list(affinitiesPrefix(this.#node, family), { deadlineMs })
      this.#sawRevision(revision)
      await Promise.all(
        items.map(async ({ key }) => {
          const parsed = parseAffinityKey(key)
          if (parsed) await this.get(parsed.block, deadlineMs)
        }),
      )
      this.#readAt.set(`own ${family}`, readAt)
    }
    return [...this.#blocks.values()]
      .filter(({ cidr, block }) => cidr.address.family === family && block?.affinity === this.#node)
      .sort((a, b) => comparePrefixes(a.cidr, b.cidr))
  }

  /** The networks of all blocks of a family. */
  async existing(
    family: Family,
    notBefore: number,
    deadlineMs: number,
  ): Promise<ReadonlyMap<string, Prefix>> {
    const existing = this.#existing[family]
    if (this.#isOld(`keys ${family}`, notBefore)) {
      const readAt = this.#clock.monotonic()
      const items = await this.#list(family, true, deadlineMs)
      existing.clear()
      for (const { key } of items) {
        const cidr = parseBlockKey(key)
        if (cidr) existing.set(key, cidr)
      }
      this.#readAt.set(`keys ${family}`, readAt)
    }
    return existing
  }

  /** All blocks of a family. */
  async all(family: Family, notBefore: number, deadlineMs: number): Promise<SeenBlock[]> {
    if (this.#isOld(`values ${family}`, notBefore)) {
      const readAt = this.#clock.monotonic()
      const items = await this.#list(family, false, deadlineMs)
      for (const [key, { cidr }] of this.#blocks) {
        if (cidr.address.family === family) this.#blocks.delete(key)
      }
      this.#existing[family].clear()
      for (const item of items) this.saw(item.key, item)
      this.#readAt.set(`values ${family}`, readAt)
      this.#readAt.set(`keys ${family}`, readAt)
    }
    return [...this.#blocks.values()]
      .filter(({ cidr }) => cidr.address.family === family)
      .sort((a, b) => comparePrefixes(a.cidr, b.cidr))
  }

  /** One block as last seen, or as it is in the store. */
  async get(cidr: Prefix, deadlineMs: number): Promise<SeenBlock | undefined> {
    return this.#blocks.get(blockKey(cidr)) ?? (await this.reload(cidr, deadlineMs))
  }

  /** One block as it is in the store. */
  async reload(cidr: Prefix, deadlineMs: number): Promise<SeenBlock | undefined> {
    const key = blockKey(cidr)
    this.saw(key, await this.#store.get(key, { deadlineMs }))
    return this.#blocks.get(key)
  }

  /** The block that an address lies in, whatever its size, as it is in the store. */
  async containing(address: Address, deadlineMs: number): Promise<SeenBlock | undefined> {
    const existing = await this.existing(address.family, this.#clock.monotonic(), deadlineMs)
    const cidr = [...existing.values()].find((each) => prefixContains(each, address))
    return cidr && (await this.reload(cidr, deadlineMs))
  }

  /** Takes note of what a read showed under a key that may be a block's. */
  saw(key: string, item: KeyValue | undefined): void {
    const cidr = parseBlockKey(key)
    if (!cidr) return
    if (!item) {
      this.#gone(key, cidr)
      return
    }
    this.#sawRevision(item.modRevision)
    const decoded = decodeBlock(item.value)
    const readable = decoded.ok && blockKey(decoded.value.cidr) === key
    if (!readable) this.#log.warn({ key }, 'a block cannot be read, it is left alone')
    this.#put(key, { cidr, block: readable ? decoded.value : undefined, modRevision: item.modRevision })
  }

  /** Takes note of what a transaction wrote; undefined: it deleted the block. */
  wrote(cidr: Prefix, block: Block | undefined, revision: number): void {
    this.#sawRevision(revision)
    const key = blockKey(cidr)
    if (block) this.#put(key, { cidr, block, modRevision: revision })
    else this.#gone(key, cidr)
  }

  /** Forgets one block: a transaction that changes it may or may not have been carried out. */
  doubt(cidr: Prefix): void {
    this.#blocks.delete(blockKey(cidr))
    this.#readAt.clear()
  }

  #put(key: string, seen: SeenBlock): void {
    this.#blocks.set(key, seen)
    if (seen.block?.affinity !== this.#node) this.#others++
    this.#existing[seen.cidr.address.family].set(key, seen.cidr)
  }

  #gone(key: string, cidr: Prefix): void {
    this.#blocks.delete(key)
    this.#existing[cidr.address.family].delete(key)
  }

  #sawRevision(revision: number): void {
    this.revision = Math.max(this.revision, revision)
  }

  #isOld(what: string, notBefore: number): boolean {
    const readAt = this.#readAt.get(what)
    return readAt === undefined || readAt < notBefore
  }

  async #list(family: Family, keysOnly: boolean, deadlineMs: number): Promise<KeyValue[]> {
    const items: KeyValue[] = []
    let after: string | undefined
    do {
      const page = await this.#store.list(blocksPrefix(family), {
        keysOnly,
        deadlineMs,
        limit: pageSize,
        ...(after !== undefined && { after }),
      })
      this.#sawRevision(page.revision)
      items.push(...page.items)
      after = page.next
    } while (after !== undefined)
    return items
  }
}
