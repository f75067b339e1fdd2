import { type Clock, DroverError } from '@network/net'

/** The time that one operation may take, handed down to its steps. */
export interface Deadline {
  /** Milliseconds left, never negative. */
  remainingMs(): number
  /** Throws 'deadline' with the step's name if no time is left. */
  check(step: string): void
  /** The promise's outcome, or 'deadline' if that comes first; the promise itself goes on. */
  within<T>(promise: Promise<T>, step: string): Promise<T>
}

/** A deadline `ms` from now. `operation` is for the error's sentence: 'the attach of c1 eth0'. */
export function createDeadline(clock: Clock, operation: string, ms: number): Deadline {
  const end = clock.monotonic() + ms
  const remainingMs = (): number => Math.max(0, end - clock.monotonic())
  const expired = (step: string): DroverError =>
    new DroverError(
      'deadline',
      `The ${operation} was not finished within ${ms} ms: its time ran out while ${step}.`,
      {
        remedy: "Try again; 'drover node status' shows what the agent waits for.",
        details: { step, deadlineMs: ms },
      },
    )
  return {
    remainingMs,
    check(step) {
      if (remainingMs() === 0) throw expired(step)
    },
    async within(promise, step) {
      let timer: { cancel(): void } | undefined
      const late = new Promise<never>((_resolve, reject) => {
        timer = clock.setTimeout(() => reject(expired(step)), remainingMs())
      })
      try {
        return await Promise.race([promise, late])
      } finally {
        timer?.cancel()
      }
    },
  }
}
