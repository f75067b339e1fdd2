import { type Prefix, addressBits, prefix as parse } from '@network/net'
import { type PrefixCondition } from './policy.ts'

/** Whether a prefix, given as words, satisfies one of the conditions. */
export type PrefixTest = (
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  length: number,
  family: string,
) => boolean

interface Network {
  readonly family: 'ipv4' | 'ipv6'
  readonly length: number
  readonly words: readonly [number, number, number, number]
  readonly masks: readonly [number, number, number, number]
}

/** @throws TypeError naming the text, if one of the prefixes is none */
export function compilePrefixConditions(conditions: readonly PrefixCondition[]): PrefixTest {
  const tests = conditions.map(compileOne)
  return (w0, w1, w2, w3, length, family) => tests.some((test) => test(w0, w1, w2, w3, length, family))
}

function compileOne(condition: PrefixCondition): PrefixTest {
  const network = networkOf(parse(condition.prefix))
  const operator = condition.operator ?? 'In'
  const minimum = condition.minimumLength ?? 0
  const maximum = condition.maximumLength ?? 128
  const negated = operator === 'NotEqual' || operator === 'NotIn'
  const exact = operator === 'Equal' || operator === 'NotEqual'
  return (w0, w1, w2, w3, length, family) => {
    if (length < minimum || length > maximum) return false
    const inside =
      family === network.family &&
      (exact ? length === network.length : length >= network.length) &&
      covers(network, w0, w1, w2, w3)
    return inside !== negated
  }
}

export function networkOf(prefix: Prefix): Network {
  const { address, length } = prefix
  const mask = (bits: number): number =>
    bits <= 0 ? 0 : bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0
  return {
    family: address.family,
    length,
    words: [address.w0, address.w1, address.w2, address.w3],
    masks: [
      mask(length),
      mask(Math.min(length, addressBits(address.family)) - 32),
      mask(length - 64),
      mask(length - 96),
    ],
  }
}

/** Whether the words lie in the network; length and family are the caller's business. */
export function covers(network: Network, w0: number, w1: number, w2: number, w3: number): boolean {
  const { words, masks } = network
  return (
    (w0 & masks[0]) >>> 0 === words[0] &&
    (w1 & masks[1]) >>> 0 === words[1] &&
    (w2 & masks[2]) >>> 0 === words[2] &&
    (w3 & masks[3]) >>> 0 === words[3]
  )
}
