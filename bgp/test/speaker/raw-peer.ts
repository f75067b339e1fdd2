/*
 * A neighbour that is no speaker: it sends the octets that a test gives it, good or bad, straight into the socket
 * handlers of a speaker of the same process, and keeps what the speaker writes.
 */
import { type Result, success } from '@network/net'
import { plainContext } from '../../src/codec/context.ts'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { decodeMessage, encodeKeepalive } from '../../src/codec/message.ts'
import { type Capability, type Message, type MessageFault } from '../../src/codec/messages.ts'
import { encodeOpen, makeOpen } from '../../src/codec/open.ts'
import {
  type Connection,
  type ConnectionHandlers,
  type ListenerHandlers,
  type SocketFactory,
  type SocketFault,
} from '../../src/speaker/network/sockets.ts'

/** Sockets whose other ends are RawPeers. */
export class RawWire {
  #listening: ListenerHandlers | undefined
  #port = 40000
  /** Whom the speaker has dialled; nobody has answered. */
  readonly dialled: RawPeer[] = []

  readonly sockets: SocketFactory = {
    connect: (target, handlers) => {
      const peer = new RawPeer(target.address, target.port)
      peer.handlers = handlers
      this.dialled.push(peer)
      return peer.connection
    },
    listen: (address, port, handlers) => {
      this.#listening = handlers
      return Promise.resolve(
        success({ address, port, setMd5Key: () => success(undefined), close: () => Promise.resolve() }),
      )
    },
    flush: () => undefined,
    drained: () => Promise.resolve(),
    md5Failures: () => undefined,
    ttlDrops: () => undefined,
  }

  /** A connection from this address; the speaker may close it at once. */
  dial(address: string): RawPeer {
    const peer = new RawPeer(address, this.#port++)
    const handlers = this.#listening?.accepted(peer.connection)
    if (handlers === undefined) peer.connection.destroy()
    else peer.handlers = handlers
    return peer
  }
}

export interface RawOpen {
  readonly asn: number
  readonly routerId: number
  readonly holdTimeSeconds?: number
  readonly capabilities?: readonly Capability[]
}

export class RawPeer {
  handlers: ConnectionHandlers | undefined
  /** What the speaker wrote, in its pieces. Set to undefined to keep nothing. */
  written: Uint8Array[] | undefined = []
  /** Called with each piece instead of the moment at which it is looked at. */
  onWrite: ((bytes: Uint8Array) => void) | undefined
  /** Octets that the kernel has not taken: what a slow reader makes of it. */
  backlog = 0
  closed = false
  readonly connection: Connection

  constructor(address: string, port: number) {
    const backlog = (): number => this.backlog
    const end = (): void => {
      this.closed = true
      this.handlers = undefined
    }
    this.connection = {
      localAddress: '10.0.0.1',
      localPort: 179,
      remoteAddress: address,
      remotePort: port,
      get backlog() {
        return backlog()
      },
      write: (bytes) => {
        this.written?.push(bytes)
        this.onWrite?.(bytes)
        return true
      },
      configure: (): Result<undefined, SocketFault> => success(undefined),
      end,
      destroy: end,
    }
  }

  send(bytes: Uint8Array): void {
    this.handlers?.data(bytes)
  }

  /** OPEN and KEEPALIVE: the session is established if the speaker likes them. */
  open({ asn, routerId, holdTimeSeconds = 90, capabilities }: RawOpen): void {
    const offered = capabilities ?? [
      { kind: 'multiprotocol', afiSafi: ipv4Unicast },
      { kind: 'multiprotocol', afiSafi: ipv6Unicast },
      { kind: 'route-refresh' },
      { kind: 'as4', asn },
    ]
    this.send(encodeOpen(makeOpen({ asn, routerId, holdTimeSeconds, capabilities: offered })))
    this.send(encodeKeepalive())
  }

  /** Every message that the speaker has written so far. */
  messages(): (Message | MessageFault)[] {
    return splitMessages(this.written ?? []).map((bytes) => decodeMessage(bytes, plainContext))
  }

  hangUp(): void {
    this.handlers?.closed(undefined)
    this.handlers = undefined
    this.closed = true
  }
}

/** Whole messages of pieces of a stream. */
export function splitMessages(pieces: readonly Uint8Array[]): Uint8Array[] {
  const stream = Buffer.concat(pieces)
  const messages: Uint8Array[] = []
  for (let at = 0; at + 19 <= stream.length;) {
    const length = stream.readUInt16BE(at + 16)
    messages.push(stream.subarray(at, at + length))
    at += length
  }
  return messages
}
