/**
 * The active policy of a node as a packet meets it: a judge by what calculation tells, as rendering would put it into
 * the kernel. It knows sets of addresses and numbers of rules, no selector and no resource.
 */
import { address, type Family, prefix, prefixContains } from '@network/net'
import type { ActiveRule, ActiveRules, ActiveSide, ActiveTier } from '../../src/index.ts'
import type { Mirror } from './mirror.ts'

export interface Probe {
  readonly family: Family
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly icmp?: { readonly type: number; readonly code: number }
}

const PORT_PROTOCOLS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp', 136: 'udplite' }

export function interpret(mirror: Mirror) {
  const inNet = (net: string, one: string): boolean => prefixContains(prefix(net), address(one))
  const inSet = (id: string, one: string): boolean => {
    const set = mirror.sets.get(id)
    if (set?.type !== 'addresses') throw new Error(`${id} is no set of addresses`)
    return [...set.members].some((net) => inNet(net, one))
  }
  const inPortSet = (id: string, member: string): boolean => {
    const set = mirror.sets.get(id)
    if (set?.type !== 'ports') throw new Error(`${id} is no set of ports`)
    return set.members.has(member)
  }
  const meets = (side: ActiveSide, one: string, port: number | undefined, protocol: number): boolean => {
    const member = `${one},${PORT_PROTOCOLS[protocol] ?? ''}:${String(port)}`
    const inPorts = (ranges: ActiveSide['ports'] = [], sets: readonly string[] = []): boolean =>
      ranges.some(({ from, to }) => port !== undefined && port >= from && port <= to) ||
      sets.some((id) => inPortSet(id, member))
    if (side.nets !== undefined && !side.nets.some((net) => inNet(net, one))) return false
    if (side.notNets?.some((net) => inNet(net, one)) === true) return false
    if (side.sets?.every((id) => inSet(id, one)) === false) return false
    if (side.notSets?.some((id) => inSet(id, one)) === true) return false
    if ((side.ports ?? side.portSets) !== undefined && !inPorts(side.ports, side.portSets)) return false
    return !inPorts(side.notPorts, side.notPortSets)
  }
  const matches = (rule: ActiveRule, probe: Probe): boolean => {
    const isMessage = ({ type, code }: { type?: number; code?: number }): boolean =>
      probe.icmp !== undefined && probe.icmp.type === type && (code === undefined || code === probe.icmp.code)
    if (rule.ipVersion !== undefined && (rule.ipVersion === 4) !== (probe.family === 'ipv4')) return false
    if (rule.protocol !== undefined && rule.protocol !== probe.protocol) return false
    if (rule.notProtocol === probe.protocol) return false
    if (rule.icmp?.type !== undefined && !isMessage(rule.icmp)) return false
    if (rule.notICMP?.type !== undefined && isMessage(rule.notICMP)) return false
    return (
      meets(rule.source, probe.source, probe.sourcePort, probe.protocol) &&
      meets(rule.destination, probe.destination, probe.destinationPort, probe.protocol)
    )
  }
  const decide = (rules: readonly ActiveRule[], probe: Probe): 'Allow' | 'Deny' | 'Pass' | undefined => {
    for (const rule of rules) {
      if (rule.action !== 'Log' && matches(rule, probe)) return rule.action
    }
    return undefined
  }
  type Direction = keyof ActiveRules
  return (key: string, direction: Direction, probe: Probe): 'allow' | 'deny' => {
    const endpoint = mirror.endpoints.get(key)
    if (endpoint === undefined) return 'deny'
    const judgeTier = (tier: ActiveTier): 'Allow' | 'Deny' | 'Pass' | undefined => {
      for (const id of tier[direction]) {
        const rules = mirror.policies.get(id)
        if (rules === undefined) throw new Error(`${id} is not active`)
        const decision = decide(rules[direction], probe)
        if (decision !== undefined) return decision
      }
      return tier[direction].length === 0 || tier.defaultAction === 'Pass' ? 'Pass' : 'Deny'
    }
    for (const tier of endpoint.tiers) {
      const decision = judgeTier(tier)
      if (decision === 'Allow') return 'allow'
      if (decision === 'Deny') return 'deny'
    }
    for (const name of endpoint.profiles) {
      const rules = mirror.profiles.get(name)
      if (rules === undefined) throw new Error(`profile ${name} is not active`)
      const decision = rules === 'missing' ? 'Deny' : decide(rules[direction], probe)
      if (decision === 'Allow') return 'allow'
      if (decision === 'Deny') return 'deny'
    }
    return 'deny'
  }
}
