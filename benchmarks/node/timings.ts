/** Times of many like operations: quantiles, rates, and tables of them in Markdown. */
import { cpus, loadavg } from 'node:os'

/** Sorted ascending, in ms. */
export interface Timings {
  readonly samples: readonly number[]
  /** From the first start to the last end, of those that ran at once; in ms. */
  readonly wallMs: number
}

/** What a series gathers over several rounds. */
export class Series {
  #samples: number[] = []
  #wallMs = 0

  /** Runs every task with `width` under way; a failure ends it. */
  async run(tasks: readonly (() => Promise<unknown>)[], width = 1): Promise<void> {
    const queue = tasks.values()
    const begin = performance.now()
    const follow = async (): Promise<void> => {
      for (const task of queue) {
        const start = performance.now()
        await task()
        this.#samples.push(performance.now() - start)
      }
    }
    await Promise.all(Array.from({ length: width }, follow))
    this.#wallMs += performance.now() - begin
  }

  add(ms: number): void {
    this.#samples.push(ms)
    this.#wallMs += ms
  }

  timings(): Timings {
    return { samples: [...this.#samples].sort((a, b) => a - b), wallMs: this.#wallMs }
  }
}

/** By the nearest rank: `quantile(timings, 0.99)` of 100 samples is the 99th. */
export function quantile({ samples }: Timings, share: number): number {
  return samples[Math.max(0, Math.ceil(samples.length * share) - 1)] ?? Number.NaN
}

export function perSecond({ samples, wallMs }: Timings): number {
  return samples.length / (wallMs / 1000)
}

/** A table in Markdown; the first column is words, the others are numbers. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, 4, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

/** The machine and how busy others keep it: without it no time means anything. */
export function surroundings(): string {
  const [one = 0, five = 0] = loadavg()
  const processors = cpus()
  return `${String(processors.length)} × ${processors[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}, load average ${one.toFixed(1)} (1 min) ${five.toFixed(1)} (5 min)`
}
