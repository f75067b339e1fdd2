import { isDeepStrictEqual } from 'node:util'
import { ResourceError } from '@network/datastore'
import type { Rule } from '@network/datastore/model'
import { formatRuleLine } from '@network/policy/grammar'

/** The two directions in the command line's words, and the fields that hold them. */
export const directions = { inbound: 'ingress', outbound: 'egress' } as const
export type Direction = keyof typeof directions

/** Which place in which list is meant, for messages as well. */
export interface RuleChoice {
  readonly profile: string
  readonly direction: Direction
  /** From 1. */
  readonly at: number | undefined
}

/** The list with the rule at its place, which is the end if none is asked for; `place` counts from 1. */
export function addRule(
  rules: readonly Rule[],
  rule: Rule,
  choice: RuleChoice,
): { rules: Rule[]; place: number } {
  const place = choice.at ?? rules.length + 1
  if (place > rules.length + 1) throw noSuchPlace(rules, choice, rules.length + 1)
  return { rules: [...rules.slice(0, place - 1), rule, ...rules.slice(place - 1)], place }
}

/**
 * The list without one rule: that at `at`, which must be `rule` if both are given; else the first that is `rule`. After
 * somebody else changed the list (`shifted`) the rule is looked for wherever it stands now.
 */
export function removeRule(
  rules: readonly Rule[],
  choice: RuleChoice & { rule: Rule | undefined; shifted: boolean },
): { rules: Rule[]; rule: Rule; place: number } {
  const { at, rule, shifted } = choice
  const index = indexOf(rules, choice)
  const found = rules[index]
  if (found === undefined) {
    if (rule === undefined) throw noSuchPlace(rules, choice, rules.length)
    const where = at === undefined || shifted ? '' : ` at ${String(at)}`
    throw missing(
      `Profile ${choice.profile} has no ${choice.direction} rule '${formatRuleLine(rule)}'${where}.`,
      rules,
      choice,
    )
  }
  return { rules: rules.filter((_, place) => place !== index), rule: found, place: index + 1 }
}

function indexOf(
  rules: readonly Rule[],
  choice: { at: number | undefined; rule: Rule | undefined; shifted: boolean },
): number {
  const { at, rule, shifted } = choice
  if (rule === undefined) return (at ?? 0) - 1
  const isMeant = (one: Rule | undefined): boolean => one !== undefined && isDeepStrictEqual(one, rule)
  if (at !== undefined && isMeant(rules[at - 1])) return at - 1
  return at === undefined || shifted ? rules.findIndex(isMeant) : -1
}

function noSuchPlace(rules: readonly Rule[], choice: RuleChoice, last: number): ResourceError {
  const there =
    rules.length === 0
      ? `no ${choice.direction} rules`
      : `${String(rules.length)} ${choice.direction} ${rules.length === 1 ? 'rule' : 'rules'}`
  const message = `Profile ${choice.profile} has ${there}: there is no place ${String(choice.at)}.`
  return missing(message, rules, choice, last === 0 ? undefined : `Give a number from 1 to ${String(last)}.`)
}

function missing(
  message: string,
  rules: readonly Rule[],
  choice: RuleChoice,
  remedy = rules.length === 0
    ? undefined
    : `'drover profile ${choice.profile} rule show ${choice.direction}' numbers those that there are.`,
): ResourceError {
  return new ResourceError('not-found', message, {
    reference: { kind: 'Profile', name: choice.profile },
    remedy: remedy ?? `'drover profile ${choice.profile} show' shows what is there.`,
  })
}
