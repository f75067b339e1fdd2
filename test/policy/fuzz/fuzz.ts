/**
 * Random states and probes, judged by the evaluator and by the kernel. A disagreement is made small before it is told:
 * whatever can be left out of the state while the two still disagree is left out.
 */
import type { Backend } from '../../../agent/src/drivers/iptables/programs.ts'
import { actor } from '../actors.ts'
import type { Draft, State, Traits } from '../case.ts'
import { createPolicyNode, type PolicyNode } from '../node.ts'
import { createOracle } from '../oracle.ts'
import type { Probe } from '../probe.ts'
import { type Heard, type Rack, buildRack } from '../rack.ts'
import { outletOf, packetOf } from '../shooting.ts'
import { createRandom } from './random.ts'
import { randomProbes } from './random-probe.ts'
import { mutateState, randomState } from './random-state.ts'

export interface FuzzOptions {
  readonly probes: number
  readonly seed: number
  readonly backend: Backend
  /** Ends at the first disagreement; default true. */
  readonly stopAtFirst?: boolean
  readonly progress?: (probes: number) => void
}

export interface Disagreement {
  readonly probe: Probe
  readonly evaluator: boolean
  readonly kernel: boolean
  readonly explanation: string
  /** The smallest state found in which they disagree. */
  readonly state: State
}

export interface FuzzReport {
  readonly probes: number
  readonly allowed: number
  readonly states: number
  readonly restarts: number
  readonly disagreements: readonly Disagreement[]
  /** What drivers could not write, and what a restart wrote again: there should be none. */
  readonly faults: readonly string[]
}

const probesPerState = 120
/** Every so many states the node forgets everything and takes over what its kernel has. */
const restartEvery = 25
/** Every so many states nothing of the state before is kept. */
const freshEvery = 4

interface Judged {
  readonly probe: Probe
  readonly evaluator: boolean
  readonly kernel: boolean
}

/** A port of the host may lead to a workload, so that what is sent to the host comes out anywhere. */
function cameThrough(probe: Probe, heard: readonly Heard[]): boolean {
  return probe.to === 'host' ? heard.length > 0 : heard.some(({ at }) => at === outletOf(probe))
}

async function judgeAll(rack: Rack, state: State, probes: readonly Probe[]): Promise<Judged[]> {
  const oracle = createOracle(state)
  const shots = probes.flatMap((probe) => {
    const expected = oracle.allows(probe)
    return expected === undefined ? [] : [{ probe, from: probe.from, packet: packetOf(probe), expected }]
  })
  const heard = await rack.shoot(shots)
  return shots.map(({ probe, packet, expected }) => ({
    probe,
    evaluator: expected,
    kernel: cameThrough(probe, heard.get(packet.tag) ?? []),
  }))
}

/** Simpler states of this one, each with one thing less. */
function* simpler(state: State): Generator<State> {
  const resources = state.resources ?? []
  for (let place = 0; place < resources.length; place++) {
    yield { ...state, resources: resources.filter((_, other) => other !== place) }
  }
  for (const [place, draft] of resources.entries()) {
    const replace = (spec: Draft['spec']): State => ({
      ...state,
      resources: resources.with(place, { ...draft, spec }),
    })
    for (const direction of ['ingress', 'egress'] as const) {
      const list = draft.spec[direction]
      if (!Array.isArray(list)) continue
      const rules = list as Readonly<Record<string, unknown>>[]
      for (let index = 0; index < rules.length; index++) {
        yield replace({ ...draft.spec, [direction]: rules.filter((_, other) => other !== index) })
      }
      for (const [index, rule] of rules.entries()) {
        for (const field of Object.keys(rule).filter((name) => name !== 'action')) {
          const { [field]: _, ...less } = rule
          yield replace({ ...draft.spec, [direction]: rules.with(index, less) })
        }
      }
    }
  }
  for (const name of Object.keys(state.workloads ?? {})) {
    yield { ...state, workloads: { ...state.workloads, [name]: {} satisfies Traits } }
  }
  const { settings: _, ...rest } = state
  yield rest
}

function isValid(state: State): boolean {
  try {
    createOracle(state)
    return true
  } catch {
    return false
  }
}

async function disagrees(rack: Rack, node: PolicyNode, state: State, probe: Probe): Promise<boolean> {
  await node.become(state)
  await rack.forgetConnections()
  const [judged] = await judgeAll(rack, state, [probe])
  return judged !== undefined && judged.evaluator !== judged.kernel
}

const size = (state: State): number => JSON.stringify(state).length

async function shrink(rack: Rack, node: PolicyNode, state: State, probe: Probe): Promise<State> {
  let smallest = state
  for (let found = true; found;) {
    found = false
    for (const candidate of simpler(smallest)) {
      if (size(candidate) >= size(smallest) || !isValid(candidate)) continue
      if (!(await disagrees(rack, node, candidate, probe))) continue
      smallest = candidate
      found = true
      break
    }
  }
  return smallest
}

/** Runs until so many probes have been judged, or until the first disagreement. */
export async function fuzzPolicy(options: FuzzOptions): Promise<FuzzReport> {
  const random = createRandom(options.seed)
  const rack = await buildRack('polfuzz')
  const node = createPolicyNode(rack.exec, options.backend)
  const disagreements: Disagreement[] = []
  const faults: string[] = []
  let [probes, allowed, states, restarts] = [0, 0, 0, 0]
  let state: State = {}
  const settle = async (): Promise<void> => {
    state = states % freshEvery === 0 ? randomState(random) : mutateState(random, state)
    states++
    faults.push(...(await node.become(state)).faults.map(({ message }) => message))
    if (states % restartEvery !== 0) return
    restarts++
    const { rulesWritten, membersAdded, membersRemoved } = await node.restart()
    if (rulesWritten + membersAdded + membersRemoved > 0) {
      faults.push(
        `a restart wrote ${String(rulesWritten)} rules, added ${String(membersAdded)} members, removed ${String(membersRemoved)}`,
      )
    }
  }
  try {
    while (probes < options.probes && (options.stopAtFirst === false || disagreements.length === 0)) {
      await settle()
      await rack.forgetConnections()
      const drawn = randomProbes(random, Math.min(probesPerState, options.probes - probes))
      const judged = await judgeAll(rack, state, drawn)
      probes += judged.length
      allowed += judged.filter(({ evaluator }) => evaluator).length
      const differing = judged.find(({ evaluator, kernel }) => evaluator !== kernel)
      if (differing !== undefined) {
        const { probe } = differing
        const alone = await disagrees(rack, node, state, probe)
        const smallest = alone ? await shrink(rack, node, state, probe) : state
        await node.become(state)
        disagreements.push({
          ...differing,
          explanation: createOracle(smallest).explain(probe),
          state: smallest,
        })
      }
      options.progress?.(probes)
    }
  } finally {
    node.close()
    rack.destroy()
  }
  return { probes, allowed, states, restarts, disagreements, faults }
}

/** A disagreement as a person reads it. */
export function describeDisagreement({ probe, evaluator, kernel, explanation, state }: Disagreement): string {
  const word = (through: boolean): string => (through ? 'lets it through' : 'stops it')
  const { kind } = actor(probe.from)
  return [
    `${probe.text} (a ${kind}): the evaluator ${word(evaluator)}, the kernel ${word(kernel)}`,
    explanation,
    JSON.stringify(state, null, 2),
  ].join('\n')
}
