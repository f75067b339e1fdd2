import { type Family } from '@network/net'

/**
 * How the node's own address is found. Text forms, as in a Node's spec and in AgentConfiguration: `first-found`,
 * `interface=eth.*,ens3`, `skip-interface=tun.*`, `can-reach=192.0.2.1`, `cidr=10.0.0.0/8,fd00::/8`.
 */
export type DetectionMethod =
  | { readonly method: 'first-found' }
  | { readonly method: 'interface'; readonly patterns: readonly string[] }
  | { readonly method: 'skip-interface'; readonly patterns: readonly string[] }
  | { readonly method: 'can-reach'; readonly target: string }
  | { readonly method: 'cidr'; readonly prefixes: readonly string[] }

/** The node's address with the length of its network, as its interface carries it. */
export interface DetectedAddress {
  readonly family: Family
  /** `192.0.2.10` */
  readonly address: string
  /** `192.0.2.10/24` */
  readonly interfaceAddress: string
  readonly device: string
  readonly mtuBytes: number
}

/** What was looked at and why it was not taken; the error of a failed detection lists these. */
export interface Considered {
  readonly device: string
  readonly address?: string
  readonly reason: string
}
