/** What mutated messages are thrown at. */
import {
  type CodecContext,
  type MessageFault,
  type Update,
  checkAttributes,
  decodeAttributes,
  decodeMessage,
  encodeAttributes,
  encodeMessage,
  formatAttributes,
  formatNotification,
  frame,
  ipv4Unicast,
  ipv6Unicast,
  maxMessageLength,
  nlriPrefixes,
  plainContext,
} from '@network/bgp/codec'
import { sessionTarget } from './session-target.ts'

export interface FuzzTarget {
  /** How many messages came out as what. */
  readonly outcomes: Map<string, number>
  /** Whether a message is worth feeding; one that is not is made anew. Default: all are. */
  wants?(message: Uint8Array, turn: number): boolean
  /** Takes one message; throws if something is wrong that is more than the message itself. */
  feed(message: Uint8Array, turn: number): void | Promise<void>
  /** Seeds that this target learns most from, each as often as it shall come; default: all, once. */
  chooseSeeds?(seeds: readonly Uint8Array[]): readonly Uint8Array[]
  /** After the last message. */
  close?(): Promise<void>
}

const both = new Set([ipv4Unicast, ipv6Unicast])

const contexts: readonly CodecContext[] = [
  plainContext,
  { ...plainContext, peerType: 'internal' },
  { ...plainContext, as4: false },
  { ...plainContext, addPath: both, extendedNextHop: new Set([ipv4Unicast]), extendedMessage: true },
  { ...plainContext, peerType: 'internal', as4: false, families: new Set([ipv6Unicast]) },
]

/**
 * The codec, in every kind of context in turn: what it accepts must be readable as a whole, and its canonical form
 * must be accepted again without a fault.
 */
export function codecTarget(): FuzzTarget {
  const outcomes = new Map<string, number>()
  return {
    outcomes,
    feed: (message, turn) => {
      feedCodec(message, turn, outcomes)
    },
  }
}

function feedCodec(message: Uint8Array, turn: number, outcomes: Map<string, number>): void {
  const context = contexts[turn % contexts.length] ?? plainContext
  frame(message, 0, message.length, maxMessageLength(context))
  const decoded = decodeMessage(message, context)
  const outcome =
    decoded.type === 'fault'
      ? `event ${String(decoded.event)}`
      : decoded.type === 'update' && decoded.faults.length > 0
        ? `update, ${decoded.announced.length > 0 ? 'discard' : 'treat-as-withdraw or ignored'}`
        : decoded.type
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  if (decoded.type === 'update') readUpdate(decoded, context)
  else if (decoded.type === 'fault') readFault(decoded)
  else {
    if (decoded.type === 'notification') formatNotification(decoded)
    encodeMessage(decoded, context)
  }
}

function readUpdate(update: Update, context: CodecContext): void {
  for (const run of [...update.announced, ...update.withdrawn]) {
    let count = 0
    for (const { prefix } of nlriPrefixes(run)) if (prefix.length <= 128) count++
    if (count !== run.count) throw new Error(`a run of ${String(run.count)} prefixes yields ${String(count)}`)
  }
  if (update.attributes === undefined) return
  const attributes = decodeAttributes(update.attributes, context)
  formatAttributes(attributes)
  const again = checkAttributes(encodeAttributes(attributes, context), context)
  const fault = [...again.faults, ...again.missing][0]
  if (fault !== undefined)
    throw new Error(`the canonical form of accepted attributes is refused: ${fault.reason}`)
}

function readFault(fault: MessageFault): void {
  const text = formatNotification(fault.notification)
  if (text === '' || fault.reason === '') throw new Error('a fault that says nothing')
}

/** Targets by the name that the command line knows. */
export const fuzzTargets = new Map<string, () => FuzzTarget | Promise<FuzzTarget>>([
  ['codec', codecTarget],
  ['session', sessionTarget],
])
