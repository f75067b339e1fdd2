import { type Clock, type Timer } from '@network/net'

/**
 * A timer that is restarted far more often than it expires: a restart only moves the deadline, and the one timer
 * underneath looks at it when it rings.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #expired: () => void
  readonly #ring = (): void => this.#ringNow()
  #at: number | undefined
  #timer: Timer | undefined
  #rings = 0

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock
    this.#expired = expired
  }

  get running(): boolean {
    return this.#at !== undefined
  }

  start(ms: number): void {
    const at = this.#clock.monotonic() + ms
    this.#at = at
    if (this.#timer !== undefined && this.#rings <= at) return
    this.#timer?.cancel()
    this.#arm(at, ms)
  }

  stop(): void {
    this.#at = undefined
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(at: number, ms: number): void {
    this.#rings = at
    this.#timer = this.#clock.setTimeout(this.#ring, ms)
  }

  #ringNow(): void {
    this.#timer = undefined
    if (this.#at === undefined) return
    const left = this.#at - this.#clock.monotonic()
    // Timers ring by whole milliseconds, and sums of fractions are not exact.
    if (left > 0.5) {
      this.#arm(this.#at, left)
      return
    }
    this.#at = undefined
    this.#expired()
  }
}
