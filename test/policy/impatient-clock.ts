import type { Clock } from '@network/net'

/** A clock whose timers run when they are told to: what the driver puts off is done before anybody looks. */
export function impatientClock(): Clock & { runTimers(): boolean } {
  let waiting: (() => void)[] = []
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimeout: (call) => {
      waiting.push(call)
      return {
        cancel: () => {
          waiting = waiting.filter((other) => other !== call)
        },
      }
    },
    runTimers: () => {
      const due = waiting
      waiting = []
      for (const call of due) call()
      return due.length > 0
    },
  }
}
