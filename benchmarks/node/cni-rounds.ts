/**
 * Runs within a node of the lab: executes plugins as a runtime does, from exec to exit, in turns, so that whatever else
 * the machine does meets all of them alike; then fills the node with pods.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Series, type Timings } from './timings.ts'

export interface Contestant {
  readonly name: string
  readonly file: string
  readonly configuration: object
  readonly env: Readonly<Record<string, string>>
  /** How many of a round's namespaces it gets, one after another; ten at once it gets all, or none. */
  readonly share: number
  readonly atOnce: boolean
}

export interface CniRoundsTask {
  readonly contestants: readonly Contestant[]
  readonly namespaces: readonly string[]
  readonly rounds: number
  readonly atOnce: number
  /** The contestant that fills the node. */
  readonly filler: string
  readonly agentPid: number
}

/** By `<name> ADD`, `<name> DEL`, and with ` at once` behind. */
export interface CniRoundsOutcome {
  readonly timings: Readonly<Record<string, Timings>>
  readonly filled: {
    readonly add: Timings
    readonly del: Timings
    readonly addCpuMs: number
    readonly delCpuMs: number
  }
  readonly memory: { readonly beforeKiB: number; readonly filledKiB: number }
}

const CLOCK_TICKS = 100

function execute(
  { file, configuration, env }: Contestant,
  command: 'ADD' | 'DEL',
  id: string,
  netns: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [], {
      env: {
        ...env,
        CNI_COMMAND: command,
        CNI_CONTAINERID: id,
        CNI_NETNS: netns,
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/usr/lib/cni',
      },
      stdio: 'pipe',
    })
    const said: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`${file} ${command} exited ${String(code)}: ${Buffer.concat(said).toString()}`))
    })
    child.stdin.end(JSON.stringify(configuration))
  })
}

/** User and system time of a process, in ms (proc(5), fields 14 and 15 of stat). */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS
}

function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1])
}

async function measure(task: CniRoundsTask): Promise<CniRoundsOutcome> {
  const series = new Map<string, Series>()
  const of = (name: string): Series => {
    const found = series.get(name) ?? new Series()
    series.set(name, found)
    return found
  }
  const each = (
    contestant: Contestant,
    command: 'ADD' | 'DEL',
    round: string,
    namespaces: readonly string[],
  ) =>
    namespaces.map((netns, index) => () => execute(contestant, command, `${round}-${String(index)}`, netns))
  const few = task.namespaces.slice(0, 20)
  // A first round is not counted: by then programs are in memory, and an agent as it is after its first minutes.
  for (let number = -1; number < task.rounds; number++) {
    const noted = (name: string): Series => (number < 0 ? new Series() : of(name))
    for (const contestant of task.contestants) {
      const { name, share } = contestant
      const own = few.slice(0, share)
      const round = `${name.replaceAll(/[^A-Za-z0-9]/g, '')}${String(number)}`
      for (const command of ['ADD', 'DEL'] as const)
        await noted(`${name} ${command}`).run(each(contestant, command, round, own))
      if (!contestant.atOnce) continue
      for (const command of ['ADD', 'DEL'] as const)
        await noted(`${name} ${command} at once`).run(
          each(contestant, command, `${round}c`, few),
          task.atOnce,
        )
    }
  }
  const filler = task.contestants.find(({ name }) => name === task.filler)
  if (filler === undefined) throw new Error(`nobody is called ${task.filler}`)
  const settle = () => new Promise((resolve) => setTimeout(resolve, 3_000))
  const fill = async (command: 'ADD' | 'DEL') => {
    const times = new Series()
    const before = cpuMs(task.agentPid)
    await times.run(each(filler, command, 'fill', task.namespaces), task.atOnce)
    return { timings: times.timings(), cpuMs: cpuMs(task.agentPid) - before }
  }
  await settle()
  const beforeKiB = residentKiB(task.agentPid)
  const add = await fill('ADD')
  await settle()
  const filledKiB = residentKiB(task.agentPid)
  const del = await fill('DEL')
  return {
    timings: Object.fromEntries([...series].map(([name, each]) => [name, each.timings()])),
    filled: { add: add.timings, del: del.timings, addCpuMs: add.cpuMs, delCpuMs: del.cpuMs },
    memory: { beforeKiB, filledKiB },
  }
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '{}') as CniRoundsTask)))
