import { AttributeCode, AttributeFlag } from '../codec/iana.ts'
import { u16At } from '../codec/reader.ts'
import { putU16 } from '../codec/writer.ts'

const withdrawnLengthAt = 19
const attributesAt = 23

/**
 * A copy of an UPDATE that the packer has made, less ranges of its NLRI (pairs of offsets in the message, in order);
 * undefined if no NLRI are left. Such a message is about one thing: classic withdrawn routes, classic NLRI, or one
 * MP attribute, which comes first.
 */
export function cutNlri(message: Uint8Array, ranges: readonly number[]): Uint8Array | undefined {
  let removed = 0
  for (let i = 0; i < ranges.length; i += 2) removed += (ranges[i + 1] as number) - (ranges[i] as number)
  const copy = new Uint8Array(message.length - removed)
  let from = 0
  let at = 0
  for (let i = 0; i <= ranges.length; i += 2) {
    const to = ranges[i] ?? message.length
    copy.set(message.subarray(from, to), at)
    at += to - from
    from = ranges[i + 1] ?? message.length
  }
  putU16(copy, 16, copy.length)

  const withdrawn = u16At(message, withdrawnLengthAt)
  if (withdrawn > 0) {
    putU16(copy, withdrawnLengthAt, withdrawn - removed)
    return withdrawn === removed ? undefined : copy
  }
  const attributes = u16At(message, attributesAt - 2)
  const code = message[attributesAt + 1]
  if (code !== AttributeCode.mpReachNlri && code !== AttributeCode.mpUnreachNlri)
    return attributesAt + attributes + removed === message.length ? undefined : copy

  putU16(copy, attributesAt - 2, attributes - removed)
  const long = ((message[attributesAt] as number) & AttributeFlag.extendedLength) !== 0
  const length = long ? u16At(message, attributesAt + 2) : (message[attributesAt + 2] as number)
  if (long) putU16(copy, attributesAt + 2, length - removed)
  else copy[attributesAt + 2] = length - removed
  const value = attributesAt + (long ? 4 : 3)
  // AFI and SAFI; MP_REACH_NLRI has next hop, its length and a reserved octet before the NLRI.
  const head = code === AttributeCode.mpUnreachNlri ? 3 : 5 + (message[value + 3] as number)
  return head + removed === length ? undefined : copy
}
