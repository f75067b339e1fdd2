import { headerLength, putHeader } from './frame.ts'
import { CeaseSubcode, ErrorCode, MessageType } from './iana.ts'
import { type Notification, type NotificationContent } from './messages.ts'
import { copyOf, empty } from './reader.ts'

/**
 * Reads a NOTIFICATION, given as a whole message with its header (RFC 4271 section 4.5).
 *
 *     +------------+---------------+------+
 *     | Error code | Error subcode | Data |
 *     +------------+---------------+------+
 */
export function decodeNotification(bytes: Uint8Array): Notification {
  return {
    type: 'notification',
    code: bytes[headerLength] ?? 0,
    subcode: bytes[headerLength + 1] ?? 0,
    data: copyOf(bytes.subarray(headerLength + 2)),
  }
}

/** Data past 4,075 octets is cut off. */
export function encodeNotification({ code, subcode, data }: NotificationContent): Uint8Array {
  const kept = data.subarray(0, 4096 - headerLength - 2)
  const message = new Uint8Array(headerLength + 2 + kept.length)
  message[headerLength] = code
  message[headerLength + 1] = subcode
  message.set(kept, headerLength + 2)
  putHeader(message, 0, message.length, MessageType.notification)
  return message
}

const utf8 = new TextDecoder('utf-8')
const octets = new TextEncoder()

/**
 * The text that an operator sent along with an administrative shutdown or reset (RFC 9003 section 2); undefined if
 * there is none. Octets that are not UTF-8 come out as U+FFFD, control characters as spaces.
 */
export function shutdownCommunication({ code, subcode, data }: NotificationContent): string | undefined {
  if (code !== ErrorCode.cease) return undefined
  if (subcode !== CeaseSubcode.administrativeShutdown && subcode !== CeaseSubcode.administrativeReset)
    return undefined
  const length = data[0] ?? 0
  if (length === 0 || length + 1 > data.length) return undefined
  return utf8.decode(data.subarray(1, 1 + length)).replace(/\p{Cc}/gu, ' ')
}

/** A Cease of administrative shutdown or reset with a text of up to 255 octets, cut between characters. */
export function administrativeCease(
  subcode: typeof CeaseSubcode.administrativeShutdown | typeof CeaseSubcode.administrativeReset,
  text = '',
): NotificationContent {
  if (text === '') return { code: ErrorCode.cease, subcode, data: empty }
  const data = new Uint8Array(256)
  const { written } = octets.encodeInto(text, data.subarray(1))
  data[0] = written
  return { code: ErrorCode.cease, subcode, data: data.subarray(0, written + 1) }
}

/** RFC 8538 section 3.1: wraps a NOTIFICATION that is to end graceful restart too. */
export function hardReset({ code, subcode, data }: NotificationContent): NotificationContent {
  const wrapped = new Uint8Array(2 + data.length)
  wrapped[0] = code
  wrapped[1] = subcode
  wrapped.set(data, 2)
  return { code: ErrorCode.cease, subcode: CeaseSubcode.hardReset, data: wrapped }
}

/** What a hard reset wraps; undefined if the NOTIFICATION is none. A hard reset without content wraps a bare Cease. */
export function unwrapHardReset({
  code,
  subcode,
  data,
}: NotificationContent): NotificationContent | undefined {
  if (code !== ErrorCode.cease || subcode !== CeaseSubcode.hardReset) return undefined
  if (data.length < 2) return { code: ErrorCode.cease, subcode: 0, data: empty }
  return { code: data[0] ?? 0, subcode: data[1] ?? 0, data: data.subarray(2) }
}

const names: Readonly<
  Record<number, { readonly name: string; readonly subcodes: Readonly<Record<number, string>> }>
> = {
  [ErrorCode.messageHeader]: {
    name: 'Message Header Error',
    subcodes: { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' },
  },
  [ErrorCode.open]: {
    name: 'OPEN Message Error',
    subcodes: {
      1: 'Unsupported Version Number',
      2: 'Bad Peer AS',
      3: 'Bad BGP Identifier',
      4: 'Unsupported Optional Parameter',
      6: 'Unacceptable Hold Time',
      7: 'Unsupported Capability',
      11: 'Role Mismatch',
    },
  },
  [ErrorCode.update]: {
    name: 'UPDATE Message Error',
    subcodes: {
      1: 'Malformed Attribute List',
      2: 'Unrecognized Well-known Attribute',
      3: 'Missing Well-known Attribute',
      4: 'Attribute Flags Error',
      5: 'Attribute Length Error',
      6: 'Invalid ORIGIN Attribute',
      8: 'Invalid NEXT_HOP Attribute',
      9: 'Optional Attribute Error',
      10: 'Invalid Network Field',
      11: 'Malformed AS_PATH',
    },
  },
  [ErrorCode.holdTimerExpired]: { name: 'Hold Timer Expired', subcodes: {} },
  [ErrorCode.finiteStateMachine]: {
    name: 'Finite State Machine Error',
    subcodes: {
      1: 'Unexpected Message in OpenSent State',
      2: 'Unexpected Message in OpenConfirm State',
      3: 'Unexpected Message in Established State',
    },
  },
  [ErrorCode.cease]: {
    name: 'Cease',
    subcodes: {
      1: 'Maximum Number of Prefixes Reached',
      2: 'Administrative Shutdown',
      3: 'Peer De-configured',
      4: 'Administrative Reset',
      5: 'Connection Rejected',
      6: 'Other Configuration Change',
      7: 'Connection Collision Resolution',
      8: 'Out of Resources',
      9: 'Hard Reset',
      10: 'BFD Down',
    },
  },
  [ErrorCode.routeRefresh]: {
    name: 'ROUTE-REFRESH Message Error',
    subcodes: { 1: 'Invalid Message Length' },
  },
  [ErrorCode.sendHoldTimerExpired]: { name: 'Send Hold Timer Expired', subcodes: {} },
}

/** `Cease: Administrative Shutdown (6/2): "upgrade at 14:00"`. */
export function formatNotification(notification: NotificationContent): string {
  const { code, subcode } = notification
  const wrapped = unwrapHardReset(notification)
  if (wrapped !== undefined) return `Hard Reset (6/9): ${formatNotification(wrapped)}`
  const known = names[code]
  const detail = known?.subcodes[subcode]
  const name = `${known?.name ?? 'Unknown Error'}${detail === undefined ? '' : `: ${detail}`}`
  const text = shutdownCommunication(notification)
  return `${name} (${String(code)}/${String(subcode)})${text === undefined ? '' : `: "${text}"`}`
}
