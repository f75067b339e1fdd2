/** The rules that RFC 7606 and its kin have for the values of path attributes, as far as several attributes share them. */
import { type CodecContext } from './context.ts'
import { UpdateSubcode } from './iana.ts'
import { type FaultAction } from './messages.ts'
import { u16At } from './reader.ts'

/** A value that is not in order: what RFC 7606 does about it, and the subcode that RFC 4271 alone would send. */
export interface AttributeProblem {
  readonly action: FaultAction
  readonly rule: string
  readonly subcode: number
  readonly reason: string
}

/** Looks at the value from `start` to `end`; undefined if it is in order. */
export type AttributeCheck = (
  bytes: Uint8Array,
  start: number,
  end: number,
  context: CodecContext,
) => AttributeProblem | undefined

export function problem(
  action: FaultAction,
  rule: string,
  subcode: number,
  reason: string,
): AttributeProblem {
  return { action, rule, subcode, reason }
}

/** `1 octet`, `4 octets` */
export function octetsOf(count: number): string {
  return `${String(count)} octet${count === 1 ? '' : 's'}`
}

/** A value of exactly so many octets. */
export function exactly(length: number, action: FaultAction, rule: string) {
  return (_: Uint8Array, start: number, end: number): AttributeProblem | undefined =>
    end - start === length
      ? undefined
      : problem(
          action,
          rule,
          UpdateSubcode.attributeLength,
          `its value is ${octetsOf(end - start)} long instead of ${String(length)}`,
        )
}

/** A list of entries of so many octets, at least one. */
export function listOf(size: number, rule: string) {
  return (_: Uint8Array, start: number, end: number): AttributeProblem | undefined =>
    end > start && (end - start) % size === 0
      ? undefined
      : problem(
          'treat-as-withdraw',
          rule,
          UpdateSubcode.attributeLength,
          `its value is ${octetsOf(end - start)} long, not a multiple of ${String(size)}`,
        )
}

/** An attribute that an external peer has no business sending: RFC 7606 discards it, whatever its value. */
export function internalOnly(rule: string, check: AttributeCheck): AttributeCheck {
  return (bytes, start, end, context) =>
    context.peerType === 'external'
      ? problem('discard', rule, UpdateSubcode.optionalAttribute, 'it comes from an external peer')
      : check(bytes, start, end, context)
}

/** Type-length-value triples with lengths of two octets that fill the attribute. */
export function tlvs(typeOctets: 1 | 2, action: FaultAction, rule: string): AttributeCheck {
  return (bytes, start, end) => {
    let at = start
    while (at < end) {
      const type = typeOctets === 1 ? (bytes[at] ?? 0) : u16At(bytes, at)
      at += typeOctets
      at += 2 + u16At(bytes, at)
      if (at > end)
        return problem(
          action,
          rule,
          UpdateSubcode.optionalAttribute,
          `its TLV of type ${String(type)} reaches beyond it`,
        )
    }
    return undefined
  }
}
