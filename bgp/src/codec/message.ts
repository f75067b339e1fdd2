/** One face for the five types of BGP messages; each has a file of its own beside this one. */
import { type CodecContext, maxMessageLength } from './context.ts'
import { badLength, frame, headerLength, putHeader } from './frame.ts'
import { ErrorCode, MessageType, RefreshSubtype, RouteRefreshSubcode, afiOf, safiOf } from './iana.ts'
import { type Keepalive, type Message, type MessageFault, type RouteRefresh } from './messages.ts'
import { decodeNotification, encodeNotification } from './notification.ts'
import { decodeOpen, encodeOpen } from './open.ts'
import { copyOf, u16At } from './reader.ts'
import { encodeUpdate } from './update-writer.ts'
import { decodeUpdate } from './update.ts'
import { putU16 } from './writer.ts'

/**
 * Reads one whole message, header included, as `frame` delimits it. Gives a message or a fault for any octets and
 * never throws. Views in an Update point into `bytes`; all else is copied.
 */
export function decodeMessage(bytes: Uint8Array, context: CodecContext): Message | MessageFault {
  const length = frame(bytes, 0, bytes.length, maxMessageLength(context))
  if (typeof length !== 'number') return length
  if (length === 0 || length !== bytes.length)
    return badLength(u16At(bytes, 16), `${String(bytes.length)} octets are there`)
  switch (bytes[18]) {
    case MessageType.open:
      return decodeOpen(bytes)
    case MessageType.update:
      return decodeUpdate(bytes, context)
    case MessageType.notification:
      return decodeNotification(bytes)
    case MessageType.routeRefresh:
      return decodeRouteRefresh(bytes)
    default:
      return keepalive
  }
}

/** The octets of a message; for an UPDATE one that fits into one message. */
export function encodeMessage(message: Message, context: Pick<CodecContext, 'extendedMessage'>): Uint8Array {
  switch (message.type) {
    case 'open':
      return encodeOpen(message)
    case 'update':
      return encodeUpdate(message, context)
    case 'notification':
      return encodeNotification(message)
    case 'route-refresh':
      return encodeRouteRefresh(message)
    case 'keepalive':
      return encodeKeepalive()
  }
}

export { encodeNotification, encodeOpen, encodeUpdate }

export const keepalive: Keepalive = { type: 'keepalive' }

export function encodeKeepalive(): Uint8Array {
  const message = new Uint8Array(headerLength)
  putHeader(message, 0, headerLength, MessageType.keepalive)
  return message
}

/**
 * RFC 2918 section 3, RFC 7313 section 3.2
 *
 *     +-----+---------+------+
 *     | AFI | Subtype | SAFI |
 *     |  2  |    1    |  1   |
 *     +-----+---------+------+
 *
 * A request may be longer, with filters that were not negotiated (RFC 5291) and are not looked at; the demarcations of
 * RFC 7313 may not (its section 5).
 */
export function decodeRouteRefresh(bytes: Uint8Array): RouteRefresh | MessageFault {
  const subtype = bytes[headerLength + 2] ?? 0
  const demarcation = subtype === RefreshSubtype.begin || subtype === RefreshSubtype.end
  if (bytes.length < headerLength + 4) return badLength(bytes.length, 'a ROUTE-REFRESH takes 23 octets')
  if (demarcation && bytes.length !== headerLength + 4) {
    const notification = {
      code: ErrorCode.routeRefresh,
      subcode: RouteRefreshSubcode.invalidMessageLength,
      data: copyOf(bytes.subarray(0, 4075)),
    }
    const reason = `a ROUTE-REFRESH of subtype ${String(subtype)} is ${String(bytes.length)} octets long instead of 23`
    return { type: 'fault', notification, event: 28, reason, faults: [] }
  }
  const afiSafi = (u16At(bytes, headerLength) << 8) | (bytes[headerLength + 3] ?? 0)
  return { type: 'route-refresh', afiSafi, subtype }
}

export function encodeRouteRefresh({ afiSafi, subtype }: Omit<RouteRefresh, 'type'>): Uint8Array {
  const message = new Uint8Array(headerLength + 4)
  putU16(message, headerLength, afiOf(afiSafi))
  message[headerLength + 2] = subtype
  message[headerLength + 3] = safiOf(afiSafi)
  putHeader(message, 0, message.length, MessageType.routeRefresh)
  return message
}
