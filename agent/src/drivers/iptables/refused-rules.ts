/**
 * Finds the rules that the kernel refuses, in a chain that nothing leads to, so that the search itself changes no
 * packet's way; and says what stands in their place.
 */
import type { Family } from '@network/net'
import type { RenderedRule, Table } from '@network/policy'
import type { PolicyFault } from '../policy-fault.ts'
import { formatArgs, transaction } from './restore-line.ts'
import { RestoreError, type RestoreSession } from './restore-session.ts'

const TRIAL = 'drv-trial'

export interface Refusal {
  readonly rule: RenderedRule
  /** The line as it was sent. */
  readonly line: string
  /** The program's words. */
  readonly words: string
}

/**
 * Tries these rules and answers those that are refused. `chains` must exist for jumps to them; they are made if they
 * are new.
 */
export async function findRefused(
  session: RestoreSession,
  table: Table,
  rules: readonly RenderedRule[],
  newChains: readonly string[],
): Promise<Refusal[]> {
  const refused: Refusal[] = []
  const lineOf = (rule: RenderedRule): string => `-A ${TRIAL} ${formatArgs(rule.args)}`
  const create = [...newChains, TRIAL].map((name) => `:${name} - [0:0]`)
  const attempt = async (some: readonly RenderedRule[]): Promise<RestoreError | undefined> => {
    try {
      await session.run(transaction(table, [...create, ...some.map(lineOf)]))
      return undefined
    } catch (error) {
      if (error instanceof RestoreError && error.code === 'refused') return error
      throw error
    }
  }
  const search = async (some: readonly RenderedRule[]): Promise<void> => {
    if (some.length === 0) return
    const error = await attempt(some)
    if (error === undefined) return
    const [only] = some
    if (some.length === 1 && only !== undefined) {
      refused.push({ rule: only, line: lineOf(only).replace(` ${TRIAL}`, ''), words: error.message })
      return
    }
    // The program may have named the line: `*table`, the chains, then the rules.
    const named = (error.line ?? 0) - 1 - create.length
    const middle = some.length >> 1
    const parts =
      named >= 0 && named < some.length
        ? [some.slice(named, named + 1), some.slice(0, named), some.slice(named + 1)]
        : [some.slice(0, middle), some.slice(middle)]
    for (const part of parts) await search(part)
  }
  await search(rules)
  await session.run(transaction(table, [`:${TRIAL} - [0:0]`, `-X ${TRIAL}`]))
  return refused
}

/** Options of a rule that say where a packet comes from or goes, and their values: the part that a drop keeps. */
const simple: ReadonlySet<string> = new Set(['-p', '-s', '-d', '-i', '-o'])

/**
 * What stands in place of a refused rule: nothing, if without it only less is allowed; otherwise a drop of what it
 * would have matched as far as addresses, protocol and interfaces say, or (`bare`) of everything.
 */
export function substituteFor(rule: RenderedRule, bare: boolean): RenderedRule | undefined {
  if (rule.omissible === true) return undefined
  const kept: string[] = []
  if (!bare) {
    rule.args.forEach((arg, place) => {
      if (!simple.has(arg)) return
      const value = rule.args[place + 1]
      if (value === undefined) return
      kept.push(...(rule.args[place - 1] === '!' ? ['!'] : []), arg, value)
    })
  }
  return { ...rule, args: [...kept, '-j', 'DROP'] }
}

/** What is told of a refused rule: whose it is, the program's words, and what stands in its place. */
export function refusalFault(
  family: Family,
  table: Table,
  chain: string,
  rule: RenderedRule,
  line: string,
  words: string,
  substitute: RenderedRule | undefined,
): PolicyFault {
  const { origin } = rule
  const who =
    origin === undefined
      ? `A rule of the chain ${chain}`
      : `Rule ${origin.position} (${origin.direction}) of ${origin.kind === 'profile' ? `Profile/${origin.id}` : origin.id}`
  const instead =
    substitute === undefined
      ? 'It is left out: what it would have allowed is not.'
      : `In its place stands '${substitute.args.join(' ')}'.`
  return {
    key: `${family} ${table} ${chain}${origin === undefined ? '' : ` ${origin.position}`}`,
    code: 'refused',
    message: `${who} is refused by the kernel for ${family}: ${words} The line was '${line}'. ${instead}`,
    remedy: 'Change the rule; the others of its policy are in force.',
    ...(origin === undefined ? {} : { origin }),
  }
}
