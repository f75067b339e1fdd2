/**
 * Turns a policy into something that can be asked cheaply. A question comes in two parts: first source and attribute
 * set, then, only if the answer depends on it, the prefix. So a policy runs once per attribute set, and prefixes are
 * compared as words, without an object. Of a policy function it is watched whether it reads the prefix.
 */

import { type AnyPolicy, type Policy, type PolicyActions } from './policy.ts'
import { actionNextHop, applyActions } from './actions.ts'
import { compileConditions } from './conditions.ts'
import { compilePrefixConditions } from './prefix-conditions.ts'
import { LazyRoute } from './lazy-route.ts'
import { type PolicySet, type PolicySource } from './policy-question.ts'

export interface Verdict {
  readonly accept: boolean
  readonly actions: PolicyActions | undefined
  /** What decided: "rule 3 of 'import-tor'". */
  readonly by: string
}

/** Numbers that stand for a prefix: its words, most significant first, and its length. */
export type PrefixWords = readonly [w0: number, w1: number, w2: number, w3: number, length: number]

/** An answer that depends on the prefix: one of `verdicts`, by index. */
export interface PrefixVerdict {
  readonly verdicts: readonly Verdict[]
  decide(w0: number, w1: number, w2: number, w3: number, length: number): number
}

export interface CompiledPolicy {
  /** Most prefixes accepted; Infinity if the policy doesn't say. */
  readonly maximum: number
  evaluate(family: 'ipv4' | 'ipv6', source: PolicySource, set: () => PolicySet): Verdict | PrefixVerdict
}

export function isPrefixVerdict(answer: Verdict | PrefixVerdict): answer is PrefixVerdict {
  return 'verdicts' in answer
}

/**
 * Compiles a policy. Texts in it are read here, so that routes meet no error later.
 * @throws TypeError naming the text that is no prefix, community or address
 */
export function compilePolicy(policy: AnyPolicy): CompiledPolicy {
  return typeof policy === 'function' ? compileFunction(policy) : compileRules(policy)
}

interface CompiledRule {
  readonly verdict: Verdict
  readonly holds: (family: 'ipv4' | 'ipv6', source: PolicySource, set: () => PolicySet) => boolean
  readonly prefixHolds:
    ((w0: number, w1: number, w2: number, w3: number, length: number, family: string) => boolean) | undefined
}

function compileRules(policy: Policy): CompiledPolicy {
  const title = policy.name === undefined ? 'the policy' : `'${policy.name}'`
  const rules = policy.rules.map((rule, i): CompiledRule => {
    const prefixes = rule.match?.prefixes
    if (rule.set !== undefined) checkActions(rule.set)
    return {
      verdict: {
        accept: rule.then === 'accept',
        actions: rule.then === 'accept' ? rule.set : undefined,
        by: `${rule.name === undefined ? `rule ${i + 1}` : `rule '${rule.name}'`} of ${title}`,
      },
      holds: compileConditions(rule.match ?? {}),
      prefixHolds: prefixes === undefined ? undefined : compilePrefixConditions(prefixes),
    }
  })
  const otherwise = policy.otherwise ?? (policy.rules.length === 0 ? 'accept' : 'reject')
  const last: Verdict = {
    accept: otherwise === 'accept',
    actions: undefined,
    by: `the end of ${title}`,
  }
  return {
    maximum: policy.maximum ?? Infinity,
    evaluate(family, source, set) {
      const open: CompiledRule[] = []
      let final = last
      for (const rule of rules) {
        if (!rule.holds(family, source, set)) continue
        if (rule.prefixHolds === undefined) {
          final = rule.verdict
          break
        }
        open.push(rule)
      }
      if (open.length === 0) return final
      return {
        verdicts: [...open.map(({ verdict }) => verdict), final],
        decide(w0, w1, w2, w3, length) {
          for (let i = 0; i < open.length; i++)
            if (open[i]?.prefixHolds?.(w0, w1, w2, w3, length, family) === true) return i
          return open.length
        },
      }
    },
  }
}

function checkActions(actions: PolicyActions): void {
  applyActions({}, actions)
  actionNextHop(actions)
}

const verdictOf = (answer: boolean | PolicyActions, name: string): Verdict => ({
  accept: answer !== false,
  actions: typeof answer === 'object' ? answer : undefined,
  by: name,
})

function compileFunction(policy: Exclude<AnyPolicy, Policy>): CompiledPolicy {
  const name = policy.name === '' ? 'the policy function' : `the policy function '${policy.name}'`
  const ask = (route: LazyRoute): { answer: boolean | PolicyActions; by: string } => {
    try {
      const answer = policy(route)
      if (typeof answer === 'object') checkActions(answer)
      return { answer, by: name }
    } catch (error) {
      // What a peer announces decides when the function throws: the route is refused, and `why` says so.
      return { answer: false, by: `${name}, which threw '${String(error)}',` }
    }
  }
  return {
    maximum: Infinity,
    evaluate(family, source, set) {
      // Asked about a prefix that nobody has: an answer that didn't look at the prefix holds for all of them.
      const probe = new LazyRoute(family, source, set)
      probe.ask(0, 0, 0, 0, 0)
      const first = ask(probe)
      if (!probe.prefixWasRead) return verdictOf(first.answer, first.by)
      const verdicts: Verdict[] = []
      const known = new Map<boolean | PolicyActions, number>()
      return {
        verdicts,
        decide(w0, w1, w2, w3, length) {
          probe.ask(w0, w1, w2, w3, length)
          const { answer, by } = ask(probe)
          let index = known.get(answer)
          if (index === undefined) {
            index = verdicts.push(verdictOf(answer, by)) - 1
            known.set(answer, index)
          }
          return index
        },
      }
    },
  }
}
