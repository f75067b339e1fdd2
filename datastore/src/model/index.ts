/**
 * The resource model: kinds and their schemas, keys of the store, selectors. Pure; what touches the store is in
 * `@network/datastore`.
 */
export { type Metadata } from './metadata.ts'
export * from './resource.ts'
export * from './keys.ts'
export { type FieldFault, type KindDefinition, type NameRule } from './kind.ts'
export { type Field, type Schema } from './schema.ts'
export { fieldFault, formatPath, SECRET_MASK, showValue } from './field-fault.ts'
export { type ReadResource, readResource, validateResource, validateValue } from './validate.ts'
export { maskSecrets, restoreSecrets } from './secrets.ts'
export {
  PARSE_LIMITS,
  type ParsedResource,
  type ParsedResources,
  type ParseFault,
  parseResources,
  type ResourceOrigin,
} from './parse-resources.ts'
export { type FormatOptions, formatResource, formatResources, orderFields } from './format-resource.ts'
export { decodeResource, encodeResource, isKind } from './stored-resource.ts'
export { draftResource } from './draft.ts'
export {
  type EndpointNames,
  formatEndpointNames,
  NAMES_ANNOTATION,
  normalName,
  readEndpointNames,
} from './endpoint-names.ts'
export { lineAt, tooDeepLine } from './yaml-text.ts'
export { suggest } from './suggest.ts'
export { DNS_PORT, durationMs, durationSeconds, parsePortRange, splitAddressAndPort } from './formats.ts'
export * from './selector/index.ts'
export * from './kinds/index.ts'
export {
  AGENT_DEFAULTS,
  type AgentConfigurationSpec,
  type AgentSettings,
  agentSettings,
  type Setting,
  settingEnvironment,
  settingFlag,
} from './kinds/agent-configuration.ts'
export {
  BGP_DEFAULTS,
  type BGPConfigurationSpec,
  effectiveBgpConfiguration,
  type NamedCommunity,
  type PrefixAdvertisement,
  type PrefixLimits,
} from './kinds/bgp-configuration.ts'
export { type BGPFilterOperation, type BGPFilterRule, type BGPFilterSpec } from './kinds/bgp-filter.ts'
export { type BGPPeerSpec } from './kinds/bgp-peer.ts'
export { type ClusterInformationSpec } from './kinds/cluster-information.ts'
export { BLOCK_SIZES, blockSizeOf, type IPPoolSpec } from './kinds/ip-pool.ts'
export { type IPReservationSpec } from './kinds/ip-reservation.ts'
export { IPAM_DEFAULTS, type IPAMConfigurationSpec } from './kinds/ipam-configuration.ts'
export { type EndpointPort } from './kinds/endpoint-port.ts'
export {
  type GlobalNetworkPolicySpec,
  type StagedGlobalNetworkPolicySpec,
} from './kinds/global-network-policy.ts'
export { type HostEndpointSpec } from './kinds/host-endpoint.ts'
export { type NetworkPolicySpec, type StagedNetworkPolicySpec } from './kinds/network-policy.ts'
export { type GlobalNetworkSetSpec, type NetworkSetSpec } from './kinds/network-set.ts'
export { type NetworkSpec } from './kinds/network.ts'
export { type NodeAddress, type NodeBGP, type NodeSpec } from './kinds/node.ts'
export {
  type GlobalPolicySpec,
  type PolicySpec,
  type PolicyType,
  policyTypes,
  type StagedAction,
} from './kinds/policy.ts'
export { type PortMapping } from './kinds/port-mapping.ts'
export { type ProfileSpec } from './kinds/profile.ts'
export {
  type EntityRule,
  type ICMPMatch,
  type Port,
  type Protocol,
  type ProtocolName,
  type Rule,
  RULE_LIMITS,
  type RuleAction,
  refineRules,
  rules,
  type ServiceAccountMatch,
} from './kinds/rule.ts'
export { DEFAULT_TIER, type TierSpec } from './kinds/tier.ts'
export {
  PENDING_ANNOTATION,
  RESERVATION_ANNOTATION,
  RESERVATION_REFUSED_ANNOTATION,
  RESERVED_ADDRESSES_ANNOTATION,
  type WorkloadEndpointSpec,
} from './kinds/workload-endpoint.ts'
