import { type Clock, DroverError, type Log, type Timer } from '@network/net'
import {
  type Condition,
  type KeyValue,
  type Store,
  StoreError,
  type TransactionResult,
} from '../store/store.ts'
import { AllocationError } from './allocation-error.ts'
import { assemble, entries, holds, writtenKey } from './batch.ts'
import type { BlockCache } from './block-cache.ts'
import type { SettingsReader } from './settings.ts'
import type { Plan, PlanContext, Step, Task } from './task.ts'
import { Workspace } from './workspace.ts'

/*
 * One transaction is under way at a time; requests that arrive meanwhile wait, and go together into the next one as
 * far as they fit. So the requests of a node never fight with each other for its blocks, and many at once cost few
 * round trips. Each keeps its own meaning: if the transaction fails, its answer shows whose condition was false; that
 * request alone is refused or planned anew, and the others go again. A request is only refused for what was read
 * after it came in, planned before all others, so that neither an old copy nor a neighbour that fails later can be
 * the reason.
 */

interface Pending {
  readonly task: Task<unknown>
  readonly deadlineAt: number
  notBefore: number
  attempt: number
  alone: boolean
  uncertain: boolean
  inFlight: boolean
  settled: boolean
  lastFailure: DroverError | undefined
  readonly known: Map<string, KeyValue | undefined>
  readonly timer: Timer
  resolve(answer: unknown): void
  reject(error: unknown): void
}

interface Planned {
  readonly pending: Pending
  readonly plan: Plan<unknown>
}

const maxBatch = 48
/** Of conditions and of operations, below the store's 128. */
const maxEntries = 120
const maxBytes = 1024 * 1024
const transient: ReadonlySet<string> = new Set(['unreachable', 'deadline', 'unknown-outcome'])

export class Committer {
  readonly #store: Store
  readonly #clock: Clock
  readonly #random: () => number
  readonly #log: Log
  readonly #cache: BlockCache
  readonly #settings: SettingsReader
  readonly #options: { node: string; settingsMaxAgeMs: number }
  #queue: Pending[] = []
  #running: Promise<void> | undefined
  #closed = false
  #failures = 0

  constructor(
    modules: {
      store: Store
      clock: Clock
      random: () => number
      log: Log
      cache: BlockCache
      settings: SettingsReader
    },
    options: { node: string; settingsMaxAgeMs: number },
  ) {
    this.#store = modules.store
    this.#clock = modules.clock
    this.#random = modules.random
    this.#log = modules.log
    this.#cache = modules.cache
    this.#settings = modules.settings
    this.#options = options
  }

  run<T>(task: Task<T>, deadlineMs: number): Promise<T> {
    if (this.#closed) {
      return Promise.reject(new StoreError('closed', `${task.subject} failed: the allocator is closed.`))
    }
    const now = this.#clock.monotonic()
    return new Promise<T>((resolve, reject) => {
      const settle = (): void => {
        pending.settled = true
        pending.timer.cancel()
      }
      const pending: Pending = {
        task,
        deadlineAt: now + deadlineMs,
        notBefore: now,
        attempt: 0,
        alone: false,
        uncertain: false,
        inFlight: false,
        settled: false,
        lastFailure: undefined,
        known: new Map(),
        // A little late, so that the store's own word, which knows more, comes first.
        timer: this.#clock.setTimeout(() => {
          pending.reject(deadlineError(pending))
        }, deadlineMs + 100),
        resolve: (answer) => {
          settle()
          resolve(answer as T)
        },
        reject: (error) => {
          settle()
          reject(error instanceof Error ? error : new Error(String(error)))
        },
      }
      this.#queue.push(pending)
      this.#running ??= this.#work()
    })
  }

  /** Refuses further requests and waits for those that are under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #work(): Promise<void> {
    // Everything that was asked for in the same turn of the event loop goes together.
    await Promise.resolve()
    for (;;) {
      this.#queue = this.#queue.filter(({ settled }) => !settled)
      const batch = this.#nextBatch()
      if (batch.length === 0) {
        this.#running = undefined
        return
      }
      const failed = await this.#attempt(batch)
      this.#failures = failed ? this.#failures + 1 : 0
      if (this.#failures > 1) await this.#pause()
    }
  }

  #nextBatch(): Pending[] {
    const first = this.#queue[0]
    if (first === undefined) return []
    if (first.alone) return this.#queue.splice(0, 1)
    const end = this.#queue.findIndex(({ alone }, index) => alone || index === maxBatch)
    return this.#queue.splice(0, end < 0 ? this.#queue.length : end)
  }

  /** With jitter, doubling from 4 ms to 256 ms. */
  #pause(): Promise<void> {
    const ms = this.#random() * 2 ** Math.min(8, this.#failures)
    return new Promise((resolve) => {
      this.#clock.setTimeout(resolve, ms)
    })
  }

  /** One round. Who isn't settled by it is back at the front of the queue. @returns whether it was in vain */
  async #attempt(batch: readonly Pending[]): Promise<boolean> {
    let planned: Planned[] = []
    let sent = false
    try {
      const deadlineMs = this.#deadlineMs(batch)
      const first = batch[0]
      const freshest = first !== undefined && first.attempt > 0 ? first.notBefore : 0
      const maxAge = this.#clock.monotonic() - this.#options.settingsMaxAgeMs
      const settings = await this.#settings.read(Math.max(freshest, maxAge), deadlineMs)
      await this.#readAhead(batch, deadlineMs)
      const workspace = new Workspace(
        { cache: this.#cache, settings },
        { node: this.#options.node, now: this.#clock.now() },
      )
      planned = await this.#plan(batch, workspace, deadlineMs)
      planned = planned.filter(({ pending }) => !pending.settled)
      if (planned.length === 0) return false
      const transaction = assemble(
        planned.map(({ plan }) => plan),
        workspace,
      )
      for (const { pending } of planned) pending.inFlight = true
      sent = true
      let result: TransactionResult
      try {
        result = await this.#store.transact(transaction, { deadlineMs })
      } catch (error) {
        if (error instanceof StoreError && error.code === 'unknown-outcome') workspace.doubted()
        throw error
      }
      if (result.committed) {
        workspace.committed(result.revision)
        for (const { pending, plan } of planned) pending.resolve(plan.answer(result.revision))
        this.#requeue(batch)
        return false
      }
      this.#learn(planned, transaction.otherwise, result)
      this.#requeue(batch)
      return true
    } catch (error) {
      this.#failed(sent ? planned.map(({ pending }) => pending) : batch, error)
      this.#requeue(batch)
      return true
    } finally {
      this.#cache.forgetOthersBefore(this.#clock.monotonic() - this.#options.settingsMaxAgeMs)
    }
  }

  #deadlineMs(batch: readonly Pending[]): number {
    const now = this.#clock.monotonic()
    return Math.max(1, ...batch.map(({ deadlineAt }) => deadlineAt - now))
  }

  async #readAhead(batch: readonly Pending[], deadlineMs: number): Promise<void> {
    await Promise.all(
      batch.flatMap((pending) => {
        const keys = pending.task.reads.filter((key) => !pending.known.has(key))
        return keys.map(async (key) => {
          pending.known.set(key, await this.#store.get(key, { deadlineMs }))
        })
      }),
    )
  }

  async #plan(batch: readonly Pending[], workspace: Workspace, deadlineMs: number): Promise<Planned[]> {
    const planned: Planned[] = []
    const keys = new Set<string>()
    let bytes = 0
    for (const pending of batch) {
      if (pending.settled) continue
      const isFirst = workspace.isUntouched
      const checkpoint = workspace.checkpoint()
      const context = this.#context(pending, workspace, deadlineMs)
      let step: Step<unknown>
      try {
        step = await pending.task.plan(context)
      } catch (error) {
        workspace.rollback(checkpoint)
        if (!(error instanceof AllocationError)) throw error
        if (isFirst && workspace.settings.readAt >= pending.notBefore) {
          pending.reject(error)
        } else {
          // Next time it is planned first, on what is in the store by then.
          pending.attempt++
          this.#queue.unshift(pending)
        }
        continue
      }
      if ('answer' in step) {
        pending.resolve(step.answer)
        continue
      }
      const written = step.write.then.map(writtenKey)
      const size = step.write.then.reduce((sum, op) => sum + ('put' in op ? op.value.length : 0), 0)
      const candidate = [...planned.map(({ plan }) => plan), step.write]
      const isAlone = planned.length === 0
      const fits =
        bytes + size <= maxBytes &&
        !written.some((key) => keys.has(key)) &&
        entries(candidate, workspace) <= maxEntries
      if (!fits && !isAlone) {
        workspace.rollback(checkpoint)
        continue
      }
      for (const key of written) keys.add(key)
      bytes += size
      planned.push({ pending, plan: step.write })
      if (!fits) break
    }
    return planned
  }

  #context(pending: Pending, workspace: Workspace, deadlineMs: number): PlanContext {
    const { known } = pending
    return {
      workspace,
      known: (key) => (known.has(key) ? known.get(key) : null),
      read: async (key) => {
        if (!known.has(key)) known.set(key, await this.#store.get(key, { deadlineMs }))
        return known.get(key)
      },
      uncertain: pending.uncertain,
      attempt: pending.attempt,
      notBefore: pending.notBefore,
      deadlineMs,
    }
  }

  /** What the failed transaction's answer shows: present values for all, and whose condition was false. */
  #learn(planned: readonly Planned[], reads: readonly { get: string }[], result: TransactionResult): void {
    const present = new Map(reads.map(({ get }, index) => [get, result.reads[index]]))
    for (const [key, item] of present) this.#cache.saw(key, item)
    const now = this.#clock.monotonic()
    for (const { pending, plan } of planned) {
      pending.inFlight = false
      pending.attempt++
      pending.notBefore = now
      // A conflict shows that the earlier transaction, if it was carried out, is among what was read.
      for (const { key } of [...plan.when, ...plan.mustHold]) pending.known.set(key, present.get(key))
      if (plan.when.some((condition) => !holds(condition, present))) continue
      const broken = plan.mustHold.find((condition) => !holds(condition, present))
      if (broken) pending.reject(conditionFailed(pending, broken))
    }
  }

  #failed(batch: readonly Pending[], error: unknown): void {
    if (!(error instanceof DroverError)) {
      for (const pending of batch) pending.reject(error)
      return
    }
    const now = this.#clock.monotonic()
    for (const pending of batch) {
      if (error.code === 'unknown-outcome') {
        pending.uncertain = true
        pending.known.clear()
      }
      pending.inFlight = false
      pending.attempt++
      pending.lastFailure = error
      pending.notBefore = now
      if (transient.has(error.code)) {
        if (now >= pending.deadlineAt - 1) pending.reject(deadlineError(pending))
      } else if (batch.length === 1) {
        pending.reject(error)
      } else {
        pending.alone = true
      }
    }
    this.#log.debug(
      { code: error.code, requests: batch.length },
      'an allocation was not written, it is tried again',
    )
  }

  /** Puts those that aren't settled back at the front, in their order. */
  #requeue(batch: readonly Pending[]): void {
    const now = this.#clock.monotonic()
    const waiting = new Set(this.#queue)
    const again: Pending[] = []
    for (const pending of batch) {
      if (pending.settled || waiting.has(pending)) continue
      if (now >= pending.deadlineAt) pending.reject(deadlineError(pending))
      else again.push(pending)
    }
    this.#queue.unshift(...again)
  }
}

function conditionFailed({ task }: Pending, { key, is }: Condition): AllocationError {
  const state = is === 'absent' ? 'exists already' : is === 'present' ? 'does not exist' : 'has changed'
  return new AllocationError('condition-failed', `${task.subject} failed: ${key} ${state}.`, {
    remedy: 'Read the key again and decide anew; nothing was written.',
    details: { key, condition: is },
  })
}

function deadlineError({ task, inFlight, uncertain, lastFailure, attempt }: Pending): DroverError {
  if (inFlight || uncertain) {
    return new AllocationError(
      'unknown-outcome',
      `${task.subject}: the datastore did not answer in time, so it may or may not have happened.`,
      { remedy: 'Ask again with the same handle, or release the handle.', cause: lastFailure },
    )
  }
  if (lastFailure) return lastFailure
  return new AllocationError(
    'conflict',
    `${task.subject} failed: after ${String(attempt)} attempts others still changed the same keys first.`,
    {
      remedy: 'Try again, with a longer deadline if many nodes start at once.',
      details: { attempts: attempt },
    },
  )
}
