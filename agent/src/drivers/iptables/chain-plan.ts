/**
 * How one table of the kernel becomes as desired. A rule is known by a hash over its chain's name and all rules of ours
 * before it, which stands in its comment; nothing else of what the kernel holds is looked at. A chain is rewritten from its
 * first difference on, so rules before it keep their counters.
 */
import { createHash } from 'node:crypto'
import type { RenderedRule } from '@network/policy'
import { commentArgs, formatArgs, isOurChain } from './restore-line.ts'

export interface DesiredRule {
  readonly hash: string
  /** The rule's arguments with its comment, as part of a line. */
  readonly text: string
  readonly rule: RenderedRule
}

/** A chain of ours in the kernel: the hash of each rule, undefined for a rule that isn't ours. */
export type ActualChain = readonly (string | undefined)[]

/** A rule of a chain of the kernel's. */
export interface HookRule {
  /** Undefined: not ours. */
  readonly hash: string | undefined
  readonly text: string
}

export function hashRules(chain: string, rules: readonly RenderedRule[]): DesiredRule[] {
  let before = chain
  return rules.map((rule) => {
    const hash = createHash('sha1')
      .update(before)
      .update('\0')
      .update(rule.args.join('\0'))
      .digest('base64url')
      .slice(0, 16)
    before = hash
    return { hash, rule, text: formatArgs([...commentArgs(hash), ...rule.args]) }
  })
}

/** Lines that make a chain of ours as desired; it exists already. */
export function chainLines(name: string, desired: readonly DesiredRule[], actual: ActualChain): string[] {
  let same = 0
  while (same < desired.length && same < actual.length && desired[same]?.hash === actual[same]) same++
  if (same === desired.length && same === actual.length) return []
  const append = (rules: readonly DesiredRule[]): string[] => rules.map(({ text }) => `-A ${name} ${text}`)
  if (same === 0) return [...(actual.length === 0 ? [] : [`:${name} - [0:0]`]), ...append(desired)]
  const lines: string[] = []
  const both = Math.min(desired.length, actual.length)
  for (let i = same; i < both; i++) lines.push(`-R ${name} ${i + 1} ${desired[i]?.text ?? ''}`)
  for (let i = actual.length; i > desired.length; i--) lines.push(`-D ${name} ${i}`)
  lines.push(...append(desired.slice(both)))
  return lines
}

/** Whether our rules stand in a chain of the kernel's as they should. */
export function hookIsRight(
  desired: readonly DesiredRule[],
  actual: readonly HookRule[],
  mode: 'insert' | 'append',
): boolean {
  const ours = actual.filter(({ hash, text }) => hash !== undefined || jumpsToOurs(text))
  if (ours.length !== desired.length) return false
  const where = mode === 'insert' ? actual.slice(0, desired.length) : ours
  return desired.every(({ hash }, place) => where[place]?.hash === hash)
}

/** Lines that put our rules where they belong in a chain of the kernel's, and what the chain holds then. */
export function hookLines(
  hook: string,
  desired: readonly DesiredRule[],
  actual: readonly HookRule[],
  mode: 'insert' | 'append',
): { lines: string[]; after: readonly HookRule[] } {
  if (hookIsRight(desired, actual, mode)) return { lines: [], after: actual }
  const isOurs = ({ hash, text }: HookRule): boolean => hash !== undefined || jumpsToOurs(text)
  // By their words and not by number: others change these chains too.
  const lines = actual.filter(isOurs).map(({ text }) => `-D ${hook} ${text}`)
  const others = actual.filter((rule) => !isOurs(rule))
  if (mode === 'insert') {
    desired.forEach(({ text }, place) => lines.push(`-I ${hook} ${place + 1} ${text}`))
    return { lines, after: [...desired, ...others] }
  }
  desired.forEach(({ text }) => lines.push(`-A ${hook} ${text}`))
  return { lines, after: [...others, ...desired] }
}

/** A jump into a chain of ours keeps that chain from being deleted, whoever made it. */
export function jumpsToOurs(text: string): boolean {
  const target = /(?:^| )-[jg] (\S+)(?: |$)/.exec(text)?.[1]
  return target !== undefined && isOurChain(target)
}
