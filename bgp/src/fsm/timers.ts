/** Which timers run and for how long: RFC 4271 sections 8.1.3 and 10, RFC 9687. They themselves run in the shell. */
import { type Negotiated } from './negotiate.ts'
import { type Action, type FsmOptions, type Session } from './session.ts'

/** RFC 4271 section 8.2.2: four minutes between OPEN sent and OPEN received. */
export const openHoldSeconds = 240

const nothing: readonly Action[] = []

/** Start of an interval with RFC 4271 section 10's jitter: `random` is 0 ≤ x < 1. */
export function jittered(seconds: number, random: number): number {
  return seconds * (0.75 + random * 0.25)
}

/** The wait in Idle after the n-th failure in a row: doubles each time, up to the maximum. */
export function idleHoldAfter(
  failures: number,
  options: Pick<FsmOptions, 'idleHoldSeconds' | 'idleHoldMaximumSeconds'>,
): number {
  const doublings = Math.min(30, Math.max(0, failures - 1))
  return Math.min(options.idleHoldMaximumSeconds, options.idleHoldSeconds * 2 ** doublings)
}

export function connectRetry(options: FsmOptions): Action {
  return { do: 'startTimer', timer: 'ConnectRetry', seconds: options.connectRetrySeconds, jitter: true }
}

export function idleHold(session: Session, options: FsmOptions): Action {
  return {
    do: 'startTimer',
    timer: 'IdleHold',
    seconds: idleHoldAfter(session.dampingCounter, options),
    jitter: true,
  }
}

export function negotiatedTimers(negotiated: Negotiated): readonly Action[] {
  if (negotiated.holdTimeSeconds === 0) {
    return [
      { do: 'stopTimer', timer: 'Keepalive' },
      { do: 'stopTimer', timer: 'Hold' },
    ]
  }
  return [
    { do: 'startTimer', timer: 'Keepalive', seconds: negotiated.keepaliveSeconds, jitter: true },
    { do: 'startTimer', timer: 'Hold', seconds: negotiated.holdTimeSeconds, jitter: false },
  ]
}

export function keepaliveActions(session: Session): readonly Action[] {
  const seconds = session.negotiated?.keepaliveSeconds ?? 0
  if (seconds === 0) return [{ do: 'sendKeepalive' }]
  return [{ do: 'sendKeepalive' }, { do: 'startTimer', timer: 'Keepalive', seconds, jitter: true }]
}

export function restartHold(session: Session): readonly Action[] {
  const seconds = session.negotiated?.holdTimeSeconds ?? 0
  return seconds === 0 ? nothing : [{ do: 'startTimer', timer: 'Hold', seconds, jitter: false }]
}

/** RFC 9687 section 3: no send hold timer with a hold time of 0; by default the greater of 8 minutes and twice the hold time. */
export function sendHoldSeconds(negotiated: Negotiated, options: FsmOptions): number {
  if (negotiated.holdTimeSeconds === 0) return 0
  return options.sendHoldSeconds ?? Math.max(480, 2 * negotiated.holdTimeSeconds)
}
