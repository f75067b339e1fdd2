/**
 * Rules that choose a table: rtnetlink(7) RTM_*RULE, linux/fib_rules.h.
 *
 *   struct fib_rule_hdr { u8 family; u8 destination length; u8 source length; u8 tos; u8 table; u8 reserved[2]; u8 action;
 *                         u32 flags } attributes
 */
import { type Result, success } from '@network/net'
import {
  type NetlinkFault,
  decodeAddressText,
  decodeAttributes,
  decodeU32,
  decodeU8,
  encodeAddressText,
  encodeAttribute,
  encodeU32,
  fault,
  join,
  parsedAddress,
} from './attribute.ts'
import { type Request } from './message.ts'
import { AddressFamily, MessageFlag, MessageType, RuleAction, RuleAttribute, Table } from './numbers.ts'

export interface Rule {
  /** Without length; unspecified with length 0 means any. Both are of one family. */
  readonly source: string
  readonly sourceLength: number
  readonly destination: string
  readonly destinationLength: number
  readonly table: number
  readonly protocol: number
  readonly priority?: number
}

const headerLength = 12
const largestInHeader = 255

export function encodeRule(rule: Rule, action: number = RuleAction.toTable): Uint8Array {
  const header = new Uint8Array(headerLength)
  header[0] = AddressFamily[parsedAddress(rule.source).family]
  header[1] = rule.destinationLength
  header[2] = rule.sourceLength
  header[4] = rule.table > largestInHeader ? Table.unspecified : rule.table
  header[7] = action
  const parts: Uint8Array[] = [header]
  const put = (type: number, value: Uint8Array): number => parts.push(encodeAttribute(type, value))
  if (rule.destinationLength > 0) put(RuleAttribute.destination, encodeAddressText(rule.destination))
  if (rule.sourceLength > 0) put(RuleAttribute.source, encodeAddressText(rule.source))
  if (rule.priority !== undefined) put(RuleAttribute.priority, encodeU32(rule.priority))
  put(RuleAttribute.table, encodeU32(rule.table))
  put(RuleAttribute.protocol, new Uint8Array([rule.protocol]))
  return join(parts)
}

/** Reads RTM_NEWRULE. A family that is neither IPv4 nor IPv6 is a fault. */
export function decodeRule(body: Uint8Array): Result<Rule, NetlinkFault> {
  if (body.length < headerLength) return fault('truncated', body.length, 'a rule needs 12 bytes')
  const attributes = decodeAttributes(body, headerLength)
  if (!attributes.ok) return attributes
  const of = attributes.value
  const [family = 0, destinationLength = 0, sourceLength = 0, , table = 0] = body
  const ipv4 = family === AddressFamily.ipv4
  if (!ipv4 && family !== AddressFamily.ipv6)
    return fault('bad-value', 0, `a rule of family ${String(family)}`)
  const size = ipv4 ? 4 : 16
  if (destinationLength > size * 8) return fault('bad-value', 1, `${String(destinationLength)} bits`)
  if (sourceLength > size * 8) return fault('bad-value', 2, `${String(sourceLength)} bits`)
  const address = (type: number): string | undefined => {
    const bytes = of.get(type) ?? new Uint8Array(size)
    return bytes.length === size ? decodeAddressText(bytes) : undefined
  }
  const source = address(RuleAttribute.source)
  const destination = address(RuleAttribute.destination)
  if (source === undefined || destination === undefined) {
    return fault('bad-value', headerLength, 'an address of the other family')
  }
  const priority = decodeU32(of.get(RuleAttribute.priority))
  return success({
    source,
    sourceLength,
    destination,
    destinationLength,
    table: decodeU32(of.get(RuleAttribute.table)) ?? table,
    protocol: decodeU8(of.get(RuleAttribute.protocol)) ?? 0,
    ...(priority === undefined ? {} : { priority }),
  })
}

export function addRule(rule: Rule): Request {
  return {
    type: MessageType.newRule,
    flags: MessageFlag.create | MessageFlag.exclusive,
    body: encodeRule(rule),
  }
}

/** Removes the first rule that has all that is named. */
export function deleteRule(rule: Rule): Request {
  return { type: MessageType.deleteRule, flags: 0, body: encodeRule(rule, RuleAction.any) }
}

/** Asks for the rules of both families. */
export function dumpRules(): Request {
  return { type: MessageType.getRule, flags: MessageFlag.dump, body: new Uint8Array(headerLength) }
}
