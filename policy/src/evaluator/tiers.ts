/** One endpoint's list of policies against one packet: tiers in order, policies in order, rules in order. */
import type { Rule } from '@network/datastore/model'
import type { Step } from './flow.ts'
import type { Matcher, Packet } from './match.ts'
import { type EvaluatorState, type Policy, selects, type Thing, type Tier } from './state.ts'

export type Direction = 'ingress' | 'egress'
export type Decision = 'allow' | 'deny' | 'undecided'

export interface Judgement {
  readonly decision: Decision
  readonly steps: readonly Omit<Step, 'node' | 'at' | 'direction' | 'stage'>[]
  /** Whether any policy of this direction was there to judge. */
  readonly judged: boolean
}

/** The tiers with those of their policies that judge this endpoint in this direction; without the others. */
export function tiersFor(
  state: EvaluatorState,
  endpoint: Thing,
  direction: Direction,
  inList: (policy: Policy) => boolean,
): readonly Tier[] {
  return state.tiers
    .map((tier) => ({
      ...tier,
      policies: tier.policies.filter(
        (policy) => policy[direction] !== undefined && inList(policy) && selects(policy, endpoint),
      ),
    }))
    .filter(({ policies }) => policies.length > 0)
}

/** What the tiers say. `ends`: whether a tier's default action counts; without it an undecided tier is passed. */
export function judgeTiers(
  tiers: readonly Tier[],
  direction: Direction,
  packet: Packet,
  matches: Matcher,
  { ends }: { readonly ends: boolean },
): Judgement {
  const steps: Judgement['steps'][number][] = []
  for (const { name: tier, policies, defaultAction } of tiers) {
    const decision = judgeTier(tier, policies, direction, packet, matches, steps)
    if (decision === 'allow' || decision === 'deny') return { decision, steps, judged: true }
    if (decision === 'pass') continue
    if (ends && defaultAction === 'Deny') {
      steps.push({ tier, action: 'deny', reason: 'no policy of the tier decides, and its end denies' })
      return { decision: 'deny', steps, judged: true }
    }
    steps.push({ tier, action: 'pass', reason: 'no policy of the tier decides' })
  }
  return { decision: 'undecided', steps, judged: tiers.length > 0 }
}

function judgeTier(
  tier: string,
  policies: readonly Policy[],
  direction: Direction,
  packet: Packet,
  matches: Matcher,
  steps: Judgement['steps'][number][],
): 'allow' | 'deny' | 'pass' | undefined {
  for (const policy of policies) {
    for (const [position, rule] of (policy[direction] ?? []).entries()) {
      if (!matches(rule, packet, policy.namespace)) continue
      const action = ACTIONS[rule.action]
      steps.push({
        tier,
        policy: policy.id,
        rule: position,
        action,
        reason: `rule ${String(position)} ${VERBS[action]}`,
      })
      if (action !== 'log') return action
    }
  }
  return undefined
}

/** What the endpoint's profiles say, which is never nothing. */
export function judgeProfiles(
  state: EvaluatorState,
  endpoint: Thing,
  direction: Direction,
  packet: Packet,
  matches: Matcher,
): Judgement {
  const steps: Judgement['steps'][number][] = []
  for (const profile of endpoint.profiles) {
    const rules: readonly Rule[] | undefined = state.profiles.get(profile)?.[direction]
    if (rules === undefined) {
      steps.push({ profile, action: 'deny', reason: `nobody defined profile ${profile}` })
      return { decision: 'deny', steps, judged: true }
    }
    for (const [position, rule] of rules.entries()) {
      if (!matches(rule, packet, undefined)) continue
      const action = ACTIONS[rule.action]
      steps.push({ profile, rule: position, action, reason: `rule ${String(position)} ${VERBS[action]}` })
      if (action === 'allow' || action === 'deny') return { decision: action, steps, judged: true }
      if (action === 'pass') break
    }
  }
  const reason =
    endpoint.profiles.length === 0 ? 'there is no profile, and the end denies' : 'no profile decides'
  steps.push({ action: 'deny', reason })
  return { decision: 'deny', steps, judged: true }
}

const ACTIONS = { Allow: 'allow', Deny: 'deny', Pass: 'pass', Log: 'log' } as const
const VERBS = { allow: 'allows', deny: 'denies', pass: 'passes', log: 'logs' } as const
