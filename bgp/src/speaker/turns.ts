/*
 * The turns of the event loop. Whatever happens asks for one: it runs the decision process for a few milliseconds and,
 * once a turn has found nothing new from the sockets, or after some milliseconds, feeds the peers whose sockets have room.
 * What is written leaves at the end of the turn, one piece per peer. What is left waits for the next turn, so that timers
 * and sockets are never held up.
 */
import { type Clock } from '@network/net'
import { type Rib } from '../rib/rib.ts'
import { type Fed, Feeder } from './feeder.ts'
import { type SocketFactory } from './network/sockets.ts'

/** How long changes are gathered at most while more keep coming in, so that what is sent is few and full messages. */
const gatherMs = 10

export interface TurnsModules {
  readonly clock: Clock
  readonly rib: Rib
  readonly sockets: SocketFactory
}

export interface TurnsHost {
  /** Everybody whose session is up. */
  fed(): Iterable<Fed>
  /** The decision process has run; `unfinished`: not to its end. */
  decided(unfinished: boolean): void
  /** The turn is over. */
  over(): void
}

export class Turns {
  readonly #modules: TurnsModules
  readonly #host: TurnsHost
  readonly #budgetMs: number
  readonly #monotonic: () => number
  readonly #feeder = new Feeder()
  #immediate: NodeJS.Immediate | undefined
  /** The RIB is not as it was when the feeder last heard of it. */
  #moved = false
  /** An UPDATE has come since the last turn. */
  #taken = false
  #gatheringSince: number | undefined
  #closed = false

  /** `budgetMs`: how long the decision process, and feeding, may take in one turn. */
  constructor(modules: TurnsModules, host: TurnsHost, budgetMs: number) {
    this.#modules = modules
    this.#host = host
    this.#budgetMs = budgetMs
    this.#monotonic = () => modules.clock.monotonic()
  }

  /** Something is to be looked at. */
  ask(): void {
    if (this.#closed) return
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined
      this.#turn()
    })
  }

  /** There is work for the RIB, or something to send to anybody. */
  ribMoved(): void {
    this.#moved = true
    this.ask()
  }

  /** An UPDATE has been taken in, and others may follow on its heels. */
  updateTaken(): void {
    this.#taken = true
    this.ribMoved()
  }

  /** There may be something to send to this one alone. */
  askFor(one: Fed): void {
    this.#feeder.add(one)
    this.ask()
  }

  /** There is no further turn. */
  close(): void {
    this.#closed = true
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
  }

  #turn(): void {
    const { rib, sockets } = this.#modules
    const taken = this.#taken
    this.#taken = false
    const unfinished = rib.work(this.#budgetMs, this.#monotonic)
    this.#host.decided(unfinished)
    const gathers = this.#gathers(taken || unfinished)
    if (gathers || this.#feed() || unfinished) this.ask()
    sockets.flush()
    // What is decided later is news again.
    this.#moved ||= unfinished
    this.#host.over()
  }

  /** Whether to wait with sending for what is still coming: the sockets are read between two turns. */
  #gathers(coming: boolean): boolean {
    const now = this.#monotonic()
    if (coming) {
      this.#gatheringSince ??= now
      if (now - this.#gatheringSince < gatherMs) return true
    }
    this.#gatheringSince = undefined
    return false
  }

  /** Feeds the peers whose sockets have room, for a bounded time; true if there is more to send. */
  #feed(): boolean {
    if (this.#moved) {
      this.#moved = false
      for (const one of this.#host.fed()) this.#feeder.add(one)
    }
    return this.#feeder.feed(this.#monotonic() + this.#budgetMs)
  }
}
