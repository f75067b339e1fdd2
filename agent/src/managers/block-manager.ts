/**
 * From the blocks that this node holds to what it answers for: a blackhole for each block, so that an address nobody
 * has does not bounce back to the default route, and the prefixes that it announces. Blocks are announced whole;
 * a single address is announced only where a workload of this node borrowed it from another node's block. Nothing
 * outside the pools is ever announced, nor what lies in a pool with disableBGPExport.
 */
import {
  type Prefix,
  addressBits,
  comparePrefixes,
  formatPrefix,
  parsePrefix,
  prefixCovers,
} from '@network/net'
import type { ResourceOf } from '@network/datastore/model'
import type { RouteItem } from '../drivers/route.ts'
import type { AffinityState, ModelEvent } from './model-event.ts'

export interface BlocksDesired {
  /** By destination. */
  readonly blackholes: ReadonlyMap<string, RouteItem>
  /** Prefixes to announce, in order. */
  readonly announced: readonly string[]
  /** The node's blocks with their state, in order. */
  readonly blocks: readonly { readonly cidr: string; readonly state: AffinityState }[]
  /** Sentences about blocks and addresses that stay unannounced for want of a pool. */
  readonly problems: readonly string[]
}

export interface BlockManager {
  onUpdate(event: ModelEvent): void
  apply(): BlocksDesired
}

export function createBlockManager(): BlockManager {
  const states = new Map<string, AffinityState>()
  const pools = new Map<string, ResourceOf<'IPPool'>>()
  const addresses = new Map<string, readonly Prefix[]>()
  let desired: BlocksDesired | undefined

  return {
    onUpdate(event) {
      if (event.type === 'affinity') put(states, event.block, event.state)
      else if (event.type === 'endpoint')
        put(
          addresses,
          event.key,
          event.endpoint?.spec.ipNetworks.flatMap((text) => readPrefix(text) ?? []),
        )
      else if (event.kind === 'IPPool') put(pools, event.name, event.resource)
      else return
      desired = undefined
    },
    apply() {
      desired ??= blocksDesired(states, pools, addresses)
      return desired
    },
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

function blocksDesired(
  states: ReadonlyMap<string, AffinityState>,
  poolResources: ReadonlyMap<string, ResourceOf<'IPPool'>>,
  addresses: ReadonlyMap<string, readonly Prefix[]>,
): BlocksDesired {
  const pools = [...poolResources.values()].flatMap(({ spec }) => {
    const network = readPrefix(spec.cidr)
    return network === undefined ? [] : [{ network, exported: !spec.disableBGPExport }]
  })
  const poolOf = (prefix: Prefix): { exported: boolean } | undefined =>
    pools.find(({ network }) => prefixCovers(network, prefix))
  const confirmed = sorted([...states].flatMap(([block, state]) => (state === 'confirmed' ? [block] : [])))
  const blackholes = new Map<string, RouteItem>()
  const announced: Prefix[] = []
  const problems: string[] = []

  for (const block of confirmed) {
    const destination = formatPrefix(block)
    // A block of one address has the same destination as its workload's route: there is nothing left to cover.
    if (block.length < addressBits(block.address.family)) {
      blackholes.set(destination, { kind: 'blackhole', destination })
    }
    const pool = poolOf(block)
    if (pool === undefined) problems.push(`The block ${destination} lies in no pool: it is not announced.`)
    else if (pool.exported) announced.push(block)
  }
  for (const address of uncovered(addresses.values(), confirmed)) {
    const pool = poolOf(address)
    if (pool === undefined) {
      problems.push(
        `The address ${formatPrefix(address)} of a workload lies in no pool: it is not announced.`,
      )
    } else if (pool.exported) announced.push(address)
  }
  return {
    blackholes,
    announced: announced.sort(comparePrefixes).map(formatPrefix),
    blocks: sorted(states.keys()).map((block) => {
      const cidr = formatPrefix(block)
      return { cidr, state: states.get(cidr) ?? 'pending' }
    }),
    problems,
  }
}

/** In order and once each: those that lie in none of the blocks. */
function uncovered(lists: Iterable<readonly Prefix[]>, blocks: readonly Prefix[]): Prefix[] {
  const found: string[] = []
  for (const list of lists) {
    for (const address of list)
      if (!blocks.some((block) => prefixCovers(block, address))) found.push(formatPrefix(address))
  }
  return sorted(new Set(found))
}

function sorted(texts: Iterable<string>): Prefix[] {
  return [...texts].flatMap((text) => readPrefix(text) ?? []).sort(comparePrefixes)
}

function readPrefix(text: string): Prefix | undefined {
  const parsed = parsePrefix(text)
  return parsed.ok ? parsed.value : undefined
}
