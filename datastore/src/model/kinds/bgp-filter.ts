import { parsePrefix, prefixFamily } from '@network/net'
import { anyPrefix, community, interfacePattern } from '../formats.ts'
import { defineKind, type ReportFault } from '../kind.ts'
import { asNumber, integer, list, object, oneOf, optional, required, type Schema, text } from '../schema.ts'

export interface BGPFilterOperation {
  addCommunity?: { value: string }
  prependASPath?: { prefix: number[] }
  setLocalPreference?: { value: number }
  setPriority?: { value: number }
}

/** A rule matches a route that meets everything it names; the first match decides. */
export interface BGPFilterRule {
  action: 'Accept' | 'Reject'
  cidr?: string
  matchOperator?: 'Equal' | 'NotEqual' | 'In' | 'NotIn'
  prefixLength?: { min?: number; max?: number }
  source?: 'RemotePeers'
  interface?: string
  peerType?: 'eBGP' | 'iBGP'
  communities?: { values: string[] }
  asPathPrefix?: number[]
  priority?: number
  operations?: BGPFilterOperation[]
}

export interface BGPFilterSpec {
  importV4?: BGPFilterRule[]
  exportV4?: BGPFilterRule[]
  importV6?: BGPFilterRule[]
  exportV6?: BGPFilterRule[]
}

const priority = integer(1, 2_147_483_646)
const preference = integer(0, 4_294_967_295)

const operation = object<BGPFilterOperation>({
  addCommunity: optional(
    object<{ value: string }>({ value: required(text(community), 'aa:nn or aa:nn:mm.') }),
    'Put a community on the route.',
  ),
  prependASPath: optional(
    object<{ prefix: number[] }>({
      prefix: required(list(asNumber(), { min: 1, max: 10 }), 'AS numbers, the first becomes the leftmost.'),
    }),
    'Put AS numbers before the AS path.',
  ),
  setLocalPreference: optional(
    object<{ value: number }>({ value: required(preference, 'LOCAL_PREF.') }),
    'Set LOCAL_PREF.',
  ),
  setPriority: optional(
    object<{ value: number }>({ value: required(priority, 'Metric in the kernel.') }),
    "Set the metric of the node's route.",
  ),
})

const rule: Schema<BGPFilterRule> = object<BGPFilterRule>({
  action: required(oneOf(['Accept', 'Reject']), 'What happens to a route that matches.'),
  cidr: optional(text(anyPrefix), 'Compared with the route by matchOperator.'),
  matchOperator: optional(oneOf(['Equal', 'NotEqual', 'In', 'NotIn']), 'How cidr is compared.'),
  prefixLength: optional(
    object<{ min?: number; max?: number }>({
      min: optional(integer(0, 128), 'Shortest length that matches.'),
      max: optional(integer(0, 128), 'Longest length that matches.'),
    }),
    "Bounds on the route's length, with cidr.",
  ),
  source: optional(oneOf(['RemotePeers']), 'Only routes learned from peers.'),
  interface: optional(text(interfacePattern), 'Only routes that leave by this interface (pattern).'),
  peerType: optional(oneOf(['eBGP', 'iBGP']), 'Only peers of this type.'),
  communities: optional(
    object<{ values: string[] }>({
      values: required(list(text(community), { min: 1, max: 16 }), 'All of them must be on the route.'),
    }),
    'Communities that the route carries.',
  ),
  asPathPrefix: optional(list(asNumber(), { min: 1, max: 64 }), 'The AS path begins with these.'),
  priority: optional(priority, 'Only routes of this metric.'),
  operations: optional(list(operation, { max: 10 }), 'Changes to an accepted route, in order.'),
})

const rules = list(rule, { max: 1000 })

function refineRule(at: (string | number)[], item: BGPFilterRule, bits: 32 | 128, report: ReportFault): void {
  if ((item.cidr === undefined) !== (item.matchOperator === undefined)) {
    const missing = item.cidr === undefined ? 'cidr' : 'matchOperator'
    report([...at, missing], undefined, 'cidr and matchOperator together, or neither')
  }
  if (item.cidr !== undefined) {
    const parsed = parsePrefix(item.cidr)
    if (parsed.ok && (prefixFamily(parsed.value) === 'ipv4') !== (bits === 32)) {
      report([...at, 'cidr'], item.cidr, bits === 32 ? 'an IPv4 prefix' : 'an IPv6 prefix')
    }
  }
  if (item.prefixLength !== undefined) {
    const { min = 0, max = bits } = item.prefixLength
    if (item.cidr === undefined) {
      report([...at, 'prefixLength'], item.prefixLength, 'a cidr beside prefixLength')
    }
    for (const end of ['min', 'max'] as const) {
      if ((item.prefixLength[end] ?? 0) > bits) {
        report([...at, 'prefixLength', end], item.prefixLength[end], `a length from 0 to ${String(bits)}`)
      }
    }
    if (min > max) report([...at, 'prefixLength', 'min'], min, `a length up to max, ${String(max)}`)
  }
  item.operations?.forEach((change, index) => {
    if (change.setPriority !== undefined && at[1]?.toString().startsWith('export') === true) {
      report(
        [...at, 'operations', index, 'setPriority'],
        change.setPriority,
        'setPriority on import rules only: it is the metric of the route in the kernel of this node',
      )
    }
  })
  if (item.action === 'Reject' && (item.operations?.length ?? 0) > 0) {
    report([...at, 'operations'], item.operations, 'no operations on a rule that rejects')
  }
  item.operations?.forEach((change, index) => {
    const count = Object.values(change).filter((value) => value !== undefined).length
    if (count !== 1) {
      report(
        [...at, 'operations', index],
        change,
        'exactly one of addCommunity, prependASPath, setLocalPreference and setPriority',
      )
    }
  })
}

export const bgpFilter = defineKind<BGPFilterSpec>()({
  kind: 'BGPFilter',
  plural: 'bgpfilters',
  aliases: ['bgpfilter'],
  description: 'Ordered rules for routes from and to BGP peers; a peer names its filters.',
  spec: object<BGPFilterSpec>({
    importV4: optional(rules, 'IPv4 routes from peers.'),
    exportV4: optional(rules, 'IPv4 routes to peers.'),
    importV6: optional(rules, 'IPv6 routes from peers.'),
    exportV6: optional(rules, 'IPv6 routes to peers.'),
  }),
  refine(spec, report) {
    for (const direction of ['importV4', 'exportV4', 'importV6', 'exportV6'] as const) {
      spec[direction]?.forEach((item, index) => {
        refineRule(['spec', direction, index], item, direction.endsWith('V4') ? 32 : 128, report)
      })
    }
  },
})
