/*
 * The real SocketFactory. A connection without special options is a plain net.Socket; one with options starts as a
 * socket of libc that is handed to net.Socket by its descriptor before it connects. Listeners always start so,
 * because MD5 keys are set on their descriptor for as long as they live.
 */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { type Result, failure, success } from '@network/net'
import { bindToDevice, closeSocket, listenOn, openSocket, setMd5Key, setMinimumTtl, setTtl } from './libc.ts'
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectionOptions,
  type ConnectTarget,
  type Listener,
  type ListenerHandlers,
  type SocketFactory,
  type SocketFault,
} from './sockets.ts'

/** Bytes held back in this process before `write` says stop. */
const highWaterMark = 64 * 1024

/** How long the last words of a connection may take to leave. */
const lingerMs = 2000

/** Sockets of the operating system. */
export function tcpSockets(): SocketFactory {
  const live = new Set<TcpConnection>()
  const waiting: (() => void)[] = []
  const office: Office = {
    holding: [],
    opened: (connection) => live.add(connection),
    closed: (connection) => {
      live.delete(connection)
      if (live.size === 0) for (const resolve of waiting.splice(0)) resolve()
    },
  }
  return {
    connect: (target, handlers) => connect(target, handlers, office),
    listen: (address, port, handlers, md5Keys) => listen(address, port, handlers, md5Keys, office),
    flush: () => {
      for (const connection of office.holding.splice(0)) connection.flush()
    },
    drained: () => (live.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    md5Failures: () => netstat(['TCPMD5NotFound', 'TCPMD5Unexpected', 'TCPMD5Failure']),
    ttlDrops: () => netstat(['TCPMinTTLDrop']),
  }
}

/** What the connections of a factory have in common. */
interface Office {
  /** Those that hold what more was to follow. */
  readonly holding: TcpConnection[]
  opened(connection: TcpConnection): void
  closed(connection: TcpConnection): void
}

function connect(target: ConnectTarget, handlers: ConnectionHandlers, office: Office): Connection {
  const { options } = target
  const opened = needsLibc(options) ? openWithOptions(target) : success(undefined)
  if (!opened.ok) return failedConnection(target, opened.error, handlers)
  const fd = opened.value
  const socket = new net.Socket({
    ...(fd === undefined ? {} : { fd, readable: true, writable: true }),
    writableHighWaterMark: highWaterMark,
  } as net.SocketConstructorOpts)
  const connection = new TcpConnection(socket, target.address, target.port, office)
  connection.attach(handlers)
  socket.once('connect', () => connection.opened())
  socket.connect({
    host: target.address,
    port: target.port,
    ...(options.sourceAddress === undefined ? {} : { localAddress: options.sourceAddress }),
  })
  return connection
}

function needsLibc(options: ConnectionOptions): boolean {
  return (
    options.device !== undefined ||
    options.md5Key !== undefined ||
    options.ttl !== undefined ||
    options.minimumTtl !== undefined
  )
}

function openWithOptions({ address, options }: ConnectTarget): Result<number, SocketFault> {
  const opened = openSocket(address)
  if (!opened.ok) return opened
  const fd = opened.value
  const configured = applyOptions(fd, address, options)
  if (!configured.ok) {
    closeSocket(fd)
    return configured
  }
  return success(fd)
}

function applyOptions(
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

async function listen(
  address: string,
  port: number,
  handlers: ListenerHandlers,
  md5Keys: ReadonlyMap<string, string> | undefined,
  office: Office,
): Promise<Result<Listener, SocketFault>> {
  const opened = openSocket(address)
  if (!opened.ok) return opened
  const fd = opened.value
  for (const [peer, key] of md5Keys ?? []) {
    const set = setMd5Key(fd, peer, key)
    if (set.ok) continue
    closeSocket(fd)
    return set
  }
  const bound = listenOn(fd, address, port)
  if (!bound.ok) {
    closeSocket(fd)
    return bound
  }
  const server = net.createServer({ allowHalfOpen: false, noDelay: true }, (socket) =>
    accept(socket, handlers, office),
  )
  const failed = await new Promise<Error | undefined>((resolve) => {
    server.once('error', resolve)
    server.listen({ fd }, () => resolve(undefined))
  })
  if (failed !== undefined) return failure(faultOf(failed, 'listen'))
  // Only accept() can fail from here on (no descriptors left): the listener lives on, the peer tries again.
  server.on('error', () => undefined)
  const where = server.address()
  return success({
    address,
    port: where !== null && typeof where === 'object' ? where.port : port,
    setMd5Key: (peer, key) => setMd5Key(fd, peer, key),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  })
}

function accept(socket: net.Socket, handlers: ListenerHandlers, office: Office): void {
  // A connection reset before it was accepted has no remote address any more.
  if (socket.remoteAddress === undefined) {
    socket.destroy()
    return
  }
  const connection = new TcpConnection(socket, socket.remoteAddress, socket.remotePort ?? 0, office)
  const chosen = handlers.accepted(connection)
  // What has been written to it, why it is turned away, still leaves.
  if (chosen === undefined) connection.end()
  else connection.attach(chosen)
}

class TcpConnection implements Connection {
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
    if (held.length === 0) return
    this.#held = []
    this.#heldOctets = 0
    if (held.length > 1) this.#socket.cork()
    for (const bytes of held) this.#socket.write(bytes)
    if (held.length > 1) this.#socket.uncork()
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

/** A connection that could not even be tried; it says so after `connect` has returned. */
function failedConnection(
  target: ConnectTarget,
  error: SocketFault,
  handlers: ConnectionHandlers,
): Connection {
  let open = true
  setImmediate(() => {
    if (open) handlers.closed(error)
  })
  const close = (): void => {
    open = false
  }
  return {
    localAddress: '',
    localPort: 0,
    remoteAddress: target.address,
    remotePort: target.port,
    backlog: 0,
    write: () => false,
    configure: () => success(undefined),
    end: close,
    destroy: close,
  }
}

/** Node keeps the descriptor of an accepted connection on its handle. */
function descriptorOf(socket: net.Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return undefined
  const fd: unknown = Reflect.get(handle, 'fd')
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
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

function faultOf(error: Error, call: string): SocketFault {
  const { code, syscall } = error as NodeJS.ErrnoException
  return {
    code: code ?? 'UNKNOWN',
    call: syscall ?? call,
    text: code === undefined ? error.message : `${errnoTexts[code] ?? error.message} (${code})`,
  }
}

/** The sum of counters of /proc/net/netstat: TcpExt has a line of names and a line of values. */
function netstat(counters: readonly string[]): number | undefined {
  try {
    const [names, values] = readFileSync('/proc/thread-self/net/netstat', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('TcpExt:'))
      .map((line) => line.split(' '))
    if (names === undefined || values === undefined) return undefined
    return counters.reduce((sum, name) => sum + Number(values[names.indexOf(name)] ?? 0), 0)
  } catch {
    return undefined
  }
}
