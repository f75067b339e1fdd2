/**
 * The rules of active policies and profiles, asked about one flow. Naive on purpose: it reads active policy, as rendering
 * does, and sees none of its chains.
 */
import { type Address, type Family, parseAddress, parsePrefix, prefixContains } from '@network/net'
import type {
  ActiveChanges,
  ActiveRule,
  ActiveRules,
  ActiveSide,
  ActiveTier,
  PolicyId,
  SetId,
} from '../calc/active.ts'
import type { PortRange } from '../port-range.ts'
import type { Direction } from './tiers.ts'

/** The first packet of a flow at one place of its way. */
export interface FlowPacket {
  readonly family: Family
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly sourcePort: number | undefined
  readonly destinationPort: number | undefined
  readonly icmp: { readonly type: number; readonly code: number } | undefined
}

export interface FlowRules {
  /** True if a flow that was allowed before may not be any more. */
  update(changes: Pick<ActiveChanges, 'policies' | 'profiles' | 'sets'>): boolean
  /**
   * What tiers decide; 'Pass': nothing. Without `ends` a tier in which nothing decides lets go on, whatever its default
   * action.
   */
  judgeTiers(
    tiers: readonly ActiveTier[],
    direction: Direction,
    packet: FlowPacket,
    options?: { ends?: boolean },
  ): 'Allow' | 'Deny' | 'Pass'
  /** Whether one of these profiles allows it before one denies it. */
  profilesAllow(names: readonly string[], direction: Direction, packet: FlowPacket): boolean
}

const protocolWords: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp', 136: 'udplite' }

export function createFlowRules(modules: { members: (set: SetId) => readonly string[] }): FlowRules {
  const policies = new Map<PolicyId, ActiveRules>()
  const profiles = new Map<string, ActiveRules | 'missing'>()
  const sets = new Map<SetId, MemberLookup>()
  let denying: ReadonlySet<SetId> | undefined

  function lookUp(id: SetId): MemberLookup {
    const known = sets.get(id)
    if (known !== undefined) return known
    const made = new MemberLookup(modules.members(id))
    sets.set(id, made)
    return made
  }

  function sideMatches(side: ActiveSide, text: string, port: number | undefined, protocol: number): boolean {
    const address = addressOf(text)
    if (address === undefined) return false
    const inNet = (net: string): boolean => netContains(net, address)
    if (side.nets !== undefined && !side.nets.some(inNet)) return false
    if (side.notNets?.some(inNet) === true) return false
    if (side.sets?.every((id) => lookUp(id).has(address)) === false) return false
    if (side.notSets?.some((id) => lookUp(id).has(address)) === true) return false
    const member = `${text},${protocolWords[protocol] ?? ''}:${String(port)}`
    const inPorts = (ranges: readonly PortRange[] | undefined, ids: readonly SetId[] | undefined): boolean =>
      (port !== undefined && ranges?.some(({ from, to }) => from <= port && port <= to) === true) ||
      ids?.some((id) => lookUp(id).hasMember(member)) === true
    if ((side.ports ?? side.portSets) !== undefined && !inPorts(side.ports, side.portSets)) return false
    return !inPorts(side.notPorts, side.notPortSets)
  }

  function matches(rule: ActiveRule, packet: FlowPacket): boolean {
    if (rule.ipVersion !== undefined && (rule.ipVersion === 4) !== (packet.family === 'ipv4')) return false
    if (rule.protocol !== undefined && rule.protocol !== packet.protocol) return false
    if (rule.notProtocol !== undefined && rule.notProtocol === packet.protocol) return false
    const isIcmp = (match: ActiveRule['icmp']): boolean =>
      match?.type === undefined ||
      (packet.icmp?.type === match.type && (match.code === undefined || packet.icmp.code === match.code))
    if (!isIcmp(rule.icmp)) return false
    if (rule.notICMP?.type !== undefined && isIcmp(rule.notICMP)) return false
    return (
      sideMatches(rule.source, packet.source, packet.sourcePort, packet.protocol) &&
      sideMatches(rule.destination, packet.destination, packet.destinationPort, packet.protocol)
    )
  }

  function verdict(rules: readonly ActiveRule[], packet: FlowPacket): 'Allow' | 'Deny' | 'Pass' | undefined {
    for (const rule of rules) {
      if (rule.action !== 'Log' && matches(rule, packet)) return rule.action
    }
    return undefined
  }

  /** Sets of which a new member can turn a verdict against a flow. */
  function denyingSets(): ReadonlySet<SetId> {
    if (denying !== undefined) return denying
    const found = new Set<SetId>()
    const all = [...policies.values(), ...profiles.values()]
    for (const rules of all) {
      if (rules === 'missing') continue
      for (const { action, source, destination } of [...rules.inbound, ...rules.outbound]) {
        for (const side of [source, destination]) {
          const against =
            action === 'Allow'
              ? [side.notSets, side.notPortSets]
              : action === 'Log'
                ? []
                : [side.sets, side.portSets, side.notSets, side.notPortSets]
          for (const id of against.flatMap((ids) => ids ?? [])) found.add(id)
        }
      }
    }
    denying = found
    return found
  }

  return {
    update(changes) {
      let against = false
      for (const [id, rules] of changes.policies) {
        against = true
        if (rules === undefined) policies.delete(id)
        else policies.set(id, rules)
      }
      for (const [name, rules] of changes.profiles) {
        // One that is new bears only on endpoints that are new or changed themselves.
        against ||= profiles.has(name)
        if (rules === undefined) profiles.delete(name)
        else profiles.set(name, rules)
      }
      if (changes.policies.size + changes.profiles.size > 0) denying = undefined
      for (const [id, change] of changes.sets) {
        sets.delete(id)
        if (change === undefined || change.created) continue
        against ||= change.removed.length > 0 || denyingSets().has(id)
      }
      return against
    },
    judgeTiers(tiers, direction, packet, { ends = true } = {}) {
      for (const tier of tiers) {
        if (tier[direction].length === 0) continue
        let decided: ReturnType<typeof verdict>
        for (const id of tier[direction]) {
          decided = verdict(policies.get(id)?.[direction] ?? [], packet)
          if (decided !== undefined) break
        }
        decided ??= ends ? tier.defaultAction : 'Pass'
        if (decided !== 'Pass') return decided
      }
      return 'Pass'
    },
    profilesAllow(names, direction, packet) {
      for (const name of names) {
        const rules = profiles.get(name) ?? 'missing'
        if (rules === 'missing') return false
        const decided = verdict(rules[direction], packet)
        if (decided === 'Allow' || decided === 'Deny') return decided === 'Allow'
      }
      return false
    },
  }
}

/** Members of a set by network or as they are, each found in a few steps. */
class MemberLookup {
  readonly #members: ReadonlySet<string>
  readonly #nets: readonly string[]

  constructor(members: readonly string[]) {
    this.#members = new Set(members)
    this.#nets = members.filter((member) => !member.includes(',') && !isHost(member))
  }

  has(address: Address): boolean {
    const host = hostText(address)
    return this.#members.has(host) || this.#nets.some((net) => netContains(net, address))
  }

  hasMember(member: string): boolean {
    return this.#members.has(member)
  }
}

const texts = new WeakMap<Address, string>()
const addresses = new Map<string, Address>()
/** Texts that are kept parsed; past it all are forgotten. */
const MOST_TEXTS = 20_000

export function addressOf(text: string): Address | undefined {
  const known = addresses.get(text)
  if (known !== undefined) return known
  const parsed = parseAddress(text)
  if (!parsed.ok) return undefined
  if (addresses.size >= MOST_TEXTS) addresses.clear()
  addresses.set(text, parsed.value)
  texts.set(parsed.value, `${text}/${parsed.value.family === 'ipv4' ? '32' : '128'}`)
  return parsed.value
}

function hostText(address: Address): string {
  return texts.get(address) ?? ''
}

const prefixes = new Map<string, ReturnType<typeof parsePrefix>>()

/** Whether a network given as text has an address. */
export function netContains(net: string, address: Address): boolean {
  let parsed = prefixes.get(net)
  if (parsed === undefined) {
    parsed = parsePrefix(net)
    if (prefixes.size >= MOST_TEXTS) prefixes.clear()
    prefixes.set(net, parsed)
  }
  return (
    parsed.ok && net.includes(':') === (address.family === 'ipv6') && prefixContains(parsed.value, address)
  )
}

function isHost(prefix: string): boolean {
  return prefix.endsWith(prefix.includes(':') ? '/128' : '/32')
}
