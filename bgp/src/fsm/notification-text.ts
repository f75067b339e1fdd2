import { CeaseSubcode, ErrorCode } from '../codec/iana.ts'
import { type NotificationContent } from '../codec/messages.ts'
import { decodeShutdownText } from './shutdown-text.ts'

const codeNames: Readonly<Record<number, string>> = {
  [ErrorCode.messageHeader]: 'Message Header Error',
  [ErrorCode.open]: 'OPEN Message Error',
  [ErrorCode.update]: 'UPDATE Message Error',
  [ErrorCode.holdTimerExpired]: 'Hold Timer Expired',
  [ErrorCode.finiteStateMachine]: 'Finite State Machine Error',
  [ErrorCode.cease]: 'Cease',
  [ErrorCode.routeRefresh]: 'ROUTE-REFRESH Message Error',
  [ErrorCode.sendHoldTimerExpired]: 'Send Hold Timer Expired',
}

const subcodeNames: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [ErrorCode.messageHeader]: {
    1: 'Connection Not Synchronized',
    2: 'Bad Message Length',
    3: 'Bad Message Type',
  },
  [ErrorCode.open]: {
    1: 'Unsupported Version Number',
    2: 'Bad Peer AS',
    3: 'Bad BGP Identifier',
    4: 'Unsupported Optional Parameter',
    6: 'Unacceptable Hold Time',
    7: 'Unsupported Capability',
    11: 'Role Mismatch',
  },
  [ErrorCode.update]: {
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
  [ErrorCode.finiteStateMachine]: {
    1: 'Unexpected Message in OpenSent State',
    2: 'Unexpected Message in OpenConfirm State',
    3: 'Unexpected Message in Established State',
  },
  [ErrorCode.cease]: {
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
  [ErrorCode.routeRefresh]: { 1: 'Invalid Message Length' },
}

/** `Cease, Administrative Shutdown (6/2): "going for an upgrade"`. */
export function describeNotification(content: NotificationContent): string {
  const { code, subcode, data } = content
  const name = codeNames[code] ?? 'unknown error'
  const detail = subcode === 0 ? undefined : (subcodeNames[code]?.[subcode] ?? 'unknown subcode')
  const head = `${detail === undefined ? name : `${name}, ${detail}`} (${code}/${subcode})`
  const carriesText =
    code === ErrorCode.cease &&
    (subcode === CeaseSubcode.administrativeShutdown || subcode === CeaseSubcode.administrativeReset)
  const text = carriesText ? decodeShutdownText(data) : undefined
  return text === undefined ? head : `${head}: "${text}"`
}
