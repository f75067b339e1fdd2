import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { plainContext } from '../../src/codec/context.ts'
import { ipv4Unicast } from '../../src/codec/iana.ts'
import { type EventName, EventNumber, type FsmEvent } from '../../src/fsm/events.ts'
import { type Negotiated } from '../../src/fsm/negotiate.ts'
import { type Action, type FsmOptions, type Session, type State, idleSession } from '../../src/fsm/session.ts'
import { idleHoldAfter, jittered } from '../../src/fsm/timers.ts'
import { transition } from '../../src/fsm/transition.ts'

const states: readonly State[] = ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established']

interface Line {
  readonly number: number
  readonly state: string
  readonly event: EventName
  readonly given: readonly string[]
  readonly outcome: string
}

const lines: readonly Line[] = readFileSync(path.join(import.meta.dirname, 'transitions.txt'), 'utf8')
  .split('\n')
  .flatMap((text, index) => {
    if (text === '' || text.startsWith('#')) return []
    const [state = '', event = '', given = '', outcome = ''] = text.split('|').map((cell) => cell.trim())
    const [, name = ''] = event.split(' ')
    return [
      {
        number: index + 1,
        state,
        event: name as EventName,
        given: given.split(', ').filter((g) => g !== ''),
        outcome,
      },
    ]
  })

function negotiated(holdTimeSeconds: number): Negotiated {
  return {
    peerType: 'external',
    peerAsn: 65001,
    peerRouterId: 1,
    holdTimeSeconds,
    keepaliveSeconds: holdTimeSeconds / 3,
    families: [ipv4Unicast],
    receive: plainContext,
    send: plainContext,
    routeRefresh: true,
    enhancedRouteRefresh: true,
    gracefulRestart: undefined,
    gracefulNotification: false,
    peerRole: undefined,
  }
}

function sessionOf(state: State, given: readonly string[]): Session {
  const holds = state === 'OpenConfirm' || state === 'Established'
  return {
    ...idleSession,
    state,
    connectRetryCounter: 2,
    dampingCounter: 2,
    delayOpenRunning: given.includes('DelayOpenTimer running'),
    connectRetryRunning: state === 'Connect' || state === 'Active',
    negotiated: holds ? negotiated(given.includes('hold time 0') ? 0 : 90) : undefined,
  }
}

function optionsOf(given: readonly string[]): FsmOptions {
  return {
    passive: given.includes('passive'),
    connectRetrySeconds: 5,
    delayOpenSeconds: given.includes('DelayOpen') || given.includes('DelayOpenTimer running') ? 7 : 0,
    idleHoldSeconds: given.includes('no damping') ? 0 : 1,
    idleHoldMaximumSeconds: 60,
    sendHoldSeconds: undefined,
    sendNotificationWithoutOpen: !given.includes('no NOTIFICATION without OPEN'),
  }
}

function eventOf(name: EventName, given: readonly string[]): FsmEvent {
  const content = (code: number, subcode: number) => ({ code, subcode, data: new Uint8Array(0) })
  switch (name) {
    case 'ManualStop':
      return { name, cease: { subcode: 2 } }
    case 'AutomaticStop':
      return { name, cease: { subcode: 1 } }
    case 'TcpConnectionFails':
      return { name, text: 'reset' }
    case 'BGPOpen':
    case 'BGPOpen_with_DelayOpenTimer_running':
      return { name, negotiated: negotiated(given.includes('hold time 0') ? 0 : 90) }
    case 'BGPHeaderErr':
      return { name, notification: content(1, 2), reason: 'bad length' }
    case 'BGPOpenMsgErr':
      return { name, notification: content(2, 2), reason: 'bad AS' }
    case 'UpdateMsgErr':
      return { name, notification: content(3, 1), reason: 'bad list' }
    case 'NotifMsg':
      return { name, notification: content(6, 4) }
    case 'NotifMsgVerErr':
      return { name, notification: content(2, 1) }
    default:
      return { name }
  }
}

function word(action: Action): string {
  switch (action.do) {
    case 'startTimer':
      return `start ${action.timer} ${action.seconds}${action.jitter ? '~' : ''}`
    case 'stopTimer':
      return `stop ${action.timer}`
    case 'sendOpen':
      return 'OPEN'
    case 'sendKeepalive':
      return 'KEEPALIVE'
    case 'sendNotification':
      return `NOTIFICATION ${action.content.code}/${action.content.subcode}`
    case 'dropConnection':
      return 'drop'
    default:
      return action.do
  }
}

function outcome(before: Session, event: FsmEvent, options: FsmOptions): string {
  const { session, actions } = transition(before, event, options)
  const words = actions.map(word)
  if (session.connectRetryCounter === 0) words.unshift('counter 0')
  else if (session.connectRetryCounter === before.connectRetryCounter + 1) words.unshift('counter +1')
  else if (session.connectRetryCounter !== before.connectRetryCounter) words.unshift('counter ?')
  const text = words
    .join(', ')
    .replace('stop ConnectRetry, stop DelayOpen, stop Hold, stop Keepalive, stop SendHold, drop', 'release')
  return text === '' ? session.state : `${session.state}: ${text}`
}

for (const { number, state, event, given, outcome: expected } of lines) {
  const title = `line ${number}: ${state}, ${EventNumber[event]} ${event}${given.length > 0 ? `, ${given.join(', ')}` : ''}`
  t.equal(outcome(sessionOf(state as State, given), eventOf(event, given), optionsOf(given)), expected, title)
}

t.test('every state and every event has a line', (t) => {
  for (const state of states) {
    for (const event of Object.keys(EventNumber)) {
      t.ok(
        lines.some((line) => line.state === state && line.event === event),
        `${state} ${event}`,
      )
    }
  }
  t.equal(Object.keys(EventNumber).length, 29)
  t.end()
})

t.test('a session that is torn down keeps nothing of what was negotiated', (t) => {
  const { session } = transition(
    sessionOf('Established', []),
    eventOf('HoldTimer_Expires', []),
    optionsOf([]),
  )
  t.same(session, { ...idleSession, connectRetryCounter: 3, dampingCounter: 3 })
  t.end()
})

t.test('what changes nothing gives the very same session', (t) => {
  const session = { ...sessionOf('Established', []), dampingCounter: 0 }
  for (const event of ['UpdateMsg', 'KeepAliveMsg', 'KeepaliveTimer_Expires', 'ManualStart'] as const) {
    t.equal(transition(session, eventOf(event, []), optionsOf([])).session, session)
  }
  t.end()
})

t.test('the wait in Idle doubles up to its maximum and starts small again after a session that held', (t) => {
  const options = { idleHoldSeconds: 1, idleHoldMaximumSeconds: 60 }
  t.same(
    [1, 2, 3, 6, 7, 50].map((failures) => idleHoldAfter(failures, options)),
    [1, 2, 4, 32, 60, 60],
  )
  const held = transition(sessionOf('Established', []), eventOf('KeepaliveTimer_Expires', []), optionsOf([]))
  t.equal(held.session.dampingCounter, 0)
  t.end()
})

t.test('jitter takes a time times 0.75 to 1 (section 10)', (t) => {
  t.equal(jittered(100, 0), 75)
  t.ok(jittered(100, 0.999999) < 100)
  t.end()
})

t.test('an ending says in words what happened', (t) => {
  const text = (state: State, event: FsmEvent): string => {
    const { actions } = transition(sessionOf(state, []), event, optionsOf([]))
    const ended = actions.find((action) => action.do === 'ended')
    return ended?.do === 'ended' ? ended.ending.text : ''
  }
  t.match(text('Established', eventOf('HoldTimer_Expires', [])), /silent for the hold time of 90 s/)
  t.match(text('Established', eventOf('NotifMsg', [])), /Administrative Reset \(6\/4\)/)
  t.match(text('OpenSent', eventOf('BGPOpenMsgErr', [])), /bad AS/)
  t.match(text('OpenSent', eventOf('KeepAliveMsg', [])), /KeepAliveMsg is not expected in OpenSent/)
  const stop = { name: 'ManualStop', cease: { subcode: 2, text: 'upgrade' } } as const
  t.match(text('Established', stop), /Administrative Shutdown \(6\/2\): "upgrade"/)
  t.end()
})
