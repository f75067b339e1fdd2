/**
 * The least that a speaker could do: it hands the bytes of every UPDATE to all other sessions, unread, joined per turn
 * of the event loop. Its figures are the generator's own ceiling. It knows no routes, so it can't pick a best one.
 */
import { type Server, type Socket, createServer } from 'node:net'
import { MessageType, encodeKeepalive, encodeOpen, headerLength, ipv4Unicast } from '@network/bgp/codec'
import { speakerAs } from './plan.ts'

const routerId = 0x0a200001
const keepalive = encodeKeepalive()
const open = encodeOpen({
  type: 'open',
  version: 4,
  myAs: speakerAs,
  asn: speakerAs,
  holdTimeSeconds: 240,
  routerId,
  capabilities: [
    { kind: 'multiprotocol', afiSafi: ipv4Unicast },
    { kind: 'as4', asn: speakerAs },
  ],
})

interface Pending {
  readonly from: Socket
  readonly bytes: Buffer
}

/** A mirror that does not listen yet. */
export function createMirror(): Server {
  const sockets = new Set<Socket>()
  let pending: Pending[] = []
  let planned = false

  function flush(): void {
    planned = false
    const parts = pending
    pending = []
    const all = Buffer.concat(parts.map(({ bytes }) => bytes))
    const own = new Map<Socket, [start: number, end: number][]>()
    let at = 0
    for (const { from, bytes } of parts) {
      own.set(from, [...(own.get(from) ?? []), [at, at + bytes.length]])
      at += bytes.length
    }
    for (const socket of sockets) {
      socket.cork()
      let start = 0
      for (const [ownStart, ownEnd] of own.get(socket) ?? []) {
        if (ownStart > start) socket.write(all.subarray(start, ownStart))
        start = ownEnd
      }
      if (start < all.length) socket.write(all.subarray(start))
      socket.uncork()
    }
  }

  const server = createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = Buffer.alloc(0)
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
      let at = 0
      let from = -1
      while (at + headerLength <= bytes.length) {
        const end = at + bytes.readUInt16BE(at + 16)
        if (end > bytes.length) break
        const type = bytes[at + 18]
        if (type === MessageType.open) socket.write(Buffer.concat([open, keepalive]))
        if (type === MessageType.update && from < 0) from = at
        at = end
      }
      rest = bytes.subarray(at)
      if (from < 0) return
      pending.push({ from: socket, bytes: bytes.subarray(from, at) })
      if (planned) return
      planned = true
      setImmediate(flush)
    })
  })
  return server
}
