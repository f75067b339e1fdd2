/**
 * One BGP session of the generator, from an address of its own: just enough of the protocol to be taken for a peer.
 * All sessions read into one buffer, since what is read is walked at once; only a message cut in two is kept.
 */
import { type Socket, connect } from 'node:net'
import { MessageType, encodeKeepalive, encodeOpen, headerLength, ipv4Unicast } from '@network/bgp/codec'
import type { Client, Endpoint } from './plan.ts'
import { type Tally } from './tally.ts'

const readBuffer = Buffer.allocUnsafe(512 * 1024)
const keepalive = encodeKeepalive()
const longestMessage = 4096
const retryMs = 200
const holdTimeSeconds = 240

export interface SessionEvents {
  established(): void
  complete(): void
  failed(reason: string): void
}

export class Session {
  readonly #client: Client
  readonly #speaker: Endpoint
  readonly #events: SessionEvents
  readonly tally: Tally
  readonly #carry = Buffer.allocUnsafe(longestMessage)
  #carried = 0
  #socket: Socket | undefined
  #closed = false
  established = false
  establishedAt = 0

  constructor(client: Client, speaker: Endpoint, tally: Tally, events: SessionEvents) {
    this.#client = client
    this.#speaker = speaker
    this.tally = tally
    this.#events = events
  }

  open(): void {
    this.#carried = 0
    const socket = connect({
      host: this.#speaker.address,
      port: this.#speaker.port,
      localAddress: this.#client.address,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          this.#read(length)
          return true
        },
      },
    })
    this.#socket = socket
    socket.on('connect', () => socket.write(this.#openMessage()))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.#closed || this.#socket !== socket) return
      if (this.established) this.#fail('the speaker closed the connection')
      else
        setTimeout(() => {
          if (!this.#closed && this.#socket === socket) this.open()
        }, retryMs)
    })
  }

  send(bytes: Uint8Array): void {
    this.#socket?.write(bytes)
  }

  keepalive(): void {
    if (this.established) this.send(keepalive)
  }

  /** Reads no more, and lets its window close. */
  stall(): void {
    this.#socket?.pause()
  }

  /** Gives up an attempt, without another one to follow. */
  abandon(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
  }

  close(): void {
    this.#closed = true
    this.#socket?.destroy()
  }

  #fail(reason: string): void {
    const { address } = this.#client
    this.close()
    this.#events.failed(`session of ${address}: ${reason}`)
  }

  #openMessage(): Uint8Array {
    const { asn, routerId } = this.#client
    return encodeOpen({
      type: 'open',
      version: 4,
      myAs: asn,
      asn,
      holdTimeSeconds,
      routerId,
      capabilities: [
        { kind: 'multiprotocol', afiSafi: ipv4Unicast },
        { kind: 'as4', asn },
      ],
    })
  }

  #read(length: number): void {
    let at = 0
    while (this.#carried > 0 && at < length) {
      const wanted = this.#carried < headerLength ? headerLength : lengthAt(this.#carry, 0)
      const take = Math.min(wanted - this.#carried, length - at)
      readBuffer.copy(this.#carry, this.#carried, at, at + take)
      this.#carried += take
      at += take
      if (this.#carried >= headerLength && this.#carried === lengthAt(this.#carry, 0)) {
        const end = this.#carried
        this.#carried = 0
        this.#message(this.#carry, 0, end)
      }
    }
    while (at + headerLength <= length) {
      const end = at + lengthAt(readBuffer, at)
      if (end > length) break
      this.#message(readBuffer, at, end)
      at = end
    }
    if (at < length) {
      readBuffer.copy(this.#carry, 0, at, length)
      this.#carried = length - at
    }
  }

  #message(bytes: Uint8Array, start: number, end: number): void {
    const type = bytes[start + 18]
    if (type === MessageType.update) {
      if (this.tally.update(bytes, start, end)) this.#events.complete()
    } else if (type === MessageType.open) {
      this.send(keepalive)
    } else if (type === MessageType.keepalive) {
      if (this.established) return
      this.established = true
      this.establishedAt = performance.now()
      this.#events.established()
    } else if (type === MessageType.notification && this.established) {
      this.#fail(`NOTIFICATION ${String(bytes[start + 19])}/${String(bytes[start + 20])}`)
    }
  }
}

/** The length field of the message at `start`. */
export function lengthAt(bytes: Uint8Array, start: number): number {
  return ((bytes[start + 16] ?? 0) << 8) | (bytes[start + 17] ?? 0)
}
