/*
 * A whole speaker behind fake sockets, with external and internal neighbours that are fed the mutated messages. The codec
 * alone is the oracle of what must become of their sessions, which are opened again when a message has rightly ended
 * them. Most messages that end a session go to neighbours of which nothing else is expected, so that the others live
 * to bring routes. One more neighbour, a client of reflection, only listens: whatever the speaker makes of what it took in
 * must be without fault for the decoder.
 */
import { type Speaker, createSpeaker } from '@network/bgp'
import {
  type CodecContext,
  MessageType,
  decodeMessage,
  encodeKeepalive,
  frame,
  ipv4Unicast,
  ipv6Unicast,
  maxMessageLength,
  plainContext,
} from '@network/bgp/codec'
import { type RawPeer, RawWire, splitMessages } from '../../bgp/test/speaker/raw-peer.ts'
import { type FuzzTarget } from './fuzz-target.ts'

const ownAsn = 64512
/** Prefixes that a neighbour may have, per family: what the memory is bounded by. */
const prefixLimit = 3000
/** How many UPDATEs that leave the session up there are for each other message. */
const updateWeight = 16
/** Two of so many messages go to the neighbours that bring routes whatever it does to them. */
const rareEnd = 1000
/** Of so many messages that end a session, one is fed: the decoder that ends it is a target of its own. */
const endsPerFed = 4
/** Messages between two turns of the speaker's own. */
const burst = 32

/** One of the neighbours that are fed. */
interface Fed {
  readonly address: string
  readonly asn: number
  readonly routerId: number
  readonly context: CodecContext
  raw: RawPeer | undefined
}

type Verdict = 'stays' | 'ends' | 'waits'

/** What must become of an established session by a message, and a word for the count. */
interface Judgement {
  readonly verdict: Verdict
  readonly outcome: string
}

function judge(message: Uint8Array, context: CodecContext): Judgement {
  let at = 0
  // A length field that is too small makes several messages of one.
  while (at < message.length) {
    const length = frame(message, at, message.length, maxMessageLength(context))
    if (typeof length !== 'number') return { verdict: 'ends', outcome: 'header error' }
    if (length === 0) return { verdict: 'waits', outcome: 'incomplete' }
    const decoded = decodeMessage(message.subarray(at, at + length), context)
    at += length
    if (decoded.type === 'fault') return { verdict: 'ends', outcome: `event ${String(decoded.event)}` }
    if (decoded.type === 'open' || decoded.type === 'notification')
      return { verdict: 'ends', outcome: decoded.type }
    if (at < message.length) continue
    if (decoded.type !== 'update') return { verdict: 'stays', outcome: decoded.type }
    const withdrawn = decoded.faults.some(({ action }) => action === 'treat-as-withdraw')
    const outcome = decoded.faults.length === 0 ? 'update' : withdrawn ? 'treat-as-withdraw' : 'discard'
    return { verdict: 'stays', outcome }
  }
  return { verdict: 'stays', outcome: 'nothing' }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class SessionTarget implements FuzzTarget {
  readonly outcomes = new Map<string, number>()
  readonly #speaker: Speaker
  readonly #wire: RawWire
  readonly #steady: readonly Fed[]
  readonly #ending: readonly Fed[]
  #judged: { readonly message: Uint8Array; readonly judgement: Judgement } | undefined
  #endings = 0
  #observer: RawPeer | undefined
  #observed = 0
  #sinceTurn = 0

  constructor(speaker: Speaker, wire: RawWire) {
    this.#speaker = speaker
    this.#wire = wire
    const families = new Set([ipv4Unicast, ipv6Unicast])
    const external = { ...plainContext, families }
    const internal = { ...plainContext, peerType: 'internal', families } as const
    const fed = (n: number, asn: number, context: CodecContext): Fed => ({
      address: `10.0.0.${String(n)}`,
      asn,
      routerId: 0x0a000000 + n,
      context,
      raw: undefined,
    })
    this.#steady = [fed(2, 65001, external), fed(3, ownAsn, internal)]
    this.#ending = [fed(4, 65001, external), fed(5, ownAsn, internal)]
  }

  /** An OPEN or a NOTIFICATION ends a session whatever is in it: UPDATEs that don't are to be many. */
  chooseSeeds(seeds: readonly Uint8Array[]): readonly Uint8Array[] {
    const lasts = (seed: Uint8Array): boolean =>
      seed[18] === MessageType.update &&
      this.#steady.every(({ context }) => judge(seed, context).verdict === 'stays')
    return seeds.flatMap((seed) => new Array<Uint8Array>(lasts(seed) ? updateWeight : 1).fill(seed))
  }

  wants(message: Uint8Array, at: number): boolean {
    const { verdict } = this.#judge(message, at)
    return verdict !== 'ends' || this.#endings++ % endsPerFed === 0
  }

  async feed(message: Uint8Array, at: number): Promise<void> {
    if (this.#observer === undefined || this.#observer.closed) await this.#listen()
    const kind = at % 2
    const steady = this.#steady[kind]
    const ending = this.#ending[kind]
    if (steady === undefined || ending === undefined) return
    const { verdict, outcome } = this.#judge(message, at)
    const fed = verdict === 'stays' || at % rareEnd < 2 ? steady : ending
    const raw = fed.raw ?? (await this.#open(fed))
    raw.send(message)
    this.#count(outcome)
    if (raw.closed !== (verdict === 'ends')) {
      throw new Error(
        `the session ${raw.closed ? 'has ended' : 'is still up'}, but the message is: ${outcome}; ` +
          JSON.stringify(this.#status(fed)?.lastError),
      )
    }
    if (verdict === 'ends') fed.raw = undefined
    if (verdict === 'waits') {
      // The rest never comes: what follows would be taken for it.
      raw.hangUp()
      fed.raw = undefined
    }
    if (++this.#sinceTurn >= burst) {
      this.#sinceTurn = 0
      await turn()
    }
  }

  async close(): Promise<void> {
    await turn()
    const { ipv4, ipv6 } = this.#speaker.peers().find(({ address }) => address === '10.0.0.9')?.prefixes ?? {}
    this.#count('prefixes at the end', (ipv4?.advertised ?? 0) + (ipv6?.advertised ?? 0))
    this.#count('messages sent on', this.#observed)
    if (this.#observed === 0) throw new Error('nothing was sent on: nothing of it was checked')
    await this.#speaker.stop()
  }

  #judge(message: Uint8Array, at: number): Judgement {
    if (this.#judged?.message !== message) {
      const context = this.#steady[at % 2]?.context ?? plainContext
      this.#judged = { message, judgement: judge(message, context) }
    }
    return this.#judged.judgement
  }

  async #open(fed: Fed): Promise<RawPeer> {
    // A session that ended by a fault waits in Idle; a range's next session starts as soon as its last is swept.
    for (let tries = 0; tries < 1000; tries++) {
      const raw = this.#wire.dial(fed.address)
      raw.written = undefined
      raw.open(fed)
      // Were it open and not established, the next message would end it against all expectation.
      if (!raw.closed) {
        fed.raw = raw
        this.#count('sessions')
        return raw
      }
      await turn()
    }
    throw new Error(
      `the session with ${fed.address} does not come back: ${JSON.stringify(this.#status(fed))}`,
    )
  }

  async #listen(): Promise<void> {
    if (this.#observer !== undefined)
      throw new Error('the session of the neighbour that only listens has ended')
    const context = {
      ...plainContext,
      peerType: 'internal',
      families: new Set([ipv4Unicast, ipv6Unicast]),
    } as const
    const observer = this.#wire.dial('10.0.0.9')
    observer.written = undefined
    observer.onWrite = (bytes) => {
      for (const message of splitMessages([bytes])) {
        this.#observed++
        const decoded = decodeMessage(message, context)
        const wrong =
          decoded.type === 'fault'
            ? decoded.reason
            : decoded.type === 'update'
              ? decoded.faults[0]?.reason
              : undefined
        if (wrong !== undefined)
          throw new Error(`the speaker sends on: ${wrong}: ${Buffer.from(message).toString('hex')}`)
      }
    }
    observer.open({ asn: ownAsn, routerId: 0x0a000009, holdTimeSeconds: 0 })
    this.#observer = observer
    await turn()
    observer.send(encodeKeepalive())
  }

  #status({ address }: Fed): ReturnType<Speaker['peers']>[number] | undefined {
    return this.#speaker.peers().find((peer) => peer.address === address)
  }

  #count(outcome: string, by = 1): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + by)
  }
}

/** A speaker with five neighbours; made anew for every run. */
export async function sessionTarget(): Promise<FuzzTarget> {
  const wire = new RawWire()
  const speaker = createSpeaker(
    { asn: ownAsn, routerId: '10.0.0.1', listen: ['10.0.0.1:179'] },
    { sockets: wire.sockets, interfaces: () => [{ device: 'eth0', address: '10.0.0.1', length: 24 }] },
  )
  await speaker.ready()
  const limits = { in: { ipv4: prefixLimit, ipv6: prefixLimit, action: 'ignore' } } as const
  const timers = { holdTimeSeconds: 0 }
  for (const n of [2, 4]) {
    speaker.peer({ range: `10.0.0.${String(n)}/32`, asn: 65001, prefixLimit: limits, timers })
    speaker.peer({ range: `10.0.0.${String(n + 1)}/32`, asn: 'internal', prefixLimit: limits, timers })
  }
  speaker.peer({ address: '10.0.0.9', asn: 'internal', passive: true, routeReflectorClient: true, timers })
  return new SessionTarget(speaker, wire)
}
