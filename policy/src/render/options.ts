import type { PortRange } from '../port-range.ts'

/** A port that stays open whatever policy says. */
export interface Failsafe {
  /** 6, 17 or 132. */
  readonly protocol: number
  readonly port: number
  /** Only with this network; without: with everyone. */
  readonly net?: string
}

/** What rendering is told besides the active policy: the agent's settings. */
export interface RenderOptions {
  /** How names of workloads' interfaces begin. */
  readonly interfacePrefix: string
  /** At least three bits. */
  readonly markMask: number
  readonly failsafeInbound: readonly Failsafe[]
  readonly failsafeOutbound: readonly Failsafe[]
  readonly endpointToHostAction: 'Drop' | 'Return' | 'Accept'
  /** Where the agent answers for names: reached by workloads whose egress policy allows it, whatever the action. */
  readonly resolvers: readonly { readonly address: string; readonly port: number }[]
  readonly natPortRange: PortRange | undefined
  /** By family: instead of the address of the interface that a packet leaves by. */
  readonly natOutgoingAddress: { readonly ipv4?: string; readonly ipv6?: string }
  /** Packets that a policy denies are told to this group of NFLOG, with the policy's name; undefined: they are not. */
  readonly denyLogGroup: number | undefined
}

export const RENDER_DEFAULTS: RenderOptions = {
  interfacePrefix: 'drv',
  markMask: 0xffff0000,
  failsafeInbound: [],
  failsafeOutbound: [],
  endpointToHostAction: 'Drop',
  resolvers: [],
  natPortRange: undefined,
  natOutgoingAddress: {},
  denyLogGroup: undefined,
}
