/**
 * How fast is the speaker beside BIRD, FRR, GoBGP and OpenBGPD? Every speaker is started in a network namespace and
 * given the same messages by the same generator, which stands in another. The mirror among the targets hands bytes on
 * unread: its figures are what the generator itself can do on this machine.
 *
 *   npm run bench:bgp -- [--targets drover,bird] [--scenarios rr-100,flap | all] [--runs 3] [--limit 60] [--write]
 *                        [--profile DIR]
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { type Outcome, measure } from './bgp/measure.ts'
import { buildRack, load, machine } from './bgp/rack.ts'
import { type Scenario, scenarios } from './bgp/scenarios.ts'
import { type Row, table } from './bgp/table.ts'
import { type Target, targets } from './bgp/targets/index.ts'

const root = path.resolve(import.meta.dirname, '..')
const page = path.join(root, 'docs', 'benchmarks.md')
const heading = '## BGP speakers'
/**
 * Of the generator and of every speaker, so that what else the machine does shows less in the figures: as a nice value
 * of theirs and of their session, for Linux weighs whole sessions against each other first (sched(7), autogroup).
 */
const priority = -20

const { values } = parseArgs({
  options: {
    targets: { type: 'string' },
    scenarios: { type: 'string' },
    runs: { type: 'string', default: '1' },
    limit: { type: 'string' },
    profile: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})

function refuse(message: string, remedy: string): never {
  process.stderr.write(`error: ${message}\n       ${remedy}\n`)
  process.exit(2)
}

/** The members of `all` that a list names. */
function named<T extends { readonly name: string }>(
  option: string,
  list: string | undefined,
  all: readonly T[],
  otherwise: readonly T[],
): readonly T[] {
  if (list === undefined) return otherwise
  if (list === 'all') return all
  return list
    .split(',')
    .map(
      (name) =>
        all.find((one) => one.name === name) ??
        refuse(
          `--${option} names '${name}'.`,
          `Use some of: ${all.map((one) => one.name).join(', ')}, or all.`,
        ),
    )
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) refuse(`--${option} is '${text}'.`, 'Use a number greater than 0.')
  return value
}

/** Makes the programs in a folder inside node_modules, where they find the libraries that stay outside of them. */
async function bundle(): Promise<string> {
  const cache = path.join(root, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const programs = mkdtempSync(path.join(cache, 'bench-bgp-'))
  process.on('exit', () => rmSync(programs, { recursive: true, force: true }))
  await build({
    absWorkingDir: root,
    entryPoints: {
      generate: 'benchmarks/bgp/generate.ts',
      mirror: 'benchmarks/bgp/mirror-program.ts',
      speaker: 'benchmarks/bgp/speaker.ts',
    },
    outdir: programs,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.20',
    conditions: ['@network/source'],
    external: ['koffi'],
    logLevel: 'warning',
  })
  return programs
}

async function failing(work: Promise<Outcome>): Promise<Outcome> {
  try {
    return await work
  } catch (error) {
    return {
      phases: {},
      cpuSeconds: 0,
      peakMiB: 0,
      generatorSeconds: 0,
      failure: error instanceof Error ? error.message : String(error),
    }
  }
}

/** A bound was reached or the run failed: another run would take as long and tell no more. */
function gaveUp({ phases, failure, reading, stalled }: Outcome): boolean {
  const over = [...Object.values(phases), reading, stalled].some((one) => one?.over === true)
  return over || failure !== undefined
}

async function compare(
  wantedScenarios: readonly Scenario[],
  wantedTargets: readonly Target[],
  runs: number,
  programs: string,
): Promise<Map<string, string>> {
  const sections = new Map<string, string>()
  const titles = new Map<Target, string>()
  for (const target of wantedTargets) titles.set(target, await target.version())
  const rack = await buildRack()
  try {
    for (const scenario of wantedScenarios) {
      const profile = values.profile
      const nodeArguments =
        profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${path.join(profile, scenario.name)}`]
      const able = wantedTargets.filter(({ decides }) => decides || !scenario.plan.population.shared)
      const measured = able.map((target) => ({ target, outcomes: [] as Outcome[] }))
      const before = load()
      // In turns, so that what else the machine does falls upon all alike.
      for (let run = 0; run < runs; run++) {
        for (const { target, outcomes } of measured) {
          if (outcomes.some(gaveUp)) continue
          outcomes.push(await failing(measure(rack, scenario, target, programs, nodeArguments)))
          const which = `run ${String(run + 1)} of ${target.name}`
          process.stderr.write(`${scenario.name}: ${which} is done (load ${load().toFixed(1)})\n`)
        }
      }
      const rows = measured.map(({ target, outcomes }): Row => {
        return { target: target.name, title: titles.get(target) ?? target.name, outcomes }
      })
      const times =
        runs === 1
          ? 'One run.'
          : `Medians of ${String(runs)} runs in turns; who reached a bound was measured once.`
      const loads = `Load before: ${before.toFixed(1)}, after: ${load().toFixed(1)}.`
      const section = `${table(scenario, rows)}\n\n${times} ${loads}`
      process.stdout.write(`\n${section}\n`)
      sections.set(scenario.name, section)
    }
  } finally {
    rack.lab.destroy()
  }
  return sections
}

/**
 * Puts each scenario's section into the page in place of its older one; what was not measured now stays, and so does
 * what is written behind the last scenario.
 */
function write(preface: string, sections: ReadonlyMap<string, string>): void {
  let text = '# Benchmarks\n'
  try {
    text = readFileSync(page, 'utf8')
  } catch {
    // The page is made with its first section.
  }
  const start = text.indexOf(`${heading}\n`)
  const end = start < 0 ? -1 : text.indexOf('\n## ', start + heading.length)
  const before = start < 0 ? `${text.trimEnd()}\n\n` : text.slice(0, start)
  const older = start < 0 ? '' : text.slice(start, end < 0 ? undefined : end)
  const after = end < 0 ? '' : text.slice(end)
  const kept = older.split(/^(?=### )/m)
  const isOf = (part: string, scenario: Scenario): boolean => part.startsWith(`### ${scenario.title}\n`)
  const parts = scenarios.flatMap((scenario) => {
    const now = sections.get(scenario.name)
    return now !== undefined ? [now] : kept.filter((part) => isOf(part, scenario))
  })
  const remarks = kept.slice(1).filter((part) => !scenarios.some((scenario) => isOf(part, scenario)))
  const all = [...parts, ...remarks].map((part) => part.trimEnd())
  writeFileSync(page, `${before}${[heading, preface, ...all].join('\n\n')}\n${after}`)
}

const limit = values.limit === undefined ? undefined : positive('limit', values.limit)
const wantedScenarios = named(
  'scenarios',
  values.scenarios,
  scenarios,
  scenarios.filter(({ quick }) => quick),
).map((scenario) => ({
  ...scenario,
  plan: { ...scenario.plan, limitSeconds: limit ?? scenario.plan.limitSeconds },
}))
const wantedTargets = named('targets', values.targets, targets, targets)
const runs = positive('runs', values.runs)

const programs = await bundle()
setPriority(priority)
const session = '/proc/self/autogroup'
if (existsSync(session)) writeFileSync(session, String(priority))
const sections = await compare(wantedScenarios, wantedTargets, runs, programs)
const preface = [
  `${machine()}. All speakers get the same messages`,
  `from the same generator, with which they share the cores; both run in a session of nice ${String(priority)}, what`,
  'else the machine did at nice 0. CPU and memory are the speaker’s alone, with its child processes; peak is the sum of their greatest',
  'resident sets. The mirror hands bytes on unread: it is what the generator itself can do. A figure behind > is the bound at',
  'which a phase was given up; load is the average of the last minute.',
].join('\n')
process.stdout.write(`\n${preface}\n`)
if (values.write) write(preface, sections)
