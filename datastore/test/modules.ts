import { type Clock } from '@network/net'

export { silentLog, systemClock } from '@network/net/system'

/** A clock that stands still until it is turned. */
export interface ManualClock extends Clock {
  /** Turns the clock on; what becomes due is called in order of time. */
  advance(ms: number): void
}

export function createManualClock(startMs = 1_000_000): ManualClock {
  let elapsed = 0
  const due = new Set<{ at: number; call: () => void }>()
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    setTimeout(call, ms) {
      const entry = { at: elapsed + ms, call }
      due.add(entry)
      return { cancel: () => void due.delete(entry) }
    },
    advance(ms) {
      const until = elapsed + ms
      for (;;) {
        const next = [...due].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        due.delete(next)
        elapsed = Math.max(elapsed, next.at)
        next.call()
      }
      elapsed = until
    },
  }
}
