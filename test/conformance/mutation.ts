/** Changes messages in the ways that find faults in parsers, repeatably: the same seed gives the same messages. */

/** Integers that look random, from a seed (xorshift of 32 bits). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1
  }

  /** 0 to `below` - 1. */
  below(below: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state % below
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
}

const headerLength = 19
const longest = 4096
const updateType = 2

/** Octets that lengths, types and flags break on. */
const edges = [0, 1, 2, 3, 4, 5, 14, 15, 16, 32, 33, 64, 127, 128, 129, 192, 224, 240, 254, 255]

type Mutation = (message: Uint8Array, random: Random, seeds: readonly Uint8Array[]) => Uint8Array

function place(message: Uint8Array, random: Random): number {
  return message.length <= headerLength ? 0 : headerLength + random.below(message.length - headerLength)
}

const mutations: readonly Mutation[] = [
  function flipBit(message, random) {
    const at = place(message, random)
    message[at] = (message[at] ?? 0) ^ (1 << random.below(8))
    return message
  },
  function setEdge(message, random) {
    message[place(message, random)] = random.pick(edges)
    return message
  },
  function setAny(message, random) {
    message[place(message, random)] = random.below(256)
    return message
  },
  function addOne(message, random) {
    const at = place(message, random)
    message[at] = (message[at] ?? 0) + (random.below(2) === 0 ? 1 : -1)
    return message
  },
  function cut(message, random) {
    return message.subarray(0, headerLength + random.below(Math.max(1, message.length - headerLength)))
  },
  function remove(message, random) {
    const at = place(message, random)
    const count = 1 + random.below(8)
    message.copyWithin(at, at + count)
    return message.subarray(0, Math.max(headerLength, message.length - count))
  },
  function insert(message, random) {
    const at = place(message, random)
    const count = Math.min(1 + random.below(8), longest - message.length)
    if (count <= 0) return message
    const longer = new Uint8Array(message.length + count)
    longer.set(message.subarray(0, at))
    for (let i = 0; i < count; i++) longer[at + i] = random.below(256)
    longer.set(message.subarray(at), at + count)
    return longer
  },
  function repeat(message, random) {
    const at = place(message, random)
    const part = message.subarray(at, at + 1 + random.below(64))
    if (message.length + part.length > longest) return message
    const longer = new Uint8Array(message.length + part.length)
    longer.set(message.subarray(0, at))
    longer.set(part, at)
    longer.set(message.subarray(at), at + part.length)
    return longer
  },
  function splice(message, random, seeds) {
    const other = random.pick(seeds)
    const head = message.subarray(0, place(message, random))
    const tail = other.subarray(place(other, random))
    if (head.length < headerLength || head.length + tail.length > longest) return message
    const joined = new Uint8Array(head.length + tail.length)
    joined.set(head)
    joined.set(tail, head.length)
    return joined
  },
]

/** Octets of an UPDATE's own NLRI, which are what its other lengths leave. */
function nlriLength(message: Uint8Array): number {
  const at = headerLength + 2 + word(message, headerLength)
  return message.length - at - 2 - word(message, at)
}

/** Makes the attributes of an UPDATE end so many octets before the message does. */
function endAttributes(message: Uint8Array, nlri: number): void {
  const at = headerLength + 2 + word(message, headerLength)
  const length = message.length - at - 2 - nlri
  if (message[18] !== updateType || length < 0) return
  message[at] = length >>> 8
  message[at + 1] = length & 255
}

const word = (message: Uint8Array, at: number): number => ((message[at] ?? 0) << 8) | (message[at + 1] ?? 0)

/**
 * A seed with one to four changes. Its header tells the right length but for one in sixteen, and in three of four the
 * attributes of an UPDATE end where its NLRI begin: what is wrong further in is to be found too.
 */
export function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let message: Uint8Array = new Uint8Array(random.pick(seeds))
  const nlri = nlriLength(message)
  for (let count = random.below(2) === 0 ? 1 : 1 + random.below(4); count > 0; count--)
    message = random.pick(mutations)(message, random, seeds)
  const whim = random.below(32)
  if (whim === 0) {
    message[random.below(headerLength)] = random.below(256)
  } else if (whim === 1) {
    message[18] = random.below(7)
  } else {
    message[16] = message.length >>> 8
    message[17] = message.length & 255
    if (whim >= 8) endAttributes(message, nlri)
  }
  return message
}
