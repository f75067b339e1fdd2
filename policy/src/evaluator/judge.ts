/**
 * One packet's way through the nodes that it meets, as docs/design/policy.md has it: at each node what happens before
 * routing, then where it goes, then who is asked on the way there. It knows tables of the kernel only by the order in
 * which they are passed.
 */
import { type Address, formatAddress, formatPrefix, parseAddress, prefix, prefixContains } from '@network/net'
import { AGENT_DEFAULTS, DNS_PORT, splitAddressAndPort } from '@network/datastore/model'
import { protocolNumber } from '../protocol.ts'
import type {
  Evaluator,
  EvaluatorModel,
  Flow,
  NodeSettings,
  PacketAddresses,
  Party,
  Stage,
  Step,
  Verdict,
} from './flow.ts'
import { createMatcher, type Matcher, type Packet } from './match.ts'
import {
  addressOf,
  type EvaluatorState,
  type HostInterface,
  netsOf,
  readState,
  type Workload,
} from './state.ts'
import type { Thing } from './thing.ts'
import {
  type Direction,
  judgeProfiles,
  judgeTiers,
  type Judgement,
  createTierFinder,
  type TierFinder,
} from './tiers.ts'

/** An evaluator of one state of the model; reads it once. */
export function createEvaluator(model: EvaluatorModel): Evaluator {
  return evaluatorOf(readState(model), model.settings)
}

/** The same of a state that was read already. */
export function evaluatorOf(
  state: EvaluatorState,
  settings: EvaluatorModel['settings'] = () => ({}),
): Evaluator {
  const matcher = createMatcher(state)
  const tiersFor = createTierFinder(state)
  const journey = (): Journey => new Journey(state, matcher, tiersFor, settings)
  return {
    judge: (flow) => journey().judge(flow),
    judgeEndpoint: (name, direction, packet) => journey().judgeEndpoint(name, direction, packet),
  }
}

/** What becomes of the first packet of a flow. */
export function judge(model: EvaluatorModel, flow: Flow): Verdict {
  return createEvaluator(model).judge(flow)
}

/** How a packet comes into a node's hands. */
type Entry =
  | { readonly is: 'workload'; readonly workload: Workload }
  | { readonly is: 'interface'; readonly name: string | undefined }
  | { readonly is: 'host' }

/** Where it goes from there. */
type Exit =
  | { readonly is: 'workload'; readonly workload: Workload }
  | { readonly is: 'host' }
  | { readonly is: 'uplink'; readonly to: string | undefined }

/** Listener reports, solicitations and advertisements (RFC 4890, 4.4.1): hosts always take part in them. */
const NEIGHBOUR_MESSAGES: readonly number[] = [130, 131, 132, 133, 134, 135, 136, 143]
const LINK_LOCAL = prefix('fe80::/10')
const LOOPBACK = prefix('127.0.0.0/8')

class Journey {
  readonly #state: EvaluatorState
  readonly #matcher: Matcher
  readonly #tiersFor: TierFinder
  readonly #settings: (node: string) => NodeSettings
  readonly #steps: Step[] = []
  #untracked = false

  constructor(
    state: EvaluatorState,
    matcher: Matcher,
    tiersFor: TierFinder,
    settings: (node: string) => NodeSettings,
  ) {
    this.#state = state
    this.#matcher = matcher
    this.#tiersFor = tiersFor
    this.#settings = settings
  }

  judge(flow: Flow): Verdict {
    return { action: this.#run(flow) ? 'allow' : 'deny', steps: this.#steps, untracked: this.#untracked }
  }

  judgeEndpoint(
    name: string,
    direction: Direction,
    { source, destination, ...rest }: PacketAddresses,
  ): Verdict {
    const workload = this.#state.workloads.get(name)
    const packet = this.#packetOf({
      from: { is: 'address', address: source },
      to: { is: 'address', address: destination },
      ...rest,
    })
    let allowed = false
    if (workload === undefined) this.#lost(`there is no endpoint ${name}`)
    else if (typeof packet === 'string') this.#lost(packet)
    else allowed = this.#endpointPolicy(workload.spec.node, workload, direction, packet)
    return { action: allowed ? 'allow' : 'deny', steps: this.#steps, untracked: false }
  }

  #run(flow: Flow): boolean {
    const packet = this.#packetOf(flow)
    if (typeof packet === 'string') return this.#lost(packet)
    const { from } = flow
    if (from.is === 'workload') {
      const workload = this.#state.workloads.get(from.name)
      if (workload === undefined) return this.#lost(`there is no endpoint ${from.name}`)
      return this.#atNode(workload.spec.node, packet, { is: 'workload', workload })
    }
    if (from.is === 'host') return this.#atNode(from.node, packet, { is: 'host' })
    const node = this.#nodeOf(packet.destination)
    if (node === undefined) return this.#lost('neither end is on a node')
    return this.#atNode(node, packet, { is: 'interface', name: from.interfaceName ?? this.#uplinkOf(node) })
  }

  #atNode(node: string, arriving: Packet, entry: Entry): boolean {
    if (entry.is === 'workload' && !this.#checkSource(entry.workload, arriving)) return false
    if (entry.is === 'workload' && asksForLease(entry.workload, arriving)) {
      return this.#goes(node, 'ingress', 'workload to host', 'it asks for an address by DHCP')
    }
    const early = this.#exitOf(node, arriving)
    const interfaceIn = entry.is === 'interface' ? entry.name : undefined
    let cleared = false
    let tracked = true
    if (entry.is === 'interface') {
      const untracked = this.#early(node, entry.name, 'untracked', 'ingress', arriving)
      if (untracked === 'deny') return false
      const preDNAT =
        untracked === 'allow' ? 'allow' : this.#early(node, entry.name, 'pre-DNAT', 'ingress', arriving)
      if (preDNAT === 'deny') return false
      cleared = preDNAT === 'allow'
      tracked = untracked !== 'allow'
    } else if (entry.is === 'host' && early.is === 'uplink') {
      const untracked = this.#early(node, this.#uplinkOf(node), 'untracked', 'egress', arriving)
      if (untracked === 'deny') return false
      cleared = untracked === 'allow'
      tracked = !cleared
    }
    this.#untracked ||= !tracked
    // Translation is connection tracking's work.
    const packet = tracked ? this.#translate(node, arriving) : arriving
    const exit = this.#exitOf(node, packet)
    if (exit.is === 'host') {
      if (entry.is === 'host') return this.#goes(node, 'ingress', 'routing', 'a host reaches itself')
      if (entry.is === 'workload') return this.#workloadToHost(node, entry.workload, packet)
      return cleared || this.#hostPolicy(node, interfaceIn, 'ingress', packet)
    }
    if (entry.is === 'host') {
      if (exit.is === 'workload') {
        return this.#goes(node, 'egress', 'host to workload', 'a host reaches its own workloads')
      }
      if (!cleared && !this.#hostPolicy(node, this.#uplinkOf(node), 'egress', packet)) return false
      return this.#leave(node, packet, exit)
    }
    if (entry.is === 'interface' && !cleared && !this.#forward(node, interfaceIn, 'ingress', packet)) {
      return false
    }
    if (entry.is === 'workload' && !this.#endpointPolicy(node, entry.workload, 'egress', packet)) return false
    if (exit.is === 'workload') return this.#endpointPolicy(node, exit.workload, 'ingress', packet)
    if (!this.#forward(node, this.#uplinkOf(node), 'egress', packet)) return false
    return this.#leave(node, packet, exit)
  }

  /** On the way to another node, or out of the cluster, with another source if a pool asks for that. */
  #leave(node: string, packet: Packet, exit: Extract<Exit, { is: 'uplink' }>): boolean {
    if (exit.to === undefined) return true
    const inPool = (address: Address): boolean =>
      this.#state.pools.some(({ net }) => prefixContains(net, address))
    const asks = this.#state.pools.some(
      ({ net, natOutgoing }) => natOutgoing && prefixContains(net, packet.source),
    )
    let { source } = packet
    if (asks && !inPool(packet.destination)) {
      const own = addressOf(this.#state.nodeAddresses.get(node) ?? [], packet.family)
      const parsed = own === undefined ? undefined : parseAddress(own)
      if (parsed?.ok === true) {
        source = parsed.value
        this.#note(node, `Node ${node}`, 'egress', 'translation', {
          action: 'translate',
          reason: `the source becomes ${formatAddress(source)}`,
        })
      }
    }
    const entry: Entry = { is: 'interface', name: this.#uplinkOf(exit.to) }
    return this.#atNode(exit.to, { ...packet, source }, entry)
  }

  #checkSource(workload: Workload, { source, destination }: Packet): boolean {
    const own = [...workload.nets, ...netsOf(workload.spec.allowSpoofedSourcePrefixes ?? []), LINK_LOCAL]
    const { node } = workload.spec
    if (prefixContains(LOOPBACK, destination)) {
      const reason = "a workload can't reach loopback addresses of its node"
      this.#note(node, workload.id, 'egress', 'source check', { action: 'deny', reason })
      return false
    }
    if (own.some((net) => prefixContains(net, source))) return true
    const reason = `${formatAddress(source)} is no source that it may send from`
    this.#note(node, workload.id, 'egress', 'source check', { action: 'deny', reason })
    return false
  }

  /** The lists that are judged before routing. 'undecided': goes on. */
  #early(
    node: string,
    interfaceName: string | undefined,
    stage: 'untracked' | 'pre-DNAT',
    direction: Direction,
    packet: Packet,
  ): Judgement['decision'] {
    const host = this.#hostAt(node, interfaceName)
    if (host === undefined || isNeighbourMessage(packet)) return 'undecided'
    const tiers = this.#tiersFor(host, direction, stage)
    if (tiers.length === 0) return 'undecided'
    if (this.#isFailsafe(node, direction, packet, { answers: stage === 'untracked' })) {
      this.#note(node, host.id, direction, stage, { action: 'pass', reason: 'a failsafe port goes past it' })
      return 'undecided'
    }
    const judgement = judgeTiers(tiers, direction, packet, this.#matcher, { ends: false })
    this.#noteAll(node, host, direction, stage, judgement)
    return judgement.decision
  }

  #forward(node: string, interfaceName: string | undefined, direction: Direction, packet: Packet): boolean {
    const host = this.#hostAt(node, interfaceName)
    if (host === undefined) return true
    const tiers = this.#tiersFor(host, direction, 'forward')
    const judgement = judgeTiers(tiers, direction, packet, this.#matcher, { ends: true })
    this.#noteAll(node, host, direction, 'forward', judgement)
    return judgement.decision !== 'deny'
  }

  #hostPolicy(
    node: string,
    interfaceName: string | undefined,
    direction: Direction,
    packet: Packet,
  ): boolean {
    const host = this.#hostAt(node, interfaceName)
    if (host === undefined) {
      return this.#goes(node, direction, 'policy', 'no HostEndpoint has the interface')
    }
    if (isNeighbourMessage(packet)) return true
    if (this.#isFailsafe(node, direction, packet, { answers: false })) {
      this.#note(node, host.id, direction, 'policy', { action: 'allow', reason: 'it is a failsafe port' })
      return true
    }
    return this.#endpointPolicy(node, host, direction, packet)
  }

  #endpointPolicy(node: string, endpoint: Thing, direction: Direction, packet: Packet): boolean {
    const tiers = this.#tiersFor(endpoint, direction, 'normal')
    const byPolicy = judgeTiers(tiers, direction, packet, this.#matcher, { ends: true })
    this.#noteAll(node, endpoint, direction, 'policy', byPolicy)
    if (byPolicy.decision !== 'undecided') return byPolicy.decision === 'allow'
    const byProfiles = judgeProfiles(this.#state, endpoint, direction, packet, this.#matcher)
    this.#noteAll(node, endpoint, direction, 'profiles', byProfiles)
    return byProfiles.decision === 'allow'
  }

  #workloadToHost(node: string, workload: Workload, packet: Packet): boolean {
    if (isNeighbourMessage(packet)) return true
    if (!this.#endpointPolicy(node, workload, 'egress', packet)) return false
    if (this.#isQuestion(node, packet)) {
      const reason = "the agent answers for names there ('dnsListen')"
      this.#note(node, `Node ${node}`, 'ingress', 'workload to host', { action: 'allow', reason })
      return true
    }
    const action = this.#settings(node).endpointToHostAction ?? AGENT_DEFAULTS.endpointToHostAction
    this.#note(node, `Node ${node}`, 'ingress', 'workload to host', {
      action: action === 'Drop' ? 'deny' : 'allow',
      reason: `endpointToHostAction is ${action}`,
    })
    return action !== 'Drop'
  }

  #isQuestion(node: string, { protocol, destination, destinationPort }: Packet): boolean {
    if (protocol !== protocolNumber('UDP') && protocol !== protocolNumber('TCP')) return false
    return (this.#settings(node).dnsListen ?? []).some((text) => {
      const listens = splitAddressAndPort(text)
      return (
        listens.ok &&
        listens.value.address === formatAddress(destination) &&
        (listens.value.port ?? DNS_PORT) === destinationPort
      )
    })
  }

  /** A port of the host that leads to a workload. */
  #translate(node: string, packet: Packet): Packet {
    const addresses = this.#state.nodeAddresses.get(node) ?? []
    if (!addresses.some((net) => prefixContains(net, packet.destination))) return packet
    for (const workload of this.#state.workloads.values()) {
      if (workload.spec.node !== node) continue
      const mapping = (workload.spec.portMappings ?? []).find(
        ({ protocol, hostPort, hostIP }) =>
          protocolNumber(protocol) === packet.protocol &&
          hostPort === packet.destinationPort &&
          (hostIP === undefined || netsOf([hostIP]).some((net) => prefixContains(net, packet.destination))),
      )
      const own = addressOf(workload.nets, packet.family)
      const parsed = own === undefined ? undefined : parseAddress(own)
      if (mapping === undefined || parsed?.ok !== true) continue
      const reason = `the destination becomes ${formatAddress(parsed.value)}, port ${String(mapping.port)}`
      this.#note(node, `Node ${node}`, 'ingress', 'translation', { action: 'translate', reason })
      return { ...packet, destination: parsed.value, destinationPort: mapping.port }
    }
    return packet
  }

  #isFailsafe(
    node: string,
    direction: Direction,
    packet: Packet,
    { answers }: { readonly answers: boolean },
  ): boolean {
    const { failsafeInbound, failsafeOutbound } = { ...AGENT_DEFAULTS, ...this.#settings(node) }
    const peer = direction === 'ingress' ? packet.source : packet.destination
    const [own, others] =
      direction === 'ingress' ? [failsafeInbound, failsafeOutbound] : [failsafeOutbound, failsafeInbound]
    const names = (list: readonly string[], port: number | undefined): boolean =>
      list.some((text) => {
        const [head = '', within] = text.split('@')
        const [protocol = '', number] = head.split(':')
        return (
          protocolNumber(protocol) === packet.protocol &&
          Number(number) === port &&
          (within === undefined || netsOf([within]).some((net) => prefixContains(net, peer)))
        )
      })
    return names(own, packet.destinationPort) || (answers && names(others, packet.sourcePort))
  }

  #hostAt(node: string, interfaceName: string | undefined): HostInterface | undefined {
    if (interfaceName === 'lo') return undefined
    const ofNode = this.#state.hosts.filter(({ spec }) => spec.node === node)
    const named = ofNode.find(
      (host) => this.#interfaceOf(host) === interfaceName && interfaceName !== undefined,
    )
    return named ?? ofNode.find((host) => this.#interfaceOf(host) === '*')
  }

  #interfaceOf({ spec, nets }: HostInterface): string | undefined {
    if (spec.interfaceName !== undefined) return spec.interfaceName
    const interfaces = Object.entries(this.#settings(spec.node).interfaces ?? {})
    return interfaces
      .filter(([, addresses]) =>
        netsOf(addresses).some(({ address }) => nets.some((net) => prefixContains(net, address))),
      )
      .map(([name]) => name)
      .sort()[0]
  }

  #uplinkOf(node: string): string | undefined {
    const { uplink } = this.#settings(node)
    if (uplink !== undefined) return uplink
    const named = this.#state.hosts
      .filter(({ spec }) => spec.node === node)
      .flatMap((host) => this.#interfaceOf(host) ?? [])
      .filter((name) => name !== '*')
    return new Set(named).size === 1 ? named[0] : undefined
  }

  #exitOf(node: string, { destination }: Packet): Exit {
    const workload = this.#workloadAt(destination)
    if (workload?.spec.node === node) return { is: 'workload', workload }
    const to = workload?.spec.node ?? this.#hostWith(destination)
    return to === node ? { is: 'host' } : { is: 'uplink', to }
  }

  #nodeOf(destination: Address): string | undefined {
    return this.#workloadAt(destination)?.spec.node ?? this.#hostWith(destination)
  }

  #workloadAt(address: Address): Workload | undefined {
    return this.#state.byAddress.get(formatAddress(address))
  }

  #hostWith(address: Address): string | undefined {
    for (const [node, nets] of this.#state.nodeAddresses) {
      if (nets.some((net) => prefixContains(net, address))) return node
    }
    return undefined
  }

  /** The packet, or the end of a sentence that says why there can't be one. */
  #packetOf(flow: Flow): Packet | string {
    const source = this.#addressOf(flow.from, flow)
    if (typeof source === 'string') return source
    const destination = this.#addressOf(flow.to, flow)
    if (typeof destination === 'string') return destination
    const protocol = protocolNumber(flow.protocol)
    if (protocol === undefined) return `${String(flow.protocol)} is no protocol`
    const { family, sourcePort, destinationPort, icmp } = flow
    return { family, source, destination, protocol, sourcePort, destinationPort, icmp }
  }

  #addressOf(party: Party, { family }: Flow): Address | string {
    const nets =
      party.is === 'workload'
        ? this.#state.workloads.get(party.name)?.nets
        : party.is === 'host'
          ? this.#state.nodeAddresses.get(party.node)
          : []
    const who =
      party.is === 'workload' ? `endpoint ${party.name}` : party.is === 'host' ? `node ${party.node}` : ''
    if (party.is === 'workload' && nets === undefined) return `there is no ${who}`
    const text = party.address ?? addressOf(nets ?? [], family)
    if (text === undefined) return `${who} has no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`
    const parsed = parseAddress(text)
    if (!parsed.ok) return `'${text}' is no address`
    return parsed.value.family === family ? parsed.value : `${text} is not an address of ${family}`
  }

  #goes(node: string, direction: Direction, stage: Stage, reason: string): true {
    this.#note(node, `Node ${node}`, direction, stage, { action: 'allow', reason })
    return true
  }

  #lost(reason: string): false {
    this.#note('', '', 'egress', 'routing', { action: 'deny', reason })
    return false
  }

  #noteAll(node: string, { id }: Thing, direction: Direction, stage: Stage, { steps }: Judgement): void {
    for (const step of steps) this.#note(node, id, direction, stage, step)
  }

  #note(
    node: string,
    at: string,
    direction: Direction,
    stage: Stage,
    step: Omit<Step, 'node' | 'at' | 'direction' | 'stage'>,
  ): void {
    this.#steps.push({ node, at, direction, stage, ...step })
  }
}

/** DHCP from whoever may send without an address. */
function asksForLease(
  { spec }: Workload,
  { family, protocol, source, destination, sourcePort, destinationPort }: Packet,
): boolean {
  return (
    family === 'ipv4' &&
    protocol === 17 &&
    sourcePort === 68 &&
    destinationPort === 67 &&
    formatAddress(source) === '0.0.0.0' &&
    formatAddress(destination) === '255.255.255.255' &&
    netsOf(spec.allowSpoofedSourcePrefixes ?? []).some((net) => formatPrefix(net) === '0.0.0.0/32')
  )
}

function isNeighbourMessage({ family, protocol, icmp }: Packet): boolean {
  return family === 'ipv6' && protocol === 58 && icmp !== undefined && NEIGHBOUR_MESSAGES.includes(icmp.type)
}
