/**
 * What a change of the model means for traffic. The flows are put into classes that neither state can tell apart: ends
 * by everything that rules ask of them, protocols, ports and messages by where the rules in question cut them. One flow
 * of each class is judged in both states, and only between ends of which one has other rules than before.
 */
import type { Family } from '@network/net'
import { AGENT_DEFAULTS, DNS_PORT, type Rule, splitAddressAndPort } from '@network/datastore/model'
import { protocolNumber } from '../protocol.ts'
import type { CompareOptions, FlowComparison } from './comparison.ts'
import { type End, endsOf } from './ends.ts'
import type { Evaluator, EvaluatorModel, Flow } from './flow.ts'
import { type FlowClass, flowClasses } from './flow-space.ts'
import { type Difference, gather } from './gather.ts'
import { evaluatorOf } from './judge.ts'
import { meaningOf } from './match.ts'
import { type EvaluatorState, type Policy, readState } from './state.ts'
import type { Thing } from './thing.ts'
import { createTierFinder, type Direction, type PolicyList, type TierFinder } from './tiers.ts'

const MAX_FLOWS = 200_000

const COVERS =
  'Compared: new flows of every protocol, port and ICMP message, over IPv4 and IPv6, between workloads that are in both' +
  ' states, nodes with host endpoints, and all addresses outside, in both directions.' +
  ' Not compared: flows that exist already, spoofed sources, ports of hosts that lead to workloads.'

/** Which flows one state lets through and the other doesn't. */
export function compareFlows(
  before: EvaluatorModel,
  after: EvaluatorModel,
  options: CompareOptions = {},
): FlowComparison {
  const [was, is] = sidesOf(before, after)
  const ends = endsOf(was.state, is.state)
  const programs = new Map(ends.map((end) => [end, programOf(end, was, is)]))
  const maxFlows = options.maxFlows ?? MAX_FLOWS
  const special = specialPorts([before, after], ends)
  const things = [...was.state.things, ...is.state.things]
  const differences: Difference[] = []
  let judged = 0
  for (const from of ends) {
    for (const to of ends) {
      const rules = rulesInQuestion(from, to, programs)
      if (rules === undefined) continue
      const [sender, receiver] = from === to ? from.samples : [from.samples[0], to.samples[0]]
      if (sender === undefined || receiver === undefined) continue
      const hasHost = from.end.is === 'host' || to.end.is === 'host' || special.length > 0
      const classes = flowClasses(rules, things, hasHost ? special : [])
      for (const family of from.families) {
        if (!to.families.includes(family)) continue
        const all = classes.filter((one) => fits(one, family))
        for (const flowClass of all) {
          if (judged >= maxFlows)
            return { changes: gather(differences), complete: false, judged, covers: COVERS }
          judged++
          const flow = flowOf(flowClass, family, sender, receiver)
          const { action } = is.evaluator.judge(flow)
          if (action === was.evaluator.judge(flow).action) continue
          const change = action === 'allow' ? 'gains' : 'loses'
          differences.push({ change, from, to, family, flowClass, all, flow })
        }
      }
    }
  }
  return { changes: gather(differences), complete: true, judged, covers: COVERS }
}

interface Side {
  readonly state: EvaluatorState
  readonly tiersFor: TierFinder
  readonly evaluator: Evaluator
  /** Endpoints and sets that are otherwise in the other state: rules mean the rest alike. */
  readonly differing: readonly Thing[]
}

function sidesOf(before: EvaluatorModel, after: EvaluatorModel): [Side, Side] {
  const [was, is] = [readState(before), readState(after)]
  const text = ({ spec: _, ...thing }: Thing & { readonly spec?: unknown }): string => JSON.stringify(thing)
  const but = (things: readonly Thing[], others: readonly Thing[]): Thing[] => {
    const known = new Set(others.map(text))
    return things.filter((thing) => !known.has(text(thing)))
  }
  return [sideOf(was, before, but(was.things, is.things)), sideOf(is, after, but(is.things, was.things))]
}

function sideOf(state: EvaluatorState, model: EvaluatorModel, differing: readonly Thing[]): Side {
  const tiersFor = createTierFinder(state)
  return { state, tiersFor, evaluator: evaluatorOf(state, model.settings), differing }
}

/** The rules that judge an end, of both states, and whether the two mean the same. */
type Program = Readonly<Record<Direction, { readonly rules: readonly Rule[]; readonly changed: boolean }>>

const NOTHING: Program = {
  ingress: { rules: [], changed: false },
  egress: { rules: [], changed: false },
}

function programOf(end: End, was: Side, is: Side): { readonly own: Program; readonly host: Program } {
  const sample = end.samples[0]
  const own =
    sample?.is === 'workload'
      ? program(
          ['normal'],
          [
            [was, was.state.workloads.get(sample.name)],
            [is, is.state.workloads.get(sample.name)],
          ],
        )
      : NOTHING
  return { own, host: hostProgram(end.node, was, is) }
}

/** Of all host endpoints of a node together, both directions in each, since answers of one are asked in the other. */
function hostProgram(node: string | undefined, was: Side, is: Side): Program {
  if (node === undefined) return NOTHING
  const programs = [...new Set([...was.state.hosts, ...is.state.hosts].map(({ name }) => name))].map(
    (name) => {
      const find = ({ state }: Side): Thing | undefined =>
        state.hosts.find((host) => host.name === name && host.spec.node === node)
      return program(
        ['untracked', 'pre-DNAT', 'forward', 'normal'],
        [
          [was, find(was)],
          [is, find(is)],
        ],
      )
    },
  )
  const both = programs.flatMap(({ ingress, egress }) => [ingress, egress])
  const merged = { rules: both.flatMap(({ rules }) => rules), changed: both.some(({ changed }) => changed) }
  return { ingress: merged, egress: merged }
}

function program(
  lists: readonly PolicyList[],
  sides: readonly (readonly [Side, Thing | undefined])[],
): Program {
  const inDirection = (direction: Direction): Program[Direction] => {
    const rules: Rule[] = []
    const texts = sides.map(([side, endpoint]) => {
      if (endpoint === undefined) return 'absent'
      const meaning = (own: readonly Rule[], namespace: string | undefined): string[] => {
        rules.push(...own)
        return own.map((rule) => meaningOf(rule, namespace, side.differing))
      }
      const ofPolicy = (policy: Policy): unknown => meaning(policy[direction] ?? [], policy.namespace)
      return JSON.stringify([
        lists.map((list) =>
          side
            .tiersFor(endpoint, direction, list)
            .map(({ defaultAction, policies }) => [defaultAction, policies.map(ofPolicy)]),
        ),
        endpoint.profiles.map((name) => {
          const profile = side.state.profiles.get(name)
          return profile === undefined ? null : meaning(profile[direction], undefined)
        }),
      ])
    })
    return { rules, changed: new Set(texts).size > 1 }
  }
  return { ingress: inDirection('ingress'), egress: inDirection('egress') }
}

/** The rules between two ends, if any of those who are asked says something else than before. */
function rulesInQuestion(
  from: End,
  to: End,
  programs: ReadonlyMap<End, { readonly own: Program; readonly host: Program }>,
): readonly Rule[] | undefined {
  if (from.end.is !== 'workloads' && to.end.is !== 'workloads' && from.end.is === to.end.is) {
    if (from.end.is === 'addresses' || from === to) return undefined
  }
  const [sender, receiver] = [programs.get(from), programs.get(to)]
  if (sender === undefined || receiver === undefined) return undefined
  const asked = [sender.own.egress, sender.host.egress, receiver.own.ingress, receiver.host.ingress]
  if (!asked.some(({ changed }) => changed)) return undefined
  return [...new Set(asked.flatMap(({ rules }) => rules))]
}

/** Ports of hosts that are open whatever policy or the host's own setting says. */
function specialPorts(models: readonly EvaluatorModel[], ends: readonly End[]): readonly string[] {
  const nodes = ends.flatMap(({ end }) => (end.is === 'host' ? end.node : []))
  const ports = nodes.flatMap((node) =>
    models.flatMap(({ settings }) => {
      const { failsafeInbound, failsafeOutbound, dnsListen } = { ...AGENT_DEFAULTS, ...settings?.(node) }
      const failsafes = [...failsafeInbound, ...failsafeOutbound].map((text) => {
        const [protocol = '', port = ''] = text.split('@')[0]?.split(':') ?? []
        return `${String(protocolNumber(protocol) ?? 0)}:${port}`
      })
      const resolvers = dnsListen.flatMap((text) => {
        const listens = splitAddressAndPort(text)
        const port = String(listens.ok ? (listens.value.port ?? DNS_PORT) : 0)
        return ['tcp', 'udp'].map((protocol) => `${String(protocolNumber(protocol))}:${port}`)
      })
      return [...failsafes, ...resolvers]
    }),
  )
  return [...new Set(ports)]
}

/** ICMP is IPv4's and ICMPv6 is IPv6's. */
function fits({ protocol }: FlowClass, family: Family): boolean {
  return protocol === 1 ? family === 'ipv4' : protocol !== 58 || family === 'ipv6'
}

function flowOf(
  { protocol, sourcePorts, destinationPorts, icmp }: FlowClass,
  family: Family,
  from: Flow['from'],
  to: Flow['to'],
): Flow {
  return {
    from,
    to,
    family,
    protocol,
    ...(sourcePorts === undefined ? {} : { sourcePort: sourcePorts.to }),
    ...(destinationPorts === undefined ? {} : { destinationPort: destinationPorts.to }),
    ...(icmp === undefined ? {} : { icmp: { type: icmp.type, code: icmp.code } }),
  }
}
