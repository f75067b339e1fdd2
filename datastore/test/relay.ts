import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP relay on loopback whose wire can be broken in the ways that real wires break. */
export interface Relay {
  readonly port: number
  /** `answers-lost`: requests arrive, answers don't. `silent`: nothing passes, connections stay open. */
  mode: 'open' | 'answers-lost' | 'silent'
  /** Resets the connections there are. */
  cut(): void
  close(): Promise<void>
}

export async function createRelay(targetPort: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
    return socket
  }
  const server = createServer((client) => {
    const target = keep(connect({ port: targetPort, host: '127.0.0.1' }))
    keep(client)
    client.on('data', (chunk) => {
      if (relay.mode !== 'silent') target.write(chunk)
    })
    target.on('data', (chunk) => {
      if (relay.mode === 'open') client.write(chunk)
    })
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
  })
  const port = await listen(server)
  const relay: Relay = {
    port,
    mode: 'open',
    cut() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async close() {
      relay.cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return relay
}

/** An endpoint that accepts connections and never says a word. */
export async function createSilentServer(): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).resume()
  })
  const port = await listen(server)
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (typeof address === 'object' && address) resolve(address.port)
    })
  })
}
