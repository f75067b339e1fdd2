/** Outcomes as tables in Markdown: medians over runs, and how ours stands beside the fastest of the others. */
import type { Outcome } from './measure.ts'
import type { Phase, Timed } from './plan.ts'
import type { Scenario } from './scenarios.ts'

export interface Row {
  readonly target: string
  /** Name and version. */
  readonly title: string
  readonly outcomes: readonly Outcome[]
}

const phases: readonly Phase[] = ['establish', 'announce', 're-announce', 'withdraw']
const own = 'drover'
const ceiling = 'mirror'

export function table(scenario: Scenario, rows: readonly Row[]): string {
  const { kind } = scenario.plan.course
  const lines = kind === 'phases' ? phasesTable(rows) : kind === 'flap' ? flapTable(rows) : stallTable(rows)
  const failures = rows.flatMap(({ title, outcomes }) =>
    outcomes.flatMap(({ failure }) => (failure === undefined ? [] : [`${title}: ${failure}.`])),
  )
  return [`### ${scenario.title}`, '', ...lines, ...failures.flatMap((line) => ['', line])].join('\n')
}

function phasesTable(rows: readonly Row[]): string[] {
  const cells = rows.map(({ title, outcomes }) => [
    title,
    ...phases.map((phase) => timedText(medianTimed(outcomes, phase))),
    ...costs(outcomes),
  ])
  return [
    ...markdown(['', 'establish s', 'announce s', 're-announce s', 'withdraw s', ...costHeads], cells),
    ...ratios(rows),
  ]
}

/** Ours beside the fastest of the others, phase by phase. */
function ratios(rows: readonly Row[]): string[] {
  const ours = rows.find(({ target }) => target === own)
  const others = rows.filter(({ target }) => target !== own && target !== ceiling)
  if (ours === undefined || others.length === 0) return []
  const words = phases.flatMap((phase) => {
    const mine = medianTimed(ours.outcomes, phase)
    const best = others
      .flatMap(({ outcomes }) => medianTimed(outcomes, phase) ?? [])
      .filter(({ over }) => !over)
      .sort((a, b) => a.seconds - b.seconds)[0]
    if (mine === undefined || best === undefined) return []
    return [`${phase} ${mine.over ? '> ' : ''}${(mine.seconds / best.seconds).toFixed(2)}`]
  })
  return words.length === 0 ? [] : ['', `Ours to the fastest of the others: ${words.join(', ')}.`]
}

function flapTable(rows: readonly Row[]): string[] {
  return markdown(
    ['', 'p50 ms', 'p99 ms', 'greatest ms', 'delivered', ...costHeads],
    rows.map(({ title, outcomes }) => {
      const flaps = outcomes.flatMap(({ flap }) => flap ?? [])
      const ms = (pick: (flap: (typeof flaps)[number]) => number): string =>
        flaps.length === 0 ? '–' : median(flaps.map(pick)).toFixed(1)
      const delivered =
        flaps.length === 0 ? '–' : `${(100 * median(flaps.map((f) => f.delivered))).toFixed(0)} %`
      return [
        title,
        ms((f) => f.p50Ms),
        ms((f) => f.p99Ms),
        ms((f) => f.maxMs),
        delivered,
        ...costs(outcomes),
      ]
    }),
  )
}

function stallTable(rows: readonly Row[]): string[] {
  return markdown(
    ['', 'round s, all reading', 'round s, one stalled', 'MiB, all reading', 'MiB, one stalled', 'CPU s'],
    rows.map(({ title, outcomes }) => {
      const stage = (name: 'reading' | 'stalled'): [string, string] => {
        const seen = outcomes.flatMap((outcome) => outcome[name] ?? [])
        if (seen.length === 0) return ['–', '–']
        const over = seen.some((one) => one.over)
        const seconds = median(seen.map(({ roundSeconds }) => roundSeconds))
        return [timedText({ seconds, over }), median(seen.map(({ residentMiB }) => residentMiB)).toFixed(0)]
      }
      const [readingSeconds, readingMiB] = stage('reading')
      const [stalledSeconds, stalledMiB] = stage('stalled')
      return [title, readingSeconds, stalledSeconds, readingMiB, stalledMiB, costs(outcomes)[0] ?? '–']
    }),
  )
}

const costHeads = ['CPU s', 'peak MiB', 'generator CPU s']

function costs(outcomes: readonly Outcome[]): string[] {
  return [
    median(outcomes.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2),
    median(outcomes.map(({ peakMiB }) => peakMiB)).toFixed(0),
    median(outcomes.map(({ generatorSeconds }) => generatorSeconds)).toFixed(2),
  ]
}

function medianTimed(outcomes: readonly Outcome[], phase: Phase): Timed | undefined {
  const seen = outcomes.flatMap((outcome) => outcome.phases[phase] ?? [])
  seen.sort((a, b) => Number(a.over) - Number(b.over) || a.seconds - b.seconds)
  return seen[seen.length >>> 1]
}

function timedText(timed: Timed | undefined): string {
  if (timed === undefined) return '–'
  return timed.over ? `> ${timed.seconds.toFixed(0)}` : timed.seconds.toFixed(timed.seconds < 10 ? 3 : 1)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >>> 1] ?? 0
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)]
}
