/**
 * etcd for one machine: a child of the agent on loopback, with its data under the state directory. The child is
 * started through setpriv(1) with a parent-death signal, so that it ends when the agent is killed; a pid file that
 * names process and start time is the second line of defence, and what is found running under it is ended before
 * the data directory is opened again. While the agent lives, a child that dies is started again with back-off.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:net'
import path from 'node:path'
import { type Clock, DroverError, type Log } from '@network/net'

export interface EmbeddedEtcdModules {
  clock: Clock
  log: Log
}

export interface EmbeddedEtcdOptions {
  /** Holds `data/` and `etcd.pid`. */
  directory: string
  /** Loopback ports for clients and for the member itself. */
  clientPort?: number
  peerPort?: number
  /** How long a start may take until etcd answers; default 30,000. */
  startDeadlineMs?: number
}

export interface EmbeddedEtcd {
  /** Resolves when etcd answers; fails with a DroverError that says why it doesn't. */
  start(): Promise<void>
  /** Ends the child and waits for it. */
  stop(): Promise<void>
  readonly endpoint: string
  /** undefined while it is being restarted. */
  readonly pid: number | undefined
}

const FIRST_BACKOFF_MS = 200
const LAST_BACKOFF_MS = 10_000
/** A child that lived this long was well: the next failure begins with the shortest wait again. */
const WELL_AFTER_MS = 60_000
const TERM_PATIENCE_MS = 5_000
const KEPT_LOG_LINES = 20

/** A supervised etcd child. Nothing runs before `start`. */
export function createEmbeddedEtcd(modules: EmbeddedEtcdModules, options: EmbeddedEtcdOptions): EmbeddedEtcd {
  const { clock } = modules
  const log = modules.log.child({ module: 'embedded-etcd' })
  const clientPort = options.clientPort ?? 2379
  const peerPort = options.peerPort ?? 2380
  const endpoint = `http://127.0.0.1:${clientPort}`
  const dataDirectory = path.join(options.directory, 'data')
  const pidFile = path.join(options.directory, 'etcd.pid')
  const lastLines: string[] = []
  let child: ChildProcess | undefined
  let stopping = false
  let backoffMs = FIRST_BACKOFF_MS
  let restartTimer: { cancel(): void } | undefined

  const keepLine = (line: string): void => {
    lastLines.push(line)
    if (lastLines.length > KEPT_LOG_LINES) lastLines.shift()
  }

  const launch = async (): Promise<ChildProcess> => {
    const started = spawn(
      'setpriv',
      ['--pdeathsig', 'TERM', 'etcd', ...etcdArguments(dataDirectory, clientPort, peerPort)],
      { stdio: ['ignore', 'pipe', 'pipe'], env: environmentWithoutEtcd(process.env) },
    )
    const startedAt = clock.monotonic()
    for (const stream of [started.stdout, started.stderr]) readLines(stream, keepLine)
    await new Promise<void>((resolve, reject) => {
      started.once('spawn', resolve)
      started.once('error', (error) => {
        reject(
          new DroverError('missing-tool', `setpriv could not be started: ${error.message}.`, {
            remedy: 'Install it: apt-get install util-linux.',
            cause: error,
          }),
        )
      })
    })
    child = started
    started.once('exit', (code, signal) => {
      if (child === started) child = undefined
      if (stopping) return
      if (clock.monotonic() - startedAt > WELL_AFTER_MS) backoffMs = FIRST_BACKOFF_MS
      log.error(
        { code, signal, last: lastLines.at(-1), restartInMs: backoffMs },
        'etcd ended unexpectedly and will be started again',
      )
      restartTimer = clock.setTimeout(() => {
        launch().catch((error: unknown) => {
          log.error({ error: String(error) }, 'etcd could not be started again')
        })
      }, backoffMs)
      backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS)
    })
    if (started.pid !== undefined) await writePidFile(pidFile, started.pid)
    return started
  }

  return {
    endpoint,
    get pid() {
      return child?.pid
    },

    async start() {
      await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
      await endPrevious(pidFile, dataDirectory, clock, log)
      await Promise.all([requireFreePort(clientPort), requireFreePort(peerPort)])
      const first = await launch()
      const deadline = clock.monotonic() + (options.startDeadlineMs ?? 30_000)
      while (!(await answersHealthy(clientPort))) {
        if (first.exitCode !== null || first.signalCode !== null || clock.monotonic() > deadline) {
          const why = first.exitCode === 127 || lastLines.some((line) => line.includes('failed to execute'))
          const last = lastLines.slice(-3).join(' | ')
          await this.stop()
          throw why
            ? new DroverError('missing-tool', 'The program etcd is not installed.', {
                remedy:
                  'Install it: apt-get install etcd-server, or name an existing cluster with --etcd-endpoints.',
              })
            : new DroverError(
                'embedded-etcd',
                `The embedded etcd did not become healthy on ${endpoint}: ${last || 'it said nothing'}.`,
                {
                  remedy: `Look at ${dataDirectory}; if its data is damaged, restore a snapshot or remove it.`,
                },
              )
        }
        await pause(clock, 50)
      }
      log.info({ endpoint, pid: first.pid, data: dataDirectory }, 'embedded etcd is healthy')
    },

    async stop() {
      stopping = true
      restartTimer?.cancel()
      const ending = child
      if (ending?.pid !== undefined && ending.exitCode === null && ending.signalCode === null) {
        const ended = new Promise<void>((resolve) => {
          ending.once('exit', () => resolve())
        })
        ending.kill('SIGTERM')
        const kill = clock.setTimeout(() => ending.kill('SIGKILL'), TERM_PATIENCE_MS)
        await ended
        kill.cancel()
      }
      await rm(pidFile, { force: true })
    },
  }
}

function etcdArguments(dataDirectory: string, clientPort: number, peerPort: number): string[] {
  const client = `http://127.0.0.1:${clientPort}`
  const peer = `http://127.0.0.1:${peerPort}`
  return [
    ...['--name', 'drover', '--data-dir', dataDirectory],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `drover=${peer}`, '--initial-cluster-state', 'new'],
    ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
    ...['--logger', 'zap', '--log-level', 'warn'],
  ]
}

/** etcd reads every ETCD_… variable as an option: those meant for another etcd must not reach this one. */
function environmentWithoutEtcd(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('ETCD_')))
}

function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = (lines.pop() ?? '').slice(0, 4096)
    for (const line of lines) if (line !== '') onLine(line.slice(0, 1024))
  })
}

/** Who a pid was: pids are used again, start times (in clock ticks since boot, proc(5) stat field 22) with them not. */
async function processStart(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

async function writePidFile(file: string, pid: number): Promise<void> {
  const start = await processStart(pid)
  await writeFile(`${file}.new`, JSON.stringify({ pid, start }), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** Ends what an earlier agent left running, if it is indeed our etcd on our data. */
async function endPrevious(file: string, dataDirectory: string, clock: Clock, log: Log): Promise<void> {
  const previous = await readPidFile(file)
  if (previous === undefined) return
  const isOurs = async (): Promise<boolean> => {
    if ((await processStart(previous.pid)) !== previous.start) return false
    const command = await readFile(`/proc/${previous.pid}/cmdline`, 'utf8').catch(() => '')
    return command.split('\0').includes(dataDirectory)
  }
  if (!(await isOurs())) return
  log.warn({ pid: previous.pid }, 'an etcd of an earlier agent is still running: it is ended first')
  process.kill(previous.pid, 'SIGTERM')
  const patience = clock.monotonic() + TERM_PATIENCE_MS
  while (await isOurs()) {
    if (clock.monotonic() > patience) process.kill(previous.pid, 'SIGKILL')
    await pause(clock, 50)
  }
}

async function readPidFile(file: string): Promise<{ pid: number; start: string } | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('start' in value))
      return undefined
    const { pid, start } = value
    // pid 0 and 1 would address a group or init: no file may make us signal those.
    return Number.isInteger(pid) && (pid as number) > 1 && typeof start === 'string'
      ? { pid: pid as number, start }
      : undefined
  } catch {
    return undefined
  }
}

function requireFreePort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new DroverError(
          'port-taken',
          `The embedded etcd needs 127.0.0.1:${port}, which ${error.code === 'EADDRINUSE' ? 'another process listens on' : `cannot be bound: ${error.message}`}.`,
          { remedy: `Find it with 'ss -ltnp sport = :${port}'; if it is an etcd, use it: --etcd-endpoints.` },
        ),
      )
    })
    probe.listen(port, '127.0.0.1', () => {
      probe.close(() => resolve())
    })
  })
}

function answersHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(
      { host: '127.0.0.1', port, path: '/health', agent: false, timeout: 1_000 },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text = (text + chunk).slice(0, 1024)
        })
        response.on('end', () => {
          resolve(response.statusCode === 200 && text.includes('true'))
        })
        response.on('error', () => resolve(false))
      },
    )
    call.on('timeout', () => call.destroy())
    call.on('error', () => resolve(false))
    call.end()
  })
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, ms)
  })
}
