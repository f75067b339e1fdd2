/**
 * Reads integers and byte strings in network order from a part of an array and never beyond its end. A read that
 * doesn't fit yields 0 or an empty view and makes `overran` true for good: a decoder reads on and asks once.
 */
export class Reader {
  readonly bytes: Uint8Array
  readonly end: number
  at: number
  #overrun = false

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = start
    this.end = Math.min(end, bytes.length)
  }

  /** Whether a read reached beyond the end. */
  overran(): boolean {
    return this.#overrun
  }

  get remaining(): number {
    return this.end - this.at
  }

  u8(): number {
    if (this.at + 1 > this.end) return this.#fail()
    return this.bytes[this.at++] ?? 0
  }

  u16(): number {
    if (this.at + 2 > this.end) return this.#fail()
    const value = u16At(this.bytes, this.at)
    this.at += 2
    return value
  }

  u24(): number {
    const high = this.u8()
    return (high << 16) | this.u16()
  }

  u32(): number {
    if (this.at + 4 > this.end) return this.#fail()
    const value = u32At(this.bytes, this.at)
    this.at += 4
    return value
  }

  /** A view of the next `length` octets. */
  take(length: number): Uint8Array {
    if (this.at + length > this.end) {
      this.#fail()
      return empty
    }
    const view = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return view
  }

  /** A reader for the next `length` octets alone. */
  part(length: number): Reader {
    const start = this.at
    if (start + length > this.end) {
      this.#fail()
      const none = new Reader(empty)
      none.#overrun = true
      return none
    }
    this.at += length
    return new Reader(this.bytes, start, start + length)
  }

  #fail(): 0 {
    this.#overrun = true
    this.at = this.end
    return 0
  }
}

export const empty = new Uint8Array(0)

/** A copy of its own; a Buffer's `slice` would be a view into the same memory. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

/** Two octets in network order; 0 for octets past the end. */
export function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

/** Four octets in network order, unsigned; 0 for octets past the end. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}
