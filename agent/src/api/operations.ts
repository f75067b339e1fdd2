import type {
  AttachRequest,
  AttachResult,
  AuditReport,
  AuditRequest,
  BgpPeerReport,
  BgpRefreshReport,
  BgpRefreshRequest,
  BgpRouteQuery,
  BgpRoutesReport,
  BgpShutdownReport,
  BgpShutdownRequest,
  BgpWhyReport,
  CheckRequest,
  CheckResult,
  DetachRequest,
  DetachResult,
  EndpointReport,
  HealthReport,
  NodeReport,
  PolicyReport,
  SettingReport,
} from '../client/messages.ts'

export type HealthAspect = 'health' | 'ready' | 'live'

/** What can be asked of a speaker, be it an agent's or a reflector's. Failures are thrown as DroverError. */
export interface BgpOperations {
  bgpPeers(): Promise<BgpPeerReport[]>
  bgpRoutes(query: BgpRouteQuery): Promise<BgpRoutesReport>
  /** The first of the prefixes that there are paths of. */
  bgpWhy(lookUp: { prefixes: readonly string[] }): Promise<BgpWhyReport>
  bgpRefresh(request: BgpRefreshRequest): Promise<BgpRefreshReport>
  bgpShutdown(request: BgpShutdownRequest): Promise<BgpShutdownReport>
}

/** What the local API can be asked: the agent behind it. Failures are thrown as DroverError. */
export interface AgentOperations extends BgpOperations {
  attach(request: AttachRequest): Promise<AttachResult>
  detach(request: DetachRequest): Promise<DetachResult>
  check(request: CheckRequest): Promise<CheckResult>
  endpoints(): Promise<EndpointReport[]>
  health(aspect: HealthAspect): HealthReport
  node(): Promise<NodeReport>
  config(): SettingReport[]
  audit(request: AuditRequest): Promise<AuditReport>
  /** Of all that is active on the node, or of what bears on one endpoint. */
  policy(endpoint: string | undefined): Promise<PolicyReport>
}
