import {
  type Clock,
  type Prefix,
  formatPrefix,
  parsePrefix,
  prefixCovers,
  prefixesOverlap,
  subprefixAt,
  subprefixCount,
} from '@network/net'
import { AffinityState, encodeAffinity } from '../ipam/affinity.ts'
import { advanceSequence, createBlock, isEmpty, withAffinity } from '../ipam/block.ts'
import { decodeBlock, encodeBlock } from '../ipam/block-encoding.ts'
import { poolOfBlock } from '../ipam/pool-choice.ts'
import {
  affinitiesPrefix,
  affinityKey,
  blockKey,
  blocksPrefix,
  parseAffinityKey,
  parseBlockKey,
} from '../model/keys.ts'
import type { Condition, Operation, Store } from '../store/store.ts'
import { AllocationError } from './allocation-error.ts'
import { each } from './holder.ts'
import { invalid } from './refusals.ts'
import type { AffinityClaim, AffinityRelease } from './requests.ts'
import type { Settings } from './settings.ts'

/*
 * Which node holds which block, changed on purpose. Block and affinity are always written in one transaction, so
 * that there is no moment at which one says what the other doesn't.
 */

const deadlineMs = 5_000
const maxAttempts = 30
/** So many blocks are claimed by one call at most. */
const maxClaims = 4096

interface Modules {
  readonly store: Store
  readonly clock: Clock
  readonly random: () => number
}

/**
 * Claims every block of `cidrText` for a node; each block is a transaction of its own.
 * @throws AllocationError if it is no network, lies in no pool, is smaller than a block or too wide
 */
export async function claimAffinity(
  modules: Modules & { settings: () => Promise<Settings> },
  cidrText: string,
  node: string,
): Promise<AffinityClaim> {
  const cidr = readCidr(cidrText)
  const { pools } = await modules.settings()
  const pool = poolOfBlock(pools, cidr)
  if (pool === undefined) {
    throw new AllocationError('not-in-pool', `${cidrText} lies in no IPPool.`, {
      remedy: 'Take a network within one pool.',
      details: { cidr: cidrText },
    })
  }
  if (cidr.length > pool.blockSize) {
    throw invalid(
      `${cidrText} is smaller than a block: IPPool '${pool.name}' has blocks of /${String(pool.blockSize)}.`,
      { cidr: cidrText, blockSize: pool.blockSize },
    )
  }
  const count = subprefixCount(cidr, pool.blockSize)
  if (count > BigInt(maxClaims)) {
    throw invalid(
      `${cidrText} has ${String(count)} blocks; at most ${String(maxClaims)} are claimed at once.`,
    )
  }
  const { items } = await modules.store.list(blocksPrefix(cidr.address.family), {
    keysOnly: true,
    deadlineMs,
  })
  const existing = items.flatMap(({ key }) => parseBlockKey(key) ?? [])
  const claimed: string[] = []
  const failed: { block: string; reason: string }[] = []
  for (let index = 0n; index < count; index++) {
    const block = subprefixAt(cidr, pool.blockSize, index)
    const text = formatPrefix(block)
    const other = existing.find((each) => each.length !== block.length && prefixesOverlap(each, block))
    const reason = other
      ? `it overlaps block ${formatPrefix(other)} of another size`
      : await retry(modules, () => tryClaim(modules.store, block, node, pool))
    if (reason === undefined) claimed.push(text)
    else failed.push({ block: text, reason })
  }
  return { claimed, failed }
}

/** @returns whether it was committed, or why it can't be */
async function tryClaim(
  store: Store,
  cidr: Prefix,
  node: string,
  pool: { key: string; modRevision: number },
): Promise<boolean | string> {
  const key = blockKey(cidr)
  const { items, revision } = await store.list(key, { deadlineMs })
  const item = items.find((each) => each.key === key)
  const decoded = item && decodeBlock(item.value)
  if (decoded && !decoded.ok) return `its value cannot be read: ${decoded.error}`
  const block = decoded?.value
  if (block && block.affinity !== null && block.affinity !== node) return `node '${block.affinity}' holds it`
  const claimed = block ? withAffinity(advanceSequence(block), node) : createBlock(cidr, node, revision)
  const when: Condition[] = [
    item ? { key, is: 'at', modRevision: item.modRevision } : { key, is: 'absent' },
    { key: pool.key, is: 'at', modRevision: pool.modRevision },
  ]
  const then: Operation[] = [
    { put: key, value: encodeBlock(claimed) },
    { put: affinityKey(node, cidr), value: encodeAffinity(AffinityState.confirmed) },
  ]
  const result = await store.transact({ when, then, otherwise: [{ get: pool.key }] }, { deadlineMs })
  if (result.committed) return true
  const present = result.reads[0]
  return present?.modRevision === pool.modRevision ? false : 'its IPPool has changed meanwhile'
}

/** Gives back what a node holds in `within` (default: everything). Addresses that are held stay held. */
export async function releaseAffinities(
  modules: Modules,
  node: string,
  within?: string,
): Promise<AffinityRelease> {
  const cidr = within === undefined ? undefined : readCidr(within)
  const deleted: string[] = []
  const detached: string[] = []
  const failed: { block: string; reason: string }[] = []
  for await (const { key } of each(modules.store, affinitiesPrefix(node), deadlineMs)) {
    const block = parseAffinityKey(key)?.block
    if (block === undefined || (cidr !== undefined && !prefixCovers(cidr, block))) continue
    const text = formatPrefix(block)
    const reason = await retry(modules, async () => {
      const outcome = await tryRelease(modules.store, block, node)
      if (typeof outcome !== 'object') return outcome
      const list = outcome.wasEmpty ? deleted : detached
      list.push(text)
      return true
    })
    if (reason !== undefined) failed.push({ block: text, reason })
  }
  return { deleted, detached, failed }
}

async function tryRelease(
  store: Store,
  cidr: Prefix,
  node: string,
): Promise<false | string | { wasEmpty: boolean }> {
  const key = blockKey(cidr)
  const affinity = affinityKey(node, cidr)
  const item = await store.get(key, { deadlineMs })
  const decoded = item && decodeBlock(item.value)
  if (decoded && !decoded.ok) return `its value cannot be read: ${decoded.error}`
  const block = decoded?.value
  const isHeld = block?.affinity === node
  const wasEmpty = block === undefined || isEmpty(block)
  const when: Condition[] = [item ? { key, is: 'at', modRevision: item.modRevision } : { key, is: 'absent' }]
  const then: Operation[] = [{ delete: affinity }]
  if (isHeld) {
    const free = encodeBlock(withAffinity(advanceSequence(block), null))
    then.push(wasEmpty ? { delete: key } : { put: key, value: free })
  }
  const { committed } = await store.transact({ when, then }, { deadlineMs })
  return committed && { wasEmpty }
}

/** Repeats what loses its race, with jitter. @returns why it failed, or undefined if it was done */
async function retry(
  modules: Modules,
  attempt: () => Promise<boolean | string>,
): Promise<string | undefined> {
  for (let count = 0; count < maxAttempts; count++) {
    const outcome = await attempt()
    if (outcome === true) return undefined
    if (typeof outcome === 'string') return outcome
    const ms = modules.random() * 2 ** Math.min(count, 6)
    await new Promise<void>((resolve) => modules.clock.setTimeout(resolve, ms))
  }
  return 'others kept changing it'
}

function readCidr(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw invalid(`'${text}' is not a network: ${parsed.error.reason}.`, { cidr: text })
  return parsed.value
}
