/**
 * What policy is made of, as calculation and the evaluator read it: the parts of the resources that bear on who may
 * talk to whom. A resource of the model fits as it is.
 */
import type { EndpointPort, Rule } from '@network/datastore/model'

export interface Named<Spec> {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec: Spec
}

export interface TierInput {
  /** None: after every tier that has one. */
  readonly order?: number
  readonly defaultAction?: 'Deny' | 'Pass'
}

/** Of a GlobalNetworkPolicy, of a NetworkPolicy, and of their staged kinds. */
export interface PolicyInput {
  /** 'default' if it names none. */
  readonly tier?: string
  readonly order?: number
  readonly selector?: string
  /** Global kinds only. */
  readonly namespaceSelector?: string
  readonly serviceAccountSelector?: string
  readonly types?: readonly ('Ingress' | 'Egress')[]
  readonly ingress?: readonly Rule[]
  readonly egress?: readonly Rule[]
  /** Global kinds only, and for host endpoints only, as the two below. */
  readonly doNotTrack?: boolean
  readonly preDNAT?: boolean
  readonly applyOnForward?: boolean
  /** Staged kinds only: 'Delete' stages that the policy goes. */
  readonly stagedAction?: string
}

export interface ProfileInput {
  readonly ingress?: readonly Rule[]
  readonly egress?: readonly Rule[]
  readonly labelsToApply?: Readonly<Record<string, string>>
}

export interface NetworkSetInput {
  readonly nets?: readonly string[]
}

export interface HostEndpointInput {
  readonly node: string
  /** '*': every interface of the host that is no workload's. */
  readonly interfaceName?: string
  readonly expectedIPs?: readonly string[]
  readonly profiles?: readonly string[]
  readonly ports?: readonly EndpointPort[]
}

export interface PortMappingInput {
  readonly protocol: string | number
  readonly hostAddress?: string
  readonly hostPort: number
  readonly port: number
}

export interface WorkloadEndpointInput {
  readonly node: string
  readonly orchestrator: string
  /** 'default' if it names none. */
  readonly namespace?: string
  readonly serviceAccount?: string
  readonly interfaceName?: string
  readonly ipNetworks: readonly string[]
  readonly profiles: readonly string[]
  readonly ports?: readonly EndpointPort[]
  readonly allowSpoofedSourcePrefixes?: readonly string[]
  readonly portMappings?: readonly PortMappingInput[]
}

export interface PoolInput {
  readonly cidr: string
  readonly natOutgoing?: boolean
}

export interface NodeInput {
  readonly addresses?: readonly { readonly address: string }[]
  readonly bgp?: { readonly ipv4Address?: string; readonly ipv6Address?: string }
}

/** The kinds that bear on policy, and what is read of their specs. */
export interface PolicyKinds {
  IPPool: PoolInput
  Node: NodeInput
  Profile: ProfileInput
  Tier: TierInput
  GlobalNetworkPolicy: PolicyInput
  NetworkPolicy: PolicyInput
  StagedGlobalNetworkPolicy: PolicyInput
  StagedNetworkPolicy: PolicyInput
  GlobalNetworkSet: NetworkSetInput
  NetworkSet: NetworkSetInput
  HostEndpoint: HostEndpointInput
  WorkloadEndpoint: WorkloadEndpointInput
}

export type PolicyKind = keyof PolicyKinds

/**
 * One change of the model. `name` is `name`, or `namespace/name` of a namespaced kind, or a WorkloadEndpoint's key in
 * the store. `resource: undefined`: it went. `broken`: a value stands there that is not a resource of this kind: what
 * the JSON says, or the text if it isn't JSON.
 */
export type PolicyUpdate =
  | {
      [K in PolicyKind]: {
        readonly kind: K
        readonly name: string
        readonly resource: Named<PolicyKinds[K]> | undefined
      }
    }[PolicyKind]
  | { readonly kind: PolicyKind; readonly name: string; readonly broken: unknown }
