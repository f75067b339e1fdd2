/**
 * Takes the first slowness out of a process: some hundred made-up routes go through the codec and a RIB of their own in
 * all the ways that routes go, announced, changed, withdrawn, received and sent, so that what they go through has been
 * loaded and is being compiled before the first peer is there. Nothing of it is left.
 */
import { type CodecContext, plainContext } from '../codec/context.ts'
import { frame } from '../codec/frame.ts'
import { ipv4Unicast } from '../codec/iana.ts'
import { decodeMessage } from '../codec/message.ts'
import { createRib } from './create-rib.ts'
import { type MadeUpRoutes, type Step, madeUpUpdates, steps } from './made-up-routes.ts'
import { type PeerIndex } from './peer.ts'
import { type Rib } from './rib.ts'

const ownAsn = 64512
const peers = 4
const prefixes = 100
const prefixesPerMessage = 5

/** Takes some 40 ms, once in a process that is going to have many peers. Returns the octets that were sent to nobody. */
export function warmUp(): number {
  const rib = createRib({ asn: ownAsn, routerId: 1 })
  const ends = Array.from({ length: peers }, (_, number) => new FarEnd(rib, number))
  let octets = 0
  for (const step of steps) {
    for (const end of ends) end.tell(step)
    while (rib.work(1, () => 0));
    for (const end of ends) octets += end.hear()
  }
  return octets
}

/** A peer of the made-up RIB: one of two is a reflector's client, the others are external. */
class FarEnd {
  readonly #rib: Rib
  readonly #index: PeerIndex
  readonly #context: CodecContext
  readonly #routes: MadeUpRoutes

  constructor(rib: Rib, number: number) {
    const internal = number % 2 === 0
    this.#rib = rib
    this.#context = {
      ...plainContext,
      peerType: internal ? 'internal' : 'external',
      families: new Set([ipv4Unicast]),
    }
    const nextHop = Uint8Array.of(192, 0, 2, number + 1)
    const asns = internal ? [] : [64513 + number]
    this.#routes = {
      peer: number,
      prefixes,
      prefixesPerMessage,
      prefixLength: number < peers / 2 ? 24 : 26,
      nextHop,
      asns,
      context: this.#context,
    }
    this.#index = rib.addPeer({ name: `warm-up ${number}`, routeReflectorClient: internal })
    rib.peerUp(this.#index, {
      peerType: this.#context.peerType,
      peerAsn: internal ? ownAsn : 64513 + number,
      peerRouterId: number + 2,
      families: [ipv4Unicast],
      receive: this.#context,
      send: this.#context,
      peerAddress: nextHop,
      local: { ipv4: Uint8Array.of(192, 0, 2, 0) },
    })
  }

  tell(step: Step): void {
    const bytes = madeUpUpdates(this.#routes, step)
    for (let at = 0; at < bytes.length;) {
      const length = frame(bytes, at, bytes.length, 4096)
      if (typeof length !== 'number' || length === 0) return
      const message = decodeMessage(bytes.subarray(at, at + length), this.#context)
      if (message.type === 'update') this.#rib.receive(this.#index, message)
      at += length
    }
  }

  hear(): number {
    let octets = 0
    while (this.#rib.hasPending(this.#index)) octets += this.#rib.pull(this.#index, 4096)?.length ?? 0
    return octets
  }
}
