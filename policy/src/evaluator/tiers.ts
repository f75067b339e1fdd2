/** One endpoint's list of policies against one packet: tiers in order, policies in order, rules in order. */
import type { Rule } from '@network/datastore/model'
import type { Step } from './flow.ts'
import type { Matcher } from './match.ts'
import type { Packet } from './packet.ts'
import type { EvaluatorState, Policy, Tier } from './state.ts'
import type { Thing } from './thing.ts'

export type Direction = 'ingress' | 'egress'
export type Decision = 'allow' | 'deny' | 'undecided'

export interface Judgement {
  readonly decision: Decision
  readonly steps: readonly Omit<Step, 'node' | 'at' | 'direction' | 'stage'>[]
  /** Whether any policy of this direction was there to judge. */
  readonly judged: boolean
}

/** The lists of policies that an endpoint has; workloads have the normal one alone. */
export type PolicyList = 'untracked' | 'pre-DNAT' | 'forward' | 'normal'

function isIn(list: PolicyList, { spec }: Policy): boolean {
  const place = spec.doNotTrack === true ? 'untracked' : spec.preDNAT === true ? 'pre-DNAT' : 'normal'
  return list === 'forward' ? place === 'normal' && spec.applyOnForward === true : place === list
}

/** The tiers with those of their policies that judge an endpoint; without tiers that have none. */
export type TierFinder = (endpoint: Thing, direction: Direction, list: PolicyList) => readonly Tier[]

/** Remembers what it found: neither endpoints nor policies of a state change. */
export function createTierFinder(state: EvaluatorState): TierFinder {
  const found = new WeakMap<Thing, Map<string, readonly Tier[]>>()
  return (endpoint, direction, list) => {
    const ofEndpoint = found.get(endpoint) ?? new Map<string, readonly Tier[]>()
    const key = `${direction} ${list}`
    const tiers =
      ofEndpoint.get(key) ??
      state.tiers
        .map((tier) => ({
          ...tier,
          policies: tier.policies.filter(
            (policy) => policy[direction] !== undefined && isIn(list, policy) && policy.selects(endpoint),
          ),
        }))
        .filter(({ policies }) => policies.length > 0)
    found.set(endpoint, ofEndpoint.set(key, tiers))
    return tiers
  }
}

/** What the tiers say. `ends`: whether a tier's default action counts; without it an undecided tier is passed. */
export function judgeTiers(
  tiers: readonly Tier[],
  direction: Direction,
  packet: Packet,
  matcher: Matcher,
  { ends }: { readonly ends: boolean },
): Judgement {
  const steps: Judgement['steps'][number][] = []
  for (const { name: tier, policies, defaultAction } of tiers) {
    const decision = judgeTier(tier, policies, direction, packet, matcher, steps)
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
  matcher: Matcher,
  steps: Judgement['steps'][number][],
): 'allow' | 'deny' | 'pass' | undefined {
  for (const policy of policies) {
    for (const [position, rule] of (policy[direction] ?? []).entries()) {
      if (!matcher.matches(rule, packet, policy.namespace)) continue
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
  matcher: Matcher,
): Judgement {
  const steps: Judgement['steps'][number][] = []
  for (const profile of endpoint.profiles) {
    const rules: readonly Rule[] | undefined = state.profiles.get(profile)?.[direction]
    if (rules === undefined) {
      steps.push({ profile, action: 'deny', reason: `nobody defined profile ${profile}` })
      return { decision: 'deny', steps, judged: true }
    }
    for (const [position, rule] of rules.entries()) {
      if (!matcher.matches(rule, packet, undefined)) continue
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
