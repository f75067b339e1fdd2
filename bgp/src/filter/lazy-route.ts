import {
  type Prefix,
  addressFromBytes,
  formatAddress,
  formatPrefix,
  ipv4,
  ipv6,
  prefix as parsePrefix,
} from '@network/net'
import { type AsPath, type LargeCommunity, type Origin } from '../codec/path-attributes.ts'
import { type PolicySet, type PolicySource } from './policy-question.ts'
import { readCommunity, readLargeCommunity } from './community-names.ts'
import { sameLarge } from './conditions.ts'
import { covers, networkOf } from './prefix-conditions.ts'
import { type RouteView } from './route-view.ts'

/** A route view that makes what is asked for, and notes whether the prefix was looked at. */
export class LazyRoute implements RouteView {
  readonly family: 'ipv4' | 'ipv6'
  prefixWasRead = false
  readonly #source: PolicySource
  readonly #set: () => PolicySet
  #w0 = 0
  #w1 = 0
  #w2 = 0
  #w3 = 0
  #length = 0

  constructor(family: 'ipv4' | 'ipv6', source: PolicySource, set: () => PolicySet) {
    this.family = family
    this.#source = source
    this.#set = set
  }

  /** Makes the view one of another prefix. */
  ask(w0: number, w1: number, w2: number, w3: number, length: number): void {
    this.#w0 = w0
    this.#w1 = w1
    this.#w2 = w2
    this.#w3 = w3
    this.#length = length
  }

  get prefix(): string {
    this.prefixWasRead = true
    const address = this.family === 'ipv4' ? ipv4(this.#w0) : ipv6(this.#w0, this.#w1, this.#w2, this.#w3)
    return formatPrefix({ address, length: this.#length })
  }

  get length(): number {
    this.prefixWasRead = true
    return this.#length
  }

  within(prefix: string): boolean {
    this.prefixWasRead = true
    const network = networkOf(parseCached(prefix))
    return (
      network.family === this.family &&
      this.#length >= network.length &&
      covers(network, this.#w0, this.#w1, this.#w2, this.#w3)
    )
  }

  get local(): boolean {
    return this.#source.local
  }

  get peer(): string | undefined {
    return this.#source.peer
  }

  get peerType(): 'internal' | 'external' | undefined {
    return this.#source.peerType
  }

  get interface(): string | undefined {
    return this.#source.interface
  }

  get nextHop(): string | undefined {
    const { nextHop } = this.#set()
    if (nextHop.length === 0) return undefined
    return formatAddress(addressFromBytes(nextHop, 0, nextHop.length === 4 ? 'ipv4' : 'ipv6'))
  }

  get asPath(): AsPath {
    return this.#set().attributes.asPath ?? []
  }

  get origin(): Origin {
    return this.#set().attributes.origin ?? 'igp'
  }

  get localPreference(): number {
    return this.#set().attributes.localPref ?? 100
  }

  get med(): number | undefined {
    return this.#set().attributes.multiExitDisc
  }

  get communities(): readonly number[] {
    return this.#set().attributes.communities ?? []
  }

  get largeCommunities(): readonly LargeCommunity[] {
    return this.#set().attributes.largeCommunities ?? []
  }

  community(text: string): boolean {
    return this.communities.includes(readCommunity(text))
  }

  largeCommunity(text: string): boolean {
    const wanted = readLargeCommunity(text)
    return this.largeCommunities.some((one) => sameLarge(one, wanted))
  }
}

/** Policies ask with the same few literals again and again. */
const parsed = new Map<string, Prefix>()
const mostParsed = 1000

function parseCached(text: string): Prefix {
  let found = parsed.get(text)
  if (found === undefined) {
    found = parsePrefix(text)
    if (parsed.size >= mostParsed) parsed.clear()
    parsed.set(text, found)
  }
  return found
}
