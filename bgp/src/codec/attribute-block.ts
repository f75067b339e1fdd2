/**
 * A block is the path attributes of an UPDATE as octets. `checkAttributes` holds it against RFC 7606, `decodeAttributes`
 * reads it into plain data, and `encodeAttributes` writes it in canonical form: ordered by code, shortest length
 * field, no Partial bit that did not come with the route. A block's meaning depends on nothing but its octets and the
 * context, so whoever keeps the result of one need not ask again for the same octets.
 */
import { mergeAs4Path } from './as-path.ts'
import { type AttributeDraft, type AttributeRow, attributeName, attributeRows } from './attributes.ts'
import { type CodecContext } from './context.ts'
import { AttributeCode, AttributeFlag, ErrorCode, UpdateSubcode, asTrans } from './iana.ts'
import { type FaultAction, type UpdateFault } from './messages.ts'
import { type OpaqueAttribute, type PathAttributes } from './path-attributes.ts'
import { Reader, copyOf, u16At } from './reader.ts'
import { Writer } from './writer.ts'

const kindBits = AttributeFlag.optional | AttributeFlag.transitive

/** A NOTIFICATION is at most 4,096 octets long, of which 21 come before its data. */
const longestNotificationData = 4075

export function updateFault(
  action: FaultAction,
  rule: string,
  attribute: number | undefined,
  subcode: number,
  reason: string,
  bytes: Uint8Array,
): UpdateFault {
  const copy = copyOf(bytes)
  return {
    action,
    rule,
    attribute,
    reason: attribute === undefined ? reason : `${attributeName(attribute)}: ${reason}`,
    notification: { code: ErrorCode.update, subcode, data: copy.subarray(0, longestNotificationData) },
    bytes: copy,
  }
}

/** RFC 7606 section 3(c), and RFC 4271 section 4.3 for the Partial bit; undefined if the flags fit the row. */
export function flagsProblem(flags: number, row: AttributeRow): string | undefined {
  const partialAllowed = row.flags === kindBits
  if ((flags & kindBits) === row.flags && (partialAllowed || (flags & AttributeFlag.partial) === 0))
    return undefined
  return `its flags 0x${flags.toString(16)} are not those of the attribute`
}

/** The octets of `bytes` from `start` to `end` less the ranges (pairs of offsets in order); a view where that is possible. */
export function without(
  bytes: Uint8Array,
  start: number,
  end: number,
  ranges: readonly number[],
): Uint8Array {
  let from = start
  let to = end
  let first = 0
  let last = ranges.length
  while (first < last && ranges[first] === from) {
    from = ranges[first + 1] ?? from
    first += 2
  }
  while (last > first && ranges[last - 1] === to) {
    to = ranges[last - 2] ?? to
    last -= 2
  }
  if (first >= last) return bytes.subarray(from, to)
  const kept = new Uint8Array(to - from)
  let length = 0
  for (let i = first; i <= last; i += 2) {
    const part = bytes.subarray(from, i < last ? ranges[i] : to)
    kept.set(part, length)
    length += part.length
    from = ranges[i + 1] ?? to
  }
  return kept.subarray(0, length)
}

export interface AttributeCheck {
  /** The block less what is discarded and less unknown non-transitive attributes; a view if it holds no gap. */
  readonly attributes: Uint8Array
  readonly faults: readonly UpdateFault[]
  /** Well-known attributes that are missing: faults if the UPDATE announces anything (RFC 7606 section 3(d)). */
  readonly missing: readonly UpdateFault[]
}

const noFaults: readonly UpdateFault[] = []

/**
 * Holds a block that splitUpdate found against RFC 7606 and the RFCs of the attributes; NEXT_HOP, which only matters
 * to classic NLRI, was looked at there. The result depends on the octets and on `peerType` and `as4` alone.
 */
export function checkAttributes(block: Uint8Array, context: CodecContext): AttributeCheck {
  const end = block.length
  let removed: number[] | undefined
  let faults: UpdateFault[] | undefined
  // Codes seen: the common ones as bits, for a set would cost more than all the rest.
  let seen = 0
  let seenFrom32 = 0
  let seenFrom64: Set<number> | undefined
  let at = 0
  while (end - at >= 3) {
    const flags = block[at] as number
    const code = block[at + 1] as number
    const extended = (flags & AttributeFlag.extendedLength) !== 0
    const valueAt = at + (extended ? 4 : 3)
    const next = valueAt + (extended ? u16At(block, at + 2) : (block[at + 2] as number))
    if (next > end) break
    const row = attributeRows[code]
    let fault: UpdateFault | undefined
    let keep = true
    let twice: boolean
    if (code < 32) {
      twice = (seen & (1 << code)) !== 0
      seen |= 1 << code
    } else if (code < 64) {
      twice = (seenFrom32 & (1 << (code - 32))) !== 0
      seenFrom32 |= 1 << (code - 32)
    } else {
      seenFrom64 ??= new Set()
      twice = seenFrom64.has(code)
      seenFrom64.add(code)
    }
    if (twice) {
      fault = updateFault(
        'discard',
        'RFC 7606 section 3(g)',
        code,
        UpdateSubcode.malformedAttributeList,
        'it appears more than once',
        block.subarray(at, next),
      )
    } else if (row === undefined) {
      if ((flags & AttributeFlag.optional) === 0) {
        fault = updateFault(
          'reset',
          'RFC 4271 section 6.3',
          code,
          UpdateSubcode.unrecognizedWellKnown,
          'a well-known attribute of this code is not known',
          block.subarray(at, next),
        )
      } else keep = (flags & AttributeFlag.transitive) !== 0
    } else if (code !== AttributeCode.nextHop) {
      const reason = flagsProblem(flags, row)
      if (reason !== undefined) {
        fault = updateFault(
          'treat-as-withdraw',
          'RFC 7606 section 3(c)',
          code,
          UpdateSubcode.attributeFlags,
          reason,
          block.subarray(at, next),
        )
      } else {
        const problem = row.check(block, valueAt, next, context)
        if (problem !== undefined) {
          const { action, rule, subcode } = problem
          fault = updateFault(action, rule, code, subcode, problem.reason, block.subarray(at, next))
        }
      }
    }
    if (fault !== undefined) {
      faults ??= []
      faults.push(fault)
      if (fault.action === 'discard') keep = false
    }
    if (!keep) {
      removed ??= []
      if (removed.at(-1) === at) removed[removed.length - 1] = next
      else removed.push(at, next)
    }
    at = next
  }
  return {
    attributes: removed === undefined && at === end ? block : without(block, 0, at, removed ?? []),
    faults: faults ?? noFaults,
    missing: missingAttributes(seen, context),
  }
}

const mandatory: readonly number[] = [AttributeCode.origin, AttributeCode.asPath]
const mandatoryInternal: readonly number[] = [...mandatory, AttributeCode.localPref]

/** `seen` has a bit for each code below 32. */
function missingAttributes(seen: number, context: CodecContext): readonly UpdateFault[] {
  const codes = context.peerType === 'internal' ? mandatoryInternal : mandatory
  if (codes.every((code) => (seen & (1 << code)) !== 0)) return noFaults
  return codes.filter((code) => (seen & (1 << code)) === 0).map(missingFault)
}

/** The data of the NOTIFICATION is the code of the missing attribute (RFC 4271 section 6.3). */
export function missingFault(code: number): UpdateFault {
  return updateFault(
    'treat-as-withdraw',
    'RFC 7606 section 3(d)',
    code,
    UpdateSubcode.missingWellKnown,
    'it is missing',
    Uint8Array.of(code),
  )
}

/**
 * Reads a block into plain data; AS4_PATH and AS4_AGGREGATOR of an old speaker are merged in (RFC 6793 section
 * 4.2.3). Meant for a checked block; of any other it reads what can be read.
 */
export function decodeAttributes(block: Uint8Array, context: CodecContext): PathAttributes {
  const draft: AttributeDraft = {}
  const opaque: OpaqueAttribute[] = []
  const partial: number[] = []
  const seen = new Uint8Array(256)
  const reader = new Reader(block)
  while (reader.remaining >= 3) {
    const flags = reader.u8()
    const code = reader.u8()
    const value = reader.part((flags & AttributeFlag.extendedLength) !== 0 ? reader.u16() : reader.u8())
    if (reader.overran()) break
    if (seen[code] === 1) continue
    seen[code] = 1
    const row = attributeRows[code]
    if (row?.decode !== undefined) {
      row.decode(value, context, draft)
      if (row.flags === kindBits && (flags & AttributeFlag.partial) !== 0) partial.push(code)
    } else if (
      (flags & kindBits) === kindBits &&
      code !== AttributeCode.mpReachNlri &&
      code !== AttributeCode.mpUnreachNlri
    ) {
      // RFC 4271 section 5: what is passed on without being understood is marked as Partial.
      opaque.push({
        flags: kindBits | AttributeFlag.partial,
        code,
        value: copyOf(value.take(value.remaining)),
      })
    }
  }
  if (!context.as4) mergeOldSpeaker(draft)
  delete draft.as4Path
  delete draft.as4Aggregator
  const kept = partial.filter(
    (code) => code !== AttributeCode.as4Path && code !== AttributeCode.as4Aggregator,
  )
  if (kept.length > 0) draft.partial = kept.sort((a, b) => a - b)
  if (opaque.length > 0) draft.opaque = opaque.sort((a, b) => a.code - b.code)
  return draft
}

/** RFC 6793 section 4.2.3: an AGGREGATOR that is not AS_TRANS was set behind the last new speaker: both AS4 are stale. */
function mergeOldSpeaker(draft: AttributeDraft): void {
  const { aggregator, as4Aggregator, asPath, as4Path } = draft
  if (aggregator !== undefined && as4Aggregator !== undefined) {
    if (aggregator.asn !== asTrans) return
    draft.aggregator = as4Aggregator
  }
  if (asPath !== undefined && as4Path !== undefined) draft.asPath = mergeAs4Path(asPath, as4Path)
}

/**
 * The canonical block of a route's attributes. For a peer of two-octet AS numbers, AS4_PATH and AS4_AGGREGATOR are
 * added where a number needs four (RFC 6793 section 4.2.2). Empty lists are left out.
 */
export function encodeAttributes(attributes: PathAttributes, context: CodecContext): Uint8Array {
  const into = new Writer()
  const opaque = attributes.opaque ?? []
  let nextOpaque = 0
  const putOpaque = (below: number): void => {
    for (
      let entry = opaque[nextOpaque];
      entry !== undefined && entry.code < below;
      entry = opaque[++nextOpaque]
    )
      putAttribute(into, entry.flags, entry.code, entry.value)
  }
  for (const row of encodedRows) {
    putOpaque(row.code)
    encodeRow(row, attributes, context, into)
  }
  putOpaque(256)
  return into.finish()
}

const encodedRows = attributeRows.filter((row) => row?.encode !== undefined) as readonly AttributeRow[]

function encodeRow(row: AttributeRow, attributes: PathAttributes, context: CodecContext, into: Writer): void {
  const start = into.length
  const partial = attributes.partial?.includes(row.code) === true ? AttributeFlag.partial : 0
  into.u8(row.flags | partial)
  into.u8(row.code)
  into.u8(0)
  if (row.encode?.(attributes, context, into) !== true) {
    into.truncate(start)
    return
  }
  const length = into.length - start - 3
  if (length <= 255) {
    into.setU8(start + 2, length)
    return
  }
  into.widen(start + 2)
  into.setU8(start, row.flags | partial | AttributeFlag.extendedLength)
  into.setU16(start + 2, length)
}

function putAttribute(into: Writer, flags: number, code: number, value: Uint8Array): void {
  const extended = value.length > 255
  into.u8((flags & ~AttributeFlag.extendedLength) | (extended ? AttributeFlag.extendedLength : 0))
  into.u8(code)
  if (extended) into.u16(value.length)
  else into.u8(value.length)
  into.put(value)
}
