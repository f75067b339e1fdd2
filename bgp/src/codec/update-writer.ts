/**
 * Writes UPDATEs into a buffer of the caller's: `begin…` writes what comes before the NLRI and returns where they go,
 * the caller puts as many as fit, and `finish…` fills the lengths in and returns the end of the message. IPv4 unicast
 * over an IPv4 next hop takes the classic fields; everything else takes MP_REACH_NLRI and MP_UNREACH_NLRI, which come
 * first among the attributes (RFC 7606 section 5.1). The caller makes sure that the buffer has room.
 */
import { type CodecContext, maxMessageLength } from './context.ts'
import { headerLength, putHeader } from './frame.ts'
import {
  AttributeCode,
  AttributeFlag,
  type AfiSafi,
  MessageType,
  afiOf,
  ipv4Unicast,
  safiOf,
} from './iana.ts'
import { type NlriRun } from './messages.ts'
import { empty, u16At } from './reader.ts'
import { putOctets, putU16 } from './writer.ts'

const withdrawnAt = headerLength + 2
/** Where attributes begin if no classic route is withdrawn. */
const attributesAt = headerLength + 4
/** Flags, code, two octets of length. */
const longHead = 4
const nextHopLength = 7

function isClassic(family: AfiSafi, nextHop: Uint8Array): boolean {
  return family === ipv4Unicast && nextHop.length === 4
}

/** Octets of an announcing message that are not NLRI, at most. */
export function announceOverhead(
  family: AfiSafi,
  attributes: { readonly length: number },
  nextHop: Uint8Array,
): number {
  return isClassic(family, nextHop)
    ? attributesAt + attributes.length + nextHopLength
    : attributesAt + longHead + 5 + nextHop.length + attributes.length
}

/**
 * Begins an UPDATE that announces routes of one family at `start` and returns the offset for their NLRI.
 * `attributes` is an encoded block without NEXT_HOP; `nextHop` is 4, 16 or 32 octets.
 */
export function beginAnnounce(
  buffer: Uint8Array,
  start: number,
  family: AfiSafi,
  attributes: Uint8Array,
  nextHop: Uint8Array,
): number {
  putU16(buffer, start + headerLength, 0)
  let at = start + attributesAt
  if (isClassic(family, nextHop)) {
    const before = offsetOfNextHop(attributes)
    putU16(buffer, start + attributesAt - 2, attributes.length + nextHopLength)
    at = putOctets(buffer, at, attributes, 0, before)
    at = putNextHop(buffer, at, nextHop)
    return putOctets(buffer, at, attributes, before)
  }
  buffer[at] = AttributeFlag.optional | AttributeFlag.extendedLength
  buffer[at + 1] = AttributeCode.mpReachNlri
  at += longHead
  putU16(buffer, at, afiOf(family))
  buffer[at + 2] = safiOf(family)
  buffer[at + 3] = nextHop.length
  at = putOctets(buffer, at + 4, nextHop)
  buffer[at] = 0
  return at + 1
}

/** Ends the UPDATE of beginAnnounce, given the same arguments, where its NLRI end; returns the message's end. */
export function finishAnnounce(
  buffer: Uint8Array,
  start: number,
  nlriEnd: number,
  family: AfiSafi,
  attributes: Uint8Array,
  nextHop: Uint8Array,
): number {
  let end = nlriEnd
  if (!isClassic(family, nextHop)) {
    end = closeAttribute(buffer, start + attributesAt, nlriEnd)
    end = putOctets(buffer, end, attributes)
    putU16(buffer, start + attributesAt - 2, end - start - attributesAt)
  }
  putHeader(buffer, start, end, MessageType.update)
  return end
}

/** Octets of a withdrawing message that are not NLRI, at most. */
export function withdrawOverhead(family: AfiSafi): number {
  return family === ipv4Unicast ? attributesAt : attributesAt + longHead + 3
}

/** Begins an UPDATE that withdraws routes of one family at `start` and returns the offset for their NLRI. */
export function beginWithdraw(buffer: Uint8Array, start: number, family: AfiSafi): number {
  if (family === ipv4Unicast) return start + withdrawnAt
  putU16(buffer, start + headerLength, 0)
  const at = start + attributesAt
  buffer[at] = AttributeFlag.optional | AttributeFlag.extendedLength
  buffer[at + 1] = AttributeCode.mpUnreachNlri
  putU16(buffer, at + longHead, afiOf(family))
  buffer[at + longHead + 2] = safiOf(family)
  return at + longHead + 3
}

/** Ends the UPDATE of beginWithdraw where its NLRI end; returns the message's end. */
export function finishWithdraw(buffer: Uint8Array, start: number, nlriEnd: number, family: AfiSafi): number {
  let end: number
  if (family === ipv4Unicast) {
    putU16(buffer, start + headerLength, nlriEnd - start - withdrawnAt)
    putU16(buffer, nlriEnd, 0)
    end = nlriEnd + 2
  } else {
    end = closeAttribute(buffer, start + attributesAt, nlriEnd)
    putU16(buffer, start + attributesAt - 2, end - start - attributesAt)
  }
  putHeader(buffer, start, end, MessageType.update)
  return end
}

/** Writes End-of-RIB (RFC 4724 section 2), 23 or 30 octets, and returns its end. */
export function putEndOfRib(buffer: Uint8Array, start: number, family: AfiSafi): number {
  const at = beginWithdraw(buffer, start, family)
  if (family === ipv4Unicast) return finishWithdraw(buffer, start, at, family)
  putU16(buffer, start + attributesAt + 2, 3)
  putU16(buffer, start + attributesAt - 2, longHead + 3)
  putHeader(buffer, start, at, MessageType.update)
  return at
}

/** Fills in the length of an attribute with a long head; one of up to 255 octets gets the short head. */
function closeAttribute(buffer: Uint8Array, at: number, end: number): number {
  const length = end - at - longHead
  if (length > 255) {
    putU16(buffer, at + 2, length)
    return end
  }
  buffer[at] = AttributeFlag.optional
  buffer[at + 2] = length
  buffer.copyWithin(at + 3, at + 4, end)
  return end - 1
}

/** Where NEXT_HOP belongs in a block ordered by code: before the first code above 3. */
function offsetOfNextHop(block: Uint8Array): number {
  let at = 0
  while (at + 3 <= block.length && (block[at + 1] ?? 0) < AttributeCode.nextHop) {
    const extended = ((block[at] ?? 0) & AttributeFlag.extendedLength) !== 0
    at += extended ? 4 + u16At(block, at + 2) : 3 + (block[at + 2] ?? 0)
  }
  return Math.min(at, block.length)
}

function putNextHop(buffer: Uint8Array, at: number, nextHop: Uint8Array): number {
  buffer[at] = AttributeFlag.transitive
  buffer[at + 1] = AttributeCode.nextHop
  buffer[at + 2] = 4
  return putOctets(buffer, at + 3, nextHop)
}

/** The parts of one UPDATE, as Update has them; each list holds at most one classic and one multiprotocol run. */
export interface UpdateParts {
  readonly withdrawn?: readonly NlriRun[]
  readonly announced?: readonly NlriRun[]
  /** With NEXT_HOP if there are classic NLRI, as it was received. */
  readonly attributes?: Uint8Array | undefined
  readonly endOfRib?: AfiSafi | undefined
}

/**
 * One UPDATE as a message of its own, for tools and tests; packing many routes is the business of rib/.
 * @throws RangeError if the parts don't fit into one message
 */
export function encodeUpdate(parts: UpdateParts, context: Pick<CodecContext, 'extendedMessage'>): Uint8Array {
  const { withdrawn = [], announced = [], attributes = empty } = parts
  const [classicWithdrawn, unreach] = byForm(withdrawn, (run) => run.afiSafi === ipv4Unicast)
  const [classicAnnounced, reach] = byForm(announced, (run) => isClassic(run.afiSafi, run.nextHop ?? empty))
  const total = [...withdrawn, ...announced].reduce(
    (sum, run) => sum + run.bytes.length + 48,
    64 + attributes.length,
  )
  const buffer = new Uint8Array(total)
  if (parts.endOfRib !== undefined && withdrawn.length + announced.length + attributes.length === 0)
    return buffer.slice(0, putEndOfRib(buffer, 0, parts.endOfRib))

  let at = withdrawnAt
  if (classicWithdrawn !== undefined) {
    buffer.set(classicWithdrawn.bytes, at)
    at += classicWithdrawn.bytes.length
  }
  putU16(buffer, headerLength, at - withdrawnAt)
  const blockAt = at + 2
  at = blockAt
  if (reach !== undefined) at = putMultiprotocol(buffer, at, AttributeCode.mpReachNlri, reach)
  if (unreach !== undefined) at = putMultiprotocol(buffer, at, AttributeCode.mpUnreachNlri, unreach)
  buffer.set(attributes, at)
  at += attributes.length
  putU16(buffer, blockAt - 2, at - blockAt)
  if (classicAnnounced !== undefined) {
    buffer.set(classicAnnounced.bytes, at)
    at += classicAnnounced.bytes.length
  }
  const longest = maxMessageLength(context)
  if (at > longest) throw new RangeError(`an UPDATE of ${String(at)} octets exceeds ${String(longest)}`)
  putHeader(buffer, 0, at, MessageType.update)
  return buffer.slice(0, at)
}

function byForm(
  runs: readonly NlriRun[],
  classic: (run: NlriRun) => boolean,
): [classic: NlriRun | undefined, multiprotocol: NlriRun | undefined] {
  const first = runs.filter(classic)
  const second = runs.filter((run) => !classic(run))
  if (first.length > 1 || second.length > 1) throw new RangeError('one UPDATE holds one run of each form')
  return [first[0], second[0]]
}

function putMultiprotocol(buffer: Uint8Array, start: number, code: number, run: NlriRun): number {
  buffer[start] = AttributeFlag.optional | AttributeFlag.extendedLength
  buffer[start + 1] = code
  let at = start + longHead
  putU16(buffer, at, afiOf(run.afiSafi))
  buffer[at + 2] = safiOf(run.afiSafi)
  at += 3
  if (code === AttributeCode.mpReachNlri) {
    const nextHop = run.nextHop ?? empty
    buffer[at] = nextHop.length
    buffer.set(nextHop, at + 1)
    at += 1 + nextHop.length
    buffer[at++] = 0
  }
  buffer.set(run.bytes, at)
  return closeAttribute(buffer, start, at + run.bytes.length)
}
