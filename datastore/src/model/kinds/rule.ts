import { failure, parsePrefix, prefixFamily, success } from '@network/net'
import {
  labelKey,
  namedPort,
  parsePortRange,
  prefixOrAddress,
  resourceName,
  selectorOrNone,
  type TextFormat,
} from '../formats.ts'
import { type ReportFault } from '../kind.ts'
import {
  integer,
  list,
  map,
  object,
  oneOf,
  optional,
  required,
  type Schema,
  string,
  text,
  union,
} from '../schema.ts'

/** A number; text '8000:8080' is a range, any other text names a port of the endpoint. */
export type Port = number | string

export type ProtocolName = 'TCP' | 'UDP' | 'ICMP' | 'ICMPv6' | 'SCTP' | 'UDPLite'
export type Protocol = ProtocolName | number

export interface ICMPMatch {
  type?: number
  code?: number
}

export interface ServiceAccountMatch {
  names?: string[]
  selector?: string
}

/** One side of a rule. It matches what meets everything it names. */
export interface EntityRule {
  nets?: string[]
  notNets?: string[]
  selector?: string
  notSelector?: string
  namespaceSelector?: string
  ports?: Port[]
  notPorts?: Port[]
  serviceAccounts?: ServiceAccountMatch
}

export type RuleAction = 'Allow' | 'Deny' | 'Pass' | 'Log'

export interface Rule {
  action: RuleAction
  ipVersion?: 4 | 6
  protocol?: Protocol
  notProtocol?: Protocol
  icmp?: ICMPMatch
  notICMP?: ICMPMatch
  source?: EntityRule
  destination?: EntityRule
  metadata?: { annotations?: Record<string, string> }
}

/** Most rules in one direction, networks in one list and ports in one list. */
export const RULE_LIMITS = { rules: 1024, nets: 256, ports: 50 } as const

const portText: TextFormat = {
  name: 'port',
  expected: 'a port 1-65535, a range such as 8000:8080, or the name of a port',
  parse: (value) => {
    const range = parsePortRange(value)
    if (range !== undefined) return success(value)
    if (value.includes(':')) return failure(`'${value.slice(0, 40)}' is not a range of ports`)
    return namedPort.parse(value)
  },
}

const port = union<Port>(portText.expected, [integer(0, 65535), text(portText)])
const ports = list(port, { min: 1, max: RULE_LIMITS.ports })
const nets = list(text(prefixOrAddress), { min: 1, max: RULE_LIMITS.nets })

const protocolNames: readonly ProtocolName[] = ['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', 'UDPLite']

const protocolName: TextFormat = {
  name: 'protocol name',
  expected: protocolNames.join(', '),
  parse: (value) => {
    const name = protocolNames.find((known) => known.toLowerCase() === value.toLowerCase())
    return name === undefined ? failure(`'${value.slice(0, 40)}' is not a protocol`) : success(name)
  },
}

const protocol = union<Protocol>('TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a protocol number 1-255', [
  text(protocolName) as Schema<ProtocolName>,
  integer(1, 255),
])

const icmpMatch = object<ICMPMatch>({
  type: optional(integer(0, 254), 'ICMP type.'),
  code: optional(integer(0, 255), 'ICMP code; needs a type.'),
})

const entity: Schema<EntityRule> = object<EntityRule>({
  nets: optional(nets, 'The address is in one of these.'),
  notNets: optional(nets, 'The address is in none of these.'),
  selector: optional(text(selectorOrNone), 'It is an endpoint or network set of ours that this selects.'),
  notSelector: optional(
    text(selectorOrNone),
    'It is not an endpoint of ours that this selects; strangers match.',
  ),
  namespaceSelector: optional(text(selectorOrNone), 'Its namespace has these labels.'),
  ports: optional(ports, 'The port is one of these; needs a protocol with ports.'),
  notPorts: optional(ports, 'The port is none of these; needs a protocol with ports.'),
  serviceAccounts: optional(
    object<ServiceAccountMatch>({
      names: optional(list(text(resourceName), { min: 1 }), 'Names of service accounts.'),
      selector: optional(text(selectorOrNone), 'Labels of service accounts.'),
    }),
    'The service account that it runs as.',
  ),
})

const rule = object<Rule>({
  action: required(
    oneOf(['Allow', 'Deny', 'Pass', 'Log']),
    'Log goes on to the next rule; the others decide.',
  ),
  ipVersion: optional(oneOf([4, 6]), 'Only packets of this IP version.'),
  protocol: optional(protocol, 'Only packets of this protocol.'),
  notProtocol: optional(protocol, 'Only packets of other protocols.'),
  icmp: optional(icmpMatch, 'Only these ICMP messages.'),
  notICMP: optional(icmpMatch, 'Only other ICMP messages.'),
  source: optional(entity, 'Where the packet comes from.'),
  destination: optional(entity, 'Where the packet goes.'),
  metadata: optional(
    object<{ annotations?: Record<string, string> }>({
      annotations: optional(
        map(labelKey, string({ maxLength: 256 }), { max: 16 }),
        'Notes, shown beside the rule.',
      ),
    }),
    'What people note about the rule.',
  ),
})

/** An ordered list of rules, of profiles and of policies. */
export const rules: Schema<Rule[]> = list(rule, { max: RULE_LIMITS.rules })

const withPorts: readonly Protocol[] = ['TCP', 'UDP', 'SCTP', 'UDPLite', 6, 17, 132, 136]

/** Rules between the fields of rules, and what may be written in two ways in one, for every kind that has them. `at` is where the list is. */
export function refineRules(
  at: readonly (string | number)[],
  list: readonly Rule[],
  report: ReportFault,
): void {
  list.forEach((item, index) => {
    refineRule([...at, index], item, report)
  })
}

/** What asks for nothing is left out: the empty selector, objects without fields. A port written as text is the number. */
function simplifyRule(item: Rule): void {
  for (const field of ['icmp', 'notICMP'] as const) dropIfEmpty(item, field)
  for (const side of ['source', 'destination'] as const) {
    const match = item[side]
    if (match === undefined) continue
    for (const field of ['selector', 'notSelector', 'namespaceSelector'] as const) {
      if (match[field] === '') Reflect.deleteProperty(match, field)
    }
    if (match.serviceAccounts?.selector === '') Reflect.deleteProperty(match.serviceAccounts, 'selector')
    dropIfEmpty(match, 'serviceAccounts')
    for (const field of ['ports', 'notPorts'] as const) {
      const list = match[field]
      if (list !== undefined) match[field] = list.map(simplifyPort)
    }
    dropIfEmpty(item, side)
  }
}

function dropIfEmpty<T extends object>(parent: T, field: keyof T): void {
  const value: unknown = parent[field]
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) {
    Reflect.deleteProperty(parent, field)
  }
}

function simplifyPort(port: Port): Port {
  const range = typeof port === 'string' ? parsePortRange(port) : undefined
  if (range === undefined) return port
  return range.first === range.last ? range.first : `${String(range.first)}:${String(range.last)}`
}

function refineRule(at: readonly (string | number)[], item: Rule, report: ReportFault): void {
  if (Object.keys(item.metadata?.annotations ?? {}).length === 0) delete item.metadata
  simplifyRule(item)
  for (const field of ['icmp', 'notICMP'] as const) {
    const match = item[field]
    if (match === undefined) continue
    if (match.code !== undefined && match.type === undefined) {
      report([...at, field, 'type'], undefined, 'a type beside the code')
    }
    const icmp = item.protocol === 'ICMP' || item.protocol === 1
    const icmpv6 = item.protocol === 'ICMPv6' || item.protocol === 58
    if (!icmp && !icmpv6) {
      report([...at, 'protocol'], item.protocol, `ICMP or ICMPv6, because the rule has ${field}`)
    }
  }
  const wrongVersion = { ICMP: 6, ICMPv6: 4 } as const
  if (item.protocol === 'ICMP' || item.protocol === 'ICMPv6') {
    if (item.ipVersion === wrongVersion[item.protocol]) {
      report(
        [...at, 'ipVersion'],
        item.ipVersion,
        item.protocol === 'ICMP' ? '4, because the protocol is ICMP' : '6, because the protocol is ICMPv6',
      )
    }
  }
  for (const side of ['source', 'destination'] as const) {
    const match = item[side]
    if (match === undefined) continue
    for (const field of ['ports', 'notPorts'] as const) {
      if (match[field] !== undefined && !(item.protocol !== undefined && withPorts.includes(item.protocol))) {
        report(
          [...at, 'protocol'],
          item.protocol,
          `TCP, UDP, SCTP or UDPLite, because the rule has ${side}.${field}`,
        )
      }
    }
    for (const field of ['nets', 'notNets'] as const) {
      match[field]?.forEach((net, place) => {
        const parsed = parsePrefix(net)
        if (!parsed.ok || item.ipVersion === undefined) return
        if ((prefixFamily(parsed.value) === 'ipv4') !== (item.ipVersion === 4)) {
          report(
            [...at, side, field, place],
            net,
            `an IPv${String(item.ipVersion)} prefix, because ipVersion is ${String(item.ipVersion)}`,
          )
        }
      })
    }
  }
}
