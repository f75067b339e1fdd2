/*
 * RFC 4271 section 8.2.2, state by state, for one connection. The shell (speaker/) turns what happens into events,
 * runs the actions in their order and keeps the timers; nothing here knows a socket or a clock. A peer that dialled
 * us while we dialled it has a second session of its own, and collision.ts decides between the two: that is where
 * OpenCollisionDump comes from. Departures from the letter of the RFC are marked where they are and listed in RFCS.md.
 */
import { CeaseSubcode, ErrorCode, FsmSubcode } from '../codec/iana.ts'
import { cease, notification, stop } from './ending.ts'
import { type FsmEvent } from './events.ts'
import { type Negotiated } from './negotiate.ts'
import { type Action, type FsmOptions, type Session, type Transition } from './session.ts'
import {
  connectRetry,
  idleHold,
  keepaliveActions,
  negotiatedTimers,
  openHoldSeconds,
  restartHold,
  sendHoldSeconds,
} from './timers.ts'

const nothing: readonly Action[] = []

/** What an event means in a state: the session after it and what the shell is to do. */
export function transition(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (session.state) {
    case 'Idle':
      return inIdle(session, event, options)
    case 'Connect':
      return inConnect(session, event, options)
    case 'Active':
      return inActive(session, event, options)
    case 'OpenSent':
      return inOpenSent(session, event, options)
    case 'OpenConfirm':
      return inOpenConfirm(session, event, options)
    case 'Established':
      return inEstablished(session, event, options)
  }
}

function inIdle(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (event.name) {
    case 'ManualStart':
      return start({ ...session, connectRetryCounter: 0, dampingCounter: 0 }, options.passive, options)
    case 'AutomaticStart':
      return start({ ...session, connectRetryCounter: 0 }, options.passive, options)
    case 'ManualStart_with_PassiveTcpEstablishment':
      return start({ ...session, connectRetryCounter: 0, dampingCounter: 0 }, true, options)
    case 'AutomaticStart_with_PassiveTcpEstablishment':
      return start({ ...session, connectRetryCounter: 0 }, true, options)
    case 'AutomaticStart_with_DampPeerOscillations':
    case 'AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment':
      return { session, actions: [idleHold(session, options)] }
    case 'IdleHoldTimer_Expires':
      return start(session, options.passive, options)
    case 'ManualStop':
    case 'AutomaticStop':
      return { session, actions: [{ do: 'stopTimer', timer: 'IdleHold' }] }
    default:
      return { session, actions: nothing }
  }
}

function start(session: Session, passive: boolean, options: FsmOptions): Transition {
  const actions: Action[] = [{ do: 'stopTimer', timer: 'IdleHold' }, connectRetry(options)]
  if (!passive) actions.push({ do: 'connect' })
  return {
    session: { ...session, state: passive ? 'Active' : 'Connect', connectRetryRunning: true },
    actions,
  }
}

function inConnect(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (event.name) {
    case 'ManualStop':
      return stop(session, event, undefined, 0, options)
    case 'ConnectRetryTimer_Expires':
      return {
        session: { ...session, delayOpenRunning: false, connectRetryRunning: true },
        actions: [
          { do: 'dropConnection' },
          connectRetry(options),
          { do: 'stopTimer', timer: 'DelayOpen' },
          { do: 'connect' },
        ],
      }
    case 'TcpConnectionFails':
      if (session.delayOpenRunning) return backToActive(session, options)
      return stop(session, event, undefined, 'unchanged', options)
    default:
      return beforeOpen(session, event, options)
  }
}

function inActive(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (event.name) {
    case 'ManualStop': {
      const farewell = session.delayOpenRunning && options.sendNotificationWithoutOpen
      return stop(session, event, farewell ? cease(session, event) : undefined, 0, options)
    }
    case 'ConnectRetryTimer_Expires':
      // Departs from the RFC: a passive peer is never dialled, also when it has not come for long.
      if (options.passive) {
        return { session: { ...session, connectRetryRunning: true }, actions: [connectRetry(options)] }
      }
      return {
        session: { ...session, state: 'Connect', connectRetryRunning: true },
        actions: [connectRetry(options), { do: 'connect' }],
      }
    case 'TcpConnectionFails':
      return stop(session, event, undefined, 'counted', options)
    default:
      return beforeOpen(session, event, options)
  }
}

/** What Connect and Active have in common. */
function beforeOpen(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (event.name) {
    case 'ManualStart':
    case 'AutomaticStart':
    case 'ManualStart_with_PassiveTcpEstablishment':
    case 'AutomaticStart_with_PassiveTcpEstablishment':
    case 'AutomaticStart_with_DampPeerOscillations':
    case 'AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment':
    case 'TcpConnection_Valid':
    case 'Tcp_CR_Invalid':
      return { session, actions: nothing }
    case 'Tcp_CR_Acked':
    case 'TcpConnectionConfirmed':
      if (options.delayOpenSeconds > 0) {
        return {
          session: { ...session, delayOpenRunning: true, connectRetryRunning: false },
          actions: [
            { do: 'stopTimer', timer: 'ConnectRetry' },
            { do: 'startTimer', timer: 'DelayOpen', seconds: options.delayOpenSeconds, jitter: false },
          ],
        }
      }
      return openSent(session)
    case 'DelayOpenTimer_Expires':
      return openSent(session)
    case 'BGPOpen_with_DelayOpenTimer_running':
      return {
        session: confirming(session, event.negotiated),
        actions: [
          { do: 'stopTimer', timer: 'ConnectRetry' },
          { do: 'stopTimer', timer: 'DelayOpen' },
          { do: 'sendOpen' },
          { do: 'sendKeepalive' },
          ...negotiatedTimers(event.negotiated),
        ],
      }
    case 'BGPHeaderErr':
    case 'BGPOpenMsgErr':
      return stop(
        session,
        event,
        options.sendNotificationWithoutOpen ? event.notification : undefined,
        'counted',
        options,
      )
    case 'NotifMsgVerErr':
      return stop(session, event, undefined, session.delayOpenRunning ? 'unchanged' : 'counted', options)
    default:
      return stop(session, event, undefined, 'counted', options)
  }
}

function openSent(session: Session): Transition {
  return {
    session: { ...session, state: 'OpenSent', delayOpenRunning: false, connectRetryRunning: false },
    actions: [
      { do: 'stopTimer', timer: 'ConnectRetry' },
      { do: 'stopTimer', timer: 'DelayOpen' },
      { do: 'sendOpen' },
      { do: 'startTimer', timer: 'Hold', seconds: openHoldSeconds, jitter: false },
    ],
  }
}

/** The peer's OPEN is there: what remains to be heard is its KEEPALIVE. */
function confirming(session: Session, negotiated: Negotiated): Session {
  return { ...session, state: 'OpenConfirm', delayOpenRunning: false, connectRetryRunning: false, negotiated }
}

function inOpenSent(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (event.name) {
    case 'TcpConnectionFails':
      return backToActive(session, options)
    case 'BGPOpen':
      return {
        session: confirming(session, event.negotiated),
        actions: [
          { do: 'stopTimer', timer: 'DelayOpen' },
          { do: 'stopTimer', timer: 'ConnectRetry' },
          { do: 'sendKeepalive' },
          ...negotiatedTimers(event.negotiated),
        ],
      }
    case 'BGPOpenMsgErr':
      return stop(session, event, event.notification, 'counted', options)
    case 'NotifMsgVerErr':
      return stop(session, event, undefined, 'unchanged', options)
    default:
      return withConnection(session, event, FsmSubcode.inOpenSent, options)
  }
}

function inOpenConfirm(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (event.name) {
    case 'KeepaliveTimer_Expires':
      return { session, actions: keepaliveActions(session) }
    case 'TcpConnectionFails':
    case 'NotifMsg':
      return stop(session, event, undefined, 'counted', options)
    case 'NotifMsgVerErr':
      return stop(session, event, undefined, 'unchanged', options)
    case 'BGPOpenMsgErr':
      return stop(session, event, event.notification, 'counted', options)
    case 'KeepAliveMsg': {
      const negotiated = session.negotiated
      if (negotiated === undefined) break
      const holdless = negotiated.holdTimeSeconds === 0
      const sendHold = sendHoldSeconds(negotiated, options)
      const actions: Action[] = [...restartHold(session)]
      if (sendHold > 0) {
        actions.push({ do: 'startTimer', timer: 'SendHold', seconds: sendHold, jitter: false })
      }
      actions.push({ do: 'established', negotiated })
      return {
        // Without keepalives there is no later moment at which the session has proved to last.
        session: {
          ...session,
          state: 'Established',
          dampingCounter: holdless ? 0 : session.dampingCounter,
        },
        actions,
      }
    }
    default:
      break
  }
  return withConnection(session, event, FsmSubcode.inOpenConfirm, options)
}

function inEstablished(session: Session, event: FsmEvent, options: FsmOptions): Transition {
  switch (event.name) {
    case 'UpdateMsg':
    case 'KeepAliveMsg':
      return { session, actions: restartHold(session) }
    case 'KeepaliveTimer_Expires':
      // A session that lives to send a second keepalive has proved to last: the wait in Idle starts small again.
      return {
        session: session.dampingCounter === 0 ? session : { ...session, dampingCounter: 0 },
        actions: keepaliveActions(session),
      }
    case 'TcpConnectionFails':
    case 'NotifMsg':
    case 'NotifMsgVerErr':
      return stop(session, event, undefined, 'counted', options)
    case 'UpdateMsgErr':
      return stop(session, event, event.notification, 'counted', options)
    case 'SendHoldTimer_Expires':
      return stop(session, event, notification(ErrorCode.sendHoldTimerExpired, 0), 'counted', options)
    default:
      return withConnection(session, event, FsmSubcode.inEstablished, options)
  }
}

/** What OpenSent, OpenConfirm and Established have in common. */
function withConnection(
  session: Session,
  event: FsmEvent,
  unexpected: number,
  options: FsmOptions,
): Transition {
  switch (event.name) {
    case 'ManualStart':
    case 'AutomaticStart':
    case 'ManualStart_with_PassiveTcpEstablishment':
    case 'AutomaticStart_with_PassiveTcpEstablishment':
    case 'AutomaticStart_with_DampPeerOscillations':
    case 'AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment':
    case 'TcpConnection_Valid':
    case 'Tcp_CR_Invalid':
    case 'Tcp_CR_Acked':
    case 'TcpConnectionConfirmed':
      // A second connection is tracked by a session of its own.
      return { session, actions: nothing }
    case 'ManualStop':
      return stop(session, event, cease(session, event), 0, options)
    case 'AutomaticStop':
      return stop(session, event, cease(session, event), 'counted', options)
    case 'HoldTimer_Expires':
      return stop(session, event, notification(ErrorCode.holdTimerExpired, 0), 'counted', options)
    case 'OpenCollisionDump':
      return stop(
        session,
        event,
        notification(ErrorCode.cease, CeaseSubcode.connectionCollision),
        'counted',
        options,
      )
    case 'BGPHeaderErr':
      // In Established section 8.2.2 asks for an FSM error, but section 6.1 says that header errors MUST be
      // told as what they are.
      return stop(session, event, event.notification, 'counted', options)
    default:
      return stop(session, event, notification(ErrorCode.finiteStateMachine, unexpected), 'counted', options)
  }
}

/** The TCP connection is gone before the peer has said OPEN: wait for it, and dial again when ConnectRetry says so. */
function backToActive(session: Session, options: FsmOptions): Transition {
  return {
    session: { ...session, state: 'Active', delayOpenRunning: false, connectRetryRunning: true },
    actions: [
      { do: 'dropConnection' },
      { do: 'stopTimer', timer: 'Hold' },
      { do: 'stopTimer', timer: 'DelayOpen' },
      connectRetry(options),
    ],
  }
}
