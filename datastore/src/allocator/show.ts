import { formatPrefix, parsePrefix, prefixCovers, prefixSize, prefixesOverlap } from '@network/net'
import { type Block, blockCapacity, countFree, ordinalInBlock } from '../ipam/block.ts'
import { poolOfBlock } from '../ipam/pool-choice.ts'
import { reservedOrdinals } from '../ipam/reserved.ts'
import { blockKey } from '../model/keys.ts'
import type { Store } from '../store/store.ts'
import { readSnapshot } from './audit-snapshot.ts'
import type { BlockUtilization, PoolUtilization, Show, Utilization } from './requests.ts'
import type { Settings } from './settings.ts'
import { parseAddress } from '@network/net'

/** Who uses how much, by pool, block and node, as of one revision. */
export async function show(input: {
  store: Store
  settings: Settings
  now: number
  deadlineMs: number
}): Promise<Show> {
  const { settings, now } = input
  const { blocks, handles } = await readSnapshot(input, input.deadlineMs)
  const borrowed = new Map<string, number>()
  const nodes = new Map<string, { blocks: number; addresses: number; borrowed: number }>()
  const nodeOf = (node: string) => {
    const entry = nodes.get(node) ?? { blocks: 0, addresses: 0, borrowed: 0 }
    nodes.set(node, entry)
    return entry
  }
  const byKey = new Map(blocks.map((block) => [blockKey(block.cidr), block]))
  for (const block of blocks) if (block.affinity !== null) nodeOf(block.affinity).blocks++
  for (const { value: handle } of handles) {
    for (const held of handle.addresses) {
      const cidr = parsePrefix(held.block)
      const address = parseAddress(held.address)
      const block = cidr.ok ? byKey.get(blockKey(cidr.value)) : undefined
      const ordinal = block && address.ok ? ordinalInBlock(block, address.value) : undefined
      if (!block || ordinal === undefined) continue
      if (block.allocations.get(ordinal)?.sequence !== held.sequence) continue
      const entry = nodeOf(handle.owner.node)
      entry.addresses++
      if (block.affinity === handle.owner.node) continue
      entry.borrowed++
      borrowed.set(held.block, (borrowed.get(held.block) ?? 0) + 1)
    }
  }
  const cooling = { now, cooldownMs: settings.configuration.ipCooldownSeconds * 1000 }
  const blockUse = (block: Block): BlockUtilization => {
    const isReserved = reservedOrdinals(block.cidr, settings.reserved)
    const free = countFree(block, { ...cooling, isReserved })
    const cidr = formatPrefix(block.cidr)
    return {
      cidr,
      family: block.cidr.address.family,
      affinity: block.affinity ?? undefined,
      borrowed: BigInt(borrowed.get(cidr) ?? 0),
      capacity: BigInt(blockCapacity(block.cidr)),
      inUse: BigInt(block.allocations.size),
      reserved: BigInt(free.reserved),
      cooling: BigInt(free.cooling),
      available: BigInt(free.available),
    }
  }
  const pools = settings.pools.map((pool): PoolUtilization => {
    const own = blocks.filter(({ cidr }) => prefixCovers(pool.cidr, cidr)).map(blockUse)
    return {
      name: pool.name,
      cidr: formatPrefix(pool.cidr),
      family: pool.cidr.address.family,
      blockSize: pool.blockSize,
      disabled: pool.disabled,
      blocks: own,
      ...poolUse(pool.cidr, own, settings, blocks),
    }
  })
  return {
    pools,
    orphans: blocks.filter(({ cidr }) => poolOfBlock(settings.pools, cidr) === undefined).map(blockUse),
    nodes: [...nodes]
      .map(([node, counts]) => ({ node, ...counts }))
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
  }
}

function poolUse(
  cidr: Settings['pools'][number]['cidr'],
  own: readonly BlockUtilization[],
  settings: Settings,
  blocks: readonly Block[],
): Utilization {
  const total = (count: 'capacity' | 'inUse' | 'reserved' | 'cooling'): bigint =>
    own.reduce((sum, block) => sum + block[count], 0n)
  const capacity = prefixSize(cidr)
  let reserved = total('reserved')
  for (const range of disjoint(settings.reserved, cidr)) {
    const inBlocks = blocks.reduce(
      (sum, block) =>
        prefixCovers(range, block.cidr)
          ? sum + prefixSize(block.cidr)
          : prefixCovers(block.cidr, range)
            ? sum + prefixSize(range)
            : sum,
      0n,
    )
    reserved += prefixSize(range) - inBlocks
  }
  const inUse = total('inUse')
  const cooling = total('cooling')
  return { capacity, inUse, reserved, cooling, available: capacity - inUse - cooling - reserved }
}

/** The reserved networks within a pool, none inside another. */
function disjoint(reserved: Settings['reserved'], pool: Settings['pools'][number]['cidr']) {
  const inside = reserved
    .filter((range) => prefixesOverlap(range, pool))
    .map((range) => (prefixCovers(range, pool) ? pool : range))
    .sort((a, b) => a.length - b.length)
  return inside.filter((range, index) => !inside.slice(0, index).some((wider) => prefixCovers(wider, range)))
}
