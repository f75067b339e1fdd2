/**
 * IpamDriver: pools and addresses. An address is held from `RequestAddress` on by a handle of its own, whose owner says
 * that it waits for an endpoint; everything else that must be known later is in the PoolID.
 */
import type { Allocator, Resources } from '@network/datastore'
import { AllocationError, ResourceError } from '@network/datastore'
import { BLOCK_SIZES, type ResourceOf, draftResource } from '@network/datastore/model'
import { type FaceServices, WAITING_WORKLOAD } from '@network/agent/client'
import {
  DroverError,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  prefixCovers,
  prefixEquals,
  prefixesOverlap,
} from '@network/net'
import type { ReleaseAddress, RequestAddress, RequestPool } from './messages.ts'
import { CREATED_BY_DOCKER, DOCKER_NETWORK, NETWORK_OWNER } from './networks.ts'
import { type PoolId, formatPoolId, parsePoolId } from './pool-id.ts'
import type { ReleasedAddresses } from './released-addresses.ts'

export const ADDRESS_SPACES = { local: 'drover-local', global: 'drover-global' } as const

/** Next hops that every workload has; no address of a pool is spent on them. */
export const GATEWAYS = { ipv4: '169.254.1.1', ipv6: 'fe80::1' } as const
const ANYWHERE = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const
const HOST_LENGTH = { ipv4: 32, ipv6: 128 } as const

export interface IpamDriver {
  requestPool(call: RequestPool): Promise<object>
  releasePool(): object
  requestAddress(call: RequestAddress): Promise<object>
  releaseAddress(call: ReleaseAddress): Promise<object>
}

export interface IpamDriverModules {
  services: Pick<FaceServices, 'node' | 'resources' | 'allocator' | 'handover' | 'log'>
  uuid: () => string
  released: ReleasedAddresses
}

/**
 * @param options `scope` global: a manager of a swarm asks for an address, and the node of the task asks again for the
 * very same, which is then its own
 */
export function createIpamDriver(
  { services, uuid, released }: IpamDriverModules,
  options: { scope: 'local' | 'global' },
): IpamDriver {
  const { node } = services

  /** Whether the address, held by somebody, is given all the same. */
  const isShared = async (address: string): Promise<boolean> => {
    const { holder } = await services.allocator().lookup(address)
    // Another host has made the same network and with it its own addresses.
    if (holder?.owner?.orchestrator === NETWORK_OWNER) return true
    if (options.scope === 'local' || holder?.handle === undefined) return false
    if (holder.owner?.workload !== WAITING_WORKLOAD) return false
    await services.allocator().transfer({
      handles: [holder.handle],
      owner: { ...holder.owner, node },
      from: (owner) => owner.workload === WAITING_WORKLOAD,
    })
    return true
  }

  return {
    async requestPool({ family, pool: asked, subPool, options: given }) {
      // A node of a swarm asks for the pool that its manager was told.
      const pool = asked === undefined || canonical(asked) === ANYWHERE[family] ? undefined : asked
      const { network, ...own } = readPoolOptions(given)
      if (own.pool !== undefined && pool !== undefined) {
        throw invalid(`--subnet ${pool} and --ipam-opt pool=${own.pool} exclude each other.`)
      }
      const resources = services.resources()
      if (pool !== undefined) await requireSubnet(resources, pool, family, { network, scope: options.scope })
      else await requirePools(resources, family, own.pool)
      if (subPool !== undefined && (pool === undefined || !covers(pool, subPool))) {
        throw invalid(
          `--ip-range ${subPool} is not inside ${pool === undefined ? 'a --subnet' : `--subnet ${pool}`}.`,
        )
      }
      const id: PoolId = {
        family,
        ...(pool === undefined ? {} : { subnet: canonical(pool) }),
        ...(subPool === undefined ? {} : { range: canonical(subPool) }),
        ...own,
      }
      return { PoolID: formatPoolId(id), Pool: pool ?? ANYWHERE[family], Data: {} }
    },

    // Pools are deleted with their network, which names what it used.
    releasePool: () => ({}),

    async requestAddress({ poolId, address, isGateway }) {
      const id = parsePoolId(poolId)
      const length = HOST_LENGTH[id.family]
      const gateway = GATEWAYS[id.family]
      // A node of a swarm asks for the address that its manager was told.
      if (address === gateway || (isGateway && address === undefined)) {
        return { Address: `${gateway}/${String(length)}`, Data: {} }
      }
      const handle = `${uuid()}.docker`
      try {
        const assigned = await services.allocator().assign({
          handle,
          owner: { node, orchestrator: 'docker', workload: WAITING_WORKLOAD, endpoint: handle },
          ...(address === undefined ? { [id.family]: 1 } : { addresses: [address] }),
          ...(await sourceOf(services.resources(), id, address === undefined)),
        })
        const [first] = assigned.addresses
        if (first === undefined) throw new DroverError('no-address', 'The allocator gave no address.')
        const width = isGateway && id.subnet !== undefined ? id.subnet.replace(/^.*\//, '') : String(length)
        return { Address: `${first.address}/${width}`, Data: {} }
      } catch (error) {
        if (address === undefined || !(error instanceof AllocationError) || error.code !== 'taken')
          throw error
        if (!(await isShared(address))) throw error
        const width = isGateway && id.subnet !== undefined ? id.subnet.replace(/^.*\//, '') : String(length)
        return { Address: `${address}/${width}`, Data: {} }
      }
    },

    async releaseAddress({ address }) {
      const parsed = parseAddress(address)
      if (!parsed.ok || Object.values<string>(GATEWAYS).includes(address)) return {}
      if (released.take(formatAddress(parsed.value))) return {}
      const allocator: Allocator = services.allocator()
      const { holder } = await allocator.lookup(address)
      const owner = holder?.owner
      if (holder?.handle === undefined || owner?.node !== node || owner.orchestrator !== 'docker') return {}
      if (owner.workload === WAITING_WORKLOAD) await allocator.release({ handle: holder.handle })
      else await services.handover().remove(owner.workload)
      return {}
    },
  }

  /** Pools and range that addresses of this PoolID come from. */
  async function sourceOf(
    resources: Resources,
    { family, subnet, range, pool }: PoolId,
    isAutomatic: boolean,
  ): Promise<{ pools?: string[]; within?: string[] }> {
    const within = isAutomatic ? (range ?? subnet) : subnet
    if (subnet !== undefined) {
      const covering = await coveringPool(resources, subnet, family)
      if (covering === undefined) {
        throw new DroverError('not-in-pool', `There is no IPPool any more that ${subnet} lies in.`, {
          remedy: 'Create the network again.',
        })
      }
      return { pools: [covering.metadata.name], ...(within === undefined ? {} : { within: [within] }) }
    }
    return pool === undefined ? {} : { pools: pool.split(',') }
  }
}

function readPoolOptions(options: Readonly<Record<string, string>>): { pool?: string; network?: string } {
  for (const name of Object.keys(options)) {
    if (name === 'pool' || name === 'network') continue
    throw new DroverError(
      'invalid-request',
      `There is no option '${name.slice(0, 80)}' of drover's address management.`,
      { remedy: 'The options are pool (names of IPPools) and network (a Network that is there already).' },
    )
  }
  return {
    ...(options['pool'] === undefined ? {} : { pool: options['pool'] }),
    ...(options['network'] === undefined ? {} : { network: options['network'] }),
  }
}

/** The IPPool that a subnet lies in. */
export async function coveringPool(
  resources: Pick<Resources, 'list'>,
  subnet: string,
  family: 'ipv4' | 'ipv6',
): Promise<ResourceOf<'IPPool'> | undefined> {
  const { items } = await resources.list('IPPool')
  return items.find(
    ({ spec }) => spec.cidr.includes(':') === (family === 'ipv6') && covers(spec.cidr, subnet),
  )
}

/** The subnet lies in an IPPool, or becomes one. Two networks of Docker never share addresses. */
async function requireSubnet(
  resources: Resources,
  subnet: string,
  family: 'ipv4' | 'ipv6',
  known: { network: string | undefined; scope: 'local' | 'global' },
): Promise<void> {
  const networks = (await resources.list('Network')).items
  // Each node of a swarm asks for the subnet of the swarm's network; the swarm itself sees that its networks are apart.
  const mark = known.scope === 'local' ? CREATED_BY_DOCKER : DOCKER_NETWORK
  const rival = networks.find(
    ({ metadata, spec }) =>
      metadata.name !== known.network &&
      metadata.annotations?.[mark] !== undefined &&
      spec.subnets?.some((other) => overlaps(other, subnet)),
  )
  if (rival !== undefined) {
    throw new DroverError(
      'overlap',
      `Subnet ${subnet} overlaps with ${(rival.spec.subnets ?? []).join(', ')} of the network ${rival.metadata.name}.`,
      { remedy: 'Choose another subnet, or none: addresses then come from the automatic IPPools.' },
    )
  }
  if ((await coveringPool(resources, subnet, family)) !== undefined) return
  const pools = (await resources.list('IPPool')).items
  const partial = pools.find(({ spec }) => overlaps(spec.cidr, subnet))
  if (partial !== undefined) {
    throw new DroverError(
      'overlap',
      `Subnet ${subnet} is bigger than the IPPool ${partial.metadata.name} (${partial.spec.cidr}) that lies in it.`,
      { remedy: `Choose a subnet inside ${partial.spec.cidr} or beside it.` },
    )
  }
  const length = Number(subnet.replace(/^.*\//, ''))
  const sizes = BLOCK_SIZES[family]
  try {
    await resources.create([
      draftResource(
        'IPPool',
        poolName(subnet),
        {
          cidr: canonical(subnet),
          assignmentMode: 'Manual',
          blockSize: Math.max(sizes.default, length),
        },
        { annotations: { [CREATED_BY_DOCKER]: 'true' } },
      ),
    ])
  } catch (error) {
    // Another host was faster with the same.
    if (!(error instanceof ResourceError) || error.code !== 'exists') throw error
  }
}

async function requirePools(
  resources: Resources,
  family: 'ipv4' | 'ipv6',
  named: string | undefined,
): Promise<void> {
  const ofFamily = (await resources.list('IPPool')).items.filter(
    ({ spec }) => spec.cidr.includes(':') === (family === 'ipv6'),
  )
  for (const name of named?.split(',') ?? []) {
    if (ofFamily.some(({ metadata }) => metadata.name === name)) continue
    throw new DroverError('not-found', `There is no IPPool '${name.slice(0, 80)}' of ${family}.`, {
      remedy: "'drover get pools' lists those there are.",
    })
  }
  if (named !== undefined) return
  if (ofFamily.some(({ spec }) => !spec.disabled && spec.assignmentMode === 'Automatic')) return
  throw new DroverError('no-address', `No IPPool of ${family} hands out addresses by itself.`, {
    remedy: "Give the network a --subnet, or create an IPPool: 'drover apply -f pool.yaml'.",
  })
}

/** The name of the IPPool that a subnet becomes. */
export function poolName(subnet: string): string {
  return `docker-${canonical(subnet).replace(/[^0-9a-f]+/g, '-')}`
}

function canonical(text: string): string {
  const parsed = parsePrefix(text)
  return parsed.ok ? formatPrefix(parsed.value) : text
}

function covers(outer: string, inner: string): boolean {
  const [a, b] = [parsePrefix(outer), parsePrefix(inner)]
  return a.ok && b.ok && (prefixCovers(a.value, b.value) || prefixEquals(a.value, b.value))
}

function overlaps(one: string, other: string): boolean {
  const [a, b] = [parsePrefix(one), parsePrefix(other)]
  return a.ok && b.ok && prefixesOverlap(a.value, b.value)
}

function invalid(message: string): DroverError {
  return new DroverError('invalid-request', message)
}
