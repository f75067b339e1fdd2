/** Numbers that follow from a seed: a run that found something can be run again. */
export interface Random {
  /** From 0, below `limit`. */
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
  /** Each element with the same probability, in their order. */
  some<T>(from: readonly T[], probability: number): T[]
  times<T>(least: number, most: number, make: (index: number) => T): T[]
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(from: readonly T[]): T => {
    if (from.length === 0) throw new Error('nothing to pick from')
    return from[below(from.length)] as T
  }
  return {
    below,
    chance: (probability) => next() < probability,
    pick,
    some: (from, probability) => from.filter(() => next() < probability),
    times: (least, most, make) =>
      Array.from({ length: least + below(most - least + 1) }, (_, index) => make(index)),
  }
}
