/**
 * Changes a block of path attributes octet by octet. On their way to a peer most routes need no more than this:
 * attributes left out, an AS number put before AS_PATH, attributes given that are missing. What comes out is what
 * decodeAttributes, the same changes and encodeAttributes would make of the block, without an object for any of it.
 * A block that is not in canonical form, or needs more than that, is left to them.
 */
import { attributeRows } from './attributes.ts'
import { AttributeCode, AttributeFlag } from './iana.ts'
import { u16At } from './reader.ts'
import { putOctets, putU32 } from './writer.ts'

export interface BlockEdit {
  /** Attributes left out besides NEXT_HOP: a bit for each code, all of them below 32. */
  readonly drop: number
  /** AS number put before AS_PATH. */
  readonly prepend: number | undefined
  /** Given to a block that has none. AS_PATH is given in any case. */
  readonly localPref: number | undefined
  readonly originatorId: number | undefined
  readonly onlyToCustomer: number | undefined
  /** Put before CLUSTER_LIST. */
  readonly clusterId: number | undefined
  /** The route goes to another AS, where non-transitive extended communities do not follow it (RFC 4360 section 6). */
  readonly leavesAs: boolean
}

/** Octets that a block may grow by. */
export const editGrowth = 40

const path = AttributeCode.asPath
const sequence = 2
const pastAllCodes = 256
const wellKnown = AttributeFlag.transitive
const optional = AttributeFlag.optional
const optionalTransitive = AttributeFlag.optional | AttributeFlag.transitive

/** Flags of each attribute that may be copied as it is, 0 for all others. */
const flagsOf = new Uint8Array(256)
for (const row of attributeRows)
  if (
    row?.encode !== undefined &&
    row.code !== AttributeCode.as4Path &&
    row.code !== AttributeCode.as4Aggregator
  )
    flagsOf[row.code] = row.flags

/**
 * Writes the block between two offsets of `bytes`, changed, to `at` and returns where it ends; -1 if it has to be
 * decoded for that. The block has been checked and has four-octet AS numbers, and so has the result; `into` has room
 * for `editGrowth` octets more than the block.
 */
export function editBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  edit: BlockEdit,
  into: Uint8Array,
  at: number,
): number {
  let last = 0
  let from = start
  let to = at
  for (;;) {
    const there = from < end
    if (there && end - from < 3) return -1
    const flags = there ? (bytes[from] as number) : 0
    const code = there ? (bytes[from + 1] as number) : pastAllCodes
    if (code <= last) return -1
    to = putMissing(edit, last, code, into, to)
    if (!there) return to

    const extended = (flags & AttributeFlag.extendedLength) !== 0
    const length = extended ? u16At(bytes, from + 2) : (bytes[from + 2] as number)
    const value = from + (extended ? 4 : 3)
    const next = value + length
    if (next > end || extended !== length > 255 || !isPlain(flags, code)) return -1
    last = code
    if (code === path) {
      to = putPath(bytes, from, value, next, edit, into, to)
      if (to < 0) return -1
    } else if (code === AttributeCode.clusterList && edit.clusterId !== undefined) {
      if (length > 251) return -1
      to = putHead(into, to, flags, code, length + 4)
      putU32(into, to, edit.clusterId)
      to = putOctets(into, to + 4, bytes, value, next)
    } else if (code !== AttributeCode.nextHop && (code > 31 || (edit.drop & (1 << code)) === 0)) {
      if (code === AttributeCode.extendedCommunities && edit.leavesAs && !allTransitive(bytes, value, next))
        return -1
      to = putOctets(into, to, bytes, from, next)
    }
    from = next
  }
}

/** Whether the flags are those that encodeAttributes writes, for an attribute that is copied octet by octet. */
function isPlain(flags: number, code: number): boolean {
  const known = flagsOf[code] as number
  if (known === 0) return false
  const without = flags & ~AttributeFlag.extendedLength
  return without === known || (known === optionalTransitive && without === (known | AttributeFlag.partial))
}

/** Attributes with codes between two that the block lacks and the edit gives. */
function putMissing(edit: BlockEdit, last: number, code: number, into: Uint8Array, at: number): number {
  let to = at
  if (last < path && code > path) {
    to = putHead(into, to, wellKnown, path, edit.prepend === undefined ? 0 : 6)
    if (edit.prepend !== undefined) to = putSegment(into, to, 1, edit.prepend)
  }
  to = putWord(edit.localPref, wellKnown, AttributeCode.localPref, last, code, into, to)
  to = putWord(edit.originatorId, optional, AttributeCode.originatorId, last, code, into, to)
  to = putWord(edit.clusterId, optional, AttributeCode.clusterList, last, code, into, to)
  return putWord(edit.onlyToCustomer, optionalTransitive, AttributeCode.onlyToCustomer, last, code, into, to)
}

function putWord(
  word: number | undefined,
  flags: number,
  wanted: number,
  last: number,
  code: number,
  into: Uint8Array,
  at: number,
): number {
  if (word === undefined || last >= wanted || code <= wanted) return at
  const to = putHead(into, at, flags, wanted, 4)
  putU32(into, to, word)
  return to + 4
}

/** AS_PATH with a number put before it; -1 if its segments are no simple case. */
function putPath(
  bytes: Uint8Array,
  from: number,
  value: number,
  end: number,
  edit: BlockEdit,
  into: Uint8Array,
  at: number,
): number {
  for (let segment = value; segment < end;) {
    const count = bytes[segment + 1] as number
    if (count === 0 || (edit.leavesAs && (bytes[segment] as number) > sequence)) return -1
    segment += 2 + count * 4
    if (segment > end) return -1
  }
  const { prepend } = edit
  if (prepend === undefined) return putOctets(into, at, bytes, from, end)
  if (end - value > 249) return -1
  const joins = value < end && bytes[value] === sequence
  const count = joins ? (bytes[value + 1] as number) : 0
  const to = putHead(into, at, wellKnown, path, end - value + (joins ? 4 : 6))
  return putOctets(into, putSegment(into, to, count + 1, prepend), bytes, joins ? value + 2 : value, end)
}

/** Head of a sequence and its first number. */
function putSegment(into: Uint8Array, at: number, count: number, asn: number): number {
  into[at] = sequence
  into[at + 1] = count
  putU32(into, at + 2, asn)
  return at + 6
}

function putHead(into: Uint8Array, at: number, flags: number, code: number, length: number): number {
  into[at] = flags
  into[at + 1] = code
  into[at + 2] = length
  return at + 3
}

/** RFC 4360 section 3.1: the T bit of the type tells communities that stay within an AS. */
function allTransitive(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i += 8) if (((bytes[i] as number) & 0x40) !== 0) return false
  return true
}
