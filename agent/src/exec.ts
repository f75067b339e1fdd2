import { type ChildProcess, spawn } from 'node:child_process'
import { DroverError, type DroverErrorOptions } from '@network/net'
import { execa } from 'execa'

/** What a finished program said. Output is text, cut at the bound of the call. */
export interface ExecResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface ExecOptions {
  /** Written to the program's standard input, which is then closed. */
  readonly input?: string
  /** The program is ended past this time; default 10,000 ms. */
  readonly timeoutMs?: number
  /** Characters of each output that are kept; past it the call fails. Default 64 Mi. */
  readonly maxOutput?: number
}

/** A program that keeps running: its lines, and its end. */
export interface RunningProgram {
  readonly pid: number | undefined
  /** Sends text to its standard input; false once it has ended. */
  write(text: string): boolean
  /** Closes its standard input. */
  end(): void
  /** Ends the program: SIGTERM, and SIGKILL one second later. */
  kill(): void
  /** Resolves, and never rejects, when it has ended. `reason` says why, for a person. */
  readonly ended: Promise<{ readonly exitCode: number | undefined; readonly reason: string }>
}

/** Where a running program's output goes, as it comes. */
export interface OutputSink {
  stdout(text: string): void
  stderr(text: string): void
}

/**
 * The only way to another program: argument arrays and standard input, never a shell. `run` answers whatever the exit
 * status was and throws ExecError only if the program could not be run to its end.
 */
export interface Exec {
  run(file: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>
  start(file: string, args: readonly string[], sink: OutputSink): RunningProgram
}

export type ExecErrorCode = 'missing-tool' | 'timeout' | 'output-too-large' | 'killed' | 'failed'

/** A program could not be run to its end, or (`check`) ended with a status that means failure. */
export class ExecError extends DroverError {
  declare readonly code: ExecErrorCode

  constructor(code: ExecErrorCode, message: string, options: DroverErrorOptions = {}) {
    super(code, message, options)
  }
}

/** The Debian package that brings a program which Drover uses. */
const packageOf: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  bridge: 'iproute2',
  ss: 'iproute2',
  iptables: 'iptables',
  'iptables-restore': 'iptables',
  'iptables-save': 'iptables',
  'ip6tables-restore': 'iptables',
  'ip6tables-save': 'iptables',
  ipset: 'ipset',
  conntrack: 'conntrack',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
}

const defaultTimeoutMs = 10_000
const defaultMaxOutput = 64 * 1024 * 1024

/** Where programs are looked for: an administrator's folders, whatever the agent's own PATH is. */
const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** `ip -batch -` as a person would type it; long argument lists are cut. */
export function describeCommand(file: string, args: readonly string[]): string {
  const text = [file, ...args].join(' ')
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

/** Whether a program could not be started because it is not there, or what is there can't be run. */
function isMissing(code: string | undefined): boolean {
  return code === 'ENOENT' || code === 'EACCES'
}

function missingTool(file: string, path: string, cause: unknown): ExecError {
  const debian = packageOf[file]
  return new ExecError('missing-tool', `The program '${file}' was not found in ${path}.`, {
    remedy:
      debian === undefined
        ? `Install ${file}.`
        : `Install the Debian package ${debian}: apt-get install ${debian}`,
    details: { file, ...(debian === undefined ? {} : { package: debian }) },
    cause,
  })
}

/** Turns a status other than 0 into an ExecError that carries the program's own words. */
export function checkExit(file: string, args: readonly string[], result: ExecResult): ExecResult {
  if (result.exitCode === 0) return result
  const words = result.stderr.trim().slice(0, 2000)
  throw new ExecError(
    'failed',
    `${describeCommand(file, args)} ended with status ${String(result.exitCode)}${words === '' ? '' : `: ${words}`}.`,
    { details: { file, args, exitCode: result.exitCode, stderr: words } },
  )
}

/**
 * Exec for this machine. Programs inherit no environment: their words are English, their folders are `path`. They end
 * with this process.
 */
export function createExec(options: { path?: string } = {}): Exec {
  const path = options.path ?? standardPath
  const environment = { PATH: path, LC_ALL: 'C' }
  const running = new Set<ChildProcess>()
  process.once('exit', () => {
    for (const child of running) child.kill()
  })
  return {
    async run(file, args, options = {}) {
      const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
      const result = await execa(file, [...args], {
        ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
        timeout: timeoutMs,
        forceKillAfterDelay: 1000,
        maxBuffer: options.maxOutput ?? defaultMaxOutput,
        reject: false,
        stripFinalNewline: false,
        env: environment,
        extendEnv: false,
        encoding: 'utf8',
      })
      const command = describeCommand(file, args)
      const details = { file, args, stderr: result.stderr.slice(0, 2000) }
      if (result.timedOut) {
        throw new ExecError('timeout', `${command} was ended after ${String(timeoutMs)} ms.`, { details })
      }
      if (result.isMaxBuffer) {
        throw new ExecError('output-too-large', `${command} wrote more output than is read.`, { details })
      }
      if (result.exitCode === undefined) {
        if (isMissing(result.code)) throw missingTool(file, path, result.cause)
        const why = result.signal === undefined ? result.shortMessage : `was ended by ${result.signal}`
        throw new ExecError('killed', `${command} ${why ?? 'did not run'}.`, { details, cause: result.cause })
      }
      return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr }
    },

    start(file, args, sink) {
      // Without execa: it would hold the thread for twice as long, on the path of every attach.
      const child = spawn(file, [...args], { stdio: 'pipe', env: environment })
      let open = true
      let cause: Error | undefined
      child.stdout.setEncoding('utf8').on('data', (text: string) => sink.stdout(text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => sink.stderr(text))
      child.stdin.on('error', () => {
        open = false
      })
      running.add(child)
      const ended = new Promise<{ exitCode: number | undefined; reason: string }>((resolve) => {
        child.on('error', (error) => {
          cause = error
        })
        child.on('close', (status, signal) => {
          open = false
          running.delete(child)
          const missing = isMissing((cause as NodeJS.ErrnoException | undefined)?.code)
          const reason = missing
            ? missingTool(file, path, cause).message
            : (cause?.message ?? (signal === null ? `status ${String(status)}` : `signal ${signal}`))
          resolve({ exitCode: cause === undefined ? (status ?? undefined) : undefined, reason })
        })
      })
      return {
        pid: child.pid,
        write(text) {
          if (!open) return false
          child.stdin.write(text)
          return true
        },
        end() {
          if (open) child.stdin.end()
        },
        kill() {
          child.kill()
          const hard = setTimeout(() => child.kill('SIGKILL'), 1000)
          void ended.then(() => clearTimeout(hard))
        },
        ended,
      }
    },
  }
}
