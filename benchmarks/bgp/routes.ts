/**
 * Which prefixes a source announces, with which attributes, as bytes made ahead of time. Prefixes are numbered and lie
 * side by side, so that a receiver finds a prefix's number by a subtraction. Every attribute set carries a community
 * whose lower half is a token: the phase and the source. A receiver thereby knows, UPDATE by UPDATE, what it has got.
 */
import {
  type AsPath,
  type PathAttributes,
  announceOverhead,
  beginAnnounce,
  beginWithdraw,
  encodeAttributes,
  finishAnnounce,
  finishWithdraw,
  ipv4Unicast,
  plainContext,
} from '@network/bgp/codec'
import { type Population, clientOf } from './plan.ts'

/** Upper half of the token's community. */
export const tokenCommunity = 64511
const firstPrefix = 0x14000000
const longestMessage = 4096
/** Phases are told apart by 4 bits of a token, sources by 12. */
export const phaseCount = 16
export const sourceMask = 0xfff

/** What a prefix's state is at a receiver: 0 absent, else by whom and in which phase it was announced. */
export function tokenOf(source: number, phase: number): number {
  return ((phase % phaseCount) << 12) | (source + 1)
}

export class Routes {
  readonly population: Population
  /** All distinct prefixes. */
  readonly count: number
  readonly #length: number
  readonly #shift: number
  readonly #octets: number

  constructor(population: Population) {
    this.population = population
    this.count = population.shared ? population.prefixes : population.prefixes * population.sources
    this.#length = population.prefixLength
    this.#shift = 32 - population.prefixLength
    this.#octets = (population.prefixLength + 7) >>> 3
  }

  /** Whose announcement of a prefix is the best in a phase. */
  bestSource(prefix: number, phase: number): number {
    const { shared, sources, prefixes, prefixesPerSet } = this.population
    return shared ? (Math.floor(prefix / prefixesPerSet) + phase) % sources : Math.floor(prefix / prefixes)
  }

  /** First prefix of a source. */
  first(source: number): number {
    return this.population.shared ? 0 : source * this.population.prefixes
  }

  /** The UPDATEs in which a source announces its prefixes, or `count` of them from `from` on, back to back. */
  announce(
    source: number,
    phase: number,
    from = this.first(source),
    count = this.population.prefixes,
  ): Uint8Array {
    const { prefixesPerSet, peerType } = this.population
    const client = clientOf(source, peerType)
    const nextHop = Uint8Array.of(...octetsOf(client.routerId))
    const context = { ...plainContext, peerType }
    const out = new Uint8Array(
      count * (this.#octets + 1) + (Math.ceil(count / prefixesPerSet) + 1) * 160 + count,
    )
    let at = 0
    for (let set = from; set < from + count; set += prefixesPerSet) {
      const end = Math.min(set + prefixesPerSet, from + count)
      const block = encodeAttributes(this.#attributes(source, phase, set, client.asn), context)
      const room = longestMessage - announceOverhead(ipv4Unicast, block, nextHop)
      const perMessage = Math.floor(room / (this.#octets + 1))
      for (let first = set; first < end; first += perMessage) {
        const start = at
        at = beginAnnounce(out, start, ipv4Unicast, block, nextHop)
        at = this.#putPrefixes(out, at, first, Math.min(first + perMessage, end))
        at = finishAnnounce(out, start, at, ipv4Unicast, block, nextHop)
      }
    }
    return out.subarray(0, at)
  }

  /** The UPDATEs in which a source withdraws its prefixes, or `count` of them. */
  withdraw(source: number, from = this.first(source), count = this.population.prefixes): Uint8Array {
    const perMessage = Math.floor((longestMessage - 23) / (this.#octets + 1))
    const out = new Uint8Array(count * (this.#octets + 1) + Math.ceil(count / perMessage) * 23)
    let at = 0
    for (let first = from; first < from + count; first += perMessage) {
      const start = at
      at = beginWithdraw(out, start, ipv4Unicast)
      at = this.#putPrefixes(out, at, first, Math.min(first + perMessage, from + count))
      at = finishWithdraw(out, start, at, ipv4Unicast)
    }
    return out.subarray(0, at)
  }

  /** The number of the prefix whose NLRI begins at `at`; -1 if it is none of ours. */
  numberAt(bytes: Uint8Array, at: number): number {
    if (bytes[at] !== this.#length) return -1
    const third = ((bytes[at + 1] ?? 0) << 24) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 8)
    const address = this.#octets === 4 ? third | (bytes[at + 4] ?? 0) : third
    const number = (address - firstPrefix) >>> this.#shift
    return number < this.count ? number : -1
  }

  #putPrefixes(out: Uint8Array, start: number, from: number, to: number): number {
    let at = start
    for (let prefix = from; prefix < to; prefix++) {
      const address = firstPrefix + prefix * 2 ** this.#shift
      out[at] = this.population.prefixLength
      for (let i = 0; i < this.#octets; i++) out[at + 1 + i] = address >>> (24 - 8 * i)
      at += 1 + this.#octets
    }
    return at
  }

  #attributes(source: number, phase: number, set: number, asn: number): PathAttributes {
    const communities = [tokenCommunity * 65536 + tokenOf(source, phase)]
    if (this.population.peerType === 'internal')
      return { origin: 'igp', asPath: [], localPref: 100, communities }
    const number = Math.floor(set / this.population.prefixesPerSet)
    const origins = [131072 + (number % 60000), 200000 + Math.floor(number / 7)]
    const asns = [asn, ...origins]
    const longer = this.population.shared && this.bestSource(set, phase) !== source
    const asPath: AsPath = [{ type: 'sequence', asns: longer ? [...asns, 300000, 300001] : asns }]
    return { origin: 'igp', asPath, communities }
  }
}

function octetsOf(address: number): number[] {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255)
}
