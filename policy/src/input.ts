/**
 * What calculation and the evaluator are told: changes of those resources that bear on who may talk to whom. A
 * resource of the model fits as it is.
 */
import {
  type GlobalPolicySpec,
  type HostEndpointSpec,
  type IPPoolSpec,
  type Metadata,
  type NetworkSetSpec,
  type NodeSpec,
  parseEndpointKey,
  type PolicySpec,
  type ProfileSpec,
  type StagedAction,
  type TierSpec,
  type WorkloadEndpointSpec,
} from '@network/datastore/model'

/** A policy of any kind; what its kind doesn't have is absent. */
export type AnyPolicySpec = PolicySpec & Partial<GlobalPolicySpec> & { readonly stagedAction?: StagedAction }

/** The kinds that bear on policy, and what is read of their specs. */
export interface PolicyKinds {
  IPPool: Pick<IPPoolSpec, 'cidr' | 'natOutgoing'>
  Node: NodeSpec
  Profile: ProfileSpec
  Tier: TierSpec
  GlobalNetworkPolicy: AnyPolicySpec
  NetworkPolicy: AnyPolicySpec
  StagedGlobalNetworkPolicy: AnyPolicySpec
  StagedNetworkPolicy: AnyPolicySpec
  GlobalNetworkSet: NetworkSetSpec
  NetworkSet: NetworkSetSpec
  HostEndpoint: HostEndpointSpec
  WorkloadEndpoint: WorkloadEndpointSpec
}

export type PolicyKind = keyof PolicyKinds

export interface PolicyResource<Spec> {
  readonly metadata: Pick<Metadata, 'name' | 'namespace' | 'labels' | 'annotations'>
  readonly spec: Spec
}

/**
 * One change of the model. `name` is `name`, or `namespace/name` of a namespaced kind, or a WorkloadEndpoint's key in
 * the store. `resource: undefined`: it went. `broken`: a value stands there that is not a resource of this kind: what
 * the JSON says, or the text if it isn't JSON.
 */
export type PolicyUpdate = ReadableUpdate | BrokenUpdate

export type ReadableUpdate = {
  [K in PolicyKind]: {
    readonly kind: K
    readonly name: string
    readonly resource: PolicyResource<PolicyKinds[K]> | undefined
  }
}[PolicyKind]

export interface BrokenUpdate {
  readonly kind: PolicyKind
  readonly name: string
  readonly broken: unknown
}

/** Who a resource is: what its place in the store says, whatever it says of itself. */
export function identityOf(
  kind: PolicyKind,
  name: string,
): { readonly name: string; readonly namespace?: string } {
  const slash = name.indexOf('/')
  if (!NAMESPACED.has(kind) || slash < 0) return { name }
  return { name: name.slice(slash + 1), namespace: name.slice(0, slash) }
}

const NAMESPACED: ReadonlySet<PolicyKind> = new Set<PolicyKind>([
  'NetworkPolicy',
  'StagedNetworkPolicy',
  'NetworkSet',
])

/** The node of an endpoint: that of its key, since nobody but that node writes there. */
export function nodeOf(name: string, spec: { readonly node: string }): string {
  return parseEndpointKey(name)?.node ?? spec.node
}
