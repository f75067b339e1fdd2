import t from 'tap'
import { closeSocket, listenOn, openSocket } from '../../../src/speaker/network/libc-tcp.ts'
import {
  type Connection,
  type ConnectionHandlers,
  type ConnectionOptions,
  type Listener,
  type SocketFault,
} from '../../../src/speaker/network/sockets.ts'
import { tcpSockets } from '../../../src/speaker/network/tcp.ts'

const sockets = tcpSockets()

interface Observed {
  readonly handlers: { -readonly [K in keyof ConnectionHandlers]: ConnectionHandlers[K] }
  readonly received: Promise<string>
  readonly connected: Promise<void>
  readonly closed: Promise<SocketFault | undefined>
}

function observe(): Observed {
  let onData: (text: string) => void
  let onConnected: () => void
  let onClosed: (fault: SocketFault | undefined) => void
  const received = new Promise<string>((resolve) => (onData = resolve))
  const connected = new Promise<void>((resolve) => (onConnected = resolve))
  const closed = new Promise<SocketFault | undefined>((resolve) => (onClosed = resolve))
  return {
    handlers: {
      connected: () => onConnected(),
      data: (bytes) => onData(new TextDecoder().decode(bytes)),
      drained: () => undefined,
      closed: (fault) => onClosed(fault),
    },
    received,
    connected,
    closed,
  }
}

async function listener(
  address: string,
  accepted: (connection: Connection) => ConnectionHandlers | undefined,
): Promise<Listener> {
  const result = await sockets.listen(address, 0, { accepted })
  if (!result.ok) throw new Error(result.error.text)
  return result.value
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const within = <T>(promise: Promise<T>, ms: number): Promise<T | 'nothing'> => {
  let timer: NodeJS.Timeout
  return Promise.race([
    promise,
    new Promise<'nothing'>((resolve) => (timer = setTimeout(() => resolve('nothing'), ms))),
  ]).finally(() => clearTimeout(timer))
}

const optionCases: readonly { name: string; address: string; options: ConnectionOptions }[] = [
  { name: 'without options', address: '127.0.0.1', options: {} },
  { name: 'IPv6', address: '::1', options: {} },
  { name: 'source address', address: '127.0.0.1', options: { sourceAddress: '127.0.0.7' } },
  { name: 'device', address: '127.0.0.1', options: { device: 'lo' } },
  { name: 'TTL and minimum TTL', address: '127.0.0.1', options: { ttl: 255, minimumTtl: 64 } },
  { name: 'IPv6 TTL and minimum TTL', address: '::1', options: { ttl: 255, minimumTtl: 64 } },
  {
    name: 'source address with a TTL',
    address: '127.0.0.1',
    options: { sourceAddress: '127.0.0.7', ttl: 255 },
  },
]

for (const { name, address, options } of optionCases) {
  t.test(`a connection with ${name} carries bytes both ways`, async (t) => {
    const server = observe()
    const serverSide: Connection[] = []
    const listening = await listener(address, (connection) => {
      serverSide.push(connection)
      return server.handlers
    })
    const client = observe()
    const connection = sockets.connect({ address, port: listening.port, options }, client.handlers)
    await client.connected
    if (options.sourceAddress !== undefined) t.equal(connection.localAddress, options.sourceAddress)
    connection.write(bytes('ping'))
    t.equal(await server.received, 'ping')
    serverSide[0]?.write(bytes('pong'))
    t.equal(await client.received, 'pong')
    connection.end()
    t.equal(await server.closed, undefined)
    await listening.close()
  })
}

t.test('what more follows is held until it has come, or the sockets are flushed', async (t) => {
  const received: string[] = []
  let changed: () => void = () => undefined
  const server = {
    ...observe().handlers,
    data: (data: Uint8Array) => {
      received.push(new TextDecoder().decode(data))
      changed()
    },
  }
  const more = (): Promise<void> => new Promise((resolve) => (changed = resolve))
  const listening = await listener('127.0.0.1', () => server)
  const client = observe()
  const target = { address: '127.0.0.1', port: listening.port, options: {} }
  const connection = sockets.connect(target, client.handlers)
  await client.connected

  let next = more()
  connection.write(bytes('one '), true)
  connection.write(bytes('two'), true)
  t.equal(connection.backlog, 7)
  t.equal(await within(next, 50), 'nothing')
  sockets.flush()
  await next
  t.same(received.splice(0), ['one two'], 'flushed, in one piece')
  t.equal(connection.backlog, 0)

  next = more()
  connection.write(bytes('three '), true)
  connection.write(bytes('four'))
  await next
  t.same(received.splice(0), ['three four'], 'what follows takes it along')

  next = more()
  t.equal(connection.write(new Uint8Array(70_000), true), false, 'more than the high-water mark')
  let drained = false
  client.handlers.drained = () => void (drained = true)
  sockets.flush()
  while (received.join('').length < 70_000) {
    await next
    next = more()
  }
  t.ok(drained, 'told when it has left')
  received.length = 0

  connection.write(bytes('last'), true)
  connection.end()
  await next
  t.same(received, ['last'], 'the last words leave before the end')
  await listening.close()
})

t.test('a minimum TTL above what the peer sends lets nothing in', async (t) => {
  const server = observe()
  const serverSide: Connection[] = []
  const listening = await listener('127.0.0.1', (connection) => {
    serverSide.push(connection)
    t.ok(connection.configure({ minimumTtl: 255 }).ok)
    return server.handlers
  })
  const client = observe()
  const options = { ttl: 64 }
  const connection = sockets.connect({ address: '127.0.0.1', port: listening.port, options }, client.handlers)
  await client.connected
  connection.write(bytes('ping'))
  t.equal(await within(server.received, 300), 'nothing')
  connection.destroy()
  // The kernel drops the client's FIN as well.
  serverSide[0]?.destroy()
  await listening.close()
})

t.test('MD5: the right key connects, a wrong one and none do not, and the kernel counts them', async (t) => {
  for (const peer of ['127.0.0.1', '127.0.0.0/24']) {
    const server = observe()
    const listening = await listener('127.0.0.1', () => server.handlers)
    t.ok(listening.setMd5Key(peer, 'right').ok)
    const before = sockets.md5Failures() ?? -1

    for (const md5Key of ['wrong', undefined]) {
      const refused = observe()
      const target = { address: '127.0.0.1', port: listening.port, options: { md5Key } }
      const attempt = sockets.connect(target, refused.handlers)
      t.equal(await within(refused.connected, 300), 'nothing', `key ${md5Key ?? 'none'} is not let in`)
      attempt.destroy()
    }
    t.ok((sockets.md5Failures() ?? -1) >= before + 2, 'counted')

    const client = observe()
    const target = { address: '127.0.0.1', port: listening.port, options: { md5Key: 'right' } }
    const connection = sockets.connect(target, client.handlers)
    await client.connected
    connection.write(bytes('signed'))
    t.equal(await server.received, 'signed')
    connection.destroy()
    t.ok(listening.setMd5Key(peer, undefined).ok, 'the key can be taken back')
    t.ok(listening.setMd5Key(peer, undefined).ok, 'twice')
    await listening.close()
  }
})

t.test('what cannot be done says what and why', async (t) => {
  const free = openSocket('127.0.0.1')
  if (!free.ok) throw new Error(free.error.text)
  t.ok(listenOn(free.value, '127.0.0.1', 0).ok)
  closeSocket(free.value)

  const first = await listener('127.0.0.1', () => undefined)
  const second = await sockets.listen('127.0.0.1', first.port, { accepted: () => undefined })
  t.match(second, { ok: false, error: { code: 'EADDRINUSE', call: 'bind' } })
  const foreign = await sockets.listen('192.0.2.1', 0, { accepted: () => undefined })
  t.match(foreign, { ok: false, error: { code: 'EADDRNOTAVAIL' } })
  await first.close()

  const refused = observe()
  sockets.connect({ address: '127.0.0.1', port: first.port, options: { ttl: 1 } }, refused.handlers)
  t.match(await refused.closed, { code: 'ECONNREFUSED' })

  const noDevice = observe()
  sockets.connect(
    { address: '127.0.0.1', port: first.port, options: { device: 'nosuchdevice0' } },
    noDevice.handlers,
  )
  t.match(await noDevice.closed, { code: 'ENODEV', call: 'setsockopt SO_BINDTODEVICE' })
})

t.test('a peer that goes away is noticed', async (t) => {
  const server = observe()
  const listening = await listener('127.0.0.1', (connection) => {
    setTimeout(() => connection.destroy(), 20)
    return server.handlers
  })
  const client = observe()
  sockets.connect({ address: '127.0.0.1', port: listening.port, options: {} }, client.handlers)
  await client.connected
  t.equal(await client.closed, undefined)
  await listening.close()
})
