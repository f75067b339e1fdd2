/**
 * Takes the first slowness out of a process: some hundred made-up routes go through the codec and a RIB of their own in
 * all the ways that routes go, announced, changed, withdrawn, received and sent, so that what they go through has been
 * loaded and is being compiled before the first peer is there. Nothing of it is left.
 */
import { encodeAttributes } from '../codec/attribute-block.ts'
import { type CodecContext, plainContext } from '../codec/context.ts'
import { frame } from '../codec/frame.ts'
import { ipv4Unicast } from '../codec/iana.ts'
import { decodeMessage } from '../codec/message.ts'
import { beginAnnounce, beginWithdraw, finishAnnounce, finishWithdraw } from '../codec/update-writer.ts'
import { putU32 } from '../codec/writer.ts'
import { createRib } from './create-rib.ts'
import { type PeerIndex } from './peer.ts'
import { type Rib } from './rib.ts'

const ownAsn = 64512
const peers = 4
const prefixes = 100
const prefixesPerMessage = 5
const prefixLength = 24
const octetsPerMessage = 128

type Step = 'announce' | 'change' | 'withdraw'

/** Takes some 40 ms, once in a process that is going to have many peers. Returns the octets that were sent to nobody. */
export function warmUp(): number {
  const rib = createRib({ asn: ownAsn, routerId: 1 })
  const ends = Array.from({ length: peers }, (_, number) => new FarEnd(rib, number))
  let octets = 0
  for (const step of ['announce', 'change', 'withdraw'] as const) {
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
  readonly #number: number
  readonly #context: CodecContext
  readonly #nextHop: Uint8Array
  readonly #bytes: Uint8Array

  constructor(rib: Rib, number: number) {
    const internal = number % 2 === 0
    this.#rib = rib
    this.#number = number
    this.#context = {
      ...plainContext,
      peerType: internal ? 'internal' : 'external',
      families: new Set([ipv4Unicast]),
    }
    this.#nextHop = Uint8Array.of(192, 0, 2, number + 1)
    this.#bytes = new Uint8Array(Math.ceil(prefixes / prefixesPerMessage) * octetsPerMessage)
    this.#index = rib.addPeer({ name: `warm-up ${number}`, routeReflectorClient: internal })
    rib.peerUp(this.#index, {
      peerType: this.#context.peerType,
      peerAsn: internal ? ownAsn : 64513 + number,
      peerRouterId: number + 2,
      families: [ipv4Unicast],
      receive: this.#context,
      send: this.#context,
      peerAddress: this.#nextHop,
      local: { ipv4: Uint8Array.of(192, 0, 2, 0) },
    })
  }

  tell(step: Step): void {
    const end = this.#write(step)
    for (let at = 0; at < end;) {
      const length = frame(this.#bytes, at, end, 4096)
      if (typeof length !== 'number' || length === 0) return
      const message = decodeMessage(this.#bytes.subarray(at, at + length), this.#context)
      if (message.type === 'update') this.#rib.receive(this.#index, message)
      at += length
    }
  }

  hear(): number {
    let octets = 0
    while (this.#rib.hasPending(this.#index)) octets += this.#rib.pull(this.#index, 4096)?.length ?? 0
    return octets
  }

  #write(step: Step): number {
    const bytes = this.#bytes
    const nextHop = this.#nextHop
    let at = 0
    for (let from = 0; from < prefixes; from += prefixesPerMessage) {
      const start = at
      if (step === 'withdraw') {
        at = this.#putPrefixes(from, beginWithdraw(bytes, start, ipv4Unicast))
        at = finishWithdraw(bytes, start, at, ipv4Unicast)
      } else {
        const block = this.#block(from, step === 'change' ? 1 : 0)
        at = this.#putPrefixes(from, beginAnnounce(bytes, start, ipv4Unicast, block, nextHop))
        at = finishAnnounce(bytes, start, at, ipv4Unicast, block, nextHop)
      }
    }
    return at
  }

  #putPrefixes(from: number, start: number): number {
    let at = start
    for (let i = from; i < Math.min(from + prefixesPerMessage, prefixes); i++) {
      this.#bytes[at] = prefixLength
      putU32(this.#bytes, at + 1, (0x0a000000 + (this.#number * prefixes + i) * 256) >>> 0)
      at += 4
    }
    return at
  }

  #block(from: number, version: number): Uint8Array {
    const asns = this.#context.peerType === 'internal' ? [] : [64513 + this.#number]
    return encodeAttributes(
      {
        origin: 'igp',
        asPath: [{ type: 'sequence', asns: [...asns, 100 + from] }],
        ...(asns.length === 0 ? { localPref: 100 } : {}),
        communities: [version],
      },
      this.#context,
    )
  }
}
