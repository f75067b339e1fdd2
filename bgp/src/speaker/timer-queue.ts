/*
 * All timers of a speaker over one timer of the clock underneath: a heap by the moment at which they are due. A
 * thousand sessions have some thousand timers, most of them started again and again and never due, which would each be
 * an object and a list of the event loop's.
 */
import { type Clock, type Timer } from '@network/net'

/** Timers ring by whole milliseconds: what is due within so much is due. */
const toleranceMs = 0.5

class Waiting implements Timer {
  readonly at: number
  readonly order: number
  readonly call: () => void
  readonly #cancel: (waiting: Waiting) => void
  /** Where in the heap; -1: no more there. */
  place = -1

  constructor(at: number, order: number, call: () => void, cancel: (waiting: Waiting) => void) {
    this.at = at
    this.order = order
    this.call = call
    this.#cancel = cancel
  }

  cancel(): void {
    this.#cancel(this)
  }

  before(other: Waiting): boolean {
    return this.at < other.at || (this.at === other.at && this.order < other.order)
  }
}

/** A clock whose timers share one of the clock given. None of it is left once no timer runs. */
export class TimerQueue implements Clock {
  readonly #clock: Clock
  readonly #heap: Waiting[] = []
  readonly #cancel = (waiting: Waiting): void => this.#remove(waiting)
  readonly #ring = (): void => this.#ringNow()
  #order = 0
  #timer: Timer | undefined
  #timerAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  setTimeout(call: () => void, ms: number): Timer {
    const at = this.#clock.monotonic() + Math.max(0, ms)
    const waiting = new Waiting(at, this.#order++, call, this.#cancel)
    this.#heap.push(waiting)
    this.#rise(waiting, this.#heap.length - 1)
    if (waiting.place === 0) this.#arm()
    return waiting
  }

  #ringNow(): void {
    this.#timer = undefined
    const due = this.#clock.monotonic() + toleranceMs
    // What is started by what rings, rings the next time.
    const started = this.#order
    try {
      for (
        let first = this.#heap[0];
        first !== undefined && first.at <= due && first.order < started;
        first = this.#heap[0]
      ) {
        this.#take(first)
        first.call()
      }
    } finally {
      this.#arm()
    }
  }

  /** Sees to it that the timer underneath rings when the first one is due, or earlier. */
  #arm(): void {
    const [first] = this.#heap
    if (first === undefined) {
      this.#timer?.cancel()
      this.#timer = undefined
      return
    }
    if (this.#timer !== undefined && this.#timerAt <= first.at) return
    this.#timer?.cancel()
    this.#timerAt = first.at
    this.#timer = this.#clock.setTimeout(this.#ring, Math.max(0, first.at - this.#clock.monotonic()))
  }

  #remove(waiting: Waiting): void {
    if (waiting.place < 0) return
    this.#take(waiting)
    if (this.#heap.length === 0) this.#arm()
  }

  #take(waiting: Waiting): void {
    const { place } = waiting
    waiting.place = -1
    const last = this.#heap.pop()
    if (last === undefined || last === waiting) return
    this.#rise(last, place)
    this.#sink(last, last.place)
  }

  #rise(waiting: Waiting, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >>> 1
      const parent = this.#heap[above]
      if (parent === undefined || !waiting.before(parent)) break
      this.#put(parent, place)
      place = above
    }
    this.#put(waiting, place)
  }

  #sink(waiting: Waiting, from: number): void {
    let place = from
    for (;;) {
      const left = this.#heap[2 * place + 1]
      const right = this.#heap[2 * place + 2]
      const lesser = left !== undefined && right?.before(left) === true ? right : left
      if (lesser === undefined || !lesser.before(waiting)) break
      const below = lesser.place
      this.#put(lesser, place)
      place = below
    }
    this.#put(waiting, place)
  }

  #put(waiting: Waiting, place: number): void {
    this.#heap[place] = waiting
    waiting.place = place
  }
}
