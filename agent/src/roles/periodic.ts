import type { Log } from '@network/net'
import type { Life } from './life.ts'

/** How often an interval of 0 is looked at again, in case it was changed. */
const IDLE_MS = 60_000

/** Does something again and again, at the interval that is set at that time (0: not at all); failures are logged. */
export async function periodically(
  modules: { life: Pick<Life, 'ended' | 'pause'>; log: Log },
  options: { what: string; intervalMs: () => number },
  work: () => Promise<void>,
): Promise<void> {
  const { life, log } = modules
  while (!life.ended()) {
    const intervalMs = options.intervalMs()
    await life.pause(intervalMs === 0 ? IDLE_MS : intervalMs)
    if (life.ended() || intervalMs === 0) continue
    await work().catch((error: unknown) => {
      log.warn(
        { what: options.what, error: String(error) },
        'a periodic look failed; what was known stays in force',
      )
    })
  }
}
