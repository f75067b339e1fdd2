import type { Clock } from '@network/net'
import type { HealthCheck, HealthReport } from '../client/messages.ts'

/** Which question a check answers: may work be sent here; is the process itself well. Every check counts for health. */
export type CheckAspect = 'ready' | 'live'

export interface Health {
  /** Notes how a check stands; its `since` moves only when `ok` does. */
  set(name: string, ok: boolean, reason: string): void
  report(aspect: 'health' | CheckAspect): HealthReport
}

/** `checks`: every check with its aspects; until it is set it is not ok. */
export function createHealth(clock: Clock, checks: Readonly<Record<string, readonly CheckAspect[]>>): Health {
  const states = new Map<string, HealthCheck>(
    Object.keys(checks).map((name) => [
      name,
      { name, ok: false, reason: 'Not looked at yet.', since: clock.now() },
    ]),
  )
  return {
    set(name, ok, reason) {
      const before = states.get(name)
      states.set(name, { name, ok, reason, since: before?.ok === ok ? before.since : clock.now() })
    },
    report(aspect) {
      const selected = [...states.values()].filter(
        ({ name }) => aspect === 'health' || checks[name]?.includes(aspect) === true,
      )
      return { ok: selected.every(({ ok }) => ok), checks: selected }
    },
  }
}
