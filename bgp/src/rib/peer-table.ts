import { u32At } from '../codec/reader.ts'
import { growUint32, growUint8 } from './column.ts'
import { type DecisionPeers } from './decision.ts'
import { type PeerIndex, type RibPeer, type RibSession } from './peer.ts'
import { type PeerState, newPeerState } from './peer-state.ts'

/** Paths hold their peer in sixteen bits. */
const mostPeers = 65536

/** The peers by index, with the facts that the decision process compares in columns. */
export class PeerTable implements DecisionPeers {
  readonly states: PeerState[] = [newPeerState(0, { name: 'local' })]
  external = new Uint8Array(16)
  routerId = new Uint32Array(16)
  address = new Uint32Array(16 * 5)
  /** Oldest first: an index rests before it is another peer's. */
  readonly #free: PeerIndex[] = []

  /** @throws RangeError if there are 65,535 peers already */
  add(config: RibPeer): PeerIndex {
    const reused = this.#free.length > 64 ? this.#free.shift() : undefined
    const index = reused ?? this.states.length
    if (index >= mostPeers) throw new RangeError(`A RIB holds at most ${mostPeers - 1} peers.`)
    this.states[index] = newPeerState(index, config)
    if (index >= this.external.length) {
      this.external = growUint8(this.external, index * 2)
      this.routerId = growUint32(this.routerId, index * 2)
      this.address = growUint32(this.address, index * 10)
    }
    return index
  }

  get(index: PeerIndex): PeerState {
    const state = this.states[index]
    if (state === undefined || state.removed) throw new RangeError(`There is no peer ${index} in the RIB.`)
    return state
  }

  remove(index: PeerIndex): void {
    this.get(index).removed = true
    this.#free.push(index)
  }

  setFacts(index: PeerIndex, { peerType, peerRouterId, peerAddress }: RibSession): void {
    this.external[index] = peerType === 'external' ? 1 : 0
    this.routerId[index] = peerRouterId
    this.address[index * 5] = peerAddress.length === 4 ? 4 : 6
    for (let word = 0; word < 4; word++) this.address[index * 5 + 1 + word] = u32At(peerAddress, word * 4)
  }
}
