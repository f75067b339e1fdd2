/**
 * Waiting for an interface that a runtime moves into its namespace. Nothing tells of the move itself, but the namespace's
 * file does appear shortly before it: until then it is looked now and then, and from then on every few milliseconds, since the
 * workload's first process is about to start.
 */
import type { Clock } from '@network/net'
import type { Appearance } from './appearance.ts'

/** How long a runtime may take to move an interface that it was offered. */
export const MOVE_MS = 30_000
const FIRST_LOOK_MS = 2
const LAST_LOOK_MS = 20
const IDLE_LOOK_MS = 100
const LOOK_GROWTH = 1.2

/**
 * @param file tells when the namespace appears; ended by this
 * @param look undefined: it has not arrived yet
 * @returns what `look` found; undefined if nothing came within MOVE_MS
 */
export async function awaitArrival<T>(
  { clock, file }: { clock: Clock; file: Appearance },
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const end = clock.monotonic() + MOVE_MS
  const state = { isMade: false, pauseMs: FIRST_LOOK_MS }
  const made = file.made.then(() => {
    state.isMade = true
    state.pauseMs = FIRST_LOOK_MS
  })
  try {
    for (;;) {
      const found = await look()
      if (found !== undefined || clock.monotonic() > end) return found
      const pause = new Promise<void>((resolve) => {
        clock.setTimeout(resolve, state.pauseMs)
      })
      state.pauseMs = Math.min(state.pauseMs * LOOK_GROWTH, state.isMade ? LAST_LOOK_MS : IDLE_LOOK_MS)
      await (state.isMade ? pause : Promise.race([pause, made]))
    }
  } finally {
    file.end()
  }
}
