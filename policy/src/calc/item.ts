import type { EndpointPort, HostEndpointSpec, WorkloadEndpointSpec } from '@network/datastore/model'
import { identityOf, nodeOf, type PolicyKinds, type PolicyResource } from '../input.ts'
import { protocolNumber } from '../protocol.ts'
import { canonicalNet } from './active-rules.ts'
import type { LabelSource, SourceDescription } from './label-source.ts'
import type { Member, MemberPort } from './member-sets.ts'

/** An endpoint of this node. */
export type Local =
  | { readonly is: 'workload'; readonly spec: WorkloadEndpointSpec }
  | { readonly is: 'host'; readonly spec: HostEndpointSpec }

/** An endpoint or a network set. */
export interface Item extends Member {
  /** Of endpoints the update's name. */
  readonly key: string
  source: LabelSource
  addresses: readonly string[]
  ports: readonly MemberPort[]
  local: Local | undefined
}

/** What an item's resource says of it. */
export interface ItemDescription {
  readonly source: SourceDescription
  readonly addresses: readonly string[]
  readonly ports: readonly MemberPort[]
  readonly local: Local | undefined
}

const NONE: readonly never[] = []
const UNLABELLED: Readonly<Record<string, string>> = {}

export function describeWorkload(
  key: string,
  { metadata, spec }: PolicyResource<PolicyKinds['WorkloadEndpoint']>,
  node: string,
): ItemDescription {
  return {
    source: {
      labels: metadata.labels ?? UNLABELLED,
      profiles: spec.profiles,
      namespace: spec.namespace ?? 'default',
      serviceAccount: spec.serviceAccount,
      orchestrator: spec.orchestrator,
    },
    addresses: canonicalNets(spec.ipNetworks),
    ports: memberPorts(spec.ports),
    local: nodeOf(key, spec) === node ? { is: 'workload', spec } : undefined,
  }
}

export function describeHost(
  { metadata, spec }: PolicyResource<PolicyKinds['HostEndpoint']>,
  node: string,
): ItemDescription {
  return {
    source: {
      labels: metadata.labels ?? UNLABELLED,
      profiles: spec.profiles,
      namespace: undefined,
      serviceAccount: undefined,
      orchestrator: undefined,
    },
    addresses: canonicalNets(spec.expectedIPs ?? NONE),
    ports: memberPorts(spec.ports),
    local: spec.node === node ? { is: 'host', spec } : undefined,
  }
}

export function describeNetworkSet(
  kind: 'GlobalNetworkSet' | 'NetworkSet',
  name: string,
  { metadata, spec }: PolicyResource<PolicyKinds['NetworkSet']>,
): ItemDescription {
  return {
    source: {
      labels: metadata.labels ?? UNLABELLED,
      profiles: NONE,
      namespace: identityOf(kind, name).namespace,
      serviceAccount: undefined,
      orchestrator: undefined,
    },
    addresses: canonicalNets(spec.nets),
    ports: NONE,
    local: undefined,
  }
}

/** Distinct and canonical; what is no prefix is left out. */
export function canonicalNets(nets: readonly string[]): readonly string[] {
  if (nets.length === 0) return NONE
  return [...new Set(nets.flatMap((net) => canonicalNet(net) ?? []))]
}

function memberPorts(ports: readonly EndpointPort[] | undefined): readonly MemberPort[] {
  if (ports === undefined || ports.length === 0) return NONE
  return ports.flatMap(({ name, protocol, port }) => {
    const number = protocolNumber(protocol)
    return number === undefined ? [] : { name, protocol: number, port }
  })
}
