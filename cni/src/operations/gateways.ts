/**
 * A gateway for plugins that take their addresses from `drover-ipam`: they want one on the link, inside the address's own
 * prefix. So a node takes one address of each block that such a plugin uses, holds it as it holds those of workloads, and
 * gives it back after the last of them.
 */
import {
  type Resource,
  type ResourceOf,
  endpointKey,
  endpointName,
  validateResource,
} from '@network/datastore/model'
import {
  DroverError,
  addressAt,
  formatAddress,
  hostPrefixText,
  parsePrefix,
  prefixCovers,
  prefixSize,
} from '@network/net'
import { CniError } from '../cni-error.ts'
import type { OperationModules } from './operations.ts'

const WORKLOAD = 'gateway'
const IFNAME = 'gateway'
const MOST_CANDIDATES = 64
const TURN = 'gateways of drover-ipam'

/** The block's gateway on this node; made if there is none. */
export function gatewayOf(modules: OperationModules, block: string): Promise<string> {
  return modules.turns.take(TURN, async () => {
    const { services } = modules
    const container = nameOf(block)
    const handle = services.handleOf(container, IFNAME)
    const held = await services.allocator().get(handle)
    if (held?.addresses[0] !== undefined) return held.addresses[0].address
    const identity = { node: services.node, orchestrator: 'cni', workload: WORKLOAD, endpoint: container }
    const key = endpointKey(identity)
    for (const address of candidates(block)) {
      try {
        const { addresses } = await services.allocator().assign({
          handle,
          owner: identity,
          addresses: [address],
          alongside: () => ({
            when: [{ key, is: 'absent' }],
            then: [
              {
                put: key,
                value: JSON.stringify(resourceFor(identity, container, handle, address)),
              },
            ],
          }),
        })
        if (addresses[0] !== undefined) return addresses[0].address
      } catch (error) {
        // A workload has it; the next one may be free.
        if (!(error instanceof DroverError) || error.code !== 'taken') throw error
      }
    }
    throw new CniError('noAddress', `The block ${block} has no address left for a gateway.`)
  })
}

/** Gives back the gateways of blocks that no such plugin uses any more. */
export function releaseGateways(modules: OperationModules): Promise<void> {
  return modules.turns.take(TURN, async () => {
    const { services } = modules
    // From the store itself: what was assigned a moment ago may not have come round yet.
    const endpoints = (await services.resources().list('WorkloadEndpoint')).items.filter(
      ({ spec }) => spec.node === services.node && spec.interfaceName === undefined,
    )
    for (const { spec } of endpoints.filter(isGateway)) {
      const block = blockOf(spec.endpoint)
      const isUsed = endpoints.some(
        (other) => !isGateway(other) && other.spec.ipNetworks.some((network) => isInside(block, network)),
      )
      if (!isUsed) await services.agent.detach({ containerId: spec.endpoint, interfaceName: IFNAME })
    }
  })
}

function isGateway({ spec }: ResourceOf<'WorkloadEndpoint'>): boolean {
  return spec.orchestrator === 'cni' && spec.workload === WORKLOAD
}

/** 10.65.0.0/26 as a container's id: gateway-10.65.0.0-26; an IPv6 block with `_` for `:`. */
function nameOf(block: string): string {
  return `gateway-${block.replaceAll(':', '_').replace('/', '-')}`
}

function blockOf(name: string): string {
  const [, address = '', length = ''] = /^gateway-(.+)-(\d+)$/.exec(name) ?? []
  return `${address.replaceAll('_', ':')}/${length}`
}

/** The block's addresses, the first ones first; never many. */
function* candidates(block: string): Generator<string> {
  const prefix = parsePrefix(block)
  if (!prefix.ok) return
  const count = Math.min(Number(prefixSize(prefix.value)), MOST_CANDIDATES)
  for (let ordinal = 0; ordinal < count; ordinal++) yield formatAddress(addressAt(prefix.value, ordinal))
}

function isInside(block: string, network: string): boolean {
  const [outer, inner] = [parsePrefix(block), parsePrefix(network)]
  return outer.ok && inner.ok && prefixCovers(outer.value, inner.value)
}

function resourceFor(
  identity: { node: string; orchestrator: string; workload: string; endpoint: string },
  container: string,
  handle: string,
  address: string,
): Resource {
  const checked = validateResource({
    apiVersion: 'drover.network/v1',
    kind: 'WorkloadEndpoint',
    metadata: { name: endpointName(identity) },
    spec: {
      ...identity,
      containerID: container,
      containerInterface: IFNAME,
      handle,
      ipNetworks: [hostPrefixText(address)],
      profiles: [],
    },
  })
  if (checked.ok) return checked.value
  throw new CniError('internal', checked.error.map(({ message }) => message).join('; '))
}
