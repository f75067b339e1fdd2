/**
 * NetworkDriver: networks and endpoints. Every call may come twice, or for something that an earlier life of this
 * process knew; none asks dockerd anything, since dockerd waits for the answer with its own locks held.
 */
import { type FaceServices, type Handover, givenNetworks } from '@network/agent/client'
import { ResourceError } from '@network/datastore'
import { type PortMapping, type ResourceOf, draftResource } from '@network/datastore/model'
import { DroverError } from '@network/net'
import { ADDRESS_SPACES, GATEWAYS } from './ipam-driver.ts'
import type { CreateEndpoint, CreateNetwork, EndpointReference, Join, NetworkRange } from './messages.ts'
import { readNetworkOptions } from './network-options.ts'
import {
  CREATED_BY_DOCKER,
  DOCKER_NETWORK,
  type DockerNetwork,
  NETWORK_OWNER,
  type Network,
  type Networks,
  dockerNetworkOf,
} from './networks.ts'
import { PUBLISHED, portMappings, publishedPorts } from './published-ports.ts'
import type { ReleasedAddresses } from './released-addresses.ts'
import { endReservations, reservationOn } from './reservation.ts'

export interface NetworkDriver {
  createNetwork(call: CreateNetwork): Promise<object>
  deleteNetwork(networkId: string): Promise<object>
  createEndpoint(call: CreateEndpoint): Promise<object>
  join(call: Join): Promise<object>
  leave(call: EndpointReference): object
  deleteEndpoint(call: EndpointReference): Promise<object>
}

export interface NetworkDriverModules {
  services: Pick<FaceServices, 'node' | 'resources' | 'allocator' | 'handover' | 'log'>
  networks: Networks
  random: () => number
  /** Where endpoints that were offered an interface are about to be: sandbox by endpoint, for drivers of both scopes. */
  sandboxes: Map<string, string>
  released: ReleasedAddresses
  /** A network was made here: its name is still to be asked. */
  onNetwork: (networkId: string) => void
  /** An endpoint is about to get its interface: whose it is, and its end in the sandbox, are still to be seen to. */
  onJoin: (call: Join, answer: { gateway: boolean }) => void
}

/** @param options `scope` global: a swarm makes a network on each node that has a task, by one id on all of them */
export function createNetworkDriver(
  modules: NetworkDriverModules,
  options: { scope: 'local' | 'global' },
): NetworkDriver {
  const { services, networks, sandboxes, released } = modules
  const { node } = services
  const handover = (): Handover => services.handover()
  const sandboxOf = (endpoint: ResourceOf<'WorkloadEndpoint'>): string | undefined =>
    sandboxes.get(endpoint.spec.containerID ?? '') ?? endpoint.spec.netns

  const createNetwork = async (call: CreateNetwork): Promise<void> => {
    requireOurAddresses(call.ranges)
    const wanted = readNetworkOptions(call.options)
    if ((await networks.find(call.networkId)) !== undefined) return
    if (wanted.network !== undefined) await joinNetwork(wanted.network, call.networkId)
    else await makeNetwork(call, wanted)
  }

  /** A Network that is there already gets a Docker network on this host. */
  const joinNetwork = async (name: string, networkId: string): Promise<void> => {
    const changed = await networks.change(name, (network) =>
      withAnnotation(network, networks.idAnnotation, networkId),
    )
    if (changed !== undefined) return
    throw new DroverError('not-found', `There is no Network '${name.slice(0, 80)}'.`, {
      remedy: "'drover get networks' lists those there are.",
    })
  }

  const makeNetwork = async (
    call: CreateNetwork,
    wanted: ReturnType<typeof readNetworkOptions>,
  ): Promise<void> => {
    const name = `docker-${call.networkId.slice(0, 12).toLowerCase()}`
    const subnets = call.ranges.map(({ pool }) => pool).filter((pool) => !pool.endsWith('/0'))
    const network = draftResource(
      'Network',
      name,
      {
        ...(subnets.length > 0
          ? { subnets }
          : wanted.pool === undefined
            ? {}
            : { pools: wanted.pool.split(',') }),
        profile: wanted.profile ?? name,
        ...(wanted.mtuBytes === undefined ? {} : { mtuBytes: wanted.mtuBytes }),
        ...(call.internal ? { defaultRoute: false } : {}),
      },
      {
        annotations: {
          [CREATED_BY_DOCKER]: node,
          [networks.idAnnotation]: call.networkId,
          ...(options.scope === 'local' ? { [DOCKER_NETWORK]: JSON.stringify(describe(call)) } : {}),
        },
      },
    )
    try {
      await services
        .resources()
        .create([network, ...(wanted.profile === undefined ? [defaultProfile(name)] : [])])
    } catch (error) {
      // Another node of the swarm was first, or a call whose answer was lost.
      if (!(error instanceof ResourceError) || error.code !== 'exists') throw error
      await joinNetwork(name, call.networkId)
    }
    await ownAddresses(call.ranges, name)
    if (options.scope === 'local') modules.onNetwork(call.networkId)
  }

  /** Gateway and auxiliary addresses, which were asked for before there was a network, become its own. */
  const ownAddresses = async (ranges: readonly NetworkRange[], name: string): Promise<void> => {
    const allocator = services.allocator()
    for (const { gateway, auxiliary } of ranges) {
      const own = Object.entries({ ...auxiliary, ...(gateway === undefined ? {} : { gateway }) })
      for (const [what, address] of own) {
        if (Object.values<string>(GATEWAYS).includes(address)) continue
        const { holder } = await allocator.lookup(address)
        if (holder?.handle === undefined || holder.owner?.orchestrator === NETWORK_OWNER) continue
        await allocator.transfer({
          handles: [holder.handle],
          owner: { node, orchestrator: NETWORK_OWNER, workload: name, endpoint: what },
        })
      }
    }
  }

  const deleteNetwork = async (networkId: string): Promise<void> => {
    const network = await networks.find(networkId)
    if (network === undefined) return
    const { name, annotations } = network.metadata
    const resources = services.resources()
    if (annotations?.[CREATED_BY_DOCKER] === undefined || options.scope === 'global') {
      const left = await networks.change(name, (present) =>
        withAnnotation(present, networks.idAnnotation, undefined),
      )
      // A swarm takes its network from one node after the other; the last one takes the Network along.
      if (
        annotations?.[CREATED_BY_DOCKER] === undefined ||
        left === undefined ||
        networks.isKnownToDocker(left)
      )
        return
    }
    // Refused while a workload of any host uses it.
    await resources.delete([{ kind: 'Network', name }], { ignoreMissing: true })
    await releaseOwn(network)
    await endReservations(services.allocator(), network)
    if (network.spec.profile === name) {
      await resources.delete([{ kind: 'Profile', name }], { ignoreMissing: true })
    }
    for (const pool of (await resources.list('IPPool')).items) {
      const isOurs = pool.metadata.annotations?.[CREATED_BY_DOCKER] !== undefined
      if (!isOurs || network.spec.subnets?.includes(pool.spec.cidr) !== true) continue
      try {
        await resources.delete([{ kind: 'IPPool', name: pool.metadata.name }], { ignoreMissing: true })
      } catch (error) {
        if (!(error instanceof ResourceError) || error.code !== 'in-use') throw error
        services.log.warn(
          { pool: pool.metadata.name, error: error.message },
          'the pool of a deleted network is still used',
        )
      }
    }
  }

  const releaseOwn = async (network: Network): Promise<void> => {
    const allocator = services.allocator()
    for (const { gateway, auxiliary } of dockerNetworkOf(network)?.ranges ?? []) {
      const addresses = [...Object.values(auxiliary ?? {}), ...(gateway === undefined ? [] : [gateway])]
      for (const address of addresses) {
        const { holder } = await allocator.lookup(address)
        if (holder?.handle === undefined || holder.owner?.workload !== network.metadata.name) continue
        await allocator.release({ handle: holder.handle })
      }
    }
  }

  const createEndpoint = async (call: CreateEndpoint): Promise<object> => {
    const network = await networks.require(call.networkId)
    const allocator = services.allocator()
    const handles: string[] = []
    for (const address of call.addresses) {
      const { holder } = await allocator.lookup(address)
      if (holder?.handle === undefined) {
        throw new DroverError('not-found', `Address ${address} was not given out by drover.`, {
          remedy: 'Create the network with --ipam-driver drover.',
        })
      }
      handles.push(holder.handle)
    }
    if (handles.length === 0) {
      throw new DroverError('invalid-request', 'The endpoint has no address.', {
        remedy: 'Create the network with --ipam-driver drover.',
      })
    }
    const mappings = portMappings(call.ports, usedPorts(call.endpointId), modules.random)
    const { mac } = await handover().create({
      id: call.endpointId,
      orchestrator: 'docker',
      workload: call.endpointId,
      endpoint: network.metadata.name,
      handles,
      network: network.metadata.name,
      ...(call.mac === undefined ? {} : { mac: call.mac }),
      ...(network.spec.mtuBytes === undefined ? {} : { mtuBytes: network.spec.mtuBytes }),
      ...(network.spec.defaultRoute === undefined ? {} : { defaultRoute: network.spec.defaultRoute }),
      ...(network.spec.subnets === undefined ? {} : { destinations: network.spec.subnets }),
      portMappings: mappings,
      ports: publishedPorts(mappings),
      ...(call.reserve === undefined
        ? {}
        : { reservation: await reservationOn(services.resources(), call.reserve, network) }),
    })
    return { Interface: call.mac === undefined ? { MacAddress: mac } : {} }
  }

  const usedPorts = (endpointId: string): PortMapping[] =>
    handover()
      .list()
      .filter(({ spec }) => spec.containerID !== endpointId)
      .flatMap(({ spec }) => spec.portMappings ?? [])

  return {
    async createNetwork(call) {
      await createNetwork(call)
      return {}
    },
    async deleteNetwork(networkId) {
      await deleteNetwork(networkId)
      return {}
    },
    createEndpoint,
    async join(call) {
      const network = await networks.require(call.networkId)
      const offer = await handover().offer(call.endpointId)
      const others = handover()
        .list('docker')
        .filter(({ spec }) => spec.containerID !== call.endpointId)
      const isFirst = !others.some((endpoint) => sandboxOf(endpoint) === call.sandbox)
      sandboxes.set(call.endpointId, call.sandbox)
      const gateway = isFirst && network.spec.defaultRoute !== false
      modules.onJoin(call, { gateway })
      return joinAnswer(offer, gateway)
    },
    leave(call) {
      sandboxes.delete(call.endpointId)
      handover().left(call.endpointId)
      return {}
    },
    async deleteEndpoint(call) {
      sandboxes.delete(call.endpointId)
      const endpoint = handover()
        .list('docker')
        .find(({ spec }) => spec.containerID === call.endpointId)
      await handover().remove(call.endpointId)
      const given = endpoint === undefined ? [] : givenNetworks(endpoint)
      released.add(given.map((network) => network.replace(/\/.*/, '')))
      return {}
    },
  }
}

/**
 * dockerd moves the interface and makes the routes. The link route to the gateway can stand in a sandbox once only, so
 * a further network gets none from dockerd; without a gateway or this flag a bridge to the host would be added.
 */
function joinAnswer(
  offer: { interfaceName: string; addresses: readonly string[] },
  gateway: boolean,
): object {
  const has = (family: 'ipv4' | 'ipv6'): boolean =>
    offer.addresses.some((address) => address.includes(':') === (family === 'ipv6'))
  const interfaceName = { SrcName: offer.interfaceName, DstPrefix: 'eth' }
  if (!gateway) return { InterfaceName: interfaceName, DisableGatewayService: true }
  return {
    InterfaceName: interfaceName,
    ...(has('ipv4')
      ? {
          Gateway: GATEWAYS.ipv4,
          StaticRoutes: [{ Destination: `${GATEWAYS.ipv4}/32`, RouteType: 1, NextHop: '' }],
        }
      : {}),
    ...(has('ipv6') ? { GatewayIPv6: GATEWAYS.ipv6 } : {}),
  }
}

function requireOurAddresses(ranges: readonly NetworkRange[]): void {
  const spaces: readonly string[] = ['', ...Object.values(ADDRESS_SPACES)]
  const foreign = ranges.find(({ addressSpace }) => !spaces.includes(addressSpace))
  if (foreign === undefined) return
  throw new DroverError(
    'invalid-request',
    `The addresses of this network would come from another driver (address space ${foreign.addressSpace}).`,
    { remedy: 'Create it with --ipam-driver drover.' },
  )
}

function describe(call: CreateNetwork): DockerNetwork {
  return {
    internal: call.internal,
    options: call.options,
    ranges: call.ranges.map(({ pool, gateway, auxiliary }) => ({
      family: pool.includes(':') ? 'ipv6' : 'ipv4',
      ...(pool.endsWith('/0') ? {} : { subnet: pool }),
      ...(gateway === undefined || Object.values<string>(GATEWAYS).includes(gateway) ? {} : { gateway }),
      ...(Object.keys(auxiliary).length === 0 ? {} : { auxiliary }),
    })),
  }
}

/** Among themselves, to published ports, and out: what Docker's users expect of a network. */
function defaultProfile(name: string) {
  const published = (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => ({
    action: 'Allow' as const,
    protocol,
    destination: { ports: [PUBLISHED] },
  }))
  return draftResource(
    'Profile',
    name,
    {
      labelsToApply: { [NETWORK_LABEL]: name },
      ingress: [{ action: 'Allow', source: { selector: `${NETWORK_LABEL} == '${name}'` } }, ...published],
      egress: [{ action: 'Allow' }],
    },
    { annotations: { [CREATED_BY_DOCKER]: 'true' } },
  )
}

export const NETWORK_LABEL = 'drover.network/network'

function withAnnotation(network: Network, name: string, value: string | undefined): Network | undefined {
  const annotations = { ...network.metadata.annotations }
  if (annotations[name] === value) return undefined
  if (value === undefined) Reflect.deleteProperty(annotations, name)
  else annotations[name] = value
  return { ...network, metadata: { ...network.metadata, annotations } }
}
