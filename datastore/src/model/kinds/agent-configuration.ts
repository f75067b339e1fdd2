import {
  anyAddress,
  autodetection,
  duration,
  failsafePort,
  interfacePattern,
  listener,
  markMask,
  portRange,
  serverAddress,
  type TextFormat,
} from '../formats.ts'
import { defineKind } from '../kind.ts'
import {
  boolean,
  type Field,
  integer,
  list,
  object,
  oneOf,
  optional,
  type FieldsOf,
  type Schema,
  text,
} from '../schema.ts'

/**
 * One setting of the agent. The name serves everywhere: as field of AgentConfiguration, as key of the
 * configuration file, as flag (`--log-level`) and as environment variable (`DROVER_LOG_LEVEL`).
 */
export interface Setting<T = unknown> {
  readonly name: string
  readonly schema: Schema<T>
  readonly default: T
  readonly unit: 'bytes' | 'duration' | undefined
  readonly description: string
  /** Whether a running agent takes a new value over without a restart. */
  readonly live: boolean
}

export interface AgentSettings {
  logLevel: 'debug' | 'info' | 'warn' | 'error'
  interfacePrefix: string
  mtuBytes: number
  mtuInterfacePattern: string[]
  ipv4AddressMethod: string
  ipv6AddressMethod: string
  addressPollInterval: string
  iptablesBackend: 'auto' | 'nft' | 'legacy'
  chainInsertMode: 'insert' | 'append'
  iptablesMarkMask: string
  failsafeInbound: string[]
  failsafeOutbound: string[]
  endpointToHostAction: 'Drop' | 'Return' | 'Accept'
  flushOnDeny: boolean
  denyLogGroup: number
  natPortRange: string
  natOutgoingAddress: string
  iptablesRefreshInterval: string
  ipsetsRefreshInterval: string
  routeRefreshInterval: string
  kernelRouteMetric: number
  metricsListen: string
  healthListen: string
  dnsListen: string[]
  dnsUpstream: string[]
  attachDeadline: string
  addressAuditInterval: string
  addressAuditGrace: string
}

const prefixOfInterfaces: TextFormat = {
  name: 'interface prefix',
  expected: 'a prefix of 1 to 4 letters and digits, beginning with a letter',
  parse: (value) =>
    /^[a-z][a-z0-9]{0,3}$/.test(value)
      ? { ok: true, value }
      : {
          ok: false,
          error: `'${value.slice(0, 40)}' does not leave room for the rest of a 15-character name or is no name`,
        },
}

const none: TextFormat = {
  name: 'address or none',
  expected: `${anyAddress.expected}, or none`,
  parse: (value) => (value === 'none' ? { ok: true, value } : anyAddress.parse(value)),
}

const portRangeOrNone: TextFormat = {
  name: 'port range or none',
  expected: `${portRange.expected}, or none`,
  parse: (value) => (value === 'none' ? { ok: true, value } : portRange.parse(value)),
}

const refresh = text(duration({ minMs: 1000, maxMs: 86_400_000, orZero: true }))

type SettingTable = { readonly [K in keyof AgentSettings]: Omit<Setting<AgentSettings[K]>, 'name'> }

const table: SettingTable = {
  logLevel: {
    schema: oneOf(['debug', 'info', 'warn', 'error']),
    default: 'info',
    unit: undefined,
    live: true,
    description: 'Least severity that is logged.',
  },
  interfacePrefix: {
    schema: text(prefixOfInterfaces),
    default: 'drv',
    unit: undefined,
    live: false,
    description: "Beginning of the host-side interfaces' names; what begins so is ours.",
  },
  mtuBytes: {
    schema: integer(0, 65535),
    default: 0,
    unit: 'bytes',
    live: true,
    description: "MTU of workloads' interfaces; 0: the smallest of the node's own interfaces.",
  },
  mtuInterfacePattern: {
    schema: list(text(interfacePattern), { min: 1, max: 32 }),
    default: ['en*', 'eth*', 'wl*', 'ww*', 'sl*', 'ib*', 'bond*', 'team*', 'venet*'],
    unit: undefined,
    live: true,
    description: 'Interfaces that count when the MTU is found.',
  },
  ipv4AddressMethod: {
    schema: text(autodetection),
    default: 'first-found',
    unit: undefined,
    live: true,
    description: "How the node's IPv4 address is found.",
  },
  ipv6AddressMethod: {
    schema: text(autodetection),
    default: 'first-found',
    unit: undefined,
    live: true,
    description: "How the node's IPv6 address is found.",
  },
  addressPollInterval: {
    schema: refresh,
    default: '60s',
    unit: 'duration',
    live: true,
    description: "How often the node's addresses are looked for again; 0s: at the start only.",
  },
  iptablesBackend: {
    schema: oneOf(['auto', 'nft', 'legacy']),
    default: 'auto',
    unit: undefined,
    live: false,
    description: 'Which iptables; auto takes the one that holds rules and refuses if both do.',
  },
  chainInsertMode: {
    schema: oneOf(['insert', 'append']),
    default: 'insert',
    unit: undefined,
    live: true,
    description: "Where the jumps into our chains stand in the kernel's.",
  },
  iptablesMarkMask: {
    schema: text(markMask),
    default: '0xffff0000',
    unit: undefined,
    live: false,
    description: 'Bits of the packet mark that are ours.',
  },
  failsafeInbound: {
    schema: list(text(failsafePort), { max: 64, distinct: true }),
    default: ['tcp:22', 'tcp:179', 'tcp:2379', 'tcp:2380', 'tcp:6443', 'udp:68'],
    unit: undefined,
    live: true,
    description: 'Ports of the node that stay reachable whatever policy says.',
  },
  failsafeOutbound: {
    schema: list(text(failsafePort), { max: 64, distinct: true }),
    default: ['udp:53', 'udp:67', 'tcp:179', 'tcp:2379', 'tcp:2380', 'tcp:6443'],
    unit: undefined,
    live: true,
    description: 'Ports that the node reaches whatever policy says.',
  },
  endpointToHostAction: {
    schema: oneOf(['Drop', 'Return', 'Accept']),
    default: 'Drop',
    unit: undefined,
    live: true,
    description: 'What happens to traffic from a workload to its node after egress policy.',
  },
  flushOnDeny: {
    schema: boolean(),
    default: true,
    unit: undefined,
    live: true,
    description: 'Cut established flows that policy no longer allows.',
  },
  denyLogGroup: {
    schema: integer(0, 65535),
    default: 0,
    unit: undefined,
    live: true,
    description: 'Group of NFLOG that is told of denied packets, with the policy that denies; 0: none.',
  },
  natPortRange: {
    schema: text(portRangeOrNone),
    default: 'none',
    unit: undefined,
    live: true,
    description: 'Source ports of outgoing NAT; none: the kernel chooses.',
  },
  natOutgoingAddress: {
    schema: text(none),
    default: 'none',
    unit: undefined,
    live: true,
    description: 'Source address of outgoing NAT; none: that of the interface it leaves by.',
  },
  iptablesRefreshInterval: {
    schema: refresh,
    default: '180s',
    unit: 'duration',
    live: true,
    description: 'How often iptables is compared with what should be there; 0s: never.',
  },
  ipsetsRefreshInterval: {
    schema: refresh,
    default: '90s',
    unit: 'duration',
    live: true,
    description: 'How often ipsets are compared with what should be there; 0s: never.',
  },
  routeRefreshInterval: {
    schema: refresh,
    default: '90s',
    unit: 'duration',
    live: true,
    description: 'How often routes are compared with what should be there, besides the watch; 0s: never.',
  },
  kernelRouteMetric: {
    schema: integer(0, 2_147_483_646),
    default: 0,
    unit: undefined,
    live: false,
    description:
      'Metric of our routes in the kernel; 0: as the kernel gives it, none for IPv4 and 1024 for IPv6.',
  },
  metricsListen: {
    schema: text(listener),
    default: 'none',
    unit: undefined,
    live: false,
    description: 'Where Prometheus metrics are served.',
  },
  healthListen: {
    schema: text(listener),
    default: 'none',
    unit: undefined,
    live: false,
    description: 'Where liveness and readiness are served over TCP, besides the local socket.',
  },
  dnsListen: {
    schema: list(text(serverAddress), { max: 16, distinct: true }),
    default: [],
    unit: undefined,
    live: true,
    description: "Addresses of the node that answer for containers' names, port 53 if none is said.",
  },
  dnsUpstream: {
    schema: list(text(serverAddress), { max: 16, distinct: true }),
    default: [],
    unit: undefined,
    live: true,
    description: "Who is asked what is no container's name; nobody: the nameservers of /etc/resolv.conf.",
  },
  attachDeadline: {
    schema: text(duration({ minMs: 1000, maxMs: 600_000 })),
    default: '30s',
    unit: 'duration',
    live: true,
    description: 'How long an attach may take until it is undone and refused.',
  },
  addressAuditInterval: {
    schema: text(duration({ minMs: 10_000, maxMs: 86_400_000, orZero: true })),
    default: '300s',
    unit: 'duration',
    live: true,
    description: 'How often addresses held are compared with what exists on the node; 0s: never.',
  },
  addressAuditGrace: {
    schema: text(duration({ minMs: 0, maxMs: 86_400_000 })),
    default: '900s',
    unit: 'duration',
    live: true,
    description: 'How long an address must look leaked, on two looks, until it is freed.',
  },
}

const settingNames = Object.keys(table) as (keyof AgentSettings)[]

/** Every setting of AgentConfiguration in the order in which they are shown. */
export const agentSettings: readonly (Setting & { readonly name: keyof AgentSettings })[] = settingNames.map(
  (name) => ({ name, ...table[name] }),
)

/** The built-in values. */
export const AGENT_DEFAULTS: Readonly<AgentSettings> = Object.fromEntries(
  settingNames.map((name) => [name, table[name].default]),
) as unknown as AgentSettings

/** `--log-level` of `logLevel`; units stay in the name: `--mtu-bytes`. */
export function settingFlag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** `DROVER_LOG_LEVEL` of `logLevel`. */
export function settingEnvironment(name: string): string {
  return `DROVER_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

export type AgentConfigurationSpec = Partial<AgentSettings>

const fields = Object.fromEntries(
  settingNames.map((name): [string, Field] => [
    name,
    optional(
      table[name].schema as Schema,
      `${table[name].description} Default ${JSON.stringify(table[name].default)}.`,
    ),
  ]),
) as unknown as FieldsOf<AgentConfigurationSpec>

export const agentConfiguration = defineKind<AgentConfigurationSpec>()({
  kind: 'AgentConfiguration',
  plural: 'agentconfigurations',
  aliases: ['agentconfiguration', 'agentconfig', 'agentconfigs'],
  description: 'Settings of the agents: `default` for all, `node.<name>` for one.',
  names: 'default-or-node',
  spec: object<AgentConfigurationSpec>(fields),
  refine(spec, report) {
    if (spec.mtuBytes !== undefined && spec.mtuBytes !== 0 && spec.mtuBytes < 68) {
      report(['spec', 'mtuBytes'], spec.mtuBytes, '0, or at least 68 (RFC 791)')
    }
  },
})
