/** Whether one rule means one packet. */
import { type Address, formatPrefix, type Prefix, prefixContains } from '@network/net'
import {
  type EntityRule,
  type ICMPMatch,
  type Port,
  parsePortRange,
  type Rule,
} from '@network/datastore/model'
import { protocolNumber } from '../protocol.ts'
import { byNamespace, bySelector, byServiceAccount, type Condition, isEmpty } from './conditions.ts'
import { netsOf } from './nets.ts'
import type { Packet } from './packet.ts'
import type { EvaluatorState } from './state.ts'
import type { Thing } from './thing.ts'

export interface Matcher {
  /** `namespace`: that of the rule's policy. */
  matches(rule: Rule, packet: Packet, namespace: string | undefined): boolean
}

/** Remembers what each side of a rule means, since that doesn't depend on the packet. */
export function createMatcher(state: EvaluatorState): Matcher {
  const meanings = new WeakMap<EntityRule, Map<string | undefined, Meaning>>()
  const meaningOfSide = (side: EntityRule, namespace: string | undefined): Meaning => {
    const known = meanings.get(side) ?? new Map<string | undefined, Meaning>()
    const meaning = known.get(namespace) ?? read(side, namespace, state.things)
    meanings.set(side, known.set(namespace, meaning))
    return meaning
  }
  const matches: Matcher['matches'] = (rule, packet, namespace) => {
    const { source, destination, sourcePort, destinationPort, protocol } = packet
    if (rule.ipVersion !== undefined && (rule.ipVersion === 4) !== (packet.family === 'ipv4')) return false
    if (rule.protocol !== undefined && protocolNumber(rule.protocol) !== protocol) return false
    if (rule.notProtocol !== undefined && protocolNumber(rule.notProtocol) === protocol) return false
    if (namesMessages(rule.icmp) && !isMessage(rule.icmp, packet)) return false
    if (namesMessages(rule.notICMP) && isMessage(rule.notICMP, packet)) return false
    const sides: readonly [EntityRule | undefined, Address, number | undefined][] = [
      [rule.source, source, sourcePort],
      [rule.destination, destination, destinationPort],
    ]
    return sides.every(
      ([side, address, port]) =>
        side === undefined || meetsSide(side, meaningOfSide(side, namespace), { address, port, protocol }),
    )
  }
  return { matches }
}

/**
 * What a rule says, and whom of these it means: the same for two rules of two states if they mean the same packets as far
 * as these are concerned.
 */
export function meaningOf(rule: Rule, namespace: string | undefined, among: readonly Thing[]): string {
  const sides = [rule.source ?? {}, rule.destination ?? {}]
  return JSON.stringify([rule, namespace, ...sides.map((side) => meantOf(read(side, namespace, among)))])
}

function meantOf({ things, notThings, bearers }: Meaning): unknown {
  const text = (meant: readonly Thing[]): unknown =>
    meant.map(({ nets, ports }) => [nets.map(formatPrefix), ports])
  return [text(things ?? []), text(notThings), text(bearers)]
}

interface Meaning {
  readonly nets: readonly Prefix[]
  readonly notNets: readonly Prefix[]
  /** undefined: the side says nothing about endpoints and sets. */
  readonly things: readonly Thing[] | undefined
  readonly notThings: readonly Thing[]
  /** Those whose ports are meant by name. */
  readonly bearers: readonly Thing[]
}

function read(side: EntityRule, namespace: string | undefined, all: readonly Thing[]): Meaning {
  const { selector, notSelector, namespaceSelector } = side
  const names = side.serviceAccounts?.names ?? []
  const ofAccounts = side.serviceAccounts?.selector
  const conditions: Condition[] = []
  if (!isEmpty(selector)) conditions.push(bySelector(selector))
  if (!isEmpty(ofAccounts)) conditions.push(byServiceAccount(ofAccounts))
  if (names.length > 0) {
    conditions.push(({ serviceAccount }) => serviceAccount !== undefined && names.includes(serviceAccount))
  }
  if (!isEmpty(namespaceSelector)) conditions.push(byNamespace(namespaceSelector))
  else if (namespace !== undefined && conditions.length > 0) {
    conditions.push((thing) => thing.namespace === namespace)
  }
  const things = all.filter((thing) => conditions.every((condition) => condition(thing)))
  return {
    nets: netsOf(side.nets ?? []),
    notNets: netsOf(side.notNets ?? []),
    things: conditions.length > 0 ? things : undefined,
    notThings: isEmpty(notSelector) ? [] : all.filter(bySelector(notSelector)),
    bearers: things,
  }
}

interface End {
  readonly address: Address
  readonly port: number | undefined
  readonly protocol: number
}

function meetsSide(side: EntityRule, meaning: Meaning, end: End): boolean {
  const within = (things: readonly Thing[]): boolean =>
    things.some(({ nets }) => nets.some((net) => prefixContains(net, end.address)))
  const { nets, notNets, things, notThings, bearers } = meaning
  if (nets.length > 0 && !nets.some((net) => prefixContains(net, end.address))) return false
  if (notNets.some((net) => prefixContains(net, end.address))) return false
  if (things !== undefined && !within(things)) return false
  if (within(notThings)) return false
  const { ports = [], notPorts = [] } = side
  if (ports.length > 0 && !ports.some((port) => isPort(port, end, bearers))) return false
  return !notPorts.some((port) => isPort(port, end, bearers))
}

function isPort(port: Port, end: End, bearers: readonly Thing[]): boolean {
  if (end.port === undefined) return false
  if (typeof port === 'number') return end.port === port
  const range = parsePortRange(port)
  if (range !== undefined) return end.port >= range.first && end.port <= range.last
  return bearers.some(
    (bearer) =>
      bearer.nets.some((net) => prefixContains(net, end.address)) &&
      bearer.ports.some(
        (own) => own.name === port && own.port === end.port && protocolNumber(own.protocol) === end.protocol,
      ),
  )
}

function namesMessages(match: ICMPMatch | undefined): match is ICMPMatch {
  return match?.type !== undefined
}

function isMessage({ type, code }: ICMPMatch, { icmp }: Packet): boolean {
  return icmp !== undefined && icmp.type === type && (code === undefined || icmp.code === code)
}
