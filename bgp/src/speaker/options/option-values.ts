/*
 * Single values that people write, read or refused: with the option's place, the value and the remedy.
 */
import {
  type Address,
  type Prefix,
  type SyntaxFault,
  describeSyntaxFault,
  parseAddress,
  parsePrefix,
} from '@network/net'
import { SpeakerError } from '../error.ts'

/** @throws SpeakerError */
export function refuse(message: string, remedy: string): never {
  throw new SpeakerError('invalid-options', message, { remedy })
}

function refuseSyntax(what: string, kind: string, fault: SyntaxFault): never {
  refuse(`${what}: ${describeSyntaxFault(kind, fault)}`, `Correct the ${kind}.`)
}

export function number(what: string, value: number, minimum: number, maximum: number): number {
  if (!(value >= minimum && value <= maximum)) {
    refuse(`${what} is ${String(value)}.`, `Give a number from ${minimum} to ${maximum}.`)
  }
  return value
}

export function asNumber(what: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > 4294967294 || value === 23456) {
    refuse(`${what} is ${String(value)}.`, 'Give an AS number from 1 to 4294967294 that is not 23456.')
  }
}

/** A router id: four octets. */
export function dotted(what: string, text: string): number {
  const parsed = parseAddress(text)
  if (!parsed.ok) refuseSyntax(what, 'router id', parsed.error)
  if (parsed.value.family !== 'ipv4' || parsed.value.w0 === 0) {
    refuse(`${what} is ${text}.`, 'Give four octets like an IPv4 address, not all 0.')
  }
  return parsed.value.w0
}

/** The address of a text that may have a zone, without it. */
export function zonedAddress(what: string, text: string): Address {
  const parsed = parseAddress(text.split('%')[0] ?? '')
  return parsed.ok ? parsed.value : refuseSyntax(what, 'address', parsed.error)
}

export function readPrefix(what: string, text: string): Prefix {
  const parsed = parsePrefix(text)
  return parsed.ok ? parsed.value : refuseSyntax(what, 'prefix', parsed.error)
}
