/**
 * What travels over the agent's local socket: the one vocabulary that the CNI plugin, the Docker plugin and the
 * command line share with the agent. Everything is JSON; addresses and prefixes are canonical text.
 */
import type { Family } from '@network/net'

/** A port of a workload that policy may name. */
export interface NamedPort {
  name: string
  protocol: string
  port: number
}

/** A port of the host that leads to a workload. */
export interface PortMapping {
  protocol: 'TCP' | 'UDP' | 'SCTP'
  hostPort: number
  /** The workload's own port. */
  port: number
  /** Only at this address of the host; default at all of its family. */
  hostIP?: string
}

/** Gives a network namespace an interface and routable addresses. Attaching again answers the same. */
export interface AttachRequest {
  /** Path of a network namespace: /run/netns/x, /proc/PID/ns/net. */
  netns: string
  containerId: string
  /** Name of the interface inside the namespace: 'eth0'. */
  interfaceName: string
  orchestrator: string
  workload: string
  endpoint: string
  /** Namespace by which policy knows it; default 'default'. */
  namespace?: string
  serviceAccount?: string
  /** Name of a Network resource: its pools, profile and MTU become defaults. */
  network?: string
  /** Names or CIDRs of pools to take from. */
  ipv4Pools?: string[]
  ipv6Pools?: string[]
  /** Families wanted; by default those for which an enabled pool serves this node. All are given or none. */
  families?: Family[]
  /** Fixed addresses; a family named here gets no other address. */
  addresses?: string[]
  /** The addresses are somebody else's to assign and to take back: they are used as they are, in a pool or not. */
  assignedElsewhere?: boolean
  /**
   * With assignedElsewhere: its addresses are leased by DHCP over the interface itself, so that it
   * may ask for one. Without `addresses` the interface is made without, and the same attach with them completes it.
   */
  leased?: boolean
  /** Addresses kept under this name across restarts and nodes. */
  reservation?: string
  mac?: string
  mtuBytes?: number
  profiles?: string[]
  labels?: Record<string, string>
  ports?: NamedPort[]
  portMappings?: PortMapping[]
  /** Default: true unless the namespace has a default route already. */
  defaultRoute?: boolean
  /** Default 15,000, at most 120,000. Past it the attach is undone and fails with code 'deadline'. */
  deadlineMs?: number
}

export interface AttachResult {
  /** The endpoint's key below the node: orchestrator/workload/endpoint. */
  endpoint: string
  hostInterface: { name: string; mac: string }
  containerInterface: { name: string; mac: string; mtuBytes: number; netns: string }
  addresses: { address: string /* 10.0.0.1/32 */; gateway: string }[]
  routes: { destination: string; gateway?: string }[]
}

/** What the kernel of this node counted for the rules of policies and profiles, and what it has not as it should. */
export interface PolicyReport {
  iptables: 'nft' | 'legacy'
  rules: PolicyRuleCount[]
  faults: { message: string; remedy?: string }[]
  /** Resources that can't be used as they are. */
  problems: string[]
}

/** Over all endpoints of the node that the rule bears on, both families, since the rule was written. */
export interface PolicyRuleCount {
  /** 'NetworkPolicy/prod/web'; or it is a profile's. */
  policy?: string
  profile?: string
  direction: 'ingress' | 'egress'
  /** Place in the resource's list of rules, from 0. */
  position: number
  packets: number
  bytes: number
}

/** Takes an interface and its addresses back. Something unknown is already gone: that succeeds. */
export interface DetachRequest {
  containerId: string
  /** Without it, every interface of the container is detached. */
  interfaceName?: string
  /** Where the interface is, if the caller knows; the agent finds it by its own name anyway. */
  netns?: string
  deadlineMs?: number
}

export interface DetachResult {
  /** Keys (orchestrator/workload/endpoint) that were detached; empty if nothing was known. */
  endpoints: string[]
  /** Addresses given back, or to be given back from the journal. */
  addresses: string[]
  /** True if the store was away and the release waits in the journal on disk. */
  journaled: boolean
}

/** One endpoint of this node and what the kernel holds of it. */
export interface EndpointReport {
  endpoint: string
  orchestrator: string
  workload: string
  containerId: string
  containerInterface: string
  hostInterface: string
  mac: string
  addresses: string[]
  profiles: string[]
  labels: Record<string, string>
  portMappings: PortMapping[]
  state: 'up' | 'interface-missing' | 'route-missing' | 'detaching'
}

/** Asks whether an attached interface is still as it was made. */
export interface CheckRequest {
  containerId: string
  interfaceName: string
  /** Where the caller knows it to be; another place than the attach's is a difference. */
  netns?: string
  deadlineMs?: number
}

export interface CheckResult {
  /** undefined: nothing is attached by these names. */
  endpoint: string | undefined
  hostInterface: string | undefined
  addresses: string[]
  /** What is not as it should be: of the interface, its namespace, the host's routes, the allocation. */
  differences: { field: string; expected: string; actual: string }[]
}

export interface HealthCheck {
  name: string
  ok: boolean
  /** Why it is as it is, as a sentence. */
  reason: string
  /** ms since the epoch of the last change of `ok`. */
  since: number
}

export interface HealthReport {
  ok: boolean
  checks: HealthCheck[]
}

/** A BGP session as a person looks at it. */
export interface BgpPeerReport {
  name: string
  address: string
  port: number
  asn: number
  /** RFC 4271's state word: Idle, Connect, Active, OpenSent, OpenConfirm, Established. */
  state: string
  /** ms since the epoch of the last change of state. */
  since: number
  /** Where it is declared: 'node mesh', 'BGPPeer <name>', 'peers[2]', or the range that admitted it. */
  origin: string
  /** Administratively down, with the text that the peer was told ('' for none). */
  shutdown?: string
  routerId: string | undefined
  families: Family[]
  holdTimeSeconds: number | undefined
  keepaliveSeconds: number | undefined
  prefixesReceived: number
  prefixesAccepted: number
  prefixesSent: number
  messagesIn: number
  messagesOut: number
  flaps: number
  /** Why the session is not up; once it is up (`current: false`), why it last was not. `at`: ms since the epoch. */
  lastError: { text: string; at: number; current: boolean } | undefined
}

export interface BgpRouteReport {
  prefix: string
  best: boolean
  nextHops: string[]
  asPath: string
  origin: string
  localPreference: number | undefined
  med: number | undefined
  communities: string[]
  /** Name of the peer, or 'local'. */
  from: string
  /** Whether an import policy or a check has let it in. */
  accepted: boolean
  /** Kept for a peer that is restarting. */
  stale: boolean
  /** Used beside the best path (ECMP). Only known of a path that is explained. */
  multipath: boolean
  /** RFC 7911 path identifier. */
  pathId: number | undefined
  /** Word for what decided: 'best', 'refused', 'asPathLength' … Only of a path that is explained. */
  step: string | undefined
  /** The same for a person: the step of the decision process, or the filter, that decided. */
  decidedBy: string | undefined
}

/** best: Loc-RIB · received: Adj-RIB-In before policy · accepted: after it · advertised: Adj-RIB-Out. */
export type BgpRouteView = 'best' | 'received' | 'accepted' | 'advertised'

export interface BgpRouteQuery {
  family?: Family
  /** Default best. */
  view?: BgpRouteView
  /** Name or address; needed for 'advertised', narrows the others. */
  peer?: string
  /** Routes within this prefix, itself included. */
  prefix?: string
}

export interface BgpRoutesReport {
  routes: BgpRouteReport[]
  /** True if there are more than the answer holds; ask for one prefix. */
  truncated: boolean
}

/** What one peer is sent of a prefix, or what keeps it back. */
export interface BgpExportReport {
  peer: string
  /** It is in Adj-RIB-Out. */
  sent: boolean
  /** Word for what decided: 'filter', 'default', 'rule', 'nextHop', 'limit', 'ownRoute', 'down' … */
  step: string
  /** The same for a person: the export filter and its rule, or the rule of an RFC. */
  decidedBy: string
  /** Whose path it is: name of a peer, or 'local'; undefined if there is none. */
  from: string | undefined
  /** RFC 7911 path identifier that it is sent with. */
  pathId: number | undefined
}

/** Every path of one prefix, the best first, each with what decided; and what becomes of it towards each peer. */
export interface BgpWhyReport {
  /** The prefix that was found, which around an address is the longest one; undefined if there is none. */
  prefix: string | undefined
  routes: BgpRouteReport[]
  exports: BgpExportReport[]
}

export interface BgpRefreshRequest {
  /** Name or address; without it, every peer. */
  peer?: string
  family?: Family
}

export interface BgpRefreshReport {
  /** Names of peers that were asked to send everything again. */
  asked: string[]
  /** Those that can't be asked: their session is not up, or they don't know route refresh (RFC 2918). */
  notAsked: string[]
}

/** Ends sessions with Cease/Administrative Shutdown and keeps them down, or lets them come up again. */
export interface BgpShutdownRequest {
  /** Name or address of a peer, or name of a range; without it, every peer. */
  peer?: string
  /** RFC 9003 communication to the peer, at most 255 octets. */
  message?: string
  /** Takes an earlier shutdown back. */
  undo?: boolean
}

export interface BgpShutdownReport {
  /** Names of the peers and ranges that this was about. */
  peers: string[]
}

/** What a reflector made of its file. */
export interface BgpReloadReport {
  /** Path of the file. */
  file: string
  added: string[]
  removed: string[]
  /** Sessions that are made anew, and the settings that demanded it. */
  reset: { peer: string; because: string[] }[]
  /** Peers that were changed with their session up. */
  updated: string[]
  originated: number
  withdrawn: number
}

export interface NodeReport {
  node: string
  version: string
  nodeVersion: string
  startedAt: number
  pid: number
  inSync: boolean
  /** The store's revision up to which this agent has seen changes. */
  revision: number
  addresses: { ipv4: string | undefined; ipv6: string | undefined }
  asNumber: number
  routerId: string | undefined
  mtuBytes: number
  blocks: { cidr: string; family: Family; state: string }[]
  endpoints: number
  routes: { workload: number; blackhole: number; cluster: number }
  peers: { established: number; configured: number }
  /** Releases that wait for the store. */
  journal: number
  /** Conditions that an operator should look at, as sentences; empty when all is well. */
  problems: string[]
}

/** Where a setting's value comes from, weakest first. */
export const SettingOrigins = ['built-in', 'cluster', 'node', 'file', 'environment', 'flag'] as const
export type SettingOrigin = (typeof SettingOrigins)[number]

export interface SettingReport {
  name: string
  value: unknown
  origin: SettingOrigin
  /** The exact place: a resource, a file, a variable, a flag. */
  place: string
  description: string
  /** Values of weaker origins that this one hides. */
  hidden: { value: unknown; origin: SettingOrigin; place: string }[]
}

export interface AuditRequest {
  fix: boolean
}

export interface AuditFinding {
  kind: string
  /** A sentence that names the address, the handle and what is wrong. */
  message: string
  address?: string
  handle?: string
  fixed: boolean
}

export interface AuditReport {
  findings: AuditFinding[]
  addressesHeld: number
  endpoints: number
  /** False if the store could not be read completely: findings are then not to be trusted. */
  complete: boolean
}

/** The body of every answer with status 4xx or 5xx. */
export interface ErrorBody {
  error: { code: string; message: string; remedy?: string; details?: Record<string, unknown> }
}
