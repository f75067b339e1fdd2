/** One scenario against one speaker, once: both started, measured and ended. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import path from 'node:path'
import { until } from '../../test/lab/index.ts'
import type { Command, Phase, Report, Timed } from './plan.ts'
import type { Rack } from './rack.ts'
import type { Scenario } from './scenarios.ts'
import type { Target } from './targets/index.ts'
import { listensOn, usageOf } from './usage.ts'

export interface StallStage {
  readonly roundSeconds: number
  readonly over: boolean
  readonly residentMiB: number
}

export interface Outcome {
  readonly phases: Partial<Record<Phase, Timed>>
  readonly flap?: Extract<Report, { kind: 'flap' }>
  readonly reading?: StallStage
  readonly stalled?: StallStage
  /** Used by the speaker from the first connection to the end of the last phase. */
  readonly cpuSeconds: number
  readonly peakMiB: number
  /** Used by the generator in the same time. */
  readonly generatorSeconds: number
  readonly failure?: string
}

const restMs = 300
/** Beyond all bounds of its own the generator has gone wrong. */
const generatorLimitMs = 600_000
/** A small window, so that a receiver that does not read is felt after little data. */
const receiveWindow = { stall: '4096 65536 262144', other: '4096 131072 6291456' }

export async function measure(
  rack: Rack,
  scenario: Scenario,
  target: Target,
  programs: string,
  nodeArguments: readonly string[],
): Promise<Outcome> {
  const { population, course } = scenario.plan
  const window = course.kind === 'stall' ? receiveWindow.stall : receiveWindow.other
  await rack.clients.run('sysctl', ['-qw', `net.ipv4.tcp_rmem=${window}`])
  const folder = mkdtempSync(path.join(rack.lab.folder, `${target.name}-`))
  const speaker = target.start({ place: rack.speaker, folder, population, programs, nodeArguments })
  let generator: ChildProcess | undefined
  try {
    await until(`${target.name} listens`, () => {
      if (!speaker.running()) throw new Error(`${target.name} did not start: ${speaker.log().slice(-500)}`)
      return listensOn(speaker.pid, 179)
    })
    generator = spawn(
      'nsenter',
      [
        `--net=${rack.clients.netns}`,
        '--',
        process.execPath,
        path.join(programs, 'generate.mjs'),
        JSON.stringify(scenario.plan),
      ],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    )
    return await follow(generator, speaker.pid)
  } finally {
    if (generator !== undefined && generator.exitCode === null && generator.signalCode === null) {
      const ended = once(generator, 'exit')
      tell(generator, 'quit')
      const last = setTimeout(() => generator?.kill('SIGKILL'), 3000)
      await ended
      clearTimeout(last)
    }
    await speaker.stop()
  }
}

function tell(generator: ChildProcess, command: Command): void {
  if (generator.connected) generator.send(command, () => undefined)
}

/** Answers the generator's reports until it is done. */
async function follow(generator: ChildProcess, pid: number): Promise<Outcome> {
  let outcome: Outcome = { phases: {}, cpuSeconds: 0, peakMiB: 0, generatorSeconds: 0 }
  const ownPid = generator.pid ?? 0
  let before = 0
  let ownBefore = 0
  const done = new Promise<void>((resolve) => {
    const hear = (report: Report): void => {
      switch (report.kind) {
        case 'ready':
          setTimeout(() => {
            before = usageOf(pid).cpuSeconds
            ownBefore = usageOf(ownPid).cpuSeconds
            tell(generator, 'go')
          }, restMs)
          break
        case 'phase':
          outcome = { ...outcome, phases: { ...outcome.phases, [report.phase]: report.timed } }
          break
        case 'flap':
          outcome = { ...outcome, flap: report }
          break
        case 'stall': {
          const { roundSeconds, over } = report
          const stage = { roundSeconds, over, residentMiB: usageOf(pid).residentMiB }
          outcome = { ...outcome, [report.stage]: stage }
          tell(generator, 'on')
          break
        }
        case 'failed':
          outcome = { ...outcome, failure: report.reason }
          resolve()
          break
        case 'done':
          resolve()
      }
    }
    generator.on('message', hear)
    generator.once('exit', (code) => {
      outcome = { ...outcome, failure: `the generator ended with ${String(code)}` }
      resolve()
    })
    setTimeout(() => {
      outcome = { ...outcome, failure: 'the generator did not end in time' }
      resolve()
    }, generatorLimitMs).unref()
  })
  await done
  const { cpuSeconds, peakMiB } = usageOf(pid)
  const generatorSeconds = usageOf(ownPid).cpuSeconds - ownBefore
  return { ...outcome, cpuSeconds: cpuSeconds - before, peakMiB, generatorSeconds }
}
