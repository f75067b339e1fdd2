import { AttributeCode, AttributeFlag } from '../codec/iana.ts'
import { u16At } from '../codec/reader.ts'
import { putU16 } from '../codec/writer.ts'

const withdrawnLengthAt = 19
const attributesAt = 23

/** What an UPDATE of the packer is about: classic withdrawn routes, classic NLRI, or the one MP attribute, its first. */
type Kind = 'withdrawn' | 'classic' | 'multiprotocol'

/**
 * A copy of an UPDATE that the packer has made, less ranges of its NLRI (pairs of offsets in the message, in order);
 * undefined if no NLRI are left.
 */
export function cutNlri(message: Uint8Array, ranges: readonly number[]): Uint8Array | undefined {
  let removed = 0
  for (let i = 0; i < ranges.length; i += 2) removed += (ranges[i + 1] as number) - (ranges[i] as number)
  const kind = kindOf(message)
  if (removed === nlriLength(message, kind)) return undefined

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
  if (kind === 'withdrawn') putU16(copy, withdrawnLengthAt, u16At(message, withdrawnLengthAt) - removed)
  if (kind === 'multiprotocol') {
    putU16(copy, attributesAt - 2, u16At(message, attributesAt - 2) - removed)
    const length = attributeLength(message) - removed
    if (hasLongHead(message)) putU16(copy, attributesAt + 2, length)
    else copy[attributesAt + 2] = length
  }
  return copy
}

function kindOf(message: Uint8Array): Kind {
  if (u16At(message, withdrawnLengthAt) > 0) return 'withdrawn'
  const code = message[attributesAt + 1]
  return code === AttributeCode.mpReachNlri || code === AttributeCode.mpUnreachNlri
    ? 'multiprotocol'
    : 'classic'
}

function nlriLength(message: Uint8Array, kind: Kind): number {
  if (kind === 'withdrawn') return u16At(message, withdrawnLengthAt)
  if (kind === 'classic') return message.length - attributesAt - u16At(message, attributesAt - 2)
  const value = attributesAt + (hasLongHead(message) ? 4 : 3)
  // AFI and SAFI; MP_REACH_NLRI has next hop, its length and a reserved octet before the NLRI.
  const isUnreach = message[attributesAt + 1] === AttributeCode.mpUnreachNlri
  return attributeLength(message) - (isUnreach ? 3 : 5 + (message[value + 3] as number))
}

function hasLongHead(message: Uint8Array): boolean {
  return ((message[attributesAt] as number) & AttributeFlag.extendedLength) !== 0
}

function attributeLength(message: Uint8Array): number {
  return hasLongHead(message) ? u16At(message, attributesAt + 2) : (message[attributesAt + 2] as number)
}
