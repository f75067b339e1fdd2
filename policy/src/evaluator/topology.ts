/** Who has an address, on which node, and which interfaces of the host and host endpoints are on the way there. */
import { type Address, formatAddress, prefixContains } from '@network/net'
import type { EvaluatorModel, NodeSettings } from './flow.ts'
import { netsOf } from './nets.ts'
import type { EvaluatorState, HostInterface, Workload } from './state.ts'

/** Where a packet goes from a node. */
export type Exit =
  | { readonly is: 'workload'; readonly workload: Workload }
  | { readonly is: 'host' }
  /** `to`: the node that it reaches next; undefined: it leaves the cluster. */
  | { readonly is: 'uplink'; readonly to: string | undefined }

export interface Topology {
  settings(node: string): NodeSettings
  /** Where routing on a node sends what is for an address. */
  exitOf(node: string, destination: Address): Exit
  /** The node that an address is on, be it a workload's or its own. */
  nodeOf(address: Address): string | undefined
  /** The interface towards other nodes and the world, as far as it is known. */
  uplinkOf(node: string): string | undefined
  /** The host endpoint in force at an interface: its own, or that of every interface. Loopback has none. */
  hostAt(node: string, interfaceName: string | undefined): HostInterface | undefined
}

export function createTopology(
  state: EvaluatorState,
  settings: NonNullable<EvaluatorModel['settings']>,
): Topology {
  const workloadAt = (address: Address): Workload | undefined => state.byAddress.get(formatAddress(address))
  const hostWith = (address: Address): string | undefined => {
    for (const [node, nets] of state.nodeAddresses) {
      if (nets.some((net) => prefixContains(net, address))) return node
    }
    return undefined
  }
  const interfaceOf = ({ spec, nets }: HostInterface): string | undefined => {
    if (spec.interfaceName !== undefined) return spec.interfaceName
    const interfaces = Object.entries(settings(spec.node).interfaces ?? {})
    return interfaces
      .filter(([, addresses]) =>
        netsOf(addresses).some(({ address }) => nets.some((net) => prefixContains(net, address))),
      )
      .map(([name]) => name)
      .sort()[0]
  }
  const hostsOf = (node: string): HostInterface[] => state.hosts.filter(({ spec }) => spec.node === node)

  return {
    settings,
    exitOf(node, destination) {
      const workload = workloadAt(destination)
      if (workload?.spec.node === node) return { is: 'workload', workload }
      const to = workload?.spec.node ?? hostWith(destination)
      return to === node ? { is: 'host' } : { is: 'uplink', to }
    },
    nodeOf: (address) => workloadAt(address)?.spec.node ?? hostWith(address),
    uplinkOf(node) {
      const { uplink } = settings(node)
      if (uplink !== undefined) return uplink
      const named = hostsOf(node)
        .flatMap((host) => interfaceOf(host) ?? [])
        .filter((name) => name !== '*')
      return new Set(named).size === 1 ? named[0] : undefined
    },
    hostAt(node, interfaceName) {
      if (interfaceName === 'lo') return undefined
      const ofNode = hostsOf(node)
      const named = ofNode.find((host) => interfaceOf(host) === interfaceName && interfaceName !== undefined)
      return named ?? ofNode.find((host) => interfaceOf(host) === '*')
    },
  }
}
