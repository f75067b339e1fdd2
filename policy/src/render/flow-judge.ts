/**
 * Whether the rules that rendering writes would let the first packet of a flow pass. The kernel asks them for a flow's
 * first packet only; when policy turns against flows that live, this tells which of them to forget. Naive on purpose: it
 * reads active policy, as rendering does, and sees none of its chains.
 */
import { type Address, type Family, parseAddress, parsePrefix, prefixContains } from '@network/net'
import type {
  ActiveChanges,
  ActiveEndpoint,
  ActiveRule,
  ActiveRules,
  ActiveSide,
  PolicyId,
  PortRange,
  SetId,
} from '../calc/active.ts'

/** A flow as connection tracking knows it: who began it, and where it really went. */
export interface TrackedFlow {
  readonly family: Family
  readonly protocol: number
  readonly source: string
  /** After translation. */
  readonly destination: string
  readonly sourcePort: number | undefined
  readonly destinationPort: number | undefined
  readonly icmp: { readonly type: number; readonly code: number } | undefined
}

export interface FlowJudge {
  /** Takes a change of active policy. True if a flow that was allowed before may not be any more. */
  update(changes: ActiveChanges): boolean
  /** Flows that the host itself begins reach its workloads whatever policy says. */
  setHostAddresses(addresses: ReadonlySet<string>): void
  /** Whether a workload of this node has this address. */
  isLocal(address: string): boolean
  /** True if the policy of a workload of this node does not allow the flow. */
  denies(flow: TrackedFlow): boolean
}

type Direction = 'inbound' | 'outbound'

const protocolWords: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp', 136: 'udplite' }

export function createFlowJudge(modules: { members: (set: SetId) => readonly string[] }): FlowJudge {
  const policies = new Map<PolicyId, ActiveRules>()
  const profiles = new Map<string, ActiveRules | 'missing'>()
  const endpoints = new Map<string, ActiveEndpoint>()
  /** Keys of the endpoints that have an address; one, unless somebody made a mistake. */
  const byAddress = new Map<string, Set<string>>()
  const sets = new Map<SetId, MemberLookup>()
  let denying: ReadonlySet<SetId> | undefined
  let hostAddresses: ReadonlySet<string> = new Set()

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

  function matches(rule: ActiveRule, flow: TrackedFlow): boolean {
    if (rule.ipVersion !== undefined && (rule.ipVersion === 4) !== (flow.family === 'ipv4')) return false
    if (rule.protocol !== undefined && rule.protocol !== flow.protocol) return false
    if (rule.notProtocol !== undefined && rule.notProtocol === flow.protocol) return false
    const isIcmp = (match: ActiveRule['icmp']): boolean =>
      match?.type === undefined ||
      (flow.icmp?.type === match.type && (match.code === undefined || flow.icmp.code === match.code))
    if (!isIcmp(rule.icmp)) return false
    if (rule.notICMP?.type !== undefined && isIcmp(rule.notICMP)) return false
    return (
      sideMatches(rule.source, flow.source, flow.sourcePort, flow.protocol) &&
      sideMatches(rule.destination, flow.destination, flow.destinationPort, flow.protocol)
    )
  }

  function verdict(rules: readonly ActiveRule[], flow: TrackedFlow): 'Allow' | 'Deny' | 'Pass' | undefined {
    for (const rule of rules) {
      if (rule.action !== 'Log' && matches(rule, flow)) return rule.action
    }
    return undefined
  }

  function allows(endpoint: ActiveEndpoint, direction: Direction, flow: TrackedFlow): boolean {
    for (const tier of endpoint.tiers) {
      if (tier[direction].length === 0) continue
      let decided: ReturnType<typeof verdict>
      for (const id of tier[direction]) {
        decided = verdict(policies.get(id)?.[direction] ?? [], flow)
        if (decided !== undefined) break
      }
      decided ??= tier.defaultAction
      if (decided !== 'Pass') return decided === 'Allow'
    }
    for (const name of endpoint.profiles) {
      const rules = profiles.get(name) ?? 'missing'
      if (rules === 'missing') return false
      const decided = verdict(rules[direction], flow)
      if (decided === 'Allow' || decided === 'Deny') return decided === 'Allow'
    }
    return false
  }

  function holder(address: string): ActiveEndpoint | undefined {
    const keys = byAddress.get(address)
    if (keys === undefined) return undefined
    const [first] = keys.size > 1 ? [...keys].sort() : keys
    return first === undefined ? undefined : endpoints.get(first)
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
      for (const [key, endpoint] of changes.endpoints) {
        const before = endpoints.get(key)
        for (const address of before?.addresses ?? []) {
          const keys = byAddress.get(withoutLength(address))
          keys?.delete(key)
          against ||= keys !== undefined && keys.size > 0
          if (keys?.size === 0) byAddress.delete(withoutLength(address))
        }
        if (endpoint === undefined) endpoints.delete(key)
        else endpoints.set(key, endpoint)
        for (const prefix of endpoint?.addresses ?? []) {
          const address = withoutLength(prefix)
          const keys = byAddress.get(address) ?? new Set<string>()
          against ||= keys.size > 0
          byAddress.set(address, keys.add(key))
        }
        // The flows of one that is gone die with it.
        against ||= before !== undefined && endpoint !== undefined
      }
      for (const [id, change] of changes.sets) {
        sets.delete(id)
        if (change === undefined || change.created) continue
        against ||= change.removed.length > 0 || denyingSets().has(id)
      }
      return against
    },
    setHostAddresses(addresses) {
      hostAddresses = addresses
    },
    isLocal: (address) => byAddress.has(address),
    denies(flow) {
      const from = holder(flow.source)
      if (from !== undefined && !allows(from, 'outbound', flow)) return true
      const to = holder(flow.destination)
      if (to === undefined || hostAddresses.has(flow.source)) return false
      return !allows(to, 'inbound', flow)
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

function addressOf(text: string): Address | undefined {
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

function netContains(net: string, address: Address): boolean {
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

function withoutLength(prefix: string): string {
  return prefix.slice(0, prefix.indexOf('/'))
}
