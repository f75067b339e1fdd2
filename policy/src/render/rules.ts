/** The chains of one policy or profile: its rules in order, each ending in a mark, a drop or a line in the log. */
import type { Family } from '@network/net'
import type { ActiveRule } from '../calc/active.ts'
import type { LiteralSets } from './literal-sets.ts'
import { type Marks, clearBits, isSet, returnIfSet, setBits } from './marks.ts'
import { conditionsOf } from './match.ts'
import type { RenderedRule, RuleOrigin } from './rendered.ts'

export interface RuleContext {
  readonly family: Family
  readonly marks: Marks
  readonly denyLogGroup: number | undefined
  readonly literals: LiteralSets
}

/** The kernel keeps 29 characters of a LOG prefix and 63 of an NFLOG prefix. */
const LONGEST_LOG_PREFIX = 29
const LONGEST_NFLOG_PREFIX = 63

/** One direction of a policy or profile. Allow and Pass return with their mark set; the end returns without. */
export function renderRules(
  rules: readonly ActiveRule[],
  of: Omit<RuleOrigin, 'position'>,
  context: RuleContext,
): RenderedRule[] {
  const rendered: RenderedRule[] = []
  for (const rule of rules) rendered.push(...renderRule(rule, { ...of, position: rule.position }, context))
  return rendered
}

function renderRule(rule: ActiveRule, origin: RuleOrigin, context: RuleContext): RenderedRule[] {
  const conditions = conditionsOf(rule, context.family, context.literals)
  if (conditions === undefined) return []
  const { scratch } = context.marks
  const omissible = isOmissible(rule)
  const [firstList, secondList] = conditions.oneOf
  if (firstList === undefined) return verdict([conditions.all], rule, origin, context)
  if (secondList === undefined && rule.action !== 'Log')
    return verdict(
      firstList.map((alternative) => [...conditions.all, ...alternative]),
      rule,
      origin,
      context,
    )
  const note = firstList.map((alternative) => ({
    args: [...conditions.all, ...alternative, ...setBits(scratch)],
    origin,
    ...omissible,
  }))
  const noted = isSet(scratch)
  if (secondList === undefined)
    return [{ args: clearBits(scratch), origin }, ...note, ...verdict([noted], rule, origin, context)]
  const last = secondList.map((alternative) => [...conditions.all, ...alternative, ...noted])
  return [{ args: clearBits(scratch), origin }, ...note, ...verdict(last, rule, origin, context)]
}

/** A packet that isn't allowed here meets what denies it below; one that isn't logged goes its way. */
function isOmissible({ action }: ActiveRule): { omissible?: true } {
  return action === 'Allow' || action === 'Log' ? { omissible: true } : {}
}

/** What becomes of packets that meet one of the lists of conditions. */
function verdict(
  matches: readonly (readonly string[])[],
  rule: ActiveRule,
  origin: RuleOrigin,
  { marks, denyLogGroup }: RuleContext,
): RenderedRule[] {
  const each = (target: readonly string[], counts: boolean): RenderedRule[] =>
    matches.map((match) => ({
      args: [...match, ...target],
      origin,
      ...(counts ? { counts } : {}),
      ...isOmissible(rule),
    }))
  switch (rule.action) {
    case 'Allow':
      return [...each(setBits(marks.accept), true), { args: returnIfSet(marks.accept), origin }]
    case 'Pass':
      // From a profile to the next: a mark would still be set there.
      if (origin.kind === 'profile') return each(['-j', 'RETURN'], true)
      return [...each(setBits(marks.pass), true), { args: returnIfSet(marks.pass), origin }]
    case 'Deny':
      return [
        ...(denyLogGroup === undefined
          ? []
          : each(denyLog(denyLogGroup, `${origin.id} ${origin.direction} ${origin.position}`), false)),
        ...each(['-j', 'DROP'], true),
      ]
    case 'Log':
      return each(['-j', 'LOG', '--log-prefix', logPrefix(origin), '--log-level', '5'], true)
  }
}

/** Target that tells listeners of NFLOG about a packet that is dropped next. */
export function denyLog(group: number, what: string): readonly string[] {
  return [
    '-j',
    'NFLOG',
    '--nflog-group',
    String(group),
    '--nflog-prefix',
    `drv deny ${what}`.slice(0, LONGEST_NFLOG_PREFIX),
  ]
}

function logPrefix({ id, position }: RuleOrigin): string {
  const name = id.slice(id.indexOf('/') + 1)
  const end = ` ${position}: `
  return `drv ${name}`.slice(0, LONGEST_LOG_PREFIX - end.length) + end
}
