import {
  type Address,
  type Family,
  type Prefix,
  formatAddress,
  formatPrefix,
  prefixContains,
  prefixCovers,
  prefixFamily,
  prefixOf,
  prefixesOverlap,
} from '@network/net'
import {
  type Block,
  addressOfOrdinal,
  countFree,
  ordinalInBlock,
  takeFree,
  takeOrdinal,
} from '../ipam/block.ts'
import type { HeldAddress } from '../ipam/handle.ts'
import { blockOfAddress, candidateBlocks, poolOfAddress, poolOfBlock, rotateBy } from '../ipam/pool-choice.ts'
import { ordinalsOutside, reservedOrdinals } from '../ipam/reserved.ts'
import { blockKey } from '../model/keys.ts'
import type { Store } from '../store/store.ts'
import type { AllocationError, NoAddressReason } from './allocation-error.ts'
import type { SeenBlock } from './block-cache.ts'
import { findHolder } from './holder.ts'
import {
  addressReserved,
  addressTaken,
  noAddress,
  notInPool,
  notInRange,
  poolDisabled,
  strictAffinityForbids,
} from './refusals.ts'
import type { StoredPool } from './settings.ts'
import type { Freshness, Workspace } from './workspace.ts'

/*
 * Where addresses come from: the node's own blocks; else a block that nobody has yet, looked for from a place that
 * depends on the node's name; else a block that a deleted node left behind; else, unless strictAffinity, single
 * addresses of other nodes' blocks.
 */

export interface Taken {
  readonly held: HeldAddress
  readonly pool: StoredPool
  readonly borrowed: boolean
}

export interface Want extends Freshness {
  readonly family: Family
  readonly count: number
  readonly holder: string
  readonly pools: readonly StoredPool[]
  /** Ranges to keep to; a family without any is not bound. */
  readonly within: readonly Prefix[]
  readonly attempt: number
}

/** More would not fit into one transaction. */
const maxBlocks = 48

type Readable = SeenBlock & { block: Block }

function isReadable(seen: SeenBlock): seen is Readable {
  return seen.block !== undefined
}

/** Takes up to `count` addresses from the queues; `refusal` says why they are fewer. */
export async function takeAutomatic(
  workspace: Workspace,
  want: Want,
): Promise<{ taken: Taken[]; refusal: AllocationError | undefined }> {
  const { settings, cache, node } = workspace
  const { family, pools, holder, notBefore, deadlineMs } = want
  const { configuration } = settings
  const taken: Taken[] = []
  const missing = (): number => want.count - taken.length
  const inPools = (cidr: Prefix): StoredPool | undefined => poolOfBlock(pools, cidr)
  const isFull = (): boolean => workspace.draftCount >= maxBlocks

  const takeFrom = (seen: Readable): void => {
    const pool = inPools(seen.cidr)
    if (pool === undefined || isFull()) return
    let ordinals: readonly number[] = []
    const block = workspace.update(seen, (from) => {
      const result = takeFree(from, missing(), holder, rules(workspace, seen.cidr, want.within))
      ordinals = result.ordinals
      return result.block
    })
    for (const ordinal of ordinals) taken.push(takenOf(workspace, block, ordinal, pool))
  }
  const takeFromOwn = async (since: number): Promise<number> => {
    const own = (await cache.own(family, since, deadlineMs)).filter(isReadable)
    for (const pool of pools) {
      for (const seen of own) {
        if (missing() > 0 && inPools(seen.cidr) === pool) takeFrom(seen)
      }
    }
    const planned = workspace.claims().filter(({ cidr }) => cidr.address.family === family)
    for (const { cidr, ...rest } of planned) {
      const before = { cidr, block: { cidr, ...rest }, modRevision: 0 }
      if (missing() > 0) takeFrom(before)
    }
    return own.length + planned.length
  }

  await takeFromOwn(0)
  if (missing() === 0) return { taken, refusal: undefined }

  const [existing] = await Promise.all([
    cache.existing(family, notBefore, deadlineMs),
    cache.own(family, notBefore, deadlineMs),
  ])
  let held = await takeFromOwn(notBefore)
  const mayClaim = (): boolean =>
    configuration.autoAllocateBlocks &&
    (configuration.maxBlocksPerHost === 0 || held < configuration.maxBlocksPerHost)

  for (const pool of pools) {
    if (missing() === 0 || !mayClaim() || isFull()) break
    const others = [...existing.values()].filter((cidr) => cidr.length !== pool.blockSize)
    for (const cidr of candidatesWithin(pool, node, settings.reserved, want.within)) {
      if (missing() === 0 || !mayClaim() || isFull()) break
      if (existing.has(blockKey(cidr)) || workspace.planned(cidr) !== undefined) continue
      if (others.some((other) => prefixesOverlap(other, cidr))) continue
      let ordinals: readonly number[] = []
      const checkpoint = workspace.checkpoint()
      const block = workspace.create(cidr, node, (from) => {
        const result = takeFree(from, missing(), holder, rules(workspace, cidr, want.within))
        ordinals = result.ordinals
        return result.block
      })
      // Several small reservations may cover it together.
      if (ordinals.length === 0) workspace.rollback(checkpoint)
      else held++
      for (const ordinal of ordinals) taken.push(takenOf(workspace, block, ordinal, pool))
    }
  }
  if (missing() === 0) return { taken, refusal: undefined }

  const everything = await cache.all(family, notBefore, deadlineMs)
  held = await takeFromOwn(notBefore)
  if (missing() === 0) return { taken, refusal: undefined }
  const foreign = everything
    .filter(isReadable)
    .filter(({ cidr, block }) => block.affinity !== node && inPools(cidr) !== undefined)
  for (const seen of foreign) {
    if (missing() === 0 || !mayClaim() || isFull()) break
    if (seen.block.affinity !== null || available(workspace, seen, want.within).available === 0) continue
    workspace.adopt(seen)
    takeFrom(seen)
    held++
  }
  if (!configuration.strictAffinity) {
    const order = rotateBy(foreign, want.attempt === 0 ? node : `${node} ${String(want.attempt)}`)
    for (const seen of order) {
      if (missing() > 0) takeFrom(seen)
    }
  }
  if (missing() === 0) return { taken, refusal: undefined }

  const own = (await cache.own(family, notBefore, deadlineMs)).filter(isReadable)
  const reason = whyNot({
    isFull: isFull(),
    isLimited: configuration.maxBlocksPerHost > 0 && held >= configuration.maxBlocksPerHost,
    mayAllocate: configuration.autoAllocateBlocks,
    elsewhere: sum(foreign.map((seen) => available(workspace, seen, want.within).available)),
    cooling: sum([...own, ...foreign].map((seen) => available(workspace, seen, want.within).cooling)),
  })
  const refusal = noAddress(family, reason, {
    node,
    asked: want.count,
    available: taken.length,
    pools: pools.map(({ name }) => name),
    blockLimit: configuration.maxBlocksPerHost,
  })
  return { taken, refusal }
}

function whyNot(facts: {
  isFull: boolean
  isLimited: boolean
  mayAllocate: boolean
  elsewhere: number
  cooling: number
}): NoAddressReason {
  if (facts.isFull) return 'scattered'
  if (facts.isLimited) return 'block-limit'
  if (!facts.mayAllocate) return 'auto-allocate-blocks'
  if (facts.elsewhere > 0) return 'strict-affinity'
  return facts.cooling > 0 ? 'cooldown' : 'exhausted'
}

/**
 * Takes this very address, from any pool that is enabled; claims its block if nobody has it.
 * @throws AllocationError
 */
export async function takeFixed(
  modules: { workspace: Workspace; store: Store },
  want: Freshness & {
    address: Address
    holder: string
    pools: readonly string[] | undefined
    within: readonly Prefix[]
  },
): Promise<Taken> {
  const { workspace, store } = modules
  const { settings, cache, node } = workspace
  const { address, holder, notBefore, deadlineMs } = want
  const { configuration } = settings
  const family = address.family
  const text = formatAddress(address)
  const requested = want.pools
  const pool = poolOfAddress(
    requested ? settings.pools.filter(({ name }) => requested.includes(name)) : settings.pools,
    address,
  )
  if (pool === undefined) throw notInPool(text, requested)
  if (pool.disabled) throw poolDisabled(pool.name)
  const ranges = want.within.filter((range) => prefixFamily(range) === family)
  if (ranges.length > 0 && !ranges.some((range) => prefixContains(range, address))) {
    throw notInRange(text, ranges.map(formatPrefix))
  }
  const cidr = blockOfAddress(pool, address)
  if (reservedOrdinals({ address, length: family === 'ipv4' ? 32 : 128 }, settings.reserved)(0)) {
    throw addressReserved(text)
  }

  const seen = await findBlock(workspace, cidr, address, want)
  if (seen === undefined && workspace.planned(cidr) === undefined) {
    const held = (await cache.own(family, notBefore, deadlineMs)).length + workspace.claims().length
    const isOwn =
      configuration.autoAllocateBlocks &&
      settings.selectsNode(pool) &&
      (configuration.maxBlocksPerHost === 0 || held < configuration.maxBlocksPerHost)
    if (!isOwn && configuration.strictAffinity) throw strictAffinityForbids(text, formatPrefix(cidr), null)
    const block = workspace.create(cidr, isOwn ? node : null, (from) => {
      const ordinal = ordinalInBlock(from, address)
      return (ordinal === undefined ? undefined : takeOrdinal(from, ordinal, holder)) ?? from
    })
    return takenOf(workspace, block, ordinalInBlock(block, address) ?? 0, pool)
  }
  const take = (from: SeenBlock): Taken | undefined => {
    if (!isReadable(from)) throw addressTaken(text, {})
    const block = workspace.planned(from.cidr) ?? from.block
    if (configuration.strictAffinity && block.affinity !== node) {
      throw strictAffinityForbids(text, formatPrefix(from.cidr), block.affinity)
    }
    const ordinal = ordinalInBlock(from.block, address) ?? 0
    const changed = workspace.update(from, (before) => takeOrdinal(before, ordinal, holder) ?? before)
    const allocation = changed.allocations.get(ordinal)
    return block.allocations.has(ordinal) || allocation === undefined
      ? undefined
      : takenOf(workspace, changed, ordinal, pool)
  }
  const planned = workspace.planned(cidr)
  const first = take(seen ?? { cidr, block: planned, modRevision: 0 })
  if (first) return first
  // What was seen may be old; what is planned is not.
  const fresh = workspace.planned(seen?.cidr ?? cidr)
    ? undefined
    : await cache.reload(seen?.cidr ?? cidr, deadlineMs)
  const second = fresh && take(fresh)
  if (second) return second
  const block = workspace.planned(seen?.cidr ?? cidr) ?? fresh?.block
  const allocation = block && block.allocations.get(ordinalInBlock(block, address) ?? -1)
  throw addressTaken(text, allocation ? await findHolder(store, text, allocation, deadlineMs) : {})
}

/** The block that an address lies in: of the pool's block size, or of another that the pool had before. */
async function findBlock(
  workspace: Workspace,
  cidr: Prefix,
  address: Address,
  { notBefore, deadlineMs }: Freshness,
): Promise<SeenBlock | undefined> {
  const exact = await workspace.cache.get(cidr, deadlineMs)
  if (exact) return exact
  const existing = await workspace.cache.existing(address.family, notBefore, deadlineMs)
  for (const other of existing.values()) {
    if (prefixesOverlap(other, cidr)) {
      const seen = await workspace.cache.get(other, deadlineMs)
      if (seen && (seen.block === undefined || ordinalInBlock(seen.block, address) !== undefined)) return seen
    }
  }
  return undefined
}

function takenOf(workspace: Workspace, block: Block, ordinal: number, pool: StoredPool): Taken {
  return {
    held: {
      family: block.cidr.address.family,
      address: formatAddress(addressOfOrdinal(block, ordinal)),
      block: formatPrefix(block.cidr),
      sequence: block.allocations.get(ordinal)?.sequence ?? block.sequence,
    },
    pool,
    borrowed: block.affinity !== workspace.node,
  }
}

function rules(workspace: Workspace, cidr: Prefix, within: readonly Prefix[]) {
  const isReserved = reservedOrdinals(cidr, workspace.settings.reserved)
  const isOutside = ordinalsOutside(cidr, within)
  return {
    ...workspace.cooling,
    isReserved: (ordinal: number) => isReserved(ordinal) || isOutside(ordinal),
  }
}

function available(
  workspace: Workspace,
  seen: Readable,
  within: readonly Prefix[],
): { available: number; cooling: number } {
  return countFree(workspace.planned(seen.cidr) ?? seen.block, rules(workspace, seen.cidr, within))
}

/** The blocks of a pool that have a part in the ranges. */
function* candidatesWithin(
  pool: StoredPool,
  node: string,
  reserved: readonly Prefix[],
  within: readonly Prefix[],
): Generator<Prefix, void> {
  const ranges = within.filter((range) => prefixFamily(range) === prefixFamily(pool.cidr))
  if (ranges.length === 0) {
    yield* candidateBlocks(pool, node, reserved)
    return
  }
  for (const range of ranges) {
    if (!prefixesOverlap(range, pool.cidr)) continue
    const part = prefixCovers(range, pool.cidr) ? pool.cidr : range
    const cidr = part.length <= pool.blockSize ? part : prefixOf(part.address, pool.blockSize)
    yield* candidateBlocks({ ...pool, cidr }, node, reserved)
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
