/*
 * Takes the first slowness out of a process that is going to have many sessions: a speaker of its own, over sockets that
 * are none, is dialled by some peers of a range, which say OPEN and KEEPALIVE, and routes go through a RIB of its own.
 * What sessions and routes go through has then been loaded and is being compiled before the first real peer is there.
 * Nothing of it is left.
 */
import { success } from '@network/net'
import { ipv4Unicast } from '../codec/iana.ts'
import { encodeKeepalive } from '../codec/message.ts'
import { encodeOpen, makeOpen } from '../codec/open.ts'
import { warmUp as warmUpRib } from '../rib/warm-up.ts'
import {
  type Connection,
  type ConnectionHandlers,
  type ListenerHandlers,
  type SocketFactory,
} from './sockets.ts'
import { createSpeaker } from './speaker.ts'

const asn = 64512
const own = '192.0.2.1'
const sessions = 48
const sessionsPerTurn = 8
const keepalive = encodeKeepalive()

/** Takes some 60 ms, once in a process that is going to have many peers. Returns how many sessions came up. */
export async function warmUp(): Promise<number> {
  warmUpRib()
  const wire = new Wire()
  const speaker = createSpeaker(
    { asn, routerId: own, listen: [`${own}:179`] },
    { sockets: wire.sockets, interfaces: () => [{ device: 'warm-up', address: own, length: 24 }] },
  )
  await speaker.apply({
    peers: [{ range: '192.0.2.0/24', asn: 'internal', routeReflectorClient: true, families: ['ipv4'] }],
    routes: [],
  })
  const peers = Array.from({ length: sessions }, (_, i) => wire.dial(`192.0.2.${i + 2}`))
  for (let from = 0; from < sessions; from += sessionsPerTurn) {
    for (let i = from; i < from + sessionsPerTurn; i++) {
      peers[i]?.data(open(i + 2))
      peers[i]?.data(keepalive)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  const up = speaker.peers().filter(({ state }) => state === 'Established').length
  await speaker.stop()
  return up
}

function open(routerId: number): Uint8Array {
  const capabilities = [
    { kind: 'multiprotocol', afiSafi: ipv4Unicast },
    { kind: 'as4', asn },
  ] as const
  return encodeOpen(makeOpen({ asn, routerId, holdTimeSeconds: 90, capabilities }))
}

/** Sockets that take everything. */
class Wire {
  #listening: ListenerHandlers | undefined

  readonly sockets: SocketFactory = {
    connect: (target) => this.#connection(target.address),
    listen: (address, port, handlers) => {
      this.#listening = handlers
      const close = (): Promise<void> => Promise.resolve()
      return Promise.resolve(success({ address, port, setMd5Key: () => success(undefined), close }))
    },
    flush: () => undefined,
    drained: () => Promise.resolve(),
    md5Failures: () => undefined,
    ttlDrops: () => undefined,
  }

  dial(address: string): ConnectionHandlers | undefined {
    return this.#listening?.accepted(this.#connection(address))
  }

  #connection(address: string): Connection {
    return {
      localAddress: own,
      localPort: 179,
      remoteAddress: address,
      remotePort: 1024,
      backlog: 0,
      write: () => true,
      configure: () => success(undefined),
      end: () => undefined,
      destroy: () => undefined,
    }
  }
}
