import { prefixes, type Rule } from '@network/datastore/model'
import type { Step, Verdict } from '@network/policy'
import { formatRuleLine } from '@network/policy/grammar'
import { type Column, printable, renderTable } from './table.ts'

/** The rules of a policy or profile, by 'GlobalNetworkPolicy/web' or 'Profile/web'. */
export type RulesOf = (id: string, direction: 'ingress' | 'egress') => readonly Rule[] | undefined

/** 'NetworkPolicy/prod/web', 'Profile/web', or undefined where no resource had the say. */
export function judgeOf(step: Pick<Step, 'policy' | 'profile'>): string | undefined {
  return step.policy ?? (step.profile === undefined ? undefined : `Profile/${step.profile}`)
}

/** Names of endpoints without the place where the store keeps them. */
export function shortPlace(at: string): string {
  return at.replace(prefixes.endpoints, '')
}

/** The step that made the verdict, for a person; undefined where nothing had a say. */
export function decisive(verdict: Verdict): string | undefined {
  const step = verdict.steps.findLast(({ action }) => action === verdict.action)
  return step === undefined ? undefined : `${judgedBy(step)} (${step.direction} at ${shortPlace(step.at)})`
}

/** The same in few words: 'NetworkPolicy/prod/web, rule 2', 'the end of tier default'. */
export function decidedBy(verdict: Verdict): string | undefined {
  const step = verdict.steps.findLast(({ action }) => action === verdict.action)
  if (step === undefined) return undefined
  const { tier: _, ...withoutTier } = step
  return judgedBy(judgeOf(step) === undefined ? step : withoutTier)
}

function judgedBy(step: Omit<Step, 'node'>): string {
  const judge = judgeOf(step)
  if (judge === undefined) return step.tier === undefined ? step.reason : `the end of tier ${step.tier}`
  return [
    judge,
    step.rule === undefined ? step.reason : `rule ${String(step.rule + 1)}`,
    ...(step.tier === undefined ? [] : [`tier ${step.tier}`]),
  ].join(', ')
}

/** Every place that had a say, one line each below the endpoint or node where it is. */
export function stepsText(steps: readonly Step[], rulesOf: RulesOf, width: number | undefined): string {
  const columns: Column<Step>[] = [
    { heading: 'PLACE', cell: placeOf },
    { heading: 'VERDICT', cell: (step) => step.action },
    { heading: 'WHY', cell: (step) => reasonOf(step, rulesOf), shrink: true },
    { heading: 'JUDGED BY', cell: (step) => judgeOf(step) ?? '-', shrink: true },
  ]
  const room = width === undefined ? undefined : width - INDENT.length
  const [heading = '', ...lines] = renderTable(steps, columns, { width: room }).trimEnd().split('\n')
  const where = ({ at, direction }: Step): string => `${shortPlace(at)}, ${direction}`
  return [
    `${INDENT}${heading}`,
    ...steps.flatMap((step, index) => {
      const before = steps[index - 1]
      const isSame = before !== undefined && where(before) === where(step)
      return [...(isSame ? [] : [printable(where(step))]), `${INDENT}${lines[index] ?? ''}`]
    }),
  ]
    .map((line) => `${line}\n`)
    .join('')
}

const INDENT = '  '

/** 'tier security', 'forward, tier default', 'profiles'. */
function placeOf({ stage, tier }: Step): string {
  if (tier === undefined) return stage
  return stage === 'policy' ? `tier ${tier}` : `${stage}, tier ${tier}`
}

function reasonOf(step: Step, rulesOf: RulesOf): string {
  const judge = judgeOf(step)
  if (step.rule === undefined || judge === undefined) return step.reason
  const rule = rulesOf(judge, step.direction)?.[step.rule]
  return rule === undefined ? step.reason : `rule ${String(step.rule + 1)}: ${formatRuleLine(rule)}`
}
