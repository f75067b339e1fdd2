/**
 * What one receiver has got: a token for each prefix, kept by walking UPDATEs where they lie, without an object per
 * message or prefix. Beside it stands what the receiver ought to have, and how many prefixes still differ; at none it is
 * complete, and the moment is noted.
 */
import { type Routes, sourceMask, tokenCommunity, tokenOf } from './routes.ts'

const attributesCommunity = 8
const extendedLength = 0x10

/** Told of each prefix that changes. */
export type ChangeListener = (prefix: number, token: number) => void

export class Tally {
  readonly #routes: Routes
  readonly #source: number
  readonly #state: Uint16Array
  #expected: Uint16Array
  #differing = 0
  /** Milliseconds of `performance.now()` at which nothing differed any more; undefined while something does. */
  completeAt: number | undefined
  onChange: ChangeListener | undefined

  /** `source` is the receiver's own number: whether its own routes come back to it makes no difference. */
  constructor(routes: Routes, source: number) {
    this.#routes = routes
    this.#source = source
    this.#state = new Uint16Array(routes.count)
    this.#expected = this.#state
  }

  /** Expects what `wanted` says of each prefix, save what comes from the receiver itself. */
  expect(wanted: Uint16Array): void {
    this.#expected = wanted
    this.#differing = 0
    this.completeAt = undefined
    for (let prefix = 0; prefix < wanted.length; prefix++)
      if (this.#state[prefix] !== this.#foreign(wanted[prefix] ?? 0)) this.#differing++
    if (this.#differing === 0) this.completeAt = performance.now()
  }

  get differing(): number {
    return this.#differing
  }

  /** Some speakers send a client's own routes back to it, which must refuse them: they count as absent. */
  #foreign(token: number): number {
    return (token & sourceMask) === this.#source + 1 ? 0 : token
  }

  /** Takes in the UPDATE at `start`; true if that has made the receiver complete. */
  update(bytes: Uint8Array, start: number, end: number): boolean {
    const before = this.#differing
    const b = bytes as { readonly [index: number]: number }
    const withdrawnEnd = start + 21 + (((b[start + 19] ?? 0) << 8) | (b[start + 20] ?? 0))
    this.#walk(bytes, start + 21, withdrawnEnd, 0)
    const attributesEnd = withdrawnEnd + 2 + (((b[withdrawnEnd] ?? 0) << 8) | (b[withdrawnEnd + 1] ?? 0))
    if (attributesEnd < end)
      this.#walk(bytes, attributesEnd, end, tokenIn(bytes, withdrawnEnd + 2, attributesEnd))
    if (this.#differing > 0) {
      this.completeAt = undefined
      return false
    }
    if (before === 0) return false
    this.completeAt = performance.now()
    return true
  }

  #walk(bytes: Uint8Array, start: number, end: number, heard: number): void {
    const token = this.#foreign(heard)
    const routes = this.#routes
    const state = this.#state
    const expected = this.#expected
    const listener = this.onChange
    let differing = this.#differing
    let at = start
    while (at < end) {
      const prefix = routes.numberAt(bytes, at)
      at += 1 + (((bytes[at] ?? 0) + 7) >>> 3)
      if (prefix < 0) continue
      const old = state[prefix] ?? 0
      if (old !== token) {
        const wanted = this.#foreign(expected[prefix] ?? 0)
        if (old === wanted) differing++
        else if (token === wanted) differing--
        state[prefix] = token
      }
      listener?.(prefix, token)
    }
    this.#differing = differing
  }
}

/** The token in a block of path attributes; 0 if it carries none. */
function tokenIn(bytes: Uint8Array, start: number, end: number): number {
  const b = bytes as { readonly [index: number]: number }
  let at = start
  while (at < end) {
    const long = ((b[at] ?? 0) & extendedLength) !== 0
    const length = long ? ((b[at + 2] ?? 0) << 8) | (b[at + 3] ?? 0) : (b[at + 2] ?? 0)
    const value = at + (long ? 4 : 3)
    if (b[at + 1] === attributesCommunity) {
      for (let i = value; i < value + length; i += 4)
        if ((((b[i] ?? 0) << 8) | (b[i + 1] ?? 0)) === tokenCommunity)
          return ((b[i + 2] ?? 0) << 8) | (b[i + 3] ?? 0)
    }
    at = value + length
  }
  return 0
}

/** What every prefix's token is once all have announced in a phase. */
export function wantedTokens(routes: Routes, phase: number): Uint16Array {
  const wanted = new Uint16Array(routes.count)
  for (let prefix = 0; prefix < wanted.length; prefix++)
    wanted[prefix] = tokenOf(routes.bestSource(prefix, phase), phase)
  return wanted
}
