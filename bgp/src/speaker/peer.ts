/*
 * A configured neighbour: one session, and for a moment two, when the neighbour dials us while we dial it.
 * `#main` is the session that dials and waits; `#second` tracks a connection that came beside it. Whichever survives
 * becomes `#main`. What the neighbour's routes become is the business of PeerEvents (peer-routes.ts).
 */
import { type Clock, type Log, type Timer, formatIpv4Word } from '@network/net'
import { CeaseSubcode, ErrorCode } from '../codec/iana.ts'
import { type Open, type RouteRefresh, type Update, type UpdateFault } from '../codec/messages.ts'
import { formatNotification } from '../codec/notification.ts'
import { resolveCollision } from '../fsm/collision.ts'
import { type CeaseReason } from '../fsm/events.ts'
import { type Negotiated, type OpenOptions } from '../fsm/negotiate.ts'
import { type Ending, type FsmOptions, type State, idleSession, incomingSession } from '../fsm/session.ts'
import { type ConnectionCounters, type ConnectionHost, PeerConnection } from './connection.ts'
import { DropWatch, unansweredHint } from './drop-watch.ts'
import { type OpenMessages } from './open-messages.ts'
import { type NotificationStatus } from './reports.ts'
import { type PeerSettings } from './options/settings.ts'
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectionOptions,
  type SocketFactory,
} from './network/sockets.ts'

export interface PeerModules {
  readonly clock: Clock
  /** Says whose lines they are. */
  readonly log: Log
  readonly sockets: SocketFactory
  readonly random: () => number
  readonly opens: OpenMessages
}

/** What becomes of a peer's session, for those who keep its routes. */
export interface PeerEvents {
  /** Graceful restart as the next OPEN shall offer it. */
  offeredRestart(): OpenOptions['gracefulRestart']
  established(negotiated: Negotiated, socket: Connection): void
  /** The session left Established. True: the peer may be restarting, its routes are kept. */
  down(ending: Ending, negotiated: Negotiated): boolean
  updateReceived(update: Update): void
  /** An UPDATE whose faults end the session. */
  updateRefused(faults: readonly UpdateFault[]): void
  refreshReceived(refresh: RouteRefresh): void
  /** Something has been written that more may follow. */
  flushSoon(): void
  /** There is room to send. */
  writable(): void
  stateChanged(): void
}

export class Peer implements ConnectionHost {
  readonly clock: Clock
  readonly counters: ConnectionCounters & { connectAttempts: number; established: number; dropped: number } =
    {
      messagesIn: 0,
      messagesOut: 0,
      updatesIn: 0,
      updatesOut: 0,
      bytesIn: 0,
      bytesOut: 0,
      connectAttempts: 0,
      established: 0,
      dropped: 0,
    }
  readonly #modules: PeerModules
  readonly #events: PeerEvents
  readonly #localRouterId: number
  readonly #dropWatch: DropWatch
  #settings: PeerSettings
  #main: PeerConnection
  #second: PeerConnection | undefined
  #held: Timer | undefined
  #stopped = true
  #since: number
  #unanswered = false
  #negotiated: Negotiated | undefined
  #lastError: { readonly at: number; readonly text: string } | undefined
  #lastNotification: NotificationStatus | undefined

  constructor(modules: PeerModules, events: PeerEvents, settings: PeerSettings, localRouterId: number) {
    this.#modules = modules
    this.clock = modules.clock
    this.#events = events
    this.#settings = settings
    this.#localRouterId = localRouterId
    this.#since = modules.clock.now()
    this.#main = new PeerConnection(this, 'outgoing', idleSession, this.counters)
    this.#dropWatch = new DropWatch(modules, (text) => this.#note(text))
  }

  get settings(): PeerSettings {
    return this.#settings
  }

  get state(): State {
    return this.#main.state
  }

  get since(): number {
    return this.#since
  }

  get negotiated(): Negotiated | undefined {
    return this.#negotiated
  }

  get socket(): Connection | undefined {
    return this.#main.socket
  }

  get lastError(): { readonly at: number; readonly text: string } | undefined {
    return this.#lastError
  }

  get lastNotification(): NotificationStatus | undefined {
    return this.#lastNotification
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Takes settings that need no new session. */
  update(settings: PeerSettings): void {
    this.#settings = settings
  }

  /** RFC 4271's AutomaticStart; ManualStart if an operator asked, which forgets earlier failures. */
  start(manual = false): void {
    this.#stopped = false
    this.#held?.cancel()
    this.#held = undefined
    const passive = this.#settings.passive
    const name = manual ? 'ManualStart' : 'AutomaticStart'
    this.#main.dispatch({ name: passive ? `${name}_with_PassiveTcpEstablishment` : name })
    this.#dropWatch.start(this.#settings)
  }

  /** Ends the session for good: with a Cease, or (undefined) by closing TCP alone. */
  stop(cease: CeaseReason | undefined): void {
    this.#stopped = true
    this.#held?.cancel()
    this.#held = undefined
    this.#dropWatch.stop()
    for (const connection of [this.#second, this.#main]) {
      if (connection === undefined) continue
      if (cease === undefined) connection.dispatch({ name: 'TcpConnectionFails', text: 'this speaker stops' })
      connection.dispatch({ name: 'ManualStop', cease: cease ?? { subcode: CeaseSubcode.peerDeconfigured } })
    }
  }

  /** Ends the session with a Cease and starts again, after `restartMs`; Infinity: when somebody starts it. */
  reset(cease: CeaseReason, restartMs?: number): void {
    this.#second?.dispatch({ name: 'ManualStop', cease })
    this.#main.dispatch({ name: 'AutomaticStop', cease })
    if (restartMs === undefined) return
    // In Idle, this takes back the restart that damping has planned.
    this.#main.dispatch({ name: 'AutomaticStop', cease })
    if (restartMs === Infinity) return
    this.#held?.cancel()
    this.#held = this.clock.setTimeout(() => {
      this.#held = undefined
      if (!this.#stopped) this.start()
    }, restartMs)
  }

  /** A connection that the neighbour opened; undefined turns it away (RFC 4271 section 8.2.2, Idle). */
  accept(socket: Connection): ConnectionHandlers | undefined {
    const { ttl, minimumTtl } = this.#settings
    if (this.#stopped || this.#main.state === 'Idle') return undefined
    const configured = socket.configure({ ttl, minimumTtl })
    if (!configured.ok) {
      this.#note(`The connection was refused: ${configured.error.text}.`)
      return undefined
    }
    if (this.#main.state === 'Active' && this.#main.socket === undefined) return this.#main.accept(socket)
    this.#second?.dispatch({ name: 'TcpConnectionFails', text: 'the peer opened yet another connection' })
    this.#second = new PeerConnection(this, 'incoming', incomingSession, this.counters)
    return this.#second.accept(socket)
  }

  get hasRoom(): boolean {
    return this.#main.hasRoom
  }

  /** Sends encoded messages, which must not change any more; with `moreFollows` when the sockets are flushed. */
  send(bytes: Uint8Array, messages: number, updates: number, moreFollows = false): void {
    this.#main.send(bytes, updates, messages, moreFollows)
  }

  // What the connections ask of their host.

  random(): number {
    return this.#modules.random()
  }

  fsmOptions(): FsmOptions {
    return {
      passive: this.#settings.passive,
      connectRetrySeconds: this.#settings.connectRetrySeconds,
      delayOpenSeconds: this.#settings.delayOpenSeconds,
      idleHoldSeconds: this.#settings.idleHoldSeconds,
      idleHoldMaximumSeconds: this.#settings.idleHoldMaximumSeconds,
      sendHoldSeconds: this.#settings.sendHoldSeconds,
      sendNotificationWithoutOpen: true,
    }
  }

  openOptions(): OpenOptions {
    return {
      localAsn: this.#settings.localAsn,
      localRouterId: this.#localRouterId,
      peerAsn: this.#settings.peerAsn,
      holdTimeSeconds: this.#settings.holdTimeSeconds,
      keepaliveSeconds: this.#settings.keepaliveSeconds,
      families: this.#settings.families,
      addPathReceive: this.#settings.addPathReceive,
      addPathSend: this.#settings.addPathSend > 1,
      extendedMessage: this.#settings.extendedMessage,
      extendedNextHop: this.#settings.extendedNextHop,
      gracefulRestart: this.#events.offeredRestart(),
      role: this.#settings.role,
      roleStrict: this.#settings.roleStrict,
    }
  }

  openMessage(): Uint8Array {
    return this.#modules.opens.of(this.#settings.options, this.openOptions())
  }

  dial(handlers: ConnectionHandlers): Connection {
    if (this.#unanswered) {
      this.#note(
        `Nobody answered for ${this.#settings.connectRetrySeconds} s.${unansweredHint(this.#settings)}`,
      )
    }
    this.#unanswered = true
    this.counters.connectAttempts++
    const { address = '', port, sourceAddress, device, password, ttl, minimumTtl } = this.#settings
    const options: ConnectionOptions = { sourceAddress, device, md5Key: password, ttl, minimumTtl }
    return this.#modules.sockets.connect(
      { address, port, options },
      {
        ...handlers,
        connected: () => {
          this.#unanswered = false
          handlers.connected()
        },
        closed: (fault) => {
          this.#unanswered = false
          handlers.closed(fault)
        },
      },
    )
  }

  openReceived(arriving: PeerConnection, open: Open): boolean {
    const existing = arriving === this.#main ? this.#second : this.#main
    if (existing === undefined) return true
    const local = { routerId: this.#localRouterId, asn: this.#settings.localAsn }
    const outcome = resolveCollision(existing, arriving, local, open, {
      peerRestarted:
        this.#negotiated?.gracefulRestart !== undefined &&
        (arriving.connectedAt ?? 0) > (existing.establishedAt ?? Infinity),
    })
    switch (outcome) {
      case 'no-collision':
        return true
      case 'close-arriving':
        arriving.dispatch({ name: 'OpenCollisionDump' })
        return false
      case 'close-existing':
        if (existing.state === 'Established') {
          existing.dispatch({ name: 'TcpConnectionFails', text: 'the peer has restarted and dialled anew' })
        } else {
          existing.dispatch({ name: 'OpenCollisionDump' })
        }
        return true
    }
  }

  established(connection: PeerConnection, negotiated: Negotiated): void {
    const { socket } = connection
    if (socket === undefined) return
    if (connection !== this.#main) this.#promote(connection)
    this.#second?.dispatch({ name: 'OpenCollisionDump' })
    this.counters.established++
    this.#dropWatch.stop()
    this.#negotiated = negotiated
    this.#modules.log.info(
      {
        as: negotiated.peerAsn,
        routerId: formatIpv4Word(negotiated.peerRouterId),
      },
      `The session with ${this.#settings.name} is up.`,
    )
    this.#events.established(negotiated, socket)
  }

  ended(connection: PeerConnection, wasEstablished: boolean, ending: Ending): void {
    if (connection === this.#second) {
      this.#second = undefined
      connection.retire()
      if (ending.event !== 'OpenCollisionDump') this.#recordNotification(ending)
      return
    }
    if (connection !== this.#main) return
    const unanswered = ending.event === 'TcpConnectionFails' && !wasEstablished
    if (ending.event === 'OpenCollisionDump') {
      this.#modules.log.debug({}, ending.text)
    } else {
      this.#recordNotification(ending)
      this.#note(ending.text + (unanswered ? unansweredHint(this.#settings) : ''))
    }
    let isAwaited = false
    if (wasEstablished) {
      this.counters.dropped++
      const negotiated = this.#negotiated
      this.#negotiated = undefined
      if (negotiated !== undefined) isAwaited = this.#events.down(ending, negotiated)
    }
    if (this.#second !== undefined) {
      this.#promote(this.#second)
      return
    }
    if (this.#stopped) return
    this.#dropWatch.start(this.#settings)
    if (unanswered || isAwaited || wasRejected(ending)) {
      // A failed attempt is no error of the peer's, nor is that it isn't ready for us, nor a graceful restart, however often
      // it restarts: wait for it to dial us, and dial when ConnectRetry says so.
      connection.dispatch({ name: 'AutomaticStart_with_PassiveTcpEstablishment' })
    } else if (ending.event === 'NotifMsgVerErr') {
      connection.dispatch({
        name: this.#settings.passive
          ? 'AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment'
          : 'AutomaticStart_with_DampPeerOscillations',
      })
    }
  }

  lostBeforeOpen(connection: PeerConnection, text: string): void {
    if (connection === this.#second) {
      this.#second = undefined
      connection.retire()
      return
    }
    this.#note(`The connection was lost before the peer had sent an OPEN: ${text}. Does it know us?`)
    this.#events.stateChanged()
  }

  updateReceived(connection: PeerConnection, update: Update): void {
    if (connection === this.#main) this.#events.updateReceived(update)
  }

  updateRefused(connection: PeerConnection, faults: readonly UpdateFault[]): void {
    if (connection === this.#main) this.#events.updateRefused(faults)
  }

  refreshReceived(connection: PeerConnection, refresh: RouteRefresh): void {
    if (connection === this.#main) this.#events.refreshReceived(refresh)
  }

  flushSoon(): void {
    this.#events.flushSoon()
  }

  writable(connection: PeerConnection): void {
    if (connection === this.#main && connection.state === 'Established') this.#events.writable()
  }

  stateChanged(connection: PeerConnection, before: State, after: State): void {
    if (connection !== this.#main) return
    this.#since = this.clock.now()
    this.#modules.log.debug({ before, after }, `${before} → ${after}`)
    this.#events.stateChanged()
  }

  /** The second connection takes the main one's place; the main one, wherever it is, is given up in silence. */
  #promote(connection: PeerConnection): void {
    const old = this.#main
    this.#main = connection
    this.#second = undefined
    this.#since = this.clock.now()
    if (old.state !== 'Idle') old.dispatch({ name: 'OpenCollisionDump' })
    old.retire()
    this.#events.stateChanged()
  }

  #recordNotification({ notification }: Ending): void {
    if (notification === undefined) return
    const { direction, content } = notification
    this.#lastNotification = {
      at: this.clock.now(),
      direction,
      code: content.code,
      subcode: content.subcode,
      text: formatNotification(content),
    }
  }

  /** Keeps and logs why there is no session; the same reason over and over is logged once. */
  #note(text: string): void {
    if (this.#lastError?.text === text) this.#modules.log.debug({}, text)
    else this.#modules.log.warn({}, `${this.#settings.name}: ${text}`)
    this.#lastError = { at: this.clock.now(), text }
  }
}

/** RFC 4486 section 4, Connection Rejected: the peer doesn't know us, not yet, or isn't ready. */
function wasRejected({ notification }: Ending): boolean {
  if (notification?.direction !== 'received') return false
  const { code, subcode } = notification.content
  return code === ErrorCode.cease && subcode === CeaseSubcode.connectionRejected
}
