import { type Prefix } from '@network/net'
import { AffinityState, encodeAffinity } from '../ipam/affinity.ts'
import { type Block, advanceSequence, createBlock, isEmpty, withAffinity } from '../ipam/block.ts'
import { encodeBlock } from '../ipam/block-encoding.ts'
import { affinityKey, blockKey } from '../model/keys.ts'
import type { Condition, Operation } from '../store/store.ts'
import type { BlockCache, SeenBlock } from './block-cache.ts'
import type { Settings } from './settings.ts'

/*
 * Blocks as one transaction is going to leave them. Several requests are planned one after the other on the same
 * workspace, each seeing what the ones before it took; a request that can't be met is rolled back to its checkpoint.
 */

interface Draft {
  readonly cidr: Prefix
  /** What the transaction compares with; undefined: that there is no such block. */
  readonly before: SeenBlock | undefined
  readonly block: Block
}

export type Checkpoint = ReadonlyMap<string, Draft>

/** What bounds the reads of one planning. */
export interface Freshness {
  /** Monotonic time: a listing made earlier is not enough to refuse a request. */
  readonly notBefore: number
  readonly deadlineMs: number
}

export class Workspace {
  readonly settings: Settings
  readonly cache: BlockCache
  readonly node: string
  /** ms since the epoch */
  readonly now: number
  #drafts: Map<string, Draft> = new Map()

  constructor(modules: { cache: BlockCache; settings: Settings }, options: { node: string; now: number }) {
    this.cache = modules.cache
    this.settings = modules.settings
    this.node = options.node
    this.now = options.now
  }

  get cooling(): { now: number; cooldownMs: number } {
    return { now: this.now, cooldownMs: this.settings.configuration.ipCooldownSeconds * 1000 }
  }

  /** Whether nothing has been planned yet, so that a refusal can't be somebody else's doing. */
  get isUntouched(): boolean {
    return this.#drafts.size === 0
  }

  checkpoint(): Checkpoint {
    return new Map(this.#drafts)
  }

  rollback(checkpoint: Checkpoint): void {
    this.#drafts = new Map(checkpoint)
  }

  /** The block as planned so far, else as last seen; undefined if there is none or it can't be read. */
  async block(cidr: Prefix, { deadlineMs }: Freshness): Promise<Block | undefined> {
    return this.planned(cidr) ?? (await this.cache.get(cidr, deadlineMs))?.block
  }

  /** The block as planned so far. */
  planned(cidr: Prefix): Block | undefined {
    return this.#drafts.get(blockKey(cidr))?.block
  }

  /** Blocks that the transaction makes or takes over for this node. */
  claims(): Block[] {
    return [...this.#drafts.values()]
      .filter(({ before, block }) => block.affinity === this.node && before?.block?.affinity !== this.node)
      .map(({ block }) => block)
  }

  get draftCount(): number {
    return this.#drafts.size
  }

  /**
   * Changes a block. `change` gets it with a sequence number of its own; if it answers the same object nothing is
   * planned.
   */
  update(seen: SeenBlock & { block: Block }, change: (block: Block) => Block): Block {
    const key = blockKey(seen.cidr)
    const draft = this.#drafts.get(key)
    const from = draft?.block ?? advanceSequence(seen.block)
    const block = change(from)
    if (block !== from) this.#drafts.set(key, { cidr: seen.cidr, before: draft ? draft.before : seen, block })
    return block
  }

  /** Makes a block that doesn't exist yet. */
  create(cidr: Prefix, affinity: string | null, change: (block: Block) => Block): Block {
    const block = change(createBlock(cidr, affinity, this.cache.revision))
    this.#drafts.set(blockKey(cidr), { cidr, before: undefined, block })
    return block
  }

  /** Gives an existing block to this node. */
  adopt(seen: SeenBlock & { block: Block }): Block {
    return this.update(seen, (block) => withAffinity(block, this.node))
  }

  /** The part of the transaction that concerns blocks. A block that is empty and nobody's is deleted. */
  operations(): { when: Condition[]; then: Operation[] } {
    const when: Condition[] = []
    const then: Operation[] = []
    for (const [key, { before, block }] of this.#drafts) {
      when.push(before ? { key, is: 'at', modRevision: before.modRevision } : { key, is: 'absent' })
      then.push(isRemoved(block) ? { delete: key } : { put: key, value: encodeBlock(block) })
    }
    for (const { cidr } of this.claims()) {
      const value = encodeAffinity(AffinityState.confirmed)
      then.push({ put: affinityKey(this.node, cidr), value })
    }
    return { when, then }
  }

  /** Tells the cache what the transaction did. */
  committed(revision: number): void {
    for (const { cidr, block } of this.#drafts.values()) {
      this.cache.wrote(cidr, isRemoved(block) ? undefined : block, revision)
    }
  }

  /** Tells the cache that nobody knows what the transaction did. */
  doubted(): void {
    for (const { cidr } of this.#drafts.values()) this.cache.doubt(cidr)
  }
}

function isRemoved(block: Block): boolean {
  return block.affinity === null && isEmpty(block)
}
