/**
 * The flows that rules can tell apart. Protocols, ports and ICMP messages that no rule names separately are one class,
 * and one packet stands for it.
 */
import type { ICMPMatch, Rule } from '@network/datastore/model'
import { parsePortRange } from '@network/datastore/model'
import type { PortRange } from '../port-range.ts'
import { protocolNumber } from '../protocol.ts'
import type { Thing } from './thing.ts'

/** One class of flows between two ends. */
export interface FlowClass {
  readonly protocol: number
  /** No rule names the protocol: the class stands for all such. */
  readonly otherProtocol: boolean
  readonly sourcePorts?: PortRange
  readonly destinationPorts?: PortRange
  readonly icmp?: { readonly type: number; readonly code: number; readonly says: ICMPMatch | 'other' }
}

const WITH_PORTS: readonly number[] = [6, 17, 132, 136]
const MESSAGES: readonly number[] = [1, 58]
/** For experiments (RFC 3692), so that no rule names it before all others. */
const UNNAMED_PROTOCOLS = [253, 254, ...Array.from({ length: 252 }, (_, at) => 252 - at)]
const UNNAMED_TYPES = Array.from({ length: 255 }, (_, at) => 254 - at)

/** Every class that these rules can tell apart. `failsafes`: ports as '6:22'; `things` have the ports that rules name. */
export function flowClasses(
  rules: readonly Rule[],
  things: readonly Thing[],
  failsafes: readonly string[],
): FlowClass[] {
  const named = new Set<number>([6, 17])
  for (const { protocol, notProtocol } of rules) {
    for (const one of [protocol, notProtocol]) {
      const number = one === undefined ? undefined : protocolNumber(one)
      if (number !== undefined) named.add(number)
    }
  }
  for (const text of failsafes) named.add(Number(text.split(':')[0]))
  const classes: FlowClass[] = []
  for (const protocol of [...named].sort((a, b) => a - b)) {
    const ofProtocol = rules.filter(
      (rule) => rule.protocol !== undefined && protocolNumber(rule.protocol) === protocol,
    )
    if (WITH_PORTS.includes(protocol)) classes.push(...withPorts(protocol, ofProtocol, things, failsafes))
    else if (MESSAGES.includes(protocol)) classes.push(...messages(protocol, ofProtocol))
    else classes.push({ protocol, otherProtocol: false })
  }
  const unnamed = UNNAMED_PROTOCOLS.find((protocol) => !named.has(protocol) && !MESSAGES.includes(protocol))
  if (unnamed !== undefined) classes.push({ protocol: unnamed, otherProtocol: true })
  return classes
}

function withPorts(
  protocol: number,
  rules: readonly Rule[],
  things: readonly Thing[],
  failsafes: readonly string[],
): FlowClass[] {
  const ranges = { source: [] as PortRange[], destination: [] as PortRange[] }
  for (const rule of rules) {
    for (const side of ['source', 'destination'] as const) {
      for (const port of [...(rule[side]?.ports ?? []), ...(rule[side]?.notPorts ?? [])]) {
        const range = typeof port === 'number' ? { first: port, last: port } : parsePortRange(port)
        if (range !== undefined) ranges[side].push({ from: range.first, to: range.last })
        else {
          for (const { ports } of things) {
            for (const own of ports) {
              if (own.name === port) ranges[side].push({ from: own.port, to: own.port })
            }
          }
        }
      }
    }
  }
  for (const text of failsafes) {
    const [number, port] = text.split(':').map(Number)
    if (number !== protocol || port === undefined) continue
    ranges.destination.push({ from: port, to: port })
    ranges.source.push({ from: port, to: port })
  }
  return intervals(ranges.source).flatMap((sourcePorts) =>
    intervals(ranges.destination).map((destinationPorts) => ({
      protocol,
      otherProtocol: false,
      sourcePorts,
      destinationPorts,
    })),
  )
}

/** 0 to 65535 cut where a range begins or ends. */
function intervals(ranges: readonly PortRange[]): PortRange[] {
  const starts = new Set([0])
  for (const { from, to } of ranges) {
    starts.add(from)
    if (to < 65535) starts.add(to + 1)
  }
  const sorted = [...starts].sort((a, b) => a - b)
  return sorted.map((from, at) => ({ from, to: (sorted[at + 1] ?? 65536) - 1 }))
}

function messages(protocol: number, rules: readonly Rule[]): FlowClass[] {
  const codes = new Map<number, Set<number>>()
  for (const { icmp, notICMP } of rules) {
    for (const match of [icmp, notICMP]) {
      if (match?.type === undefined) continue
      const ofType = codes.get(match.type) ?? new Set()
      if (match.code !== undefined) ofType.add(match.code)
      codes.set(match.type, ofType)
    }
  }
  const base = { protocol, otherProtocol: false }
  const classes: FlowClass[] = []
  for (const [type, ofType] of codes) {
    for (const code of ofType) classes.push({ ...base, icmp: { type, code, says: { type, code } } })
    const code = UNNAMED_TYPES.findLast((one) => !ofType.has(one)) ?? 255
    classes.push({ ...base, icmp: { type, code, says: { type } } })
  }
  // Neighbour discovery, which is never judged, is no example of the others.
  const type = UNNAMED_TYPES.find((one) => !codes.has(one)) ?? 0
  classes.push({ ...base, icmp: { type, code: 0, says: 'other' } })
  return classes
}
