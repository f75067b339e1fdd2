import { performance } from 'node:perf_hooks'
import { type Clock } from '@network/net'

/** The operating system's time. Its timers keep the process alive: a stopped speaker has none. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (call, ms) => {
    const timer = setTimeout(call, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}
