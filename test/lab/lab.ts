/**
 * A rack on one machine. A lab owns network namespaces: hosts on a wire, and workloads that an agent wires up. All that
 * it makes is named `drvlab-<id>-…` and recorded before it is made (record.ts). A host that runs an agent also gets a
 * mount namespace in which the folders of Drover's state, and that of Docker's plugins, are its own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { type LabRecord, labFolder, markOf, removeLab, sweepLabs, writeRecord } from './record.ts'

/** What a finished command said. */
export interface Output {
  exitCode: number
  stdout: string
  stderr: string
}

/** A long-running program in a namespace; its output goes to `logFile`. */
export interface LabProcess {
  readonly pid: number
  readonly logFile: string
  /** Resolves when it has ended. */
  readonly ended: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>
  running(): boolean
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<void>
  /** The log so far. */
  log(): string
}

/** Somewhere commands run: a network namespace and, for a host with an agent, a mount namespace. */
export interface Place {
  readonly name: string
  /** Path of the network namespace. */
  readonly netns: string
  /** The words that go before a command to run it there. */
  readonly enter: readonly string[]
  /** Runs a command there to its end; rejects when it exits other than 0. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<Output>
  /** As run, but any exit code is an answer. */
  attempt(program: string, args: readonly string[], options?: RunOptions): Promise<Output>
  /** Starts a program that keeps running. */
  start(
    label: string,
    program: string,
    args: readonly string[],
    options?: { env?: Record<string, string> },
  ): LabProcess
}

export interface RunOptions {
  input?: string
  timeoutMs?: number
  env?: Record<string, string>
}

/** The folders that a host with an agent has of its own. */
const privateFolders = ['/run/drover', '/var/lib/drover', '/etc/drover', '/run/docker'] as const

export class Lab {
  readonly id: string
  readonly folder: string
  #record: LabRecord
  #reaper: ChildProcess
  #onExit: () => void
  #destroyed = false

  /** Sweeps labs whose owners are gone, then begins a new one. Needs root. */
  constructor(label: string) {
    sweepLabs()
    const owner = markOf(process.pid)
    if (owner === undefined) throw new Error('/proc does not show this process: a lab needs a mounted /proc.')
    this.id = `${label}-${randomBytes(2).toString('hex')}`
    this.folder = labFolder(this.id)
    this.#record = { id: this.id, owner, namespaces: [], processes: [], mounts: [], folders: [] }
    writeRecord(this.#record)
    this.#reaper = spawn(
      process.execPath,
      [...process.execArgv, path.join(import.meta.dirname, 'reaper.ts'), this.id],
      { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
    )
    this.#reaper.unref()
    this.#onExit = () => removeLab(this.#record)
    process.on('exit', this.#onExit)
  }

  #remember(change: Partial<LabRecord>): void {
    this.#record = { ...this.#record, ...change }
    // The ends of its processes are heard of afterwards.
    if (!this.#destroyed) writeRecord(this.#record)
  }

  /** A new network namespace with loopback up. */
  async namespace(name: string): Promise<Place> {
    const full = `drvlab-${this.id}-${name}`
    this.#remember({ namespaces: [...this.#record.namespaces, full] })
    await execa('ip', ['netns', 'add', full])
    await execa('ip', ['-n', full, 'link', 'set', 'lo', 'up'])
    const netns = `/run/netns/${full}`
    return this.#place(name, netns, ['nsenter', `--net=${netns}`, '--'])
  }

  /** A new network namespace whose programs see folders of their own where Drover keeps its state. */
  async host(name: string): Promise<Place> {
    const { netns } = await this.namespace(name)
    const own = path.join(this.folder, name)
    const pinned = path.join(own, 'ns')
    mkdirSync(pinned, { recursive: true })
    this.#remember({ mounts: [...this.#record.mounts, pinned] })
    await execa('mount', ['--bind', pinned, pinned])
    await execa('mount', ['--make-private', pinned])
    const file = path.join(pinned, 'mnt')
    writeFileSync(file, '')
    await execa('unshare', [`--mount=${file}`, '--propagation', 'slave', 'true'])
    for (const folder of privateFolders) {
      if (!existsSync(folder)) {
        this.#remember({ folders: [...this.#record.folders, folder] })
        mkdirSync(folder, { recursive: true })
      }
      const mine = path.join(own, `${path.basename(path.dirname(folder))}-${path.basename(folder)}`)
      mkdirSync(mine, { recursive: true })
      await execa('nsenter', [`--mount=${file}`, '--', 'mount', '--bind', mine, folder])
    }
    return this.#place(name, netns, ['nsenter', `--mount=${file}`, `--net=${netns}`, '--'])
  }

  #place(name: string, netns: string, enter: readonly [string, ...string[]]): Place {
    const [program0, ...args0] = enter
    const attempt = async (
      program: string,
      args: readonly string[],
      options: RunOptions = {},
    ): Promise<Output> => {
      const done = await execa(program0, [...args0, program, ...args], {
        reject: false,
        timeout: options.timeoutMs ?? 30_000,
        killSignal: 'SIGKILL',
        ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
        ...(options.env === undefined ? {} : { env: options.env }),
      })
      const exitCode = done.exitCode ?? 255
      return {
        exitCode,
        stdout: done.stdout,
        stderr: done.timedOut ? `${done.stderr}\ntimed out` : done.stderr,
      }
    }
    return {
      name,
      netns,
      enter,
      attempt,
      run: async (program, args, options) => {
        const output = await attempt(program, args, options)
        if (output.exitCode === 0) return output
        const words = [program, ...args].join(' ')
        throw new Error(
          `in ${name}: '${words}' exited ${String(output.exitCode)}: ${output.stderr || output.stdout}`,
        )
      },
      start: (label, program, args, options) =>
        this.#start(
          path.join(this.folder, `${name}-${label}.log`),
          program0,
          [...args0, program, ...args],
          options?.env,
        ),
    }
  }

  #start(
    logFile: string,
    program: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): LabProcess {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    const pid = child.pid
    if (pid === undefined) throw new Error(`'${program}' could not be started.`)
    const mark = markOf(pid)
    if (mark !== undefined) this.#remember({ processes: [...this.#record.processes, mark] })
    const log = createWriteStream(logFile, { flags: 'a' })
    child.stdout.pipe(log, { end: false })
    child.stderr.pipe(log, { end: false })
    const ended = new Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
    })
    child.once('close', () => {
      log.end()
    })
    void ended.then(() => {
      this.#remember({ processes: this.#record.processes.filter((other) => other.pid !== pid) })
    })
    const running = (): boolean => child.exitCode === null && child.signalCode === null
    return {
      pid,
      logFile,
      ended,
      running,
      signal: (signal) => {
        if (running()) child.kill(signal)
      },
      stop: async (graceMs = 10_000) => {
        child.kill('SIGTERM')
        const last = setTimeout(() => child.kill('SIGKILL'), graceMs)
        await ended
        clearTimeout(last)
      },
      log: () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''),
    }
  }

  /** Removes everything the lab has made. */
  destroy(): void {
    process.off('exit', this.#onExit)
    this.#destroyed = true
    removeLab(this.#record)
    this.#reaper.stdin?.end()
  }
}

/** Connects two namespaces with a veth pair; each end is up and named as asked. */
export async function connect(a: Place, aName: string, b: Place, bName: string): Promise<void> {
  await a.run('ip', [
    'link',
    'add',
    aName,
    'type',
    'veth',
    'peer',
    'name',
    bName,
    'netns',
    path.basename(b.netns),
  ])
  await a.run('ip', ['link', 'set', aName, 'up'])
  await b.run('ip', ['link', 'set', bName, 'up'])
}

/** Waits until `probe` answers something other than undefined or false; rejects past the bound with what was awaited. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<T> {
  const end = performance.now() + (options.timeoutMs ?? 15_000)
  for (;;) {
    const answer = await probe()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs ?? 50))
  }
}
