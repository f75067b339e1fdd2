import {
  type Address,
  type Family,
  type Prefix,
  type Result,
  addressBits,
  addressToBigInt,
  failure,
  prefixContains,
  prefixCovers,
  prefixOf,
  prefixSize,
  subprefixAt,
  subprefixCount,
  success,
} from '@network/net'

/** What address management needs to know of an IPPool. */
export interface Pool {
  readonly name: string
  readonly cidr: Prefix
  /** Length of the blocks' prefixes. */
  readonly blockSize: number
  readonly disabled: boolean
  readonly assignmentMode: 'Automatic' | 'Manual'
  readonly nodeSelector: string | undefined
}

/** Why a request names no usable pool. */
export type PoolFault =
  | { readonly code: 'unknown'; readonly pool: string }
  | { readonly code: 'disabled'; readonly pool: string }
  | { readonly code: 'family'; readonly family: Family }
  | { readonly code: 'none'; readonly family: Family }

/**
 * The pools to take addresses of a family from, in order. Pools asked for by name are used as they stand, Manual or
 * not and whatever node they select, but not if disabled; otherwise all that are enabled, Automatic and select the node.
 */
export function choosePools<P extends Pool>(
  pools: readonly P[],
  family: Family,
  requested: readonly string[] | undefined,
  selectsNode: (pool: P) => boolean,
): Result<readonly P[], PoolFault> {
  if (requested === undefined) {
    const chosen = pools.filter(
      (pool) =>
        pool.cidr.address.family === family &&
        !pool.disabled &&
        pool.assignmentMode === 'Automatic' &&
        selectsNode(pool),
    )
    return chosen.length > 0 ? success(chosen) : failure({ code: 'none', family })
  }
  const chosen: P[] = []
  for (const name of new Set(requested)) {
    const pool = pools.find((candidate) => candidate.name === name)
    if (pool === undefined) return failure({ code: 'unknown', pool: name })
    if (pool.cidr.address.family !== family) continue
    if (pool.disabled) return failure({ code: 'disabled', pool: name })
    chosen.push(pool)
  }
  return chosen.length > 0 ? success(chosen) : failure({ code: 'family', family })
}

/** The pool that an address lies in. */
export function poolOfAddress<P extends Pool>(pools: readonly P[], address: Address): P | undefined {
  return pools.find((pool) => prefixContains(pool.cidr, address))
}

/** The pool that a block lies in. */
export function poolOfBlock<P extends Pool>(pools: readonly P[], block: Prefix): P | undefined {
  return pools.find((pool) => prefixCovers(pool.cidr, block))
}

/** The block of a pool that an address belongs to. */
export function blockOfAddress(pool: Pool, address: Address): Prefix {
  return prefixOf(address, pool.blockSize)
}

/**
 * A number from a text, spread evenly over 32 bits: FNV-1a with a final mix, since its low bits alone are what
 * a pool with few blocks sees.
 */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * Every block of a pool once, beginning at a place that depends on the node's name, so that nodes which claim at the
 * same time don't race for the same block. Wholly reserved stretches are passed over at once.
 */
export function* candidateBlocks(
  pool: Pool,
  node: string,
  reserved: readonly Prefix[],
): Generator<Prefix, void> {
  const count = subprefixCount(pool.cidr, pool.blockSize)
  const start = BigInt(hashText(node)) % count
  let step = 0n
  while (step < count) {
    const index = (start + step) % count
    const block = subprefixAt(pool.cidr, pool.blockSize, index)
    const covering = reserved.find((cidr) => prefixCovers(cidr, block))
    if (covering === undefined) {
      yield block
      step++
    } else {
      const end = addressToBigInt(covering.address) + prefixSize(covering)
      const blockWidth = 1n << BigInt(addressBits(pool.cidr.address.family) - pool.blockSize)
      const left = (end - addressToBigInt(block.address)) / blockWidth
      const untilWrap = count - index
      step += left < untilWrap ? left : untilWrap
    }
  }
}

/** The items, beginning at a place that depends on the text. */
export function rotateBy<T>(items: readonly T[], text: string): readonly T[] {
  const start = items.length === 0 ? 0 : hashText(text) % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
