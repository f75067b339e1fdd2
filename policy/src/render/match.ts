/**
 * A rule's conditions in the words of iptables, for one family. Most rules become one list of arguments; what the
 * kernel can't say in one rule (this port list or that set of named ports) becomes alternatives of which one must hold.
 */
import type { Family } from '@network/net'
import type { ActiveRule, ActiveSide } from '../calc/active.ts'
import type { PortRange } from '../port-range.ts'
import type { LiteralSets } from './literal-sets.ts'
import { activeSetName } from './names.ts'

export interface Conditions {
  /** All of these hold. */
  readonly all: readonly string[]
  /** One of each of these lists holds. */
  readonly oneOf: readonly (readonly (readonly string[])[])[]
}

const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132, udplite: 136 } as const
const protocolNames: Readonly<Record<number, string>> = {
  [PROTOCOL.icmp]: 'icmp',
  [PROTOCOL.tcp]: 'tcp',
  [PROTOCOL.udp]: 'udp',
  [PROTOCOL.icmpv6]: 'ipv6-icmp',
  [PROTOCOL.sctp]: 'sctp',
  [PROTOCOL.udplite]: 'udplite',
}
/** Those of which `-m NAME --dport` is a match of its own. */
const withOwnMatch: readonly number[] = [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp]

/** Those whose ports a set of ports can hold: ipset(8), bitmap:port, finds none in other packets. */
const inPortSets: readonly number[] = [PROTOCOL.tcp, PROTOCOL.udp]

/** A list for multiport may fill so many places; a range fills two. */
const MULTIPORT_PLACES = 15

/** Arguments that match a protocol. */
export function protocolArgs(protocol: number): readonly string[] {
  return ['-p', protocolNames[protocol] ?? String(protocol)]
}

/** Undefined: no packet of this family can match the rule. */
export function conditionsOf(
  rule: ActiveRule,
  family: Family,
  literals: LiteralSets,
): Conditions | undefined {
  if (rule.ipVersion !== undefined && (rule.ipVersion === 4) !== (family === 'ipv4')) return undefined
  const otherIcmp = family === 'ipv4' ? PROTOCOL.icmpv6 : PROTOCOL.icmp
  if (rule.protocol === otherIcmp) return undefined
  if (rule.protocol !== undefined && rule.protocol === rule.notProtocol) return undefined
  const all: string[] = []
  if (rule.protocol !== undefined) all.push(...protocolArgs(rule.protocol))
  else if (rule.notProtocol !== undefined) all.push('!', ...protocolArgs(rule.notProtocol))
  const oneOf: (readonly (readonly string[])[])[] = []
  for (const side of ['source', 'destination'] as const) {
    const nets = netConditions(rule[side], side, family, literals)
    if (nets === undefined) return undefined
    all.push(...nets)
    all.push(...setConditions(rule[side], side, family))
    const ports = portAlternatives(rule[side], side, rule.protocol, family, literals)
    const [only] = ports
    if (ports.length === 1 && only !== undefined) all.push(...only)
    else if (ports.length > 1) oneOf.push(ports)
    all.push(...notPortConditions(rule[side], side, family))
  }
  for (const [match, negation] of [
    [rule.icmp, []],
    [rule.notICMP, ['!']],
  ] as const) {
    if (match?.type === undefined) continue
    const type = match.code === undefined ? String(match.type) : `${match.type}/${match.code}`
    const [module, option] = family === 'ipv4' ? ['icmp', '--icmp-type'] : ['icmp6', '--icmpv6-type']
    all.push('-m', module, ...negation, option, type)
  }
  return { all, oneOf }
}

type Side = 'source' | 'destination'
const words = {
  source: { address: '-s', set: 'src', setWithPort: 'src,src', port: '--sport', ports: '--sports' },
  destination: { address: '-d', set: 'dst', setWithPort: 'dst,dst', port: '--dport', ports: '--dports' },
} as const

function ofFamily(nets: readonly string[], family: Family): string[] {
  return nets.filter((net) => net.includes(':') === (family === 'ipv6'))
}

const isWhole = (net: string): boolean => net.endsWith('/0')

function netConditions(
  side: ActiveSide,
  which: Side,
  family: Family,
  literals: LiteralSets,
): readonly string[] | undefined {
  const word = words[which]
  const args: string[] = []
  if (side.nets !== undefined) {
    const nets = ofFamily(side.nets, family)
    const [first] = nets
    if (first === undefined) return undefined
    if (nets.length === 1 && !isWhole(first)) args.push(word.address, first)
    else if (!nets.some(isWhole)) args.push('-m', 'set', '--match-set', literals.nets(family, nets), word.set)
  }
  const nots = ofFamily(side.notNets ?? [], family)
  if (nots.some(isWhole)) return undefined
  const [first] = nots
  if (first !== undefined) {
    // One rule takes one address.
    if (nots.length === 1 && args[0] !== word.address) args.push('!', word.address, first)
    else args.push('-m', 'set', '!', '--match-set', literals.nets(family, nots), word.set)
  }
  return args
}

function setConditions(side: ActiveSide, which: Side, family: Family): readonly string[] {
  const { set } = words[which]
  return [
    ...(side.sets ?? []).flatMap((id) => ['-m', 'set', '--match-set', activeSetName(id, family), set]),
    ...(side.notSets ?? []).flatMap((id) => [
      '-m',
      'set',
      '!',
      '--match-set',
      activeSetName(id, family),
      set,
    ]),
  ]
}

/** One of the answers must hold; no answers: there is no condition. */
function portAlternatives(
  side: ActiveSide,
  which: Side,
  protocol: number | undefined,
  family: Family,
  literals: LiteralSets,
): readonly (readonly string[])[] {
  const word = words[which]
  const alternatives: (readonly string[])[] = []
  const [first] = side.ports ?? []
  if (side.ports !== undefined && first !== undefined) {
    if (side.ports.length === 1 && protocol !== undefined && withOwnMatch.includes(protocol))
      alternatives.push(['-m', protocolNames[protocol] ?? '', word.port, portText(first)])
    else if (places(side.ports) > MULTIPORT_PLACES && protocol !== undefined && inPortSets.includes(protocol))
      alternatives.push(['-m', 'set', '--match-set', literals.ports(side.ports), word.set])
    else
      for (const chunk of multiportChunks(side.ports))
        alternatives.push(['-m', 'multiport', word.ports, chunk])
  }
  for (const id of side.portSets ?? [])
    alternatives.push(['-m', 'set', '--match-set', activeSetName(id, family), word.setWithPort])
  return alternatives
}

function notPortConditions(side: ActiveSide, which: Side, family: Family): readonly string[] {
  const word = words[which]
  const args: string[] = []
  for (const chunk of multiportChunks(side.notPorts ?? []))
    args.push('-m', 'multiport', '!', word.ports, chunk)
  for (const id of side.notPortSets ?? [])
    args.push('-m', 'set', '!', '--match-set', activeSetName(id, family), word.setWithPort)
  return args
}

/** The list in pieces that multiport takes. */
function multiportChunks(ranges: readonly PortRange[]): readonly string[] {
  const chunks: PortRange[][] = []
  for (const range of ranges) {
    const last = chunks.at(-1)
    if (last === undefined || places([...last, range]) > MULTIPORT_PLACES) chunks.push([range])
    else last.push(range)
  }
  return chunks.map((chunk) => chunk.map(portText).join(','))
}

function places(ranges: readonly PortRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + (from === to ? 1 : 2), 0)
}

function portText({ from, to }: PortRange): string {
  return from === to ? String(from) : `${from}:${to}`
}
