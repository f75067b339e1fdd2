import { type KindDefinition } from '../kind.ts'
import { agentConfiguration } from './agent-configuration.ts'
import { bgpConfiguration } from './bgp-configuration.ts'
import { bgpFilter } from './bgp-filter.ts'
import { bgpPeer } from './bgp-peer.ts'
import { clusterInformation } from './cluster-information.ts'
import { globalNetworkPolicy, stagedGlobalNetworkPolicy } from './global-network-policy.ts'
import { hostEndpoint } from './host-endpoint.ts'
import { ipPool } from './ip-pool.ts'
import { ipReservation } from './ip-reservation.ts'
import { ipamConfiguration } from './ipam-configuration.ts'
import { networkPolicy, stagedNetworkPolicy } from './network-policy.ts'
import { globalNetworkSet, networkSet } from './network-set.ts'
import { network } from './network.ts'
import { node } from './node.ts'
import { profile } from './profile.ts'
import { tier } from './tier.ts'
import { workloadEndpoint } from './workload-endpoint.ts'

/** Every kind, in the order in which several of them are written and shown: what others refer to comes first. */
export const kinds = {
  ClusterInformation: clusterInformation,
  AgentConfiguration: agentConfiguration,
  IPAMConfiguration: ipamConfiguration,
  IPPool: ipPool,
  IPReservation: ipReservation,
  Node: node,
  BGPConfiguration: bgpConfiguration,
  BGPFilter: bgpFilter,
  BGPPeer: bgpPeer,
  Tier: tier,
  Profile: profile,
  GlobalNetworkSet: globalNetworkSet,
  NetworkSet: networkSet,
  GlobalNetworkPolicy: globalNetworkPolicy,
  NetworkPolicy: networkPolicy,
  StagedGlobalNetworkPolicy: stagedGlobalNetworkPolicy,
  StagedNetworkPolicy: stagedNetworkPolicy,
  HostEndpoint: hostEndpoint,
  Network: network,
  WorkloadEndpoint: workloadEndpoint,
} as const

export type KindName = keyof typeof kinds

/** The spec of a kind after validation: `SpecOf<'IPPool'>` is IPPoolSpec. */
export type SpecOf<K extends KindName> =
  (typeof kinds)[K] extends KindDefinition<infer Spec, infer _> ? Spec : never

export const kindNames = Object.keys(kinds) as readonly KindName[]

/** The definition of a kind whatever its spec. */
export function kindDefinition(kind: KindName): KindDefinition<unknown, unknown, KindName> {
  return kinds[kind] as unknown as KindDefinition<unknown, unknown, KindName>
}

const byWord = new Map<string, KindName>(
  kindNames.flatMap((kind) => {
    const { plural, aliases } = kinds[kind]
    return [kind.toLowerCase(), plural, ...aliases].map((word): [string, KindName] => [word, kind])
  }),
)

/** The kind that a person means by 'IPPool', 'ippools' or 'pool', in any case; undefined if there is none. */
export function kindOf(word: string): KindName | undefined {
  return byWord.get(word.toLowerCase())
}
