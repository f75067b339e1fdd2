import type { EntityRule, Protocol, ProtocolName, RuleAction } from '@network/datastore/model'

/*
 * The words of a rule on one line, as 'drover profile … rule' reads and shows them:
 *
 *   ACTION [ipv4|ipv6] [PROTOCOL [[not] type T [code C]]…] [not PROTOCOL] [from SIDE…] [to SIDE…] [note KEY=VALUE…]
 *
 *   ACTION    allow, deny, pass, log
 *   PROTOCOL  tcp, udp, sctp, udplite, icmp, icmpv6, protocol NUMBER; only the ICMPs have types
 *   SIDE      [not] cidr PREFIX[,…] · [not] label SELECTOR · namespace SELECTOR · [not] ports PORT[,…]
 *             · account NAME[,…] · account-label SELECTOR
 *
 * A SELECTOR is one word: role=web for role == "web", or any selector in the shell's quotes. Every rule of the model can
 * be written like this, and reading what was written gives the rule back.
 */

export const actions = { allow: 'Allow', deny: 'Deny', pass: 'Pass', log: 'Log' } as const satisfies Record<
  string,
  RuleAction
>

export const versions = { ipv4: 4, ipv6: 6 } as const

/** Protocols by the words that people write, in lower case. */
export const protocols = {
  tcp: 'TCP',
  udp: 'UDP',
  sctp: 'SCTP',
  udplite: 'UDPLite',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
} as const satisfies Record<string, ProtocolName>

/** One thing that a side of a rule may ask for: its word, the fields it fills, and how its value is written. */
export interface SideWord {
  readonly word: string
  readonly value: 'prefixes' | 'ports' | 'selector' | 'names'
  readonly field: keyof EntityRule
  /** The field after 'not'. */
  readonly notField?: keyof EntityRule
  /** Below `field`. */
  readonly inner?: 'names' | 'selector'
}

/** In the order in which they are written. */
export const sideWords: readonly SideWord[] = [
  { word: 'cidr', value: 'prefixes', field: 'nets', notField: 'notNets' },
  { word: 'label', value: 'selector', field: 'selector', notField: 'notSelector' },
  { word: 'namespace', value: 'selector', field: 'namespaceSelector' },
  { word: 'account', value: 'names', field: 'serviceAccounts', inner: 'names' },
  { word: 'account-label', value: 'selector', field: 'serviceAccounts', inner: 'selector' },
  { word: 'ports', value: 'ports', field: 'ports', notField: 'notPorts' },
]

export const sides = { from: 'source', to: 'destination' } as const

export function hasICMPTypes(protocol: Protocol | undefined): boolean {
  return protocol === 'ICMP' || protocol === 'ICMPv6' || protocol === 1 || protocol === 58
}

/** role=web: a label that equals a plain value. */
export const SHORT_SELECTOR = /^([A-Za-z0-9_./-]+)=([A-Za-z0-9_./-]*)$/
