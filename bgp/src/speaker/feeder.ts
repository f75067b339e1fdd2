/*
 * Whom to send to. A change in the RIB may concern every peer, so after one each is asked once; a peer that could not
 * take all is asked again when its socket has room, and one that has just come up alone. All others cost nothing.
 */

/** Whoever can be fed: sends what is waiting for it until `until`; true if that was too early. */
export interface Fed {
  flush(until: number): boolean
}

export class Feeder {
  /** Who may have something to be sent, in the order in which they are fed. */
  readonly #hungry = new Set<Fed>()

  /** This one may have something to be sent. */
  add(one: Fed): void {
    this.#hungry.add(one)
  }

  /**
   * Feeds those who may have something, until `until` (monotonic) has come; true if that was too early. The next
   * call goes on with whoever was not reached.
   */
  feed(until: number): boolean {
    for (const one of this.#hungry) {
      if (one.flush(until)) {
        // It has had its turn: the others come first.
        this.#hungry.delete(one)
        this.#hungry.add(one)
        return true
      }
      this.#hungry.delete(one)
    }
    return false
  }
}
