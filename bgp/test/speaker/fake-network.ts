/*
 * Time turned by hand and a wire between speakers of one process: what is written arrives when time moves on.
 */
import { type Clock, type Result, type Timer, failure, success } from '@network/net'
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectTarget,
  type Listener,
  type ListenerHandlers,
  type SocketFactory,
  type SocketFault,
} from '../../src/speaker/network/sockets.ts'

interface Waiting {
  readonly at: number
  readonly order: number
  readonly call: () => void
}

export class FakeClock implements Clock {
  #now = 0
  #order = 0
  readonly #waiting = new Set<Waiting>()

  now(): number {
    return 1_700_000_000_000 + this.#now
  }

  monotonic(): number {
    return this.#now
  }

  setTimeout(call: () => void, ms: number): Timer {
    const waiting: Waiting = { at: this.#now + Math.max(0, ms), order: this.#order++, call }
    this.#waiting.add(waiting)
    return { cancel: () => void this.#waiting.delete(waiting) }
  }

  /** Timers that have not rung. */
  get pending(): number {
    return this.#waiting.size
  }

  /** Moves time on by so much, ringing every timer at its moment. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = [...this.#waiting].sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined || next.at > end) break
      this.#now = next.at
      this.#waiting.delete(next)
      next.call()
    }
    this.#now = end
  }
}

/** Milliseconds from one end of the wire to the other. */
const delayMs = 1

class FakeEnd implements Connection {
  handlers: ConnectionHandlers | undefined
  other: FakeEnd | undefined
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  /** What `backlog` says: set by a test whose reader is slow. */
  backlog = 0
  readonly #network: FakeNetwork
  readonly #held: Uint8Array[] = []
  #open = true

  constructor(network: FakeNetwork, local: readonly [string, number], remote: readonly [string, number]) {
    this.#network = network
    ;[this.localAddress, this.localPort] = local
    ;[this.remoteAddress, this.remotePort] = remote
  }

  get open(): boolean {
    return this.#open
  }

  write(bytes: Uint8Array, moreFollows = false): boolean {
    if (!this.#open) return false
    this.#held.push(bytes.slice())
    if (!moreFollows) this.flush()
    return true
  }

  flush(): void {
    for (const bytes of this.#held.splice(0)) {
      this.#network.later(() => {
        if (!this.#network.silent) this.other?.handlers?.data(bytes)
      })
    }
  }

  configure(): Result<undefined, SocketFault> {
    return success(undefined)
  }

  end(): void {
    if (!this.#open) return
    this.flush()
    this.#open = false
    this.handlers = undefined
    this.#network.later(() => this.other?.hangUp(undefined))
  }

  destroy(): void {
    this.end()
  }

  /** The other side is gone. */
  hangUp(fault: SocketFault | undefined): void {
    if (!this.#open) return
    this.#open = false
    const { handlers } = this
    this.handlers = undefined
    handlers?.closed(fault)
  }
}

export class FakeNetwork {
  readonly #clock: FakeClock
  readonly #listening = new Map<string, ListenerHandlers>()
  readonly ends: FakeEnd[] = []
  /** Nothing arrives any more, and nobody is told. */
  silent = false
  /** SYNs die on their way. */
  dropSyn = false
  md5Failures = 0
  ttlDrops = 0
  #port = 40000

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  later(call: () => void): void {
    this.#clock.setTimeout(call, delayMs)
  }

  /** Cuts every connection as a reset does. */
  cut(): void {
    for (const end of this.ends.splice(0)) end.hangUp({ code: 'ECONNRESET', call: 'read', text: 'reset' })
  }

  /** Lets everything leave that is held because more was to follow. */
  flush(): void {
    for (const end of this.ends) end.flush()
  }

  /** The sockets of the host with that address. */
  host(address: string): SocketFactory {
    return {
      connect: (target, handlers) => this.#connect(address, target, handlers),
      listen: (local, port, handlers) => Promise.resolve(this.#listen(local, port, handlers)),
      flush: () => this.flush(),
      drained: () => Promise.resolve(),
      md5Failures: () => this.md5Failures,
      ttlDrops: () => this.ttlDrops,
    }
  }

  #listen(address: string, port: number, handlers: ListenerHandlers): Result<Listener, SocketFault> {
    const key = `${address} ${port}`
    if (this.#listening.has(key)) return failure({ code: 'EADDRINUSE', call: 'bind', text: 'taken' })
    this.#listening.set(key, handlers)
    return success({
      address,
      port,
      setMd5Key: () => success(undefined),
      close: () => {
        this.#listening.delete(key)
        return Promise.resolve()
      },
    })
  }

  #connect(from: string, target: ConnectTarget, handlers: ConnectionHandlers): Connection {
    const local = [target.options.sourceAddress ?? from, this.#port++] as const
    const remote = [target.address, target.port] as const
    const near = new FakeEnd(this, local, remote)
    near.handlers = handlers
    this.ends.push(near)
    this.later(() => {
      if (this.dropSyn || !near.open) return
      const listener = this.#listening.get(remote.join(' '))
      const far = new FakeEnd(this, remote, local)
      if (listener === undefined) {
        near.hangUp({ code: 'ECONNREFUSED', call: 'connect', text: 'nobody listens there (ECONNREFUSED)' })
        return
      }
      near.other = far
      far.other = near
      this.ends.push(far)
      this.later(() => near.handlers?.connected())
      far.handlers = listener.accepted(far)
      if (far.handlers === undefined) far.destroy()
    })
    return near
  }
}
