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

/** Match: these bits are set. */
export function isSet(bits: number): readonly string[] {
  return ['-m', 'mark', '--mark', `${hex(bits)}/${hex(bits)}`]
}

/** Match: none of these bits is set. */
export function isClear(bits: number): readonly string[] {
  return ['-m', 'mark', '--mark', `0x0/${hex(bits)}`]
}

/** Target: sets these bits and leaves the others. */
export function setBits(bits: number): readonly string[] {
  return ['-j', 'MARK', '--set-xmark', `${hex(bits)}/${hex(bits)}`]
}

/** Target: clears these bits and leaves the others. */
export function clearBits(bits: number): readonly string[] {
  return ['-j', 'MARK', '--set-xmark', `0x0/${hex(bits)}`]
}
