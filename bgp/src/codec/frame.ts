import { ErrorCode, HeaderSubcode, MessageType } from './iana.ts'
import { type MessageFault } from './messages.ts'
import { empty, u16At } from './reader.ts'
import { putU16 } from './writer.ts'

/**
 * RFC 4271 section 4.1
 *
 *     0                   1                   2                   3
 *     +---------------------------------------------------------------+
 *     |                    Marker, 16 octets of ones                  |
 *     +-------------------------------+---------------+---------------+
 *     |            Length             |     Type      |
 *     +-------------------------------+---------------+
 */
export const headerLength = 19

const minimumLength: Readonly<Record<number, number>> = {
  [MessageType.open]: 29,
  [MessageType.update]: 23,
  [MessageType.notification]: 21,
  [MessageType.keepalive]: 19,
  [MessageType.routeRefresh]: 23,
}

/** A fault in the header: BGPHeaderErr (event 21). */
function headerFault(subcode: number, reason: string, data: Uint8Array = empty): MessageFault {
  return {
    type: 'fault',
    notification: { code: ErrorCode.messageHeader, subcode, data },
    event: 21,
    reason,
    faults: [],
  }
}

/** RFC 4271 section 6.1: the data is the erroneous length field. */
export function badLength(length: number, reason: string): MessageFault {
  return headerFault(HeaderSubcode.badLength, reason, Uint8Array.of(length >>> 8, length & 0xff))
}

/**
 * The length in octets of the message that begins at `start`: 0 if `buffer` doesn't hold it as a whole before `end`,
 * or what is wrong with its header (RFC 4271 section 6.1), which is told as soon as it can be seen.
 * `maxLength` is maxMessageLength(context); an OPEN or KEEPALIVE may never be longer than 4,096 (RFC 8654 section 4).
 */
export function frame(
  buffer: Uint8Array,
  start: number,
  end: number,
  maxLength: number,
): number | MessageFault {
  const available = Math.min(end, buffer.length) - start
  const marker = Math.min(available, 16)
  for (let i = 0; i < marker; i++) {
    if (buffer[start + i] !== 0xff)
      return headerFault(HeaderSubcode.notSynchronized, `octet ${String(i)} of the marker is not 255`)
  }
  if (available < headerLength) return 0
  const length = u16At(buffer, start + 16)
  const type = buffer[start + 18] ?? 0
  if (length < headerLength || length > maxLength)
    return badLength(
      length,
      `a length of ${String(length)} octets lies outside of 19 to ${String(maxLength)}`,
    )
  const minimum = minimumLength[type]
  if (minimum === undefined)
    return headerFault(
      HeaderSubcode.badType,
      `message type ${String(type)} is not known`,
      Uint8Array.of(type),
    )
  if (length < minimum)
    return badLength(length, `a message of type ${String(type)} takes at least ${String(minimum)} octets`)
  if (type === MessageType.keepalive && length !== headerLength)
    return badLength(length, 'a KEEPALIVE is 19 octets long')
  if (type === MessageType.open && length > 4096)
    return badLength(length, 'an OPEN is at most 4,096 octets long')
  return available < length ? 0 : length
}

/** Writes a header at `start` of the message that ends at `end`. */
export function putHeader(buffer: Uint8Array, start: number, end: number, type: number): void {
  for (let i = start; i < start + 16; i++) buffer[i] = 0xff
  putU16(buffer, start + 16, end - start)
  buffer[start + 18] = type
}
