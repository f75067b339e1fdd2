/** How a session ends: what is said to the peer, what is let go of, and how it is told to people. */
import { CeaseSubcode, ErrorCode } from '../codec/iana.ts'
import { type NotificationContent } from '../codec/messages.ts'
import { administrativeCease, formatNotification, hardReset } from '../codec/notification.ts'
import { type FsmEvent } from './events.ts'
import { type Action, type Ending, type FsmOptions, type Session, type Transition } from './session.ts'
import { idleHold, openHoldSeconds } from './timers.ts'

/** To Idle, with everything released. `counter`: what becomes of ConnectRetryCounter, with damping if it is counted. */
export function stop(
  session: Session,
  event: FsmEvent,
  farewell: NotificationContent | undefined,
  counter: 0 | 'counted' | 'unchanged',
  options: FsmOptions,
): Transition {
  const counted = counter === 'counted'
  const after: Session = {
    state: 'Idle',
    connectRetryCounter: counter === 0 ? 0 : session.connectRetryCounter + (counted ? 1 : 0),
    dampingCounter: counter === 0 ? 0 : session.dampingCounter + (counted ? 1 : 0),
    delayOpenRunning: false,
    connectRetryRunning: false,
    negotiated: undefined,
  }
  const actions: Action[] = []
  if (farewell !== undefined) actions.push({ do: 'sendNotification', content: farewell })
  for (const timer of ['ConnectRetry', 'DelayOpen', 'Hold', 'Keepalive', 'SendHold'] as const) {
    actions.push({ do: 'stopTimer', timer })
  }
  actions.push({ do: 'dropConnection' })
  if (counted && options.idleHoldSeconds > 0) actions.push(idleHold(after, options))
  actions.push({
    do: 'ended',
    wasEstablished: session.state === 'Established',
    ending: ending(session, event, farewell),
  })
  return { session: after, actions }
}

function ending(session: Session, event: FsmEvent, farewell: NotificationContent | undefined): Ending {
  if (event.name === 'NotifMsg' || event.name === 'NotifMsgVerErr') {
    return {
      event: event.name,
      notification: { direction: 'received', content: event.notification },
      text: `The peer ended the session: ${formatNotification(event.notification)}.`,
    }
  }
  return {
    event: event.name,
    notification: farewell === undefined ? undefined : { direction: 'sent', content: farewell },
    text: endingText(session, event, farewell),
  }
}

function endingText(session: Session, event: FsmEvent, farewell: NotificationContent | undefined): string {
  switch (event.name) {
    case 'TcpConnectionFails':
      return `The connection failed: ${event.text}.`
    case 'BGPHeaderErr':
    case 'BGPOpenMsgErr':
    case 'UpdateMsgErr':
      return `We refused what the peer sent: ${event.reason}.`
    case 'HoldTimer_Expires':
      return session.state === 'OpenSent'
        ? `The peer sent no OPEN for ${openHoldSeconds} s.`
        : `The peer was silent for the hold time of ${session.negotiated?.holdTimeSeconds ?? 0} s.`
    case 'SendHoldTimer_Expires':
      return 'The peer took nothing from its connection until the send hold timer expired.'
    case 'OpenCollisionDump':
      return 'The other connection to the peer was kept.'
    case 'ManualStop':
    case 'AutomaticStop':
      return `We ended the session: ${formatNotification(farewell ?? cease(session, event))}.`
    default:
      return `${event.name} is not expected in ${session.state}.`
  }
}

export function cease(
  session: Session,
  event: Extract<FsmEvent, { name: 'ManualStop' | 'AutomaticStop' }>,
): NotificationContent {
  const { subcode, text, hard } = event.cease
  const content =
    subcode === CeaseSubcode.administrativeShutdown || subcode === CeaseSubcode.administrativeReset
      ? administrativeCease(subcode, text)
      : notification(ErrorCode.cease, subcode)
  return hard === true && session.negotiated?.gracefulNotification === true ? hardReset(content) : content
}

export function notification(code: number, subcode: number): NotificationContent {
  return { code, subcode, data: new Uint8Array(0) }
}
