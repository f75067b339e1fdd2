/** What the evaluator says of a probe at this node; it sees the resources of a state and nothing of the kernel. */
import { type Evaluator, type Party, createEvaluator } from '@network/policy'
import { type ActorName, actor, thisNode, uplink } from './actors.ts'
import type { State } from './case.ts'
import type { Probe } from './probe.ts'
import { nodeSettings, updatesOf, workloadKey } from './state.ts'

export interface Oracle {
  /** Undefined: an end is no endpoint of the state, of which the model says nothing. */
  allows(probe: Probe): boolean | undefined
  /** The steps that led there, for people. */
  explain(probe: Probe): string
}

/** What comes in by the wire is an address to this node, whoever it belongs to elsewhere. */
function sender(name: ActorName, source: string): Party {
  const { kind } = actor(name)
  if (kind === 'workload') return { is: 'workload', name: workloadKey(name), address: source }
  if (kind === 'host') return { is: 'host', node: thisNode, address: source }
  return { is: 'address', address: source, interfaceName: uplink }
}

function receiver(name: ActorName, destination: string): Party {
  const { kind } = actor(name)
  if (kind === 'workload') return { is: 'workload', name: workloadKey(name), address: destination }
  if (kind === 'host') return { is: 'host', node: thisNode, address: destination }
  return { is: 'address', address: destination }
}

function judgeProbe(evaluator: Evaluator, probe: Probe): ReturnType<Evaluator['judge']> {
  const { from, to, family, source, destination, protocol, sourcePort, destinationPort, icmp } = probe
  return evaluator.judge({
    from: sender(from, source),
    to: receiver(to, destination),
    family,
    protocol,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(icmp === undefined ? {} : { icmp }),
  })
}

export function createOracle(state: State): Oracle {
  const evaluator = createEvaluator({
    resources: updatesOf(state),
    settings: (node) => (node === thisNode ? nodeSettings(state.settings ?? {}) : {}),
  })
  const isKnown = (name: ActorName): boolean => name !== 'stray' && state.workloads?.[name] !== 'gone'
  return {
    allows: (probe) => {
      if (!isKnown(probe.from) || !isKnown(probe.to)) return undefined
      const { action, steps } = judgeProbe(evaluator, probe)
      // What another node denies has passed this one.
      return action === 'allow' || steps.at(-1)?.node !== thisNode
    },
    explain: (probe) =>
      judgeProbe(evaluator, probe)
        .steps.map(({ node, at, direction, stage, tier, policy, profile, action, reason }) =>
          [node, at, direction, stage, tier, policy ?? profile, action, reason]
            .filter((word) => word !== undefined)
            .join(' · '),
        )
        .join('\n'),
  }
}
