import { type PrefixVerdict, type Verdict } from '../filter/compile.ts'
import { type PrefixTable } from './prefix-table.ts'
import { Refused } from './verdict-cache.ts'

/**
 * A policy's answer that depends on the prefix, with the attribute sets of its verdicts made when first needed. It is
 * for one use: the sets are held by nobody until a path takes them, and `done` frees those that none has taken.
 */
export class VerdictByPrefix {
  readonly #answer: PrefixVerdict
  readonly #apply: (verdict: Verdict) => number
  readonly #results: (number | undefined)[] = []

  constructor(answer: PrefixVerdict, apply: (verdict: Verdict) => number) {
    this.#answer = answer
    this.#apply = apply
  }

  /** The set for a prefix, or Refused. */
  decide(prefixes: PrefixTable, id: number): number {
    const verdict = this.verdict(prefixes, id)
    let result = this.#results[verdict]
    if (result === undefined) {
      const chosen = this.#answer.verdicts[verdict]
      result = chosen?.accept === true ? this.#apply(chosen) : Refused
      this.#results[verdict] = result
    }
    return result
  }

  /** The verdict's index. */
  verdict(prefixes: PrefixTable, id: number): number {
    return this.#answer.decide(
      prefixes.word(id, 0),
      prefixes.word(id, 1),
      prefixes.word(id, 2),
      prefixes.word(id, 3),
      prefixes.length[id] as number,
    )
  }

  done(release: (set: number) => void): void {
    for (const result of this.#results) if (result !== undefined && result >= 0) release(result)
  }
}
