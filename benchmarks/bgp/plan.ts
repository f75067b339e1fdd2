/**
 * What one run of the generator does, and what it tells on the way. A plan is plain data: the runner makes it, the
 * generator carries it out against whatever speaker listens, so every speaker gets the same messages.
 */

/** Who speaks, and about how many routes. */
export interface Population {
  /** Sessions that announce routes. */
  readonly sources: number
  /** Further sessions that only listen. */
  readonly listeners: number
  /** internal: route reflector clients in the speaker's own AS · external: an AS each. */
  readonly peerType: 'internal' | 'external'
  /** Prefixes of each source. */
  readonly prefixes: number
  /** All sources announce the same prefixes; the shortest AS path moves from source to source, phase by phase. */
  readonly shared: boolean
  /** Prefixes that have one attribute set in common. */
  readonly prefixesPerSet: number
  readonly prefixLength: 24 | 26
}

/**
 * phases: announce, change the attributes of, and withdraw everything, each from a settled state.
 * flap: the source withdraws and announces its routes in turn. stall: the last listener stops reading.
 */
export type Course =
  | { readonly kind: 'phases' }
  | {
      readonly kind: 'flap'
      readonly changesPerSecond: number
      readonly warmUpSeconds: number
      readonly seconds: number
    }
  | { readonly kind: 'stall'; readonly roundsBefore: number; readonly roundsAfter: number }

export interface Plan {
  readonly population: Population
  readonly course: Course
  /** Bound of each phase but the first. */
  readonly limitSeconds: number
  /** All sessions are opened at once; those not up by then are opened anew, a few at a time, past any clock. */
  readonly establishLimitSeconds: number
}

export type Phase = 'establish' | 'announce' | 're-announce' | 'withdraw'

/** How long a phase took; `over` if its bound came first. */
export interface Timed {
  readonly seconds: number
  readonly over: boolean
}

/** From the generator to the runner. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'phase'; readonly phase: Phase; readonly timed: Timed }
  | {
      readonly kind: 'flap'
      readonly p50Ms: number
      readonly p99Ms: number
      readonly maxMs: number
      readonly delivered: number
    }
  /** Median seconds of a round for those who read, before and after the last listener has stopped reading. */
  | {
      readonly kind: 'stall'
      readonly stage: 'reading' | 'stalled'
      readonly roundSeconds: number
      readonly over: boolean
    }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'done' }

/** From the runner to the generator: 'go' answers 'ready', 'on' answers a stage of a stall, 'quit' ends it. */
export type Command = 'go' | 'on' | 'quit'

/** The rack's addresses: the speaker's, and one for each session from 10.32.1.0 on. */
export const speakerAddress = '10.32.0.1'
export const speakerAs = 64500
export const clientNetwork = '10.32.0.0/16'

/** Where a speaker listens. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

export const measuredSpeaker: Endpoint = { address: speakerAddress, port: 179 }

export interface Client {
  readonly address: string
  readonly asn: number
  readonly routerId: number
}

const firstClient = 0x0a200100

/** The session of a number, 0 first. */
export function clientOf(index: number, peerType: Population['peerType']): Client {
  const routerId = firstClient + index
  return {
    address: dotted(routerId),
    asn: peerType === 'internal' ? speakerAs : 65001 + index,
    routerId,
  }
}

export function clientsOf({ sources, listeners, peerType }: Population): Client[] {
  return Array.from({ length: sources + listeners }, (_, index) => clientOf(index, peerType))
}

export function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => String((address >>> shift) & 255)).join('.')
}
