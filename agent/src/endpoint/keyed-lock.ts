import type { Deadline } from './deadline.ts'

/** Mutual exclusion by name: work under one name runs one after another in order of arrival, other names beside it. */
export interface KeyedLock {
  /** Runs the work alone under its name. Throws the deadline's error if its turn does not come in time. */
  run<T>(name: string, deadline: Deadline, work: () => Promise<T>): Promise<T>
  /** Whether somebody works, or waits, under the name. */
  held(name: string): boolean
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>()
  return {
    held: (name) => tails.has(name),
    async run(name, deadline, work) {
      const before = tails.get(name) ?? Promise.resolve()
      let release = (): void => undefined
      const mine = new Promise<void>((resolve) => {
        release = resolve
      })
      // Whoever comes next waits for those before us too, should we give up waiting.
      const tail = before.then(() => mine)
      tails.set(name, tail)
      void tail.then(() => {
        if (tails.get(name) === tail) tails.delete(name)
      })
      try {
        await deadline.within(before, 'waiting for an earlier call for the same interface')
        return await work()
      } finally {
        release()
      }
    },
  }
}
