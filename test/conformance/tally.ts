/** What became of one vector. */
export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'not-applicable'; readonly reason: string }

export const passed: Verdict = { kind: 'passed' }

export function failed(reason: string): Verdict {
  return { kind: 'failed', reason }
}

export function notApplicable(reason: string): Verdict {
  return { kind: 'not-applicable', reason }
}

/** The verdicts of one category, counted; the first failures are kept with their names. */
export class Tally {
  readonly category: string
  passed = 0
  failed = 0
  readonly failures: string[] = []
  readonly notApplicable = new Map<string, number>()
  readonly notes = new Map<string, number>()

  constructor(category: string) {
    this.category = category
  }

  add(name: string, verdict: Verdict): void {
    if (verdict.kind === 'passed') {
      this.passed++
    } else if (verdict.kind === 'failed') {
      this.failed++
      if (this.failures.length < 20) this.failures.push(`${name}: ${verdict.reason}`)
    } else {
      this.notApplicable.set(verdict.reason, (this.notApplicable.get(verdict.reason) ?? 0) + 1)
    }
  }

  /** Something to tell about vectors that passed. */
  note(text: string): void {
    this.notes.set(text, (this.notes.get(text) ?? 0) + 1)
  }

  lines(): string[] {
    const skipped = [...this.notApplicable.values()].reduce((sum, count) => sum + count, 0)
    return [
      `${this.category}: ${String(this.passed)} passed, ${String(this.failed)} failed, ${String(skipped)} not applicable`,
      ...this.failures.map((failure) => `  failed: ${failure}`),
      ...[...this.notApplicable].map(([reason, count]) => `  not applicable, ${String(count)}: ${reason}`),
      ...[...this.notes].map(([text, count]) => `  passed, ${String(count)}: ${text}`),
    ]
  }
}
