/**
 * The bits of a packet's mark that carry a verdict from chain to chain. They mean something only on the packet's way through
 * one host and are cleared before they are read for the first time.
 */
export interface Marks {
  /** This endpoint's policy allows the packet. */
  readonly accept: number
  /** A rule of the present tier passed it on. */
  readonly pass: number
  /** One of several alternatives of the present rule holds. */
  readonly scratch: number
  /** The interface it came in by (or, of the host's own, leaves by) allowed it before policy proper. */
  readonly cleared: number
}

/** @throws RangeError if the mask has fewer than four bits */
export function marksOf(mask: number): Marks {
  const bits: number[] = []
  for (let bit = 0; bit < 32; bit++) if ((mask >>> bit) & 1) bits.push((1 << bit) >>> 0)
  const [accept, pass, scratch, cleared] = bits
  if (accept === undefined || pass === undefined || scratch === undefined || cleared === undefined)
    throw new RangeError(`the mask ${hex(mask)} has fewer than four bits`)
  return { accept, pass, scratch, cleared }
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}

/**
 * Words for bits are made once and shared: a node's policy says the same few of them in most of its rules. `bits` are those of
 * a mask, so there are few.
 */
function shared(make: (bits: number) => readonly string[]): (bits: number) => readonly string[] {
  const made = new Map<number, readonly string[]>()
  return (bits) => {
    const known = made.get(bits)
    if (known !== undefined) return known
    const words = make(bits)
    made.set(bits, words)
    return words
  }
}

/** Match: these bits are set. */
export const isSet = shared((bits) => ['-m', 'mark', '--mark', `${hex(bits)}/${hex(bits)}`])

/** Match: none of these bits is set. */
export const isClear = shared((bits) => ['-m', 'mark', '--mark', `0x0/${hex(bits)}`])

/** Target: sets these bits and leaves the others. */
export const setBits = shared((bits) => ['-j', 'MARK', '--set-xmark', `${hex(bits)}/${hex(bits)}`])

/** Target: clears these bits and leaves the others. */
export const clearBits = shared((bits) => ['-j', 'MARK', '--set-xmark', `0x0/${hex(bits)}`])

/** Match and target: with these bits set, back to the chain that led here. */
export const returnIfSet = shared((bits) => [...isSet(bits), '-j', 'RETURN'])
