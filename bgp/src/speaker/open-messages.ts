import { encodeOpen } from '../codec/open.ts'
import { type OpenOptions, localOpen } from '../fsm/negotiate.ts'
import { type PeerOptions } from './options/options.ts'

/**
 * The OPEN messages of a speaker, encoded once for all peers that were given the same options: those of a range. All
 * that an OPEN says follows from a peer's options and the speaker's, save in which restart either side is.
 */
export class OpenMessages {
  readonly #known = new WeakMap<PeerOptions, Map<string, Uint8Array>>()

  of(peer: PeerOptions, open: OpenOptions): Uint8Array {
    let ofPeer = this.#known.get(peer)
    if (ofPeer === undefined) this.#known.set(peer, (ofPeer = new Map<string, Uint8Array>()))
    const restart = open.gracefulRestart
    const key = `${String(restart?.restarting)} ${String(restart?.forwardingPreserved)}`
    const known = ofPeer.get(key)
    if (known !== undefined) return known
    const bytes = encodeOpen(localOpen(open))
    ofPeer.set(key, bytes)
    return bytes
  }
}
