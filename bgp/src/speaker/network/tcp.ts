/*
 * The real SocketFactory. A connection without special options is a plain net.Socket; one with options starts as a
 * socket of libc that is handed to net.Socket by its descriptor before it connects. Listeners always start so,
 * because MD5 keys are set on their descriptor for as long as they live.
 */
import net from 'node:net'
import { type Result, failure, success } from '@network/net'
import { netstat } from './kernel-counters.ts'
import { closeSocket, listenBacklog, listenOn, openSocket, setMd5Key } from './libc-tcp.ts'
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
import { type Office, TcpConnection, applyOptions, faultOf, highWaterMark } from './tcp-connection.ts'

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
    server.listen({ fd }, listenBacklog, () => resolve(undefined))
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
