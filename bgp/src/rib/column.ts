/**
 * Columns are typed arrays that double as they grow. Entries that are new hold 0, and nobody fills them with anything
 * else: memory of a great array that was never written to takes no room in the machine, so that growing costs one copy
 * and what is unused nothing. A column of ids in which 0 is an id counts from 1, or is written when its id is given out.
 */

/** The capacity to grow to so that `needed` entries fit. */
export function grownCapacity(capacity: number, needed: number): number {
  let next = Math.max(capacity, 64)
  while (next < needed) next *= 2
  return next
}

export function growInt32(column: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity)
  grown.set(column)
  return grown
}

export function growUint32(column: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(capacity)
  grown.set(column)
  return grown
}

export function growUint16(column: Uint16Array, capacity: number): Uint16Array<ArrayBuffer> {
  const grown = new Uint16Array(capacity)
  grown.set(column)
  return grown
}

export function growUint8(column: Uint8Array, capacity: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(capacity)
  grown.set(column)
  return grown
}
