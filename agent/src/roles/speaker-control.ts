/**
 * Keeps the speaker's thread as the model wants it. What a speaker is (its AS, its id, where it listens) cannot change
 * while it runs: then it is stopped as for an upgrade, with the peers keeping our routes, and a new one started in its
 * place. The first change after a quiet time goes out at once; those that follow it closely are gathered into one.
 */
import { isDeepStrictEqual } from 'node:util'
import type { BestBatch, SpeakerOptions } from '@network/bgp'
import { type Clock, DroverError, type Log, type Timer } from '@network/net'
import type { SpeakerDesired } from '../managers/bgp-manager.ts'
import { withShutdowns } from './bgp-operations.ts'
import type { SpeakerStock } from './speaker-stock.ts'
import { type SpeakerThread, createSpeakerThread } from './speaker-thread.ts'

export interface SpeakerControlModules {
  stock: SpeakerStock
  clock: Clock
  log: Log
}

export interface SpeakerControlOptions {
  /** Whether an earlier run's routes are still in the kernel. */
  restarting: () => boolean
  onBest: (batch: BestBatch) => Promise<void>
  /** A speaker begins: it will tell everything anew. */
  onStart: () => void
}

export interface SpeakerControl {
  setDesired(desired: SpeakerDesired): void
  /** Resolves when what was desired last is in force; fails if the speaker can't run so. */
  settled(): Promise<void>
  readonly thread: SpeakerThread | undefined
  /** By name: what an operator has shut down, until taken back or until the agent ends. */
  readonly shutdowns: ReadonlyMap<string, string>
  /** Resolves when these shutdowns are in force; fails as `settled` does. */
  shutDown(shutdowns: ReadonlyMap<string, string>): Promise<void>
  /** Why the speaker isn't as it should be, as a sentence; undefined if it is, or if none is wanted. */
  readonly problem: DroverError | undefined
  stop(reason: string): Promise<void>
}

const GATHER_MS = 30
const RETRY_MS = 5_000

export function createSpeakerControl(
  modules: SpeakerControlModules,
  options: SpeakerControlOptions,
): SpeakerControl {
  const { clock } = modules
  const log = modules.log.child({ module: 'speaker' })
  let desired: SpeakerDesired | undefined
  let thread: SpeakerThread | undefined
  let running: SpeakerOptions | undefined
  let problem: DroverError | undefined
  let timer: { readonly dueAt: number; readonly pending: Timer } | undefined
  let lastAttemptAt = Number.NEGATIVE_INFINITY
  let inFlight: Promise<void> = Promise.resolve()
  let stopped = false
  let started = 0
  let shutdowns: ReadonlyMap<string, string> = new Map()

  const bring = async (): Promise<void> => {
    if (stopped || desired === undefined) return
    const wanted = desired
    if (thread !== undefined && !isDeepStrictEqual(running, wanted.options)) {
      log.info({ options: wanted.options }, 'the speaker is replaced: what it is has changed')
      const old = thread
      thread = undefined
      running = undefined
      await old.stop({ graceful: wanted.options !== undefined, reason: 'the configuration changed' })
    }
    if (wanted.options === undefined) return
    if (thread === undefined) {
      const fresh = createSpeakerThread(modules, {
        openWorker: () => modules.stock.take(),
        speaker: wanted.options,
        restarting: started > 0 || options.restarting(),
        onBest: options.onBest,
        onStart: options.onStart,
      })
      await fresh.start()
      started++
      thread = fresh
      running = wanted.options
      log.info(
        { asn: wanted.options.asn, routerId: wanted.options.routerId, listen: wanted.options.listen },
        'the speaker runs',
      )
    }
    const report = await thread.apply(withShutdowns(wanted.state, shutdowns))
    if (report !== undefined) log.debug({ ...report }, 'the desired state of BGP was applied')
  }

  const attempt = async (): Promise<void> => {
    lastAttemptAt = clock.monotonic()
    try {
      await bring()
      problem = undefined
    } catch (error) {
      problem =
        error instanceof DroverError
          ? error
          : new DroverError('internal', `The BGP speaker failed: ${String(error)}.`, { cause: error })
      log.error(
        { code: problem.code, error: problem.message, remedy: problem.remedy },
        'the speaker is not as it should be',
      )
      if (!stopped) soon(RETRY_MS)
    }
  }
  /** What is due earlier stays due then: a steady stream of changes puts nothing off. */
  const soon = (ms: number): void => {
    const dueAt = clock.monotonic() + ms
    if (stopped || (timer !== undefined && timer.dueAt <= dueAt)) return
    timer?.pending.cancel()
    const pending = clock.setTimeout(() => {
      timer = undefined
      inFlight = inFlight.then(attempt)
    }, ms)
    timer = { dueAt, pending }
  }

  const settled = async (): Promise<void> => {
    timer?.pending.cancel()
    timer = undefined
    inFlight = inFlight.then(attempt)
    await inFlight
    if (problem !== undefined) throw problem
  }

  return {
    get thread() {
      return thread
    },
    get problem() {
      return problem
    },
    setDesired(next) {
      if (next === desired) return
      desired = next
      soon(Math.max(0, lastAttemptAt + GATHER_MS - clock.monotonic()))
    },
    get shutdowns() {
      return shutdowns
    },
    async shutDown(next) {
      shutdowns = next
      await settled()
    },
    settled,
    async stop(reason) {
      stopped = true
      timer?.pending.cancel()
      await inFlight
      await thread?.stop({ graceful: true, reason })
      thread = undefined
    },
  }
}
