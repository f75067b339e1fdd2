/** Collects octets in network order in an array that grows; lengths are filled in behind with the `set` methods. */
export class Writer {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  u8(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  u16(value: number): void {
    this.#room(2)
    putU16(this.#bytes, this.#length, value)
    this.#length += 2
  }

  u24(value: number): void {
    this.u8(value >>> 16)
    this.u16(value & 0xffff)
  }

  u32(value: number): void {
    this.#room(4)
    putU32(this.#bytes, this.#length, value)
    this.#length += 4
  }

  put(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  setU8(at: number, value: number): void {
    this.#bytes[at] = value
  }

  setU16(at: number, value: number): void {
    putU16(this.#bytes, at, value)
  }

  /** Takes back everything from `at` on. */
  truncate(at: number): void {
    this.#length = at
  }

  /** Makes room for one octet before `at`: a length field of one octet becomes one of two. */
  widen(at: number): void {
    this.#room(1)
    this.#bytes.copyWithin(at + 1, at, this.#length)
    this.#length++
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Copies a few octets: for these a loop is several times as fast as a view and `set`. */
export function putOctets(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  from = 0,
  to = bytes.length,
): number {
  for (let i = from; i < to; i++) into[at++] = bytes[i] as number
  return at
}

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
