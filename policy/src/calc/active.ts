/**
 * What this node must have in its kernel, as calculation tells it and rendering reads it: the rules of the policies and
 * profiles that bear on local endpoints, the members of the sets that those rules name, and for each local endpoint
 * the order in which all of it is judged. Both families stand together; rendering takes them apart.
 */
import type { ICMPMatch, RuleAction } from '@network/datastore/model'
import type { PortRange } from '../port-range.ts'

/** Content-addressed: the same selector in two policies is one set. */
export type SetId = string

/** 'GlobalNetworkPolicy/web', 'NetworkPolicy/prod/web', and the same for the staged kinds. */
export type PolicyId = string

/** One side of a rule. All that is given must hold; of `ports` and `portSets` together one must. */
export interface ActiveSide {
  /** Canonical prefixes: in one of these. */
  readonly nets?: readonly string[]
  /** In none of these. */
  readonly notNets?: readonly string[]
  /** In every one of these sets of addresses. */
  readonly sets?: readonly SetId[]
  /** In none of these sets of addresses. */
  readonly notSets?: readonly SetId[]
  readonly ports?: readonly PortRange[]
  /** Sets of (address, protocol, port): where the ports that a rule names stand. */
  readonly portSets?: readonly SetId[]
  readonly notPorts?: readonly PortRange[]
  readonly notPortSets?: readonly SetId[]
}

export interface ActiveRule {
  /** Place in the resource's list of rules, from 0. */
  readonly position: number
  readonly action: RuleAction
  readonly ipVersion?: 4 | 6
  /** Protocol numbers of IANA's registry. */
  readonly protocol?: number
  readonly notProtocol?: number
  readonly icmp?: ICMPMatch
  readonly notICMP?: ICMPMatch
  readonly source: ActiveSide
  readonly destination: ActiveSide
}

/** The rules of one policy or profile. */
export interface ActiveRules {
  readonly inbound: readonly ActiveRule[]
  readonly outbound: readonly ActiveRule[]
}

/** A tier as one endpoint meets it: policies in the order in which they are judged. Never empty in both directions. */
export interface ActiveTier {
  readonly name: string
  /** What becomes of a packet that no policy of a non-empty list decided. */
  readonly defaultAction: 'Deny' | 'Pass'
  readonly inbound: readonly PolicyId[]
  readonly outbound: readonly PolicyId[]
}

/** A workload's interface on this node. */
export interface ActiveEndpoint {
  readonly interfaceName: string
  /** Its own addresses as host prefixes, both families. */
  readonly addresses: readonly string[]
  readonly allowedSources: readonly string[]
  readonly portMappings: readonly ActivePortMapping[]
  readonly tiers: readonly ActiveTier[]
  /** In the order in which they are judged; one that nobody defined is here too, and denies. */
  readonly profiles: readonly string[]
}

/** A port of the host that leads to a workload. */
export interface ActivePortMapping {
  /** 6, 17 or 132. */
  readonly protocol: number
  /** Addresses of the host; none: all of them. */
  readonly hostAddress?: string
  readonly hostPort: number
  readonly port: number
}

/** An interface of the host under policy. The four lists are judged at four places of the packet's way. */
export interface ActiveHostEndpoint {
  /** '*': every interface of the host that is no workload's. */
  readonly interfaceName: string
  readonly normal: readonly ActiveTier[]
  readonly forward: readonly ActiveTier[]
  readonly untracked: readonly ActiveTier[]
  readonly preDNAT: readonly ActiveTier[]
  readonly profiles: readonly string[]
}

/** Members: '10.0.0.1/32' of a set of addresses, '10.0.0.1,tcp:80' of a set of ports; both families in one set. */
export interface SetChange {
  readonly type: 'addresses' | 'ports'
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** True if the set was not active before: `added` is then all of it. */
  readonly created: boolean
}

/** A pool as address translation sees it. */
export interface ActivePool {
  readonly cidr: string
  readonly natOutgoing: boolean
}

/** What changed since the last drain. `undefined` as a value: no longer active. */
export interface ActiveChanges {
  readonly sets: ReadonlyMap<SetId, SetChange | undefined>
  readonly policies: ReadonlyMap<PolicyId, ActiveRules | undefined>
  /** A profile that endpoints name and nobody defined is `'missing'`. */
  readonly profiles: ReadonlyMap<string, ActiveRules | 'missing' | undefined>
  /** By the endpoint's key in the store. */
  readonly endpoints: ReadonlyMap<string, ActiveEndpoint | undefined>
  /** By the HostEndpoint's name. */
  readonly hostEndpoints: ReadonlyMap<string, ActiveHostEndpoint | undefined>
  /** All pools, if any of them changed. */
  readonly pools: readonly ActivePool[] | undefined
}
