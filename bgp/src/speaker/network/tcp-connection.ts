/*
 * One TCP connection: a net.Socket, and what is written to it gathered until it is to leave, so that what a peer is told
 * at a time goes out in one system call.
 */
import type net from 'node:net'
import { type Result, failure, success } from '@network/net'
import { setMd5Key, setMinimumTtl, setTtl } from './libc-tcp.ts'
import { bindToDevice } from './libc.ts'
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectionOptions,
  type SocketFault,
} from './sockets.ts'

/** Bytes held back in this process before `write` says stop. */
export const highWaterMark = 64 * 1024

/** Up to so many bytes are copied into one piece sooner than handed over in several. */
const joinedOctets = 4096

/** How long the last words of a connection may take to leave. */
const lingerMs = 2000

/** What the connections of a factory have in common. */
export interface Office {
  /** Those that hold what more was to follow. */
  readonly holding: TcpConnection[]
  opened(connection: TcpConnection): void
  closed(connection: TcpConnection): void
}

export class TcpConnection implements Connection {
  readonly #socket: net.Socket
  readonly #remote: { readonly address: string; readonly port: number }
  readonly #office: Office
  #handlers: ConnectionHandlers | undefined
  /** Written, and not given to the socket yet. */
  #held: Uint8Array[] = []
  #heldOctets = 0
  /** `write` has said stop. */
  #full = false
  /** What is held leaves when the present callback of the event loop is over. */
  #leaving = false

  constructor(socket: net.Socket, remoteAddress: string, remotePort: number, office: Office) {
    this.#socket = socket
    this.#remote = { address: remoteAddress, port: remotePort }
    this.#office = office
    socket.setNoDelay(true)
    // Without a listener an error would end the process.
    socket.on('error', (error) => this.#closed(faultOf(error, 'connection')))
    socket.on('close', () => {
      this.#closed(undefined)
      office.closed(this)
    })
    office.opened(this)
  }

  attach(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
    this.#socket.on('data', (bytes: Buffer) => this.#handlers?.data(bytes))
    this.#socket.on('drain', () => this.drained())
    this.#socket.on('end', () => this.#closed(undefined))
  }

  opened(): void {
    this.#handlers?.connected()
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? ''
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0
  }

  get remoteAddress(): string {
    return this.#remote.address
  }

  get remotePort(): number {
    return this.#remote.port
  }

  get backlog(): number {
    return this.#socket.writableLength + this.#heldOctets
  }

  write(bytes: Uint8Array, moreFollows = false): boolean {
    if (!this.#socket.writable) return false
    this.#held.push(bytes)
    this.#heldOctets += bytes.length
    if (moreFollows) {
      if (this.#held.length === 1) this.#office.holding.push(this)
    } else if (!this.#leaving) {
      this.#leaving = true
      process.nextTick(flush, this)
    }
    this.#full = this.backlog >= highWaterMark
    return !this.#full
  }

  /** Gives the socket what is held, in one system call. */
  flush(): void {
    this.#leaving = false
    const held = this.#held
    const octets = this.#heldOctets
    if (held.length === 0) return
    this.#held = []
    this.#heldOctets = 0
    const [only] = held
    if (held.length === 1 && only !== undefined) {
      this.#socket.write(only)
    } else if (octets <= joinedOctets) {
      this.#socket.write(Buffer.concat(held, octets))
    } else {
      this.#socket.cork()
      for (const bytes of held) this.#socket.write(bytes)
      this.#socket.uncork()
    }
    // The socket tells of room only if there was none after it had tried.
    if (this.#full && !this.#socket.writableNeedDrain) process.nextTick(drained, this)
  }

  /** There is room for more, if somebody waits for it. */
  drained(): void {
    if (!this.#full) return
    this.#full = false
    this.#handlers?.drained()
  }

  configure(options: ConnectionOptions): Result<undefined, SocketFault> {
    if (options.ttl === undefined && options.minimumTtl === undefined) return success(undefined)
    const fd = descriptorOf(this.#socket)
    if (fd === undefined) {
      return failure({ code: 'EBADF', call: 'setsockopt', text: 'the connection is closed already' })
    }
    return applyOptions(fd, this.#remote.address, { ttl: options.ttl, minimumTtl: options.minimumTtl })
  }

  end(): void {
    this.#handlers = undefined
    const socket = this.#socket
    this.flush()
    socket.end()
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }

  destroy(): void {
    this.#handlers = undefined
    this.#socket.destroy()
  }

  #closed(fault: SocketFault | undefined): void {
    const handlers = this.#handlers
    if (handlers === undefined) return
    this.#handlers = undefined
    this.#socket.destroy()
    handlers.closed(fault)
  }
}

function flush(connection: TcpConnection): void {
  connection.flush()
}

function drained(connection: TcpConnection): void {
  connection.drained()
}

/** Node keeps the descriptor of an accepted connection on its handle. */
function descriptorOf(socket: net.Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return undefined
  const fd: unknown = Reflect.get(handle, 'fd')
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}

/** Sets options on the descriptor of a connection with `address`. */
export function applyOptions(
  fd: number,
  address: string,
  options: ConnectionOptions,
): Result<undefined, SocketFault> {
  const ipv6 = address.includes(':')
  const steps = [
    options.device === undefined ? undefined : () => bindToDevice(fd, options.device ?? ''),
    options.md5Key === undefined ? undefined : () => setMd5Key(fd, address, options.md5Key),
    options.ttl === undefined ? undefined : () => setTtl(fd, ipv6, options.ttl ?? 0),
    options.minimumTtl === undefined ? undefined : () => setMinimumTtl(fd, ipv6, options.minimumTtl ?? 0),
  ]
  for (const step of steps) {
    const done = step?.()
    if (done?.ok === false) return done
  }
  return success(undefined)
}

const errnoTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the peer reset the connection',
  EPIPE: 'the peer closed the connection',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to the peer, or it does not answer on the link',
  ENETUNREACH: 'no route to the peer',
  EADDRNOTAVAIL: 'the source address is not on this host',
  ENODEV: 'there is no such device',
  EPERM: 'not permitted',
}

/** What a failed call comes to. */
export function faultOf(error: Error, call: string): SocketFault {
  const { code, syscall } = error as NodeJS.ErrnoException
  return {
    code: code ?? 'UNKNOWN',
    call: syscall ?? call,
    text: code === undefined ? error.message : `${errnoTexts[code] ?? error.message} (${code})`,
  }
}
