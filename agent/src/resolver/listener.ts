/** One address at which questions are heard, by UDP and TCP. Whatever comes there, nothing of it ends the agent. */
import { createSocket } from 'node:dgram'
import { type Socket, createServer, isIPv6 } from 'node:net'
import { once } from 'node:events'
import { DroverError } from '@network/net'
import type { Server } from '../names/nameservers.ts'
import { MessageReader, framed } from './framing.ts'
import type { Transport } from './upstream.ts'

export interface Listener {
  close(): Promise<void>
}

/** @returns undefined: silence */
export type Answerer = (
  message: Buffer,
  from: { readonly address: string; readonly transport: Transport },
) => Promise<Buffer | undefined>

const CONNECTIONS = 256
const CONNECTIONS_OF_ONE = 32
/** Of one connection; those that come meanwhile wait in the kernel. */
const QUESTIONS_AT_ONCE = 8
const IDLE_MS = 10_000

/** @throws DroverError 'port-taken' that says why the address can't be listened at */
export async function listenForQuestions(at: Server, answer: Answerer): Promise<Listener> {
  const byUdp = await listenByUdp(at, answer)
  try {
    const byTcp = await listenByTcp(at, answer)
    return {
      close: async () => {
        await Promise.all([byUdp.close(), byTcp.close()])
      },
    }
  } catch (error) {
    await byUdp.close()
    throw error
  }
}

async function listenByUdp({ address, port }: Server, answer: Answerer): Promise<Listener> {
  const socket = createSocket(isIPv6(address) ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' })
  let isOpen = true
  socket.bind(port, address)
  try {
    await once(socket, 'listening')
  } catch (error) {
    socket.close()
    throw notListening('UDP', { address, port }, error)
  }
  socket.on('error', () => undefined)
  socket.on('message', (message, from) => {
    void answer(message, { address: from.address, transport: 'udp' }).then((answered) => {
      if (answered !== undefined && isOpen) socket.send(answered, from.port, from.address, () => undefined)
    })
  })
  return {
    close: () =>
      new Promise((resolve) => {
        isOpen = false
        socket.close(() => resolve())
      }),
  }
}

async function listenByTcp({ address, port }: Server, answer: Answerer): Promise<Listener> {
  const open = new Map<Socket, string>()
  const server = createServer((socket) => {
    const from = socket.remoteAddress ?? ''
    const others = [...open.values()].filter((each) => each === from).length
    if (others >= CONNECTIONS_OF_ONE) {
      socket.destroy()
      return
    }
    open.set(socket, from)
    socket.on('close', () => open.delete(socket))
    serveConnection(socket, (message) => answer(message, { address: from, transport: 'tcp' }))
  })
  server.maxConnections = CONNECTIONS
  server.listen({ port, host: address, ipv6Only: true })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw notListening('TCP', { address, port }, error)
  }
  server.on('error', () => undefined)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open.keys()) socket.destroy()
      }),
  }
}

function serveConnection(socket: Socket, answer: (message: Buffer) => Promise<Buffer | undefined>): void {
  const reader = new MessageReader()
  const waiting: Buffer[] = []
  let underWay = 0
  const work = (): void => {
    while (underWay < QUESTIONS_AT_ONCE) {
      const message = waiting.shift()
      if (message === undefined) break
      underWay++
      void answer(message).then((answered) => {
        underWay--
        if (socket.destroyed) return
        if (answered === undefined) socket.destroy()
        else socket.write(framed(answered))
        work()
      })
    }
    if (waiting.length > 0 || socket.writableNeedDrain) socket.pause()
    else socket.resume()
  }
  socket.setTimeout(IDLE_MS, () => socket.destroy())
  socket.on('error', () => undefined)
  socket.on('drain', work)
  socket.on('data', (chunk: Buffer) => {
    waiting.push(...reader.read(chunk))
    work()
  })
}

function notListening(protocol: string, { address, port }: Server, cause: unknown): DroverError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new DroverError(
    'port-taken',
    `dnsListen: ${address}, port ${String(port)} (${protocol}) can't be listened at: ${reason}.`,
    {
      remedy: 'Name an address of this host whose port is free, or end what holds it.',
      cause,
    },
  )
}
