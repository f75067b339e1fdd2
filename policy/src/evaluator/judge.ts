/**
 * One packet's way through the nodes that it meets, as docs/design/policy.md has it: at each node what happens before
 * routing, then where it goes, then who is asked on the way there. It knows tables of the kernel only by the order in
 * which they are passed.
 */
import { formatAddress, prefix, prefixContains } from '@network/net'
import { AGENT_DEFAULTS } from '@network/datastore/model'
import { asksForLease, asksForName, isFailsafe, isNeighbourMessage } from './exemptions.ts'
import type { Evaluator, EvaluatorModel, Flow, PacketAddresses, Stage, Step, Verdict } from './flow.ts'
import { createMatcher, type Matcher } from './match.ts'
import { netsOf } from './nets.ts'
import { type Packet, packetOf } from './packet.ts'
import { type EvaluatorState, readState, type Workload } from './state.ts'
import type { Thing } from './thing.ts'
import {
  type Direction,
  judgeProfiles,
  judgeTiers,
  type Judgement,
  createTierFinder,
  type TierFinder,
} from './tiers.ts'
import { createTopology, type Exit, type Topology } from './topology.ts'
import { mappedDestination, outgoingSource } from './translation.ts'

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
  const topology = createTopology(state, settings)
  const journey = (): Journey => new Journey(state, topology, matcher, tiersFor)
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

const LINK_LOCAL = prefix('fe80::/10')
const LOOPBACK = prefix('127.0.0.0/8')

class Journey {
  readonly #state: EvaluatorState
  readonly #topology: Topology
  readonly #matcher: Matcher
  readonly #tiersFor: TierFinder
  readonly #steps: Step[] = []
  #untracked = false

  constructor(state: EvaluatorState, topology: Topology, matcher: Matcher, tiersFor: TierFinder) {
    this.#state = state
    this.#topology = topology
    this.#matcher = matcher
    this.#tiersFor = tiersFor
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
    const from = { is: 'address', address: source } as const
    const to = { is: 'address', address: destination } as const
    const packet = packetOf({ from, to, ...rest }, this.#state)
    let allowed = false
    if (workload === undefined) this.#lost(`there is no endpoint ${name}`)
    else if (typeof packet === 'string') this.#lost(packet)
    else allowed = this.#endpointPolicy(workload.spec.node, workload, direction, packet)
    return { action: allowed ? 'allow' : 'deny', steps: this.#steps, untracked: false }
  }

  #run(flow: Flow): boolean {
    const packet = packetOf(flow, this.#state)
    if (typeof packet === 'string') return this.#lost(packet)
    const { from } = flow
    if (from.is === 'workload') {
      const workload = this.#state.workloads.get(from.name)
      if (workload === undefined) return this.#lost(`there is no endpoint ${from.name}`)
      return this.#atNode(workload.spec.node, packet, { is: 'workload', workload })
    }
    if (from.is === 'host') return this.#atNode(from.node, packet, { is: 'host' })
    const node = this.#topology.nodeOf(packet.destination)
    if (node === undefined) return this.#lost('neither end is on a node')
    const name = from.interfaceName ?? this.#topology.uplinkOf(node)
    return this.#atNode(node, packet, { is: 'interface', name })
  }

  #atNode(node: string, arriving: Packet, entry: Entry): boolean {
    if (entry.is === 'workload' && !this.#checkSource(entry.workload, arriving)) return false
    if (entry.is === 'workload' && asksForLease(entry.workload, arriving)) {
      return this.#goes(node, 'ingress', 'workload to host', 'it asks for an address by DHCP')
    }
    const early = this.#topology.exitOf(node, arriving.destination)
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
      const untracked = this.#early(node, this.#topology.uplinkOf(node), 'untracked', 'egress', arriving)
      if (untracked === 'deny') return false
      cleared = untracked === 'allow'
      tracked = !cleared
    }
    this.#untracked ||= !tracked
    // Translation is connection tracking's work.
    const packet = tracked ? this.#translate(node, arriving) : arriving
    const exit = this.#topology.exitOf(node, packet.destination)
    if (exit.is === 'host') {
      if (entry.is === 'host') return this.#goes(node, 'ingress', 'routing', 'a host reaches itself')
      if (entry.is === 'workload') return this.#workloadToHost(node, entry.workload, packet)
      return cleared || this.#hostPolicy(node, interfaceIn, 'ingress', packet)
    }
    if (entry.is === 'host') {
      if (exit.is === 'workload') {
        return this.#goes(node, 'egress', 'host to workload', 'a host reaches its own workloads')
      }
      if (!cleared && !this.#hostPolicy(node, this.#topology.uplinkOf(node), 'egress', packet)) return false
      return this.#leave(node, packet, exit)
    }
    if (entry.is === 'interface' && !cleared && !this.#forward(node, interfaceIn, 'ingress', packet)) {
      return false
    }
    if (entry.is === 'workload' && !this.#endpointPolicy(node, entry.workload, 'egress', packet)) return false
    if (exit.is === 'workload') return this.#endpointPolicy(node, exit.workload, 'ingress', packet)
    if (!this.#forward(node, this.#topology.uplinkOf(node), 'egress', packet)) return false
    return this.#leave(node, packet, exit)
  }

  /** On the way to another node, or out of the cluster, with another source if a pool asks for that. */
  #leave(node: string, packet: Packet, exit: Extract<Exit, { is: 'uplink' }>): boolean {
    if (exit.to === undefined) return true
    const translated = outgoingSource(this.#state, node, packet)
    if (translated !== undefined) {
      const reason = `the source becomes ${formatAddress(translated)}`
      this.#note(node, `Node ${node}`, 'egress', 'translation', { action: 'translate', reason })
    }
    const source = translated ?? packet.source
    const entry: Entry = { is: 'interface', name: this.#topology.uplinkOf(exit.to) }
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
    const host = this.#topology.hostAt(node, interfaceName)
    if (host === undefined || isNeighbourMessage(packet)) return 'undecided'
    const tiers = this.#tiersFor(host, direction, stage)
    if (tiers.length === 0) return 'undecided'
    if (isFailsafe(packet, direction, this.#topology.settings(node), { answers: stage === 'untracked' })) {
      this.#note(node, host.id, direction, stage, { action: 'pass', reason: 'a failsafe port goes past it' })
      return 'undecided'
    }
    const judgement = judgeTiers(tiers, direction, packet, this.#matcher, { ends: false })
    this.#noteAll(node, host, direction, stage, judgement)
    return judgement.decision
  }

  #forward(node: string, interfaceName: string | undefined, direction: Direction, packet: Packet): boolean {
    const host = this.#topology.hostAt(node, interfaceName)
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
    const host = this.#topology.hostAt(node, interfaceName)
    if (host === undefined) {
      return this.#goes(node, direction, 'policy', 'no HostEndpoint has the interface')
    }
    if (isNeighbourMessage(packet)) return true
    if (isFailsafe(packet, direction, this.#topology.settings(node), { answers: false })) {
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
    const settings = this.#topology.settings(node)
    if (asksForName(packet, settings)) {
      const reason = "the agent answers for names there ('dnsListen')"
      this.#note(node, `Node ${node}`, 'ingress', 'workload to host', { action: 'allow', reason })
      return true
    }
    const action = settings.endpointToHostAction ?? AGENT_DEFAULTS.endpointToHostAction
    this.#note(node, `Node ${node}`, 'ingress', 'workload to host', {
      action: action === 'Drop' ? 'deny' : 'allow',
      reason: `endpointToHostAction is ${action}`,
    })
    return action !== 'Drop'
  }

  /** A port of the host that leads to a workload. */
  #translate(node: string, packet: Packet): Packet {
    const mapped = mappedDestination(this.#state, node, packet)
    if (mapped === undefined) return packet
    const { destination, destinationPort } = mapped
    const reason = `the destination becomes ${formatAddress(destination)}, port ${String(destinationPort)}`
    this.#note(node, `Node ${node}`, 'ingress', 'translation', { action: 'translate', reason })
    return { ...packet, ...mapped }
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
