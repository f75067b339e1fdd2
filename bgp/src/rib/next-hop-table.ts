import { ByteInterner } from './byte-interner.ts'
import { growUint32, growUint8 } from './column.ts'

export type ResolveNextHop = (nextHop: Uint8Array) => { readonly reachable: boolean; readonly cost: number }

/** Next hops by small integers, with what the surroundings say of each. An empty one is our own and always reachable. */
export class NextHopTable {
  readonly addresses = new ByteInterner()
  reachable = new Uint8Array(64)
  cost = new Uint32Array(64)
  /** 1: an address of ours. */
  own = new Uint8Array(64)
  /** The next hop that was asked for last. */
  #last = 0
  readonly #resolve: ResolveNextHop
  readonly #isOwn: (address: Uint8Array) => boolean

  constructor(resolve: ResolveNextHop, isOwn: (address: Uint8Array) => boolean) {
    this.#resolve = resolve
    this.#isOwn = isOwn
  }

  get bytes(): number {
    return this.addresses.bytes + this.reachable.byteLength * 2 + this.cost.byteLength
  }

  /** The id of 0, 4, 16 or 32 octets, held once more; it is asked for when it is new. */
  acquire(nextHop: Uint8Array): number {
    const id = this.#isLast(nextHop) ? this.#last : this.addresses.intern(nextHop)
    this.#last = id
    if (this.addresses.references[id] === 0) this.#ask(id)
    this.addresses.retain(id)
    return id
  }

  /** Most sets have the next hop of the one before. */
  #isLast(nextHop: Uint8Array): boolean {
    const { addresses } = this
    const id = this.#last
    if ((addresses.references[id] as number) <= 0 || addresses.length[id] !== nextHop.length) return false
    const page = addresses.pageOf(id)
    const start = addresses.startOf(id)
    for (let i = 0; i < nextHop.length; i++) if (page[start + i] !== nextHop[i]) return false
    return true
  }

  release(id: number): void {
    this.addresses.release(id)
  }

  /** Asks about all of them again; says what kind of answer has changed for any. */
  refresh(): { resolved: boolean; own: boolean } {
    let resolved = false
    let own = false
    for (let id = 0; id < this.addresses.top; id++) {
      if ((this.addresses.references[id] as number) <= 0) continue
      const before = this.own[id]
      resolved = this.#ask(id) || resolved
      own ||= before !== this.own[id]
    }
    return { resolved, own }
  }

  #ask(id: number): boolean {
    if (id >= this.reachable.length) {
      this.reachable = growUint8(this.reachable, this.addresses.capacity)
      this.cost = growUint32(this.cost, this.addresses.capacity)
      this.own = growUint8(this.own, this.addresses.capacity)
    }
    // Of a pair, the link-local address is the one that packets go to; the global one is asked for.
    const address = this.addresses.view(id).slice(0, 16)
    this.own[id] = address.length > 0 && this.#isOwn(address) ? 1 : 0
    const answer = address.length === 0 ? { reachable: true, cost: 0 } : this.#resolve(address)
    const reachable = answer.reachable ? 1 : 0
    const cost = Math.min(0xffffffff, Math.max(0, Math.floor(answer.cost)))
    const changed = this.reachable[id] !== reachable || this.cost[id] !== cost
    this.reachable[id] = reachable
    this.cost[id] = cost
    return changed
  }
}
