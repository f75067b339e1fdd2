import { type Socket, connect } from 'node:net'
import { type CodecContext, plainContext } from '../codec/context.ts'
import { ipv4Unicast } from '../codec/iana.ts'
import { encodeKeepalive } from '../codec/message.ts'
import { encodeOpen, makeOpen } from '../codec/open.ts'
import { type Step, madeUpUpdates } from '../rib/made-up-routes.ts'

export const warmUpAsn = 64512

const keepalive = encodeKeepalive()
const prefixes = 10
/** RFC 5737: nobody's, but none that a speaker refuses, as it does those of the loopback. */
const nextHop = Uint8Array.of(192, 0, 2, 1)
const context: CodecContext = { ...plainContext, peerType: 'internal', families: new Set([ipv4Unicast]) }
const capabilities = [
  { kind: 'multiprotocol', afiSafi: ipv4Unicast },
  { kind: 'as4', asn: warmUpAsn },
] as const

/** One who dials the speaker of a warm-up, from a loopback address of its own: just enough of a peer for that. */
export class WarmUpPeer {
  /** Heard so far. */
  octets = 0
  readonly #socket: Socket
  readonly #number: number

  /** `number`: from 0, another for everyone who dials this speaker. */
  constructor(number: number, port: number) {
    this.#number = number
    const socket = connect({
      host: '127.0.0.1',
      port,
      localAddress: `127.1.${number >>> 8}.${number & 255}`,
      noDelay: true,
    })
    // Whoever cannot come stays away.
    socket.on('error', () => undefined)
    socket.on('connect', () => socket.write(open(number + 1)))
    socket.on('data', (bytes) => {
      if (this.octets === 0) socket.write(keepalive)
      this.octets += bytes.length
    })
    this.#socket = socket
  }

  tell(step: Step): void {
    const routes = { peer: this.#number, prefixes, prefixesPerMessage: prefixes, prefixLength: 26, asns: [] }
    this.#socket.write(madeUpUpdates({ ...routes, nextHop, context }, step))
  }

  /** Resolves when its socket is gone. */
  leave(): Promise<void> {
    const socket = this.#socket
    const gone = new Promise<void>((resolve) => {
      if (socket.closed) resolve()
      else socket.once('close', () => resolve())
    })
    socket.destroy()
    return gone
  }
}

function open(routerId: number): Uint8Array {
  return encodeOpen(makeOpen({ asn: warmUpAsn, routerId, holdTimeSeconds: 90, capabilities }))
}
