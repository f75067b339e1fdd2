/**
 * Messages of netlink(7) and the kernel's verdicts on them.
 *
 *   struct nlmsghdr { u32 length (with these 16 bytes); u16 type; u16 flags; u32 sequence; u32 port }
 *   struct nlmsgerr { s32 error (negative errno, 0: done); nlmsghdr of the request; its body unless capped; attributes }
 */
import { type Result, success } from '@network/net'
import {
  type NetlinkFault,
  aligned,
  decodeAttributes,
  decodeText,
  decodeU32,
  fault,
  littleEndian,
  viewOf,
} from './attribute.ts'
import { ErrorAttribute, MessageFlag } from './numbers.ts'

/** What is asked of the kernel: a message without what only the socket knows. */
export interface Request {
  readonly type: number
  /** Beside `request` and `acknowledge`, which the socket sets. */
  readonly flags: number
  readonly body: Uint8Array
}

export interface Message {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly port: number
  readonly body: Uint8Array
}

/** The kernel's answer to a request: 0, or an errno with what the kernel says about it (extended ack). */
export interface Verdict {
  readonly errno: number
  readonly text: string | undefined
  /** Place in the request, from its header, that the kernel points at. */
  readonly offset: number | undefined
}

export const messageHeaderLength = 16

export function encodeMessage(message: Message): Uint8Array {
  const length = messageHeaderLength + message.body.length
  const bytes = new Uint8Array(aligned(length))
  const view = viewOf(bytes)
  view.setUint32(0, length, littleEndian)
  view.setUint16(4, message.type, littleEndian)
  view.setUint16(6, message.flags, littleEndian)
  view.setUint32(8, message.sequence, littleEndian)
  view.setUint32(12, message.port, littleEndian)
  bytes.set(message.body, messageHeaderLength)
  return bytes
}

/** Cuts what one receive call answered into messages. */
export function decodeMessages(datagram: Uint8Array): Result<readonly Message[], NetlinkFault> {
  const messages: Message[] = []
  const view = viewOf(datagram)
  let offset = 0
  while (offset < datagram.length) {
    if (offset + messageHeaderLength > datagram.length) {
      return fault('truncated', offset, "a message's header needs 16 bytes")
    }
    const length = view.getUint32(offset, littleEndian)
    if (length < messageHeaderLength || length > datagram.length - offset) {
      return fault('bad-length', offset, `a message says it has ${String(length)} bytes`)
    }
    messages.push({
      type: view.getUint16(offset + 4, littleEndian),
      flags: view.getUint16(offset + 6, littleEndian),
      sequence: view.getUint32(offset + 8, littleEndian),
      port: view.getUint32(offset + 12, littleEndian),
      body: datagram.subarray(offset + messageHeaderLength, offset + length),
    })
    offset += aligned(length)
  }
  return success(messages)
}

/** Reads the body of an `error` message. */
export function decodeError(message: Pick<Message, 'flags' | 'body'>): Result<Verdict, NetlinkFault> {
  const { flags, body } = message
  const least = 4 + messageHeaderLength
  if (body.length < least) return fault('truncated', body.length, `an error needs ${String(least)} bytes`)
  const view = viewOf(body)
  const length = view.getUint32(4, littleEndian)
  const capped = (flags & MessageFlag.capped) !== 0
  if (!capped && (length < messageHeaderLength || length > body.length - 4)) {
    return fault('bad-length', 4, `an error repeats a request of ${String(length)} bytes`)
  }
  return verdict(view, body, flags, capped ? least : 4 + aligned(length))
}

/** Reads the body of a `done` message: the end of a dump, with how it ended. */
export function decodeDone(message: Pick<Message, 'flags' | 'body'>): Result<Verdict, NetlinkFault> {
  const { flags, body } = message
  if (body.length < 4) return fault('truncated', body.length, 'the end of a dump needs 4 bytes')
  return verdict(viewOf(body), body, flags, 4)
}

function verdict(
  view: DataView,
  body: Uint8Array,
  flags: number,
  end: number,
): Result<Verdict, NetlinkFault> {
  const error = view.getInt32(0, littleEndian)
  if (error > 0) return fault('bad-value', 0, `an error number is negative or 0, not ${String(error)}`)
  const errno = error === 0 ? 0 : -error
  if ((flags & MessageFlag.attributes) === 0) {
    return success({ errno, text: undefined, offset: undefined })
  }
  const attributes = decodeAttributes(body, end)
  if (!attributes.ok) return attributes
  return success({
    errno,
    text: decodeText(attributes.value.get(ErrorAttribute.text)),
    offset: decodeU32(attributes.value.get(ErrorAttribute.offset)),
  })
}
