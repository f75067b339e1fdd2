import { type NotificationContent } from '../codec/messages.ts'
import { type EventName } from './events.ts'
import { type Negotiated } from './negotiate.ts'

export type State = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established'

/** RFC 4271 section 8's session attributes for one connection, less the timers themselves: they run in the shell. */
export interface Session {
  readonly state: State
  /** Errors since the last start by hand. */
  readonly connectRetryCounter: number
  /** Errors since a session last held: what the wait in Idle grows by. */
  readonly dampingCounter: number
  readonly delayOpenRunning: boolean
  readonly connectRetryRunning: boolean
  /** From the OPEN on. */
  readonly negotiated: Negotiated | undefined
}

/** A session that has not started. */
export const idleSession: Session = {
  state: 'Idle',
  connectRetryCounter: 0,
  dampingCounter: 0,
  delayOpenRunning: false,
  connectRetryRunning: false,
  negotiated: undefined,
}

/** The session of a second connection, which a peer opened beside ours: it only waits for its TcpConnectionConfirmed. */
export const incomingSession: Session = { ...idleSession, state: 'Active' }

/** Optional session attributes of RFC 4271 section 8.1.1 and the initial values of the timers, in seconds. */
export interface FsmOptions {
  /** Never dial. */
  readonly passive: boolean
  readonly connectRetrySeconds: number
  /** DelayOpen is set if it is not 0. */
  readonly delayOpenSeconds: number
  /** DampPeerOscillations is set if it is not 0: the first wait in Idle. */
  readonly idleHoldSeconds: number
  readonly idleHoldMaximumSeconds: number
  readonly sendHoldSeconds: number | undefined
  readonly sendNotificationWithoutOpen: boolean
}

export type TimerName = 'ConnectRetry' | 'Hold' | 'Keepalive' | 'DelayOpen' | 'IdleHold' | 'SendHold'

/** How a session ended: what the peer's routes become depends on it. */
export interface Ending {
  readonly event: EventName
  /** The NOTIFICATION that ended it, and who sent it. */
  readonly notification:
    { readonly direction: 'sent' | 'received'; readonly content: NotificationContent } | undefined
  /** In words, as a whole sentence. */
  readonly text: string
}

/** What the shell is to do, in this order. */
export type Action =
  | { readonly do: 'connect' }
  | { readonly do: 'dropConnection' }
  | { readonly do: 'sendOpen' }
  | { readonly do: 'sendKeepalive' }
  | { readonly do: 'sendNotification'; readonly content: NotificationContent }
  /** Starts or restarts. `jitter`: RFC 4271 section 10, the time is taken times 0.75 … 1. */
  | {
      readonly do: 'startTimer'
      readonly timer: TimerName
      readonly seconds: number
      readonly jitter: boolean
    }
  | { readonly do: 'stopTimer'; readonly timer: TimerName }
  | { readonly do: 'established'; readonly negotiated: Negotiated }
  /** The session left Established, or gave up before it got there. */
  | { readonly do: 'ended'; readonly wasEstablished: boolean; readonly ending: Ending }

/** What an event makes of a session. */
export interface Transition {
  /** The very same object if nothing changed. */
  readonly session: Session
  readonly actions: readonly Action[]
}
