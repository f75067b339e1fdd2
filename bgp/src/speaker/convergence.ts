import { type AfiSafi } from '../codec/iana.ts'

/**
 * Whether every peer that can be reached has told all it knows since the start. Waited for is only what will come:
 * End-of-RIB of the negotiated families of peers that announced it. Routes may be selected (RFC 4724 section 4.1) without
 * those of a peer that is itself waiting after a restart, lest both wait for ever; but consumers, who remove what nobody
 * has named, are told only when such a peer, having selected too, has said its End-of-RIB.
 * Pure; the shell adds the deadline.
 */
export class Convergence {
  readonly #waiting = new Map<string, 'session' | Set<AfiSafi>>()
  /** Peers that have restarted as we have, which select without us as we do without them. */
  readonly #restarted = new Map<string, 'session' | Set<AfiSafi>>()
  #selecting = false

  /** Routes may be selected. */
  get selectable(): boolean {
    return this.#selecting || this.#waiting.size === 0
  }

  /** Nothing is waited for any more. */
  get complete(): boolean {
    return this.selectable && this.#restarted.size === 0
  }

  /** For a person: who is still waited for. */
  get waitingFor(): readonly string[] {
    return [...this.#waiting.keys(), ...this.#restarted.keys()]
  }

  /** A peer whose session is expected to come up. */
  expect(peer: string): void {
    if (!this.#selecting) this.#waiting.set(peer, 'session')
  }

  /** The session is up; End-of-RIB is to come for these families. `restarting`: the peer is waiting as we are. */
  established(peer: string, endsOfRib: readonly AfiSafi[], restarting: boolean): void {
    const isAwaited = this.#waiting.has(peer) || this.#restarted.has(peer)
    this.giveUp(peer)
    if (!isAwaited || endsOfRib.length === 0) return
    if (restarting || this.#selecting) this.#restarted.set(peer, new Set(endsOfRib))
    else this.#waiting.set(peer, new Set(endsOfRib))
  }

  endOfRib(peer: string, family: AfiSafi): void {
    for (const waiting of [this.#waiting, this.#restarted]) {
      const families = waiting.get(peer)
      if (families === undefined || families === 'session') continue
      families.delete(family)
      if (families.size === 0) waiting.delete(peer)
    }
  }

  /** The session is gone, but the peer is expected to come back and tell what it has not told yet. */
  lost(peer: string): void {
    if (this.#restarted.has(peer)) this.#restarted.set(peer, 'session')
    else this.expect(peer)
  }

  /** The peer cannot be reached, or is gone: what it knows will not come soon. */
  giveUp(peer: string): void {
    this.#waiting.delete(peer)
    this.#restarted.delete(peer)
  }

  /** Routes are selected from here on: nobody is waited for but peers that have restarted. */
  select(): void {
    this.#selecting = true
    this.#waiting.clear()
  }

  /** The wait is over, whoever has not come. */
  close(): void {
    this.select()
    this.#restarted.clear()
  }
}
