/**
 * Compares keys by code point, which is the order of their UTF-8 bytes and so etcd's. JavaScript's own comparison
 * goes by UTF-16 units, where the surrogates (code points from 0x10000) come before 0xE000 to 0xFFFF.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const unitA = a.charCodeAt(index)
    const unitB = b.charCodeAt(index)
    if (unitA === unitB) continue
    const bothHigh = unitA >= 0xd800 && unitB >= 0xd800
    return bothHigh ? rank(unitA) - rank(unitB) : unitA - unitB
  }
  return a.length - b.length
}

/** Moves surrogates behind the rest of the 16-bit range. */
function rank(unit: number): number {
  return unit < 0xe000 ? unit + 0x10000 : unit
}
