import { type AfiSafi } from '../codec/iana.ts'

/**
 * Whether every peer that can be reached has told all it knows since the start (RFC 4724 section 4.1, and the ground
 * on which consumers remove what nobody has named). Waited for is only what will come: End-of-RIB of the
 * negotiated families of peers that announced it, and never a peer that is itself waiting after a restart.
 * Pure; the shell adds the deadline.
 */
export class Convergence {
  readonly #waiting = new Map<string, 'session' | Set<AfiSafi>>()
  #closed = false

  /** Nothing is waited for any more. */
  get done(): boolean {
    return this.#closed || this.#waiting.size === 0
  }

  /** For a person: who is still waited for. */
  get waitingFor(): readonly string[] {
    return [...this.#waiting.keys()]
  }

  /** A peer whose session is expected to come up. */
  expect(peer: string): void {
    if (!this.#closed) this.#waiting.set(peer, 'session')
  }

  /** The session is up; End-of-RIB is to come for these families. */
  established(peer: string, endsOfRib: readonly AfiSafi[]): void {
    if (!this.#waiting.has(peer)) return
    if (endsOfRib.length === 0) this.#waiting.delete(peer)
    else this.#waiting.set(peer, new Set(endsOfRib))
  }

  endOfRib(peer: string, family: AfiSafi): void {
    const families = this.#waiting.get(peer)
    if (families === undefined || families === 'session') return
    families.delete(family)
    if (families.size === 0) this.#waiting.delete(peer)
  }

  /** The peer cannot be reached, or is gone: what it knows will not come soon. */
  giveUp(peer: string): void {
    this.#waiting.delete(peer)
  }

  /** The wait is over, whoever has not come. */
  close(): void {
    this.#closed = true
    this.#waiting.clear()
  }
}
