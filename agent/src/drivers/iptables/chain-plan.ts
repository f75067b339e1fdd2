/**
 * How one table of the kernel becomes as desired. A rule is known by a hash over its chain's name and all rules of ours
 * before it, which stands in its comment; nothing else of what the kernel holds is looked at. A chain is rewritten from its
 * first difference on, so rules before it keep their counters.
 */
import { hash as digest } from 'node:crypto'
import type { RenderedRule } from '@network/policy'
import { jumpsToOurs, ruleText } from './restore-line.ts'

export interface DesiredRule {
  readonly hash: string
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
    if (rule.anywhere === true) before = chain
    const hash = digest('sha1', `${before}\0${rule.args.join('\0')}`, 'base64url').slice(0, 16)
    before = hash
    return { hash, rule }
  })
}

/** The rule with its comment, as part of a line: made when it is written, since a node has tens of thousands. */
function textOf({ hash, rule }: DesiredRule): string {
  return ruleText(hash, rule.args)
}

/** What makes a chain of ours as desired; it exists already. */
export interface ChainPlan {
  readonly lines: readonly string[]
  /** What the chain holds then. */
  readonly after: ActualChain
}

/**
 * `tidy`: rules whose place doesn't matter and that are not wanted any more are taken away too. A rule that is taken away
 * makes the next one that is written wait for the kernel to forget it (nft: 5 to 20 ms), so that is done when nobody waits.
 */
export function planChain(
  name: string,
  desired: readonly DesiredRule[],
  actual: ActualChain,
  tidy: boolean,
): ChainPlan {
  const isUnordered = desired[0]?.rule.anywhere === true
  const unordered = isUnordered ? planUnordered(name, desired, actual, tidy) : undefined
  return unordered ?? { lines: chainLines(name, desired, actual), after: desired.map(({ hash }) => hash) }
}

/** Undefined: something that isn't ours stands in the chain, or something twice; it is written anew. */
function planUnordered(
  name: string,
  desired: readonly DesiredRule[],
  actual: ActualChain,
  tidy: boolean,
): ChainPlan | undefined {
  const there = new Set(actual)
  if (there.has(undefined) || there.size !== actual.length) return undefined
  const wanted = new Set<string | undefined>(desired.map(({ hash }) => hash))
  const added = desired.filter(({ hash }) => !there.has(hash))
  const lines: string[] = []
  let after = [...actual]
  if (tidy) {
    // From the end, so that the numbers before stay right.
    for (let i = actual.length - 1; i >= 0; i--) if (!wanted.has(actual[i])) lines.push(`-D ${name} ${i + 1}`)
    after = after.filter((hash) => wanted.has(hash))
  }
  lines.push(...added.map((rule) => `-A ${name} ${textOf(rule)}`))
  return { lines, after: [...after, ...added.map(({ hash }) => hash)] }
}

/** Lines that make an ordered chain of ours as desired. */
function chainLines(name: string, desired: readonly DesiredRule[], actual: ActualChain): string[] {
  let same = 0
  while (same < desired.length && same < actual.length && desired[same]?.hash === actual[same]) same++
  if (same === desired.length && same === actual.length) return []
  const append = (rules: readonly DesiredRule[]): string[] =>
    rules.map((rule) => `-A ${name} ${textOf(rule)}`)
  if (same === 0) return [...(actual.length === 0 ? [] : [`:${name} - [0:0]`]), ...append(desired)]
  const lines: string[] = []
  const both = Math.min(desired.length, actual.length)
  desired.slice(same, both).forEach((rule, i) => lines.push(`-R ${name} ${same + i + 1} ${textOf(rule)}`))
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
  const written = desired.map((rule) => ({ hash: rule.hash, text: textOf(rule) }))
  if (mode === 'insert') {
    written.forEach(({ text }, place) => lines.push(`-I ${hook} ${place + 1} ${text}`))
    return { lines, after: [...written, ...others] }
  }
  written.forEach(({ text }) => lines.push(`-A ${hook} ${text}`))
  return { lines, after: [...others, ...written] }
}
