/*
 * One TCP connection and its session: bytes become messages, messages become events, and the actions that
 * fsm/ answers with are carried out here. What concerns the peer as a whole (which of two connections stays, what
 * becomes of its routes, when to dial) is the host's.
 */
import { type Clock } from '@network/net'
import { type CodecContext, maxMessageLength, plainContext } from '../codec/context.ts'
import { frame } from '../codec/frame.ts'
import { ErrorCode, OpenSubcode } from '../codec/iana.ts'
import { decodeMessage, encodeKeepalive } from '../codec/message.ts'
import {
  type MessageFault,
  type Notification,
  type Open,
  type RouteRefresh,
  type Update,
  type UpdateFault,
} from '../codec/messages.ts'
import { encodeNotification } from '../codec/notification.ts'
import { type FsmEvent } from '../fsm/events.ts'
import { type Negotiated, type OpenOptions, negotiate } from '../fsm/negotiate.ts'
import {
  type Action,
  type Ending,
  type FsmOptions,
  type Session,
  type State,
  type TimerName,
} from '../fsm/session.ts'
import { jittered, sendHoldSeconds } from '../fsm/timers.ts'
import { transition } from '../fsm/transition.ts'
import { Deadline } from './deadline.ts'
import { type Connection, type ConnectionHandlers } from './network/sockets.ts'

/** What a connection needs of its peer. */
export interface ConnectionHost {
  readonly clock: Clock
  random(): number
  fsmOptions(): FsmOptions
  openOptions(): OpenOptions
  /** The OPEN that `openOptions` ask for, encoded. */
  openMessage(): Uint8Array
  dial(handlers: ConnectionHandlers): Connection
  /**
   * A valid OPEN has come. False: the connection has lost a collision, and the host has ended it.
   */
  openReceived(connection: PeerConnection, open: Open): boolean
  established(connection: PeerConnection, negotiated: Negotiated): void
  /** Called when the session has reached Idle; `wasEstablished` says from where. */
  ended(connection: PeerConnection, wasEstablished: boolean, ending: Ending): void
  /** The TCP connection went before the peer had sent an OPEN; the session waits for another. */
  lostBeforeOpen(connection: PeerConnection, text: string): void
  updateReceived(connection: PeerConnection, update: Update): void
  /** An UPDATE whose faults end the session has come in Established. */
  updateRefused(connection: PeerConnection, faults: readonly UpdateFault[]): void
  refreshReceived(connection: PeerConnection, refresh: RouteRefresh): void
  /** Something has been written that more may follow: it is to be flushed before the event loop turns again. */
  flushSoon(): void
  /** The socket has room again. */
  writable(connection: PeerConnection): void
  stateChanged(connection: PeerConnection, before: State, after: State): void
}

export interface ConnectionCounters {
  messagesIn: number
  messagesOut: number
  updatesIn: number
  updatesOut: number
  bytesIn: number
  bytesOut: number
}

/** How long our OPEN waits at most for that of a peer that has dialled us. */
const openHoldMs = 100

const nothing = new Uint8Array(0)
const keepalive = encodeKeepalive()

export class PeerConnection {
  /** Who opened the connection: 'outgoing' if we did. */
  #direction: 'outgoing' | 'incoming'
  readonly #host: ConnectionHost
  readonly #counters: ConnectionCounters
  readonly #timers = new Map<TimerName, Deadline>()
  readonly #pending: FsmEvent[] = []
  #session: Session
  #socket: Connection | undefined
  #context: CodecContext = plainContext
  /** The beginning of a message whose end has not come yet. */
  #partial: Uint8Array = nothing
  /** Turned up whenever the socket changes: what is parsed belongs to the socket that it came from. */
  #generation = 0
  /** Something has come on this socket. */
  #heard = false
  /** An UPDATE of the bytes that are being read has restarted the hold timer: the others would at the same moment. */
  #restarted = false
  #heldOpen: Uint8Array | undefined
  #openHold: Deadline | undefined
  #retired = false
  /** Monotonic time at which the session was established. */
  establishedAt: number | undefined
  /** Monotonic time at which TCP came up. */
  connectedAt: number | undefined

  constructor(
    host: ConnectionHost,
    direction: 'outgoing' | 'incoming',
    session: Session,
    counters: ConnectionCounters,
  ) {
    this.#host = host
    this.#direction = direction
    this.#session = session
    this.#counters = counters
  }

  get session(): Session {
    return this.#session
  }

  get state(): State {
    return this.#session.state
  }

  get direction(): 'outgoing' | 'incoming' {
    return this.#direction
  }

  get socket(): Connection | undefined {
    return this.#socket
  }

  /** Takes over a connection that the peer opened; the answer is what its socket shall tell. */
  accept(socket: Connection): ConnectionHandlers {
    this.#drop()
    this.#socket = socket
    this.#direction = 'incoming'
    this.connectedAt = this.#host.clock.monotonic()
    const handlers = this.#handlers()
    this.dispatch({ name: 'TcpConnectionConfirmed' })
    return handlers
  }

  /** The session is not needed any more: nothing happens to it from now on, nor because of it. */
  retire(): void {
    this.#retired = true
    for (const timer of this.#timers.values()) timer.stop()
    this.#drop()
  }

  /** Lets something happen to the session and carries out what follows from it. */
  dispatch(event: FsmEvent): void {
    // What an action sets off comes after all actions of the event before it.
    this.#pending.push(event)
    if (this.#pending.length > 1) return
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      if (!this.#retired) this.#step(next)
      this.#pending.shift()
    }
  }

  #step(event: FsmEvent): void {
    const before = this.#session
    const { session, actions } = transition(before, event, this.#host.fsmOptions())
    this.#session = session
    if (session.negotiated !== before.negotiated) {
      this.#context = session.negotiated?.receive ?? plainContext
    }
    for (const action of actions) this.#perform(action)
    if (this.#retired) return
    if (session.state !== before.state) this.#host.stateChanged(this, before.state, session.state)
  }

  /** Room for more: false means that the host waits for `writable`. */
  get hasRoom(): boolean {
    return this.#socket !== undefined && this.#socket.backlog < 65536
  }

  /** Sends encoded UPDATE or ROUTE-REFRESH messages, which must not change any more. */
  send(bytes: Uint8Array, updates: number, messages: number, moreFollows: boolean): void {
    this.#counters.updatesOut += updates
    this.#write(bytes, messages, moreFollows)
  }

  #perform(action: Action): void {
    switch (action.do) {
      case 'connect':
        this.#drop()
        this.#direction = 'outgoing'
        this.#socket = this.#host.dial(this.#handlers())
        return
      case 'dropConnection':
        this.#drop()
        return
      case 'sendOpen':
        this.#sendOpen(this.#host.openMessage())
        return
      case 'sendKeepalive':
        this.#write(keepalive, 1)
        return
      case 'sendNotification':
        this.#write(encodeNotification(action.content), 1)
        return
      case 'startTimer':
        this.#startTimer(action.timer, action.seconds, action.jitter)
        return
      case 'stopTimer':
        this.#timers.get(action.timer)?.stop()
        return
      case 'established':
        this.establishedAt = this.#host.clock.monotonic()
        this.#host.established(this, action.negotiated)
        return
      case 'ended':
        this.establishedAt = undefined
        this.#host.ended(this, action.wasEstablished, action.ending)
        return
    }
  }

  #startTimer(name: TimerName, seconds: number, jitter: boolean): void {
    let timer = this.#timers.get(name)
    if (timer === undefined) {
      timer = new Deadline(this.#host.clock, () => this.#expired(name))
      this.#timers.set(name, timer)
    }
    timer.start((jitter ? jittered(seconds, this.#host.random()) : seconds) * 1000)
  }

  #expired(name: TimerName): void {
    if (name !== 'Hold') {
      this.dispatch({ name: `${name}Timer_Expires` })
      return
    }
    // After a long turn of the event loop the peer's keepalive may lie unread in the socket: read first, then judge.
    const heard = this.#counters.bytesIn
    const generation = this.#generation
    this.#host.clock.setTimeout(() => {
      if (this.#generation !== generation) return
      if (this.#counters.bytesIn === heard) this.dispatch({ name: 'HoldTimer_Expires' })
      else if (this.#timers.get('Hold')?.running === false) {
        const seconds = this.#session.negotiated?.holdTimeSeconds ?? 0
        if (seconds > 0) this.#startTimer('Hold', seconds, false)
      }
    }, 1)
  }

  #handlers(): ConnectionHandlers {
    const generation = this.#generation
    const current = (): boolean => this.#generation === generation
    return {
      connected: () => {
        if (!current()) return
        this.connectedAt = this.#host.clock.monotonic()
        this.dispatch({ name: 'Tcp_CR_Acked' })
      },
      data: (bytes) => {
        if (current()) this.#receive(bytes)
      },
      drained: () => {
        if (!current()) return
        this.#sendProgressed()
        this.#host.writable(this)
      },
      closed: (fault) => {
        if (!current()) return
        const text = fault?.text ?? 'the peer closed it'
        const openSent = this.#session.state === 'OpenSent'
        this.dispatch({ name: 'TcpConnectionFails', text })
        if (openSent && this.state === 'Active') this.#host.lostBeforeOpen(this, text)
      },
    }
  }

  #drop(): void {
    this.#generation++
    this.#partial = nothing
    this.#heard = false
    this.#heldOpen = undefined
    this.#openHold?.stop()
    this.connectedAt = undefined
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined) return
    socket.end()
  }

  /**
   * To a peer that has dialled us: its OPEN is on its way, and ours leaves in one piece with the KEEPALIVE that answers
   * it. With hundreds of sessions that come up at once this saves each side a third of its system calls.
   */
  #sendOpen(open: Uint8Array): void {
    if (this.#direction === 'outgoing' || this.#heard) {
      this.#write(open, 1)
      return
    }
    this.#heldOpen = open
    this.#openHold ??= new Deadline(this.#host.clock, () => this.#releaseOpen(false))
    this.#openHold.start(openHoldMs)
  }

  #releaseOpen(moreFollows: boolean): void {
    const open = this.#heldOpen
    if (open === undefined) return
    this.#heldOpen = undefined
    this.#openHold?.stop()
    this.#write(open, 1, moreFollows)
    if (moreFollows) this.#host.flushSoon()
  }

  #write(bytes: Uint8Array, messages: number, moreFollows = false): void {
    this.#releaseOpen(true)
    const socket = this.#socket
    if (socket === undefined) return
    if (socket.backlog === 0) this.#sendProgressed()
    this.#counters.messagesOut += messages
    this.#counters.bytesOut += bytes.length
    socket.write(bytes, moreFollows)
  }

  /** RFC 9687: the peer takes what we send. */
  #sendProgressed(): void {
    if (this.#session.state !== 'Established') return
    const { negotiated } = this.#session
    if (negotiated === undefined) return
    const seconds = sendHoldSeconds(negotiated, this.#host.fsmOptions())
    if (seconds > 0) this.#startTimer('SendHold', seconds, false)
  }

  #receive(chunk: Uint8Array): void {
    this.#counters.bytesIn += chunk.length
    this.#heard = true
    this.#restarted = false
    this.#releaseOpen(true)
    const generation = this.#generation
    const bytes = this.#partial.length === 0 ? chunk : join(this.#partial, chunk)
    this.#partial = nothing
    let at = 0
    while (at < bytes.length) {
      const length = frame(bytes, at, bytes.length, maxMessageLength(this.#context))
      if (typeof length !== 'number') {
        this.#fault(length)
        return
      }
      if (length === 0) break
      this.#message(bytes.subarray(at, at + length))
      // The message may have ended the session.
      if (this.#generation !== generation) return
      at += length
    }
    // A copy: the chunk's memory may be a pool's, or large.
    this.#partial = at === bytes.length ? nothing : bytes.slice(at)
  }

  #message(bytes: Uint8Array): void {
    this.#counters.messagesIn++
    const message = decodeMessage(bytes, this.#context)
    switch (message.type) {
      case 'fault':
        this.#fault(message)
        return
      case 'open':
        this.#open(message)
        return
      case 'keepalive':
        this.dispatch({ name: 'KeepAliveMsg' })
        return
      case 'notification':
        this.#notification(message)
        return
      case 'update':
        this.#counters.updatesIn++
        if (!this.#restarted) this.dispatch({ name: 'UpdateMsg' })
        this.#restarted = this.#session.state === 'Established'
        if (this.#restarted) this.#host.updateReceived(this, message)
        return
      case 'route-refresh':
        this.dispatch({ name: 'UpdateMsg' })
        if (this.#session.state === 'Established') this.#host.refreshReceived(this, message)
        return
    }
  }

  #fault(fault: MessageFault): void {
    if (fault.faults.length > 0 && this.#session.state === 'Established') {
      this.#host.updateRefused(this, fault.faults)
    }
    const name = { 21: 'BGPHeaderErr', 22: 'BGPOpenMsgErr', 28: 'UpdateMsgErr' } as const
    this.dispatch({ name: name[fault.event], notification: fault.notification, reason: fault.reason })
  }

  #open(open: Open): void {
    const { state } = this.#session
    const agreed = negotiate(open, this.#host.openOptions())
    if (!agreed.ok) {
      this.dispatch({ name: 'BGPOpenMsgErr', ...agreed.error })
      return
    }
    if ((state === 'OpenSent' || this.#session.delayOpenRunning) && !this.#host.openReceived(this, open))
      return
    this.dispatch({
      name: this.#session.delayOpenRunning ? 'BGPOpen_with_DelayOpenTimer_running' : 'BGPOpen',
      negotiated: agreed.value,
    })
  }

  #notification(notification: Notification): void {
    const versionError =
      notification.code === ErrorCode.open && notification.subcode === OpenSubcode.unsupportedVersion
    this.dispatch({ name: versionError ? 'NotifMsgVerErr' : 'NotifMsg', notification })
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}
