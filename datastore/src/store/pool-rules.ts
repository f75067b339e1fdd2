import {
  formatPrefix,
  parsePrefix,
  type Prefix,
  prefixCovers,
  prefixesOverlap,
  prefixFamily,
} from '@network/net'
import { decodeBlock } from '../ipam/block-encoding.ts'
import {
  affinityKey,
  blocksPrefix,
  parseBlockKey,
  type ResourceReference,
  resourcePrefix,
} from '../model/keys.ts'
import { type KindName } from '../model/kinds/index.ts'
import { type Resource, type ResourceOf } from '../model/resource.ts'
import { decodeResource, isKind } from '../model/stored-resource.ts'
import { describeReference, ResourceError, type ResourceErrorOptions } from './resource-error.ts'
import { type KeyValue, type Operation, type Store } from './store.ts'

/*
 * Rules that look at more than one resource: pools don't overlap, a network's pools and subnets exist, what is used
 * isn't deleted. Every transaction that could break one of them also rewrites the lock key `pools` under the
 * condition that it is as it was before the rules were checked, so of two transactions that were checked against
 * the same view one fails and is checked again.
 */

export const POOLS_LOCK = 'pools'
const PAGE = 500

/** Every key and value under a prefix, read page by page as of one revision. */
export async function listAll(
  store: Store,
  prefix: string,
): Promise<{ items: KeyValue[]; revision: number }> {
  let page = await store.list(prefix, { limit: PAGE })
  const { revision } = page
  const items = [...page.items]
  while (page.next !== undefined) {
    page = await store.list(prefix, { limit: PAGE, after: page.next, revision })
    items.push(...page.items)
  }
  return { items, revision }
}

async function readKind<K extends KindName>(store: Store, kind: K): Promise<ResourceOf<K>[]> {
  const { items } = await listAll(store, resourcePrefix(kind))
  return items.flatMap((item) => {
    const decoded = decodeResource(item)
    return decoded.ok && isKind(decoded.value, kind) ? [decoded.value] : []
  })
}

function referenceOf(resource: Resource): ResourceReference {
  return { kind: resource.kind, name: resource.metadata.name }
}

function refusal(
  code: 'invalid' | 'in-use',
  resource: Resource,
  field: string,
  value: unknown,
  message: string,
  remedy: string,
): ResourceError {
  const reference = referenceOf(resource)
  const options: ResourceErrorOptions = { reference, field, value, remedy }
  return new ResourceError(code, `${describeReference(reference)}: ${field}: ${message}`, options)
}

/** Whether writing these resources needs the pools' lock: pools and networks that are new, networks that changed. */
export function touchesPools(written: readonly { resource: Resource; isNew: boolean }[]): boolean {
  return written.some(
    ({ resource, isNew }) => (resource.kind === 'IPPool' && isNew) || resource.kind === 'Network',
  )
}

/**
 * Checks new and changed resources against each other and against what is stored. Call it with the lock taken.
 * @throws ResourceError 'invalid' naming the other resource
 */
export async function checkPoolRules(
  store: Store,
  written: readonly { resource: Resource; isNew: boolean }[],
): Promise<void> {
  const stored = await readKind(store, 'IPPool')
  const names = new Set(
    written
      .filter(({ resource }) => resource.kind === 'IPPool')
      .map(({ resource }) => resource.metadata.name),
  )
  const pools = stored.filter((pool) => !names.has(pool.metadata.name))
  for (const { resource } of written) {
    if (!isKind(resource, 'IPPool')) continue
    checkOverlap(resource, pools)
    pools.push(resource)
  }
  for (const { resource } of written) {
    if (isKind(resource, 'Network')) checkNetwork(resource, pools)
  }
}

function cidrOf(pool: ResourceOf<'IPPool'>): Prefix | undefined {
  const parsed = parsePrefix(pool.spec.cidr)
  return parsed.ok ? parsed.value : undefined
}

function checkOverlap(pool: ResourceOf<'IPPool'>, others: readonly ResourceOf<'IPPool'>[]): void {
  const cidr = cidrOf(pool)
  if (cidr === undefined) return
  for (const other of others) {
    const theirs = cidrOf(other)
    if (theirs === undefined || !prefixesOverlap(cidr, theirs)) continue
    throw refusal(
      'invalid',
      pool,
      'spec.cidr',
      pool.spec.cidr,
      `'${pool.spec.cidr}' overlaps ${formatPrefix(theirs)} of the IPPool ${other.metadata.name}; expected a range of its own`,
      `Choose a range outside ${formatPrefix(theirs)}, or delete the IPPool ${other.metadata.name} first.`,
    )
  }
}

function checkNetwork(network: ResourceOf<'Network'>, pools: readonly ResourceOf<'IPPool'>[]): void {
  const known = pools.map((pool) => pool.metadata.name)
  network.spec.pools?.forEach((name, index) => {
    if (known.includes(name)) return
    throw refusal(
      'invalid',
      network,
      `spec.pools[${String(index)}]`,
      name,
      `there is no IPPool '${name}'; expected ${known.length === 0 ? 'an IPPool, but there is none' : `one of ${known.join(', ')}`}`,
      `Create the IPPool ${name} first, or in the same file.`,
    )
  })
  network.spec.subnets?.forEach((subnet, index) => {
    const parsed = parsePrefix(subnet)
    const within = pools.some((pool) => {
      const cidr = cidrOf(pool)
      return parsed.ok && cidr !== undefined && prefixCovers(cidr, parsed.value)
    })
    if (within) return
    throw refusal(
      'invalid',
      network,
      `spec.subnets[${String(index)}]`,
      subnet,
      `'${subnet}' lies in no IPPool; expected a range inside one (${pools.map((pool) => pool.spec.cidr).join(', ') || 'there is none'})`,
      `Create an IPPool that covers ${subnet} first, or in the same file.`,
    )
  })
}

/** What a pool's range holds: its blocks, and how many addresses in them are allocated. */
export interface PoolUse {
  readonly addresses: number
  readonly emptyBlocks: readonly {
    key: string
    modRevision: number
    block: Prefix
    node: string | undefined
  }[]
  /** Blocks whose value can't be read count as used. */
  readonly unreadable: readonly string[]
}

/** Looks through the blocks of a pool. */
export async function poolUse(store: Store, pool: ResourceOf<'IPPool'>): Promise<PoolUse> {
  const cidr = cidrOf(pool)
  if (cidr === undefined) return { addresses: 0, emptyBlocks: [], unreadable: [] }
  const { items } = await listAll(store, blocksPrefix(prefixFamily(cidr)))
  let addresses = 0
  const emptyBlocks: PoolUse['emptyBlocks'][number][] = []
  const unreadable: string[] = []
  for (const item of items) {
    const block = parseBlockKey(item.key)
    if (block === undefined || !prefixCovers(cidr, block)) continue
    const decoded = decodeBlock(item.value)
    if (!decoded.ok) {
      unreadable.push(item.key)
    } else if (decoded.value.allocations.size > 0) {
      addresses += decoded.value.allocations.size
    } else {
      const node = decoded.value.affinity ?? undefined
      emptyBlocks.push({ key: item.key, modRevision: item.modRevision, block, node })
    }
  }
  return { addresses, emptyBlocks, unreadable }
}

/** @throws ResourceError 'in-use' if addresses of the pool are held */
export function refuseHeldAddresses(pool: ResourceOf<'IPPool'>, use: PoolUse): void {
  const [broken] = use.unreadable
  if (use.addresses === 0 && broken === undefined) return
  const what =
    broken === undefined
      ? `${String(use.addresses)} ${use.addresses === 1 ? 'address' : 'addresses'} of it ${use.addresses === 1 ? 'is' : 'are'} held by workloads`
      : `the block under ${broken} can't be read, so it may be in use`
  throw refusal(
    'in-use',
    pool,
    'spec.cidr',
    pool.spec.cidr,
    what,
    `Set 'disabled: true' and detach the workloads first ('drover ipam show' lists them), or delete with --force: they keep their addresses, whose routes are no longer announced.`,
  )
}

/** @throws ResourceError 'in-use' if a network that stays hands out addresses of a pool that goes */
export async function refuseNetworksOf(
  store: Store,
  deleted: readonly ResourceOf<'IPPool'>[],
  deletedNetworks: ReadonlySet<string>,
): Promise<void> {
  for (const network of await readKind(store, 'Network')) {
    if (deletedNetworks.has(network.metadata.name)) continue
    for (const pool of deleted) {
      const cidr = cidrOf(pool)
      const inside = network.spec.subnets?.some((subnet) => {
        const parsed = parsePrefix(subnet)
        return parsed.ok && cidr !== undefined && prefixCovers(cidr, parsed.value)
      })
      if (network.spec.pools?.includes(pool.metadata.name) !== true && inside !== true) continue
      throw refusal(
        'in-use',
        pool,
        'metadata.name',
        pool.metadata.name,
        `the Network ${network.metadata.name} takes its addresses from it`,
        `Delete the Network ${network.metadata.name} first or with it, or delete with --force.`,
      )
    }
  }
}

/** @throws ResourceError 'in-use' if an endpoint is attached to the network */
export async function refuseEndpointsOf(store: Store, network: ResourceOf<'Network'>): Promise<void> {
  const attached = (await readKind(store, 'WorkloadEndpoint')).filter(
    (endpoint) => endpoint.spec.network === network.metadata.name,
  )
  const [first] = attached
  if (first === undefined) return
  throw refusal(
    'in-use',
    network,
    'metadata.name',
    network.metadata.name,
    `${String(attached.length)} endpoint(s) are attached to it, among them ${first.metadata.name}`,
    'Disconnect its workloads first, or delete with --force.',
  )
}

/**
 * Removes blocks that hold nothing and the claims on them, as far as nobody used them meanwhile. The pool must be
 * disabled or gone, so that they don't come back.
 */
export async function removeEmptyBlocks(store: Store, use: PoolUse): Promise<void> {
  for (const { key, modRevision, block, node } of use.emptyBlocks) {
    const operations: Operation[] = [{ delete: key }]
    if (node !== undefined) operations.push({ delete: affinityKey(node, block) })
    await store.transact({ when: [{ key, is: 'at', modRevision }], then: operations })
  }
}
