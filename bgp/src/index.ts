export { createSpeaker } from './speaker/speaker.ts'
export { warmUp } from './speaker/warm-up.ts'
export { SpeakerError, type SpeakerErrorCode } from './speaker/error.ts'
export type { RouterDiscovery } from './speaker/network/router-discovery.ts'
export type { Handle, PeerHandle, Speaker, SpeakerModules, StopOptions } from './speaker/face.ts'
export type { HostAddress } from './speaker/network/host-addresses.ts'
export type {
  DesiredState,
  OriginateAttributes,
  PeerGracefulRestart,
  PeerOptions,
  PeerTimers,
  PrefixLimit,
  PrefixLimits,
  RestartOptions,
  Role,
  RouteOptions,
  SpeakerOptions,
} from './speaker/options/options.ts'
export type {
  ApplyReport,
  BestBatch,
  BestChange,
  FaultCount,
  NegotiatedStatus,
  NextHop,
  NotificationStatus,
  PeerCounters,
  PeerPrefixes,
  PeerStatus,
  RouteQuery,
  ExportExplanation,
  RouteExplanation,
  RouteStatus,
  SessionState,
} from './speaker/reports.ts'
