/**
 * Columns are typed arrays that grow. Up to a quarter of a million entries they double, past it they grow by half,
 * so that a copy stays in the range of a millisecond and unused room below a third. Entries that are new hold 0,
 * or what the caller fills in.
 */

/** The capacity to grow to so that `needed` entries fit. */
export function grownCapacity(capacity: number, needed: number): number {
  let next = Math.max(capacity, 64)
  while (next < needed) next = next < 0x40000 ? next * 2 : Math.ceil(next * 1.5)
  return next
}

export function growInt32(column: Int32Array, capacity: number, fill = 0): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(capacity)
  grown.set(column)
  if (fill !== 0) grown.fill(fill, column.length)
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
