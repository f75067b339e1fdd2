import type { Family } from '@network/net'
import type {
  AttachRequest,
  AttachResult,
  AuditReport,
  AuditRequest,
  BgpPeerReport,
  BgpRoutesReport,
  DetachRequest,
  DetachResult,
  EndpointReport,
  HealthReport,
  NodeReport,
  SettingReport,
} from '../client/messages.ts'

export type HealthAspect = 'health' | 'ready' | 'live'

/** What the local API can be asked: the agent behind it. Failures are thrown as DroverError. */
export interface AgentOperations {
  attach(request: AttachRequest): Promise<AttachResult>
  detach(request: DetachRequest): Promise<DetachResult>
  endpoints(): Promise<EndpointReport[]>
  health(aspect: HealthAspect): HealthReport
  node(): Promise<NodeReport>
  config(): SettingReport[]
  bgpPeers(): Promise<BgpPeerReport[]>
  bgpRoutes(query: { family: Family | undefined; prefix: string | undefined }): Promise<BgpRoutesReport>
  audit(request: AuditRequest): Promise<AuditReport>
}
