/**
 * A speaker from a file: route reflector, route server or plain peer. It needs no root, no etcd and no kernel routes, and
 * lives in one thread. The file is the declared state; SIGHUP, or a call to its control socket, reads it again. What can't
 * be taken as it is leaves everything as it was and says why; what can touches only the sessions that it changes. What an
 * operator has shut down by the socket stays down across that, and comes back with the next start.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { type ApplyReport, type Speaker, SpeakerError, createSpeaker, warmUp } from '@network/bgp'
import { DroverError, type Log } from '@network/net'
import { bgpCalls } from '../api/bgp-calls.ts'
import { type ApiServer, createCallServer, ok } from '../api/call-server.ts'
import type { BgpReloadReport } from '../client/messages.ts'
import type { ReflectorConfiguration } from '../reflector/configuration.ts'
import { desiredState, fixedChanges, speakerOptions } from '../reflector/desired.ts'
import { readReflectorConfiguration } from '../reflector/read.ts'
import { createAgentLog } from './agent-log.ts'
import { type ServedSpeaker, createBgpOperations, peerName, withShutdowns } from './bgp-operations.ts'
import { systemClock as clock } from '@network/net/system'

export { reflectorConfiguration } from '../reflector/configuration.ts'
export { policy as policySchema } from '../reflector/policy-schema.ts'
export { readReflectorConfiguration }

export const DEFAULT_REFLECTOR_SOCKET = '/run/drover/reflector.sock'

export interface ReflectorOptions {
  /** Path of the configuration file. */
  config: string
  /** Path of the control socket; default /run/drover/reflector.sock. */
  socket?: string | undefined
  /** Ends it as SIGTERM does. */
  signal?: AbortSignal
}

const CLOSE_MS = 2_000

/** What a file came to: its fields, and the passwords that it names files of. */
interface Loaded {
  readonly configuration: ReflectorConfiguration
  readonly passwords: ReadonlyMap<number, string>
}

/**
 * Runs a reflector until SIGTERM, SIGINT or `signal`. Resolves after an orderly end.
 * @throws DroverError that says why it can't run, and what to do
 */
export async function runReflector(options: ReflectorOptions): Promise<void> {
  const file = path.resolve(options.config)
  const first = await load(file)
  const log = createAgentLog(first.configuration.logLevel)
  let reload: (() => Promise<unknown>) | undefined
  const onHangUp = (): void => {
    // What is wrong with the file is in the log: there is nobody else to tell.
    reload?.().catch(() => undefined)
  }
  process.on('SIGHUP', onHangUp)
  const end = untilEnd(options.signal)
  let speaker: Speaker | undefined
  let server: ApiServer | undefined
  try {
    await warmUp()
    speaker = createSpeaker(speakerOptions(first.configuration), { clock, log: log.child({ module: 'bgp' }) })
    const control = createControl(speaker, file, first, log)
    server = createCallServer(
      {
        calls: {
          ...bgpCalls(createBgpOperations(() => control.served)),
          '/v1/bgp/reload': { POST: async () => ok(await control.reload()) },
        },
        who: 'reflector',
        log,
      },
      { socketPath: options.socket ?? DEFAULT_REFLECTOR_SOCKET },
    )
    const listening = await speaker.ready().catch((error: unknown) => {
      throw withCapability(error)
    })
    await control.apply(first)
    await server.listen()
    reload = () => control.reload()
    log.info({ file, listening, pid: process.pid }, 'the reflector runs')
    const reason = await end.reached
    log.info({ reason }, 'the reflector stops')
  } finally {
    process.off('SIGHUP', onHangUp)
    end.dispose()
    await server?.close(CLOSE_MS)
    await speaker?.stop({ graceful: true, reason: 'the reflector stops' })
  }
}

interface Control {
  readonly served: ServedSpeaker
  apply(loaded: Loaded): Promise<ApplyReport>
  /** Reads the file again. @throws DroverError if it can't be taken; then nothing has changed */
  reload(): Promise<BgpReloadReport>
}

function createControl(
  speaker: Speaker,
  file: string,
  first: Loaded,
  log: ReturnType<typeof createAgentLog>,
): Control {
  let loaded = first
  let shutdowns: ReadonlyMap<string, string> = new Map()
  let queue: Promise<unknown> = Promise.resolve()

  const state = ({ configuration, passwords }: Loaded) => desiredState(configuration, passwords)
  const apply = async (next: Loaded, down = shutdowns): Promise<ApplyReport> => {
    const report = await speaker.apply(withShutdowns(state(next), down))
    loaded = next
    shutdowns = down
    return report
  }
  /** Changes one after the other: each is judged against what the one before has left. */
  const inTurn = <T>(change: () => Promise<T>): Promise<T> => {
    const done = queue.then(change)
    queue = done.catch(() => undefined)
    return done
  }
  const reload = async (): Promise<BgpReloadReport> => {
    try {
      const next = await load(file)
      refuseFixed(file, loaded.configuration, next.configuration)
      const report = await apply(next)
      log.setLevel(next.configuration.logLevel)
      log.info({ file, ...report }, 'the file was read again')
      return {
        file,
        ...report,
        added: [...report.added],
        removed: [...report.removed],
        reset: report.reset.map(({ peer, because }) => ({ peer, because: [...because] })),
        updated: [...report.updated],
      }
    } catch (error) {
      logRefusal(log, file, error)
      throw error
    }
  }

  return {
    served: {
      peers: () => Promise.resolve(speaker.peers()),
      routes: async (query) => Promise.resolve(speaker.routes(query)),
      explainExports: async (prefix) => Promise.resolve(speaker.explainExports(prefix)),
      explain: async (prefix) => Promise.resolve(speaker.explain(prefix)),
      refresh: async (peer, family) => Promise.resolve(speaker.refresh(peer, family)),
      declared: () => state(loaded).peers,
      origin: (name) => {
        const index = state(loaded).peers.findIndex((peer) => peerName(peer) === name)
        return index < 0 ? undefined : `peers[${String(index)}]`
      },
      get shutdowns() {
        return shutdowns
      },
      shutDown: async (next) => {
        await inTurn(() => apply(loaded, next))
      },
    },
    apply: (next) => inTurn(() => apply(next)),
    reload: () => inTurn(reload),
  }
}

function logRefusal(log: Log, file: string, error: unknown): void {
  const known = error instanceof DroverError ? error : undefined
  log.error(
    {
      file,
      error: known?.message ?? error,
      faults: known?.details['faults'],
      remedy: known?.remedy,
    },
    'the file was read again and is refused: everything stays as it was',
  )
}

/** @throws DroverError 'invalid' with every fault of the file, or 'file-unreadable' */
async function load(file: string): Promise<Loaded> {
  const read = readReflectorConfiguration(await readText(file, 'configuration file'), file)
  if (!read.ok) {
    throw new DroverError('invalid', `${file} can't be taken as it is.`, {
      remedy: 'Correct what is listed.',
      details: { faults: read.error },
    })
  }
  const passwords = new Map<number, string>()
  for (const [index, { passwordFile }] of read.value.peers.entries()) {
    if (passwordFile === undefined) continue
    const where = path.resolve(path.dirname(file), passwordFile)
    const password =
      (await readText(where, `password file of peers[${String(index)}]`)).split(/\r?\n/)[0] ?? ''
    const length = Buffer.byteLength(password)
    if (length < 1 || length > 80) {
      throw new DroverError('invalid', `The first line of ${where} has ${String(length)} bytes.`, {
        remedy: 'Write a TCP MD5 key of 1 to 80 bytes there.',
      })
    }
    passwords.set(index, password)
  }
  return { configuration: read.value, passwords }
}

async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new DroverError('file-unreadable', `The ${what} can't be read: ${(cause as Error).message}.`, {
      remedy: 'Name a file that exists and that this user may read.',
      cause,
    })
  }
}

/** @throws DroverError 'immutable' that names the fields */
function refuseFixed(file: string, before: ReflectorConfiguration, after: ReflectorConfiguration): void {
  const changed = fixedChanges(before, after)
  if (changed.length === 0) return
  const words = changed.map((name) => `${name} from ${shown(before[name])} to ${shown(after[name])}`)
  throw new DroverError('immutable', `${file} changes ${words.join(', ')}, which every session is made of.`, {
    remedy: 'Change it back, or stop the reflector and start it: its peers keep their routes meanwhile.',
  })
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

/** A port below 1024 takes a capability; who starts a reflector has several ways to give it. */
function withCapability(error: unknown): unknown {
  if (!(error instanceof SpeakerError) || error.code !== 'permission-denied') return error
  return new DroverError(error.code, error.message, {
    remedy:
      "Give it CAP_NET_BIND_SERVICE ('AmbientCapabilities=CAP_NET_BIND_SERVICE' in its systemd unit, or " +
      "'setpriv --inh-caps +net_bind_service --ambient-caps +net_bind_service', or 'setcap cap_net_bind_service=+ep' " +
      'on the node program), or listen on a port above 1023.',
    details: error.details,
    cause: error,
  })
}

function untilEnd(signal: AbortSignal | undefined): { reached: Promise<string>; dispose(): void } {
  let end: (reason: string) => void = () => undefined
  const reached = new Promise<string>((resolve) => {
    end = resolve
  })
  const onSignal = (name: string): void => end(name)
  const onAbort = (): void => end('its caller')
  process.once('SIGTERM', onSignal).once('SIGINT', onSignal)
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    reached,
    dispose: () => {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}
