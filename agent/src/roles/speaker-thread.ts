/**
 * The agent's side of the speaker's thread. The declared state is kept here: a thread that dies (a bug, no memory) is
 * started again with it after a short wait, as a restarting speaker, so that peers keep our routes and the kernel
 * keeps theirs. A thread that does not answer counts as dead too.
 */
import type { Worker } from 'node:worker_threads'
import type {
  ApplyReport,
  BestBatch,
  DesiredState,
  ExportExplanation,
  PeerStatus,
  RouteExplanation,
  RouteQuery,
  RouteStatus,
  SpeakerOptions,
  StopOptions,
} from '@network/bgp'
import { type Clock, DroverError, type Family, type Log, type Timer } from '@network/net'
import type {
  FromSpeaker,
  SpeakerCall,
  SpeakerCalls,
  SpeakerFailure,
  SpeakerBeginning,
  ToSpeaker,
} from './speaker-messages.ts'

export interface SpeakerThreadModules {
  clock: Clock
  log: Log
}

export interface SpeakerThreadOptions {
  /** Opens a thread of the worker's program. */
  openWorker: () => Worker
  speaker: SpeakerOptions
  families?: readonly Family[]
  /** The kernel still forwards what an earlier run was told: say so to the peers. */
  restarting?: boolean
  /** Each batch of best routes; the next one of its family comes when the promise has resolved. */
  onBest: (batch: BestBatch) => Promise<void>
  /** A thread begins, the first one included: all best routes will be told anew. */
  onStart?: () => void
  /** How long a call may take; default 10,000. */
  callMs?: number
}

export interface SpeakerThread {
  /** Resolves when the speaker listens; fails with its SpeakerError if it cannot. */
  start(): Promise<void>
  /** Replaces the declared state. While the thread restarts it is only noted, and applied then. */
  apply(desired: DesiredState): Promise<ApplyReport | undefined>
  peers(): Promise<readonly PeerStatus[]>
  routes(query: RouteQuery): Promise<readonly RouteStatus[]>
  explain(prefix: string): Promise<readonly RouteExplanation[]>
  explainExports(prefix: string): Promise<readonly ExportExplanation[]>
  /** Asks a peer to send everything again; false if it can't be asked. */
  refresh(peer: string, family: Family | undefined): Promise<boolean>
  /** How often the thread had to be started again. */
  readonly restarts: number
  readonly running: boolean
  stop(options: StopOptions): Promise<void>
}

const FIRST_BACKOFF_MS = 250
const LAST_BACKOFF_MS = 15_000
const WELL_AFTER_MS = 60_000
/** Sessions that move to other peers are kept for half a minute. */
const APPLY_MS = 60_000

interface Pending {
  resolve: (value: unknown) => void
  reject: (error: Error) => void
  timer: Timer
}

export function createSpeakerThread(
  modules: SpeakerThreadModules,
  options: SpeakerThreadOptions,
): SpeakerThread {
  const { clock } = modules
  const log = modules.log.child({ module: 'speaker-thread' })
  const callMs = options.callMs ?? 10_000
  const pending = new Map<number, Pending>()
  let worker: Worker | undefined
  let desired: DesiredState | undefined
  let stopping = false
  let restarts = 0
  let calls = 0
  let backoffMs = FIRST_BACKOFF_MS
  let backoff: Timer | undefined

  const post = (message: ToSpeaker): void => worker?.postMessage(message)

  const call = <K extends SpeakerCall>(
    name: K,
    argument: SpeakerCalls[K]['argument'],
  ): Promise<SpeakerCalls[K]['answer']> => {
    if (worker === undefined) return Promise.reject(notRunning())
    const id = ++calls
    const ms = name === 'apply' ? APPLY_MS : callMs
    return new Promise<SpeakerCalls[K]['answer']>((resolve, reject) => {
      const timer = clock.setTimeout(() => {
        pending.delete(id)
        reject(
          new DroverError('deadline', `The BGP speaker did not answer '${name}' within ${ms} ms.`, {
            remedy: "Look at the agent's log.",
          }),
        )
        // A look is answered between two keepalives: a thread that can't do that sends none.
        if (name === 'peers') void worker?.terminate()
      }, ms)
      pending.set(id, { resolve: resolve as (value: unknown) => void, reject, timer })
      post({ type: 'call', id, call: name, argument } as ToSpeaker)
    })
  }

  const receive = (message: FromSpeaker): void => {
    switch (message.type) {
      case 'answer':
        take(message.id)?.resolve(message.value)
        return
      case 'failure':
        take(message.id)?.reject(errorOf(message.error))
        return
      case 'best': {
        const from = worker
        options
          .onBest(message.best)
          .catch((error: unknown) => {
            log.error({ error: String(error) }, 'best routes could not be taken over')
          })
          .finally(() => {
            if (worker === from) post({ type: 'acknowledge', batch: message.batch })
          })
        return
      }
      case 'log':
        modules.log[message.level](message.data, message.message)
    }
  }
  const take = (id: number): Pending | undefined => {
    const waiting = pending.get(id)
    pending.delete(id)
    waiting?.timer.cancel()
    return waiting
  }

  const launch = async (restarting: boolean): Promise<void> => {
    const data: SpeakerBeginning = {
      speaker: { ...options.speaker, gracefulRestart: { ...options.speaker.gracefulRestart, restarting } },
      families: options.families ?? ['ipv4', 'ipv6'],
    }
    const started = options.openWorker()
    const startedAt = clock.monotonic()
    worker = started
    started.on('message', receive)
    let why: string | undefined
    started.on('error', (error: unknown) => {
      why = error instanceof Error ? error.message : String(error)
      log.error(
        { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
        'the BGP thread failed',
      )
    })
    started.once('exit', (code) => {
      if (worker !== started) return
      worker = undefined
      for (const id of [...pending.keys()]) take(id)?.reject(notRunning(why))
      if (stopping) return
      if (clock.monotonic() - startedAt > WELL_AFTER_MS) backoffMs = FIRST_BACKOFF_MS
      log.error(
        { code, restartInMs: backoffMs },
        'the BGP thread ended; routes stay in the kernel and it is started again',
      )
      backoff = clock.setTimeout(() => {
        restarts++
        launch(true).catch((error: unknown) => {
          log.error({ error: String(error) }, 'the BGP thread could not be started again')
          void worker?.terminate()
        })
      }, backoffMs)
      backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS)
    })
    options.onStart?.()
    post({ type: 'begin', data })
    await call('ready', undefined)
    if (desired !== undefined) await call('apply', desired)
  }

  return {
    get restarts() {
      return restarts
    },
    get running() {
      return worker !== undefined
    },
    async start() {
      try {
        await launch(options.restarting ?? false)
      } catch (error) {
        stopping = true
        backoff?.cancel()
        await worker?.terminate()
        throw error
      }
    },
    async apply(next) {
      desired = next
      return worker === undefined ? undefined : call('apply', next)
    },
    peers: () => call('peers', undefined),
    routes: (query) => call('routes', query),
    explain: (prefix) => call('explain', { prefix }),
    explainExports: (prefix) => call('explainExports', { prefix }),
    refresh: (peer, family) => call('refresh', { peer, family }),
    async stop(stopOptions) {
      stopping = true
      backoff?.cancel()
      const ending = worker
      if (ending === undefined) return
      await call('stop', stopOptions).catch((error: unknown) => {
        log.warn({ error: String(error) }, 'the BGP speaker did not stop by itself')
      })
      await ending.terminate()
    },
  }
}

function notRunning(why?: string): DroverError {
  return new DroverError(
    'not-ready',
    why === undefined ? 'The BGP speaker is just being started again.' : `The BGP speaker ended: ${why}.`,
    { remedy: "Try again in a moment; the agent's log says more." },
  )
}

function errorOf(failure: SpeakerFailure): Error {
  if (failure.code === undefined) return new Error(failure.message)
  return new DroverError(failure.code, failure.message, { remedy: failure.remedy, details: failure.details })
}
