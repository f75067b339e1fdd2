import { type Clock, type Log, type Timer } from '@network/net'
import { type ApplyReport, type Driver } from './driver.ts'
import { type KernelEvent } from './kernel-watch.ts'

export interface ReconcilerOptions {
  /** Time between a sign of change and the apply that answers it, so that a burst costs one. Default 50 ms. */
  readonly gatherMs?: number
  /** Time between full readings of the kernel. Default 90,000 ms. */
  readonly resyncIntervalMs?: number
  /** First delay before faults are tried again, doubling up to `retryMaxMs`. Defaults 500 and 30,000 ms. */
  readonly retryMs?: number
  readonly retryMaxMs?: number
  /**
   * After every apply, also one that wrote nothing. `drift`: since the apply before, nothing else was desired, so that
   * what was written makes good what others did to the kernel.
   */
  readonly onReport?: (report: ApplyReport, drift: boolean) => void
  /** Whether an event of the kernel calls for a new reading. */
  readonly concerns: (event: KernelEvent) => boolean
}

/**
 * Keeps one driver's objects as desired over time: applies soon after a change of what is desired, reads the kernel again when
 * an event contradicts it, when faults remain, and every so often. One apply runs at a time.
 */
export interface Reconciler<Item> {
  setDesired(items: ReadonlyMap<string, Item>): void
  allowRemoval(): void
  /** To be called with every event of the kernel watch. */
  onKernelEvent(event: KernelEvent): void
  /** Applies now; resolves with the report of an apply that began after the call. */
  apply(): Promise<ApplyReport>
  /** The last report; undefined before the first apply. */
  lastReport(): ApplyReport | undefined
  start(): void
  /** No further applies; resolves when the running one is over. */
  stop(): Promise<void>
}

export function createReconciler<Item>(
  modules: { driver: Driver<Item>; clock: Clock; log: Log },
  options: ReconcilerOptions,
): Reconciler<Item> {
  const { driver, clock, log } = modules
  const gatherMs = options.gatherMs ?? 50
  const resyncIntervalMs = options.resyncIntervalMs ?? 90_000
  const retryMs = options.retryMs ?? 500
  const retryMaxMs = options.retryMaxMs ?? 30_000

  let running = false
  let stopped = true
  let resyncNeeded: 'no' | 'touched' | 'all' = 'all'
  let desiredChanged = true
  let retryDelay = retryMs
  let last: ApplyReport | undefined
  let gather: Timer | undefined
  let periodic: Timer | undefined
  let retry: Timer | undefined
  let inFlight: Promise<ApplyReport> | undefined
  let following: Promise<ApplyReport> | undefined

  async function once(): Promise<ApplyReport> {
    retry?.cancel()
    const drift = !desiredChanged
    desiredChanged = false
    try {
      if (resyncNeeded !== 'no') {
        const scope = resyncNeeded
        resyncNeeded = 'no'
        await driver.resync(scope)
      }
      const report = await driver.apply()
      const lastWasWell = last?.faults.length === 0
      last = report
      if (report.faults.length === 0) retryDelay = retryMs
      else retryLater()
      options.onReport?.(report, drift && lastWasWell)
      return report
    } catch (error) {
      resyncNeeded = 'all'
      desiredChanged = true
      log.error({ error }, 'the kernel could not be brought into the desired state; trying again')
      retryLater()
      throw error
    }
  }

  function retryLater(): void {
    if (stopped) return
    retry?.cancel()
    retry = clock.setTimeout(() => {
      resyncNeeded = 'all'
      soon(0)
    }, retryDelay)
    retryDelay = Math.min(retryDelay * 2, retryMaxMs)
  }

  function apply(): Promise<ApplyReport> {
    if (inFlight === undefined) {
      running = true
      inFlight = once().finally(() => {
        running = false
        inFlight = undefined
      })
      return inFlight
    }
    following ??= inFlight
      .catch(() => undefined)
      .then(() => {
        following = undefined
        return apply()
      })
    return following
  }

  function soon(delay: number): void {
    if (stopped || gather !== undefined) return
    gather = clock.setTimeout(() => {
      gather = undefined
      apply().catch(() => undefined)
    }, delay)
  }

  function scheduleResync(): void {
    periodic = clock.setTimeout(() => {
      resyncNeeded = 'all'
      soon(0)
      scheduleResync()
    }, resyncIntervalMs)
  }

  return {
    setDesired(items) {
      desiredChanged = true
      driver.setDesired(items)
      soon(gatherMs)
    },
    allowRemoval() {
      desiredChanged = true
      driver.allowRemoval()
      soon(gatherMs)
    },
    onKernelEvent(event) {
      // What was refused may be possible with the interface or address that has just come.
      const helps: boolean =
        (event.object === 'link' || event.object === 'address') &&
        last?.faults.some((fault) => fault.code === 'refused') === true
      const concerned = options.concerns(event)
      if (!helps && !concerned) return
      retryDelay = retryMs
      if (helps || event.object === 'lost') resyncNeeded = 'all'
      else if (resyncNeeded === 'no') resyncNeeded = 'touched'
      soon(gatherMs)
    },
    apply,
    lastReport: () => last,
    start() {
      if (!stopped) return
      stopped = false
      scheduleResync()
      soon(0)
    },
    async stop() {
      stopped = true
      gather?.cancel()
      periodic?.cancel()
      retry?.cancel()
      if (running) await inFlight?.catch(() => undefined)
    },
  }
}
