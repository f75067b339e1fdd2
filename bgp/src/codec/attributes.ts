/**
 * The table of path attributes: one row each with code, name, flags, what RFC 7606 makes of a malformed value, and
 * how the value is read, written and shown. Adding an attribute is adding a row. MP_REACH_NLRI, MP_UNREACH_NLRI and
 * the use of NEXT_HOP belong to the NLRI and are looked at in split-update.ts, which knows what they are the next hop of.
 * A row without `decode` is known well enough to be checked, and is carried as an opaque attribute.
 */
import { addressFromBytes, addressToBytes, formatAddress, formatIpv4Word } from '@network/net'
import {
  type AttributeCheck,
  exactly,
  internalOnly,
  listOf,
  octetsOf,
  problem,
  tlvs,
} from './attribute-checks.ts'
import {
  asPathProblem,
  decodeAsPath,
  encodeAsPath,
  formatAsPath,
  needsAs4Path,
  withoutConfederation,
} from './as-path.ts'
import { formatCommunity, formatExtendedCommunity, formatLargeCommunity } from './communities.ts'
import { type CodecContext } from './context.ts'
import { hexadecimal } from './hexadecimal.ts'
import { AttributeCode, AttributeFlag, UpdateSubcode, asTrans } from './iana.ts'
import { isHostAddress } from './next-hop.ts'
import { type Aggregator, type AsPath, type Origin, type PathAttributes } from './path-attributes.ts'
import { type Reader, copyOf, u16At, u32At } from './reader.ts'
import { type Writer } from './writer.ts'

/** What decoding fills; AS4_PATH and AS4_AGGREGATOR wait in it until all attributes have been read. */
export type AttributeDraft = { -readonly [K in keyof PathAttributes]: PathAttributes[K] } & {
  as4Path?: AsPath
  as4Aggregator?: Aggregator
}

export interface AttributeRow {
  readonly code: number
  readonly name: string
  /** Optional and Transitive bits. */
  readonly flags: number
  readonly check: AttributeCheck
  decode?(value: Reader, context: CodecContext, draft: AttributeDraft): void
  /** Writes the value if the route has the attribute and returns whether it did. */
  encode?(attributes: PathAttributes, context: CodecContext, into: Writer): boolean
  format?(attributes: PathAttributes): string | undefined
}

const wellKnown = AttributeFlag.transitive
const optionalTransitive = AttributeFlag.optional | AttributeFlag.transitive
const optionalNonTransitive = AttributeFlag.optional

const origins: readonly Origin[] = ['igp', 'egp', 'incomplete']

function u32List(value: Reader): number[] {
  const list: number[] = []
  while (value.remaining >= 4) list.push(value.u32())
  return list
}

function putU32List(list: readonly number[] | undefined, into: Writer): boolean {
  if (list === undefined || list.length === 0) return false
  for (const entry of list) into.u32(entry)
  return true
}

function putU32IfGiven(value: number | undefined, into: Writer): boolean {
  if (value === undefined) return false
  into.u32(value)
  return true
}

const withdraw = 'treat-as-withdraw'

const originLength = exactly(1, withdraw, 'RFC 7606 section 7.1')
const nextHopLength = exactly(4, withdraw, 'RFC 7606 section 7.3')
const aggregatorLength = exactly(8, 'discard', 'RFC 7606 section 7.7')
const oldAggregatorLength = exactly(6, 'discard', 'RFC 7606 section 7.7')
const as4AggregatorLength = exactly(8, 'discard', 'RFC 6793 section 6')
const onlyToCustomerLength = exactly(4, withdraw, 'RFC 9234 section 5')

const fromNewSpeaker = problem(
  'discard',
  'RFC 6793 section 3',
  UpdateSubcode.optionalAttribute,
  'it comes from a peer that speaks four-octet AS numbers',
)

const as0 = problem(
  'discard',
  'RFC 7607 section 2',
  UpdateSubcode.optionalAttribute,
  'AS number 0 is reserved',
)

const table: readonly AttributeRow[] = [
  {
    code: AttributeCode.origin,
    name: 'ORIGIN',
    flags: wellKnown,
    check(bytes, start, end) {
      const wrongLength = originLength(bytes, start, end)
      if (wrongLength !== undefined) return wrongLength
      const value = bytes[start] ?? 0
      return value <= 2
        ? undefined
        : problem(
            withdraw,
            'RFC 7606 section 7.1',
            UpdateSubcode.invalidOrigin,
            `its value ${String(value)} is none of 0, 1 and 2`,
          )
    },
    decode(value, _, draft) {
      const origin = origins[value.u8()]
      if (origin !== undefined) draft.origin = origin
    },
    encode({ origin }, _, into) {
      if (origin === undefined) return false
      into.u8(origins.indexOf(origin))
      return true
    },
    format: ({ origin }) => origin,
  },
  {
    code: AttributeCode.asPath,
    name: 'AS_PATH',
    flags: wellKnown,
    check(bytes, start, end, context) {
      const reason = asPathProblem(bytes, start, end, {
        octets: context.as4 ? 4 : 2,
        confederation: context.peerType === 'internal',
      })
      return reason === undefined
        ? undefined
        : problem(withdraw, 'RFC 7606 section 7.2', UpdateSubcode.malformedAsPath, reason)
    },
    decode(value, context, draft) {
      draft.asPath = decodeAsPath(value, context.as4 ? 4 : 2)
    },
    encode({ asPath }, context, into) {
      if (asPath === undefined) return false
      encodeAsPath(asPath, context.as4 ? 4 : 2, into)
      return true
    },
    format: ({ asPath }) => asPath && formatAsPath(asPath),
  },
  {
    code: AttributeCode.nextHop,
    name: 'NEXT_HOP',
    flags: wellKnown,
    check(bytes, start, end) {
      const wrongLength = nextHopLength(bytes, start, end)
      if (wrongLength !== undefined) return wrongLength
      const word = u32At(bytes, start)
      return isHostAddress(word)
        ? undefined
        : problem(
            withdraw,
            'RFC 4271 section 6.3',
            UpdateSubcode.invalidNextHop,
            `${formatIpv4Word(word)} is not the address of a host`,
          )
    },
    decode(value, _, draft) {
      const bytes = value.take(4)
      if (bytes.length === 4) draft.nextHop = addressFromBytes(bytes, 0, 'ipv4')
    },
    encode({ nextHop }, _, into) {
      if (nextHop?.family !== 'ipv4') return false
      into.put(addressToBytes(nextHop))
      return true
    },
    format: ({ nextHop }) => nextHop && formatAddress(nextHop),
  },
  {
    code: AttributeCode.multiExitDisc,
    name: 'MULTI_EXIT_DISC',
    flags: optionalNonTransitive,
    check: exactly(4, withdraw, 'RFC 7606 section 7.4'),
    decode(value, _, draft) {
      draft.multiExitDisc = value.u32()
    },
    encode: ({ multiExitDisc }, _, into) => putU32IfGiven(multiExitDisc, into),
    format: ({ multiExitDisc }) => multiExitDisc?.toString(),
  },
  {
    code: AttributeCode.localPref,
    name: 'LOCAL_PREF',
    flags: wellKnown,
    check: internalOnly('RFC 7606 section 7.5', exactly(4, withdraw, 'RFC 7606 section 7.5')),
    decode(value, _, draft) {
      draft.localPref = value.u32()
    },
    encode: ({ localPref }, _, into) => putU32IfGiven(localPref, into),
    format: ({ localPref }) => localPref?.toString(),
  },
  {
    code: AttributeCode.atomicAggregate,
    name: 'ATOMIC_AGGREGATE',
    flags: wellKnown,
    check: exactly(0, 'discard', 'RFC 7606 section 7.6'),
    decode(_, __, draft) {
      draft.atomicAggregate = true
    },
    encode: ({ atomicAggregate }) => atomicAggregate === true,
    format: ({ atomicAggregate }) => atomicAggregate && 'yes',
  },
  {
    code: AttributeCode.aggregator,
    name: 'AGGREGATOR',
    flags: optionalTransitive,
    check(bytes, start, end, context) {
      const wrongLength = (context.as4 ? aggregatorLength : oldAggregatorLength)(bytes, start, end)
      if (wrongLength !== undefined) return wrongLength
      return (context.as4 ? u32At(bytes, start) : u16At(bytes, start)) === 0 ? as0 : undefined
    },
    decode(value, context, draft) {
      draft.aggregator = { asn: context.as4 ? value.u32() : value.u16(), routerId: value.u32() }
    },
    encode({ aggregator }, context, into) {
      if (aggregator === undefined) return false
      if (context.as4) into.u32(aggregator.asn)
      else into.u16(aggregator.asn > 0xffff ? asTrans : aggregator.asn)
      into.u32(aggregator.routerId)
      return true
    },
    format: ({ aggregator }) =>
      aggregator && `${String(aggregator.asn)} ${formatIpv4Word(aggregator.routerId)}`,
  },
  {
    code: AttributeCode.communities,
    name: 'COMMUNITIES',
    flags: optionalTransitive,
    check: listOf(4, 'RFC 7606 section 7.8'),
    decode(value, _, draft) {
      draft.communities = u32List(value)
    },
    encode: ({ communities }, _, into) => putU32List(communities, into),
    format: ({ communities }) => communities?.map(formatCommunity).join(' '),
  },
  {
    code: AttributeCode.originatorId,
    name: 'ORIGINATOR_ID',
    flags: optionalNonTransitive,
    check: internalOnly('RFC 7606 section 7.9', exactly(4, withdraw, 'RFC 7606 section 7.9')),
    decode(value, _, draft) {
      draft.originatorId = value.u32()
    },
    encode: ({ originatorId }, _, into) => putU32IfGiven(originatorId, into),
    format: ({ originatorId }) => (originatorId === undefined ? undefined : formatIpv4Word(originatorId)),
  },
  {
    code: AttributeCode.clusterList,
    name: 'CLUSTER_LIST',
    flags: optionalNonTransitive,
    check: internalOnly('RFC 7606 section 7.10', listOf(4, 'RFC 7606 section 7.10')),
    decode(value, _, draft) {
      draft.clusterList = u32List(value)
    },
    encode: ({ clusterList }, _, into) => putU32List(clusterList, into),
    format: ({ clusterList }) => clusterList?.map(formatIpv4Word).join(' '),
  },
  {
    code: AttributeCode.mpReachNlri,
    name: 'MP_REACH_NLRI',
    flags: optionalNonTransitive,
    check: () => undefined,
  },
  {
    code: AttributeCode.mpUnreachNlri,
    name: 'MP_UNREACH_NLRI',
    flags: optionalNonTransitive,
    check: () => undefined,
  },
  {
    code: AttributeCode.extendedCommunities,
    name: 'EXTENDED COMMUNITIES',
    flags: optionalTransitive,
    check: listOf(8, 'RFC 7606 section 7.14'),
    decode(value, _, draft) {
      const list = []
      while (value.remaining >= 8) list.push({ high: value.u32(), low: value.u32() })
      draft.extendedCommunities = list
    },
    encode({ extendedCommunities: list }, _, into) {
      if (list === undefined || list.length === 0) return false
      for (const { high, low } of list) {
        into.u32(high)
        into.u32(low)
      }
      return true
    },
    format: ({ extendedCommunities }) => extendedCommunities?.map(formatExtendedCommunity).join(' '),
  },
  {
    code: AttributeCode.as4Path,
    name: 'AS4_PATH',
    flags: optionalTransitive,
    check(bytes, start, end, context) {
      if (context.as4) return fromNewSpeaker
      const reason =
        start === end ? 'it is empty' : asPathProblem(bytes, start, end, { octets: 4, confederation: true })
      return reason === undefined
        ? undefined
        : problem('discard', 'RFC 6793 section 6', UpdateSubcode.optionalAttribute, reason)
    },
    decode(value, _, draft) {
      draft.as4Path = decodeAsPath(value, 4)
    },
    encode({ asPath }, context, into) {
      if (context.as4 || asPath === undefined || !needsAs4Path(asPath)) return false
      encodeAsPath(withoutConfederation(asPath), 4, into)
      return true
    },
  },
  {
    code: AttributeCode.as4Aggregator,
    name: 'AS4_AGGREGATOR',
    flags: optionalTransitive,
    check(bytes, start, end, context) {
      if (context.as4) return fromNewSpeaker
      const wrongLength = as4AggregatorLength(bytes, start, end)
      if (wrongLength !== undefined) return wrongLength
      return u32At(bytes, start) === 0 ? as0 : undefined
    },
    decode(value, _, draft) {
      draft.as4Aggregator = { asn: value.u32(), routerId: value.u32() }
    },
    encode({ aggregator }, context, into) {
      if (context.as4 || aggregator === undefined || aggregator.asn <= 0xffff) return false
      into.u32(aggregator.asn)
      into.u32(aggregator.routerId)
      return true
    },
  },
  {
    code: AttributeCode.pmsiTunnel,
    name: 'PMSI_TUNNEL',
    flags: optionalTransitive,
    // RFC 6514 section 5: flags, tunnel type, three octets of label, tunnel identifier.
    check(bytes, start, end) {
      const length = end - start
      const ingressReplication = 6
      const inOrder =
        length >= 5 && (bytes[start + 1] !== ingressReplication || length === 9 || length === 21)
      return inOrder
        ? undefined
        : problem(
            withdraw,
            'RFC 6514 section 5',
            UpdateSubcode.attributeLength,
            `its value of ${octetsOf(length)} doesn't fit its tunnel type`,
          )
    },
  },
  {
    code: AttributeCode.tunnelEncapsulation,
    name: 'TUNNEL_ENCAPSULATION',
    flags: optionalTransitive,
    check: tlvs(2, withdraw, 'RFC 9012 section 13'),
  },
  {
    code: AttributeCode.ipv6ExtendedCommunities,
    name: 'IPV6 EXTENDED COMMUNITIES',
    flags: optionalTransitive,
    check: listOf(20, 'RFC 7606 section 7.15'),
    decode(value, _, draft) {
      const list = []
      while (value.remaining >= 20) list.push(copyOf(value.take(20)))
      draft.ipv6ExtendedCommunities = list
    },
    encode({ ipv6ExtendedCommunities: list }, _, into) {
      if (list === undefined || list.length === 0) return false
      for (const community of list) into.put(community)
      return true
    },
    format: ({ ipv6ExtendedCommunities }) =>
      ipv6ExtendedCommunities?.map((community) => hexadecimal(community)).join(' '),
  },
  {
    code: AttributeCode.largeCommunities,
    name: 'LARGE_COMMUNITY',
    flags: optionalTransitive,
    check: listOf(12, 'RFC 8092 section 6'),
    decode(value, _, draft) {
      const list = []
      while (value.remaining >= 12)
        list.push({ global: value.u32(), local1: value.u32(), local2: value.u32() })
      draft.largeCommunities = list
    },
    encode({ largeCommunities: list }, _, into) {
      if (list === undefined || list.length === 0) return false
      for (const { global, local1, local2 } of list) {
        into.u32(global)
        into.u32(local1)
        into.u32(local2)
      }
      return true
    },
    format: ({ largeCommunities }) => largeCommunities?.map(formatLargeCommunity).join(' '),
  },
  {
    code: AttributeCode.onlyToCustomer,
    name: 'ONLY_TO_CUSTOMER',
    flags: optionalTransitive,
    check(bytes, start, end) {
      const wrongLength = onlyToCustomerLength(bytes, start, end)
      if (wrongLength !== undefined) return wrongLength
      return u32At(bytes, start) === 0
        ? problem(
            withdraw,
            'RFC 9234 section 5',
            UpdateSubcode.optionalAttribute,
            'AS number 0 is reserved (RFC 7607)',
          )
        : undefined
    },
    decode(value, _, draft) {
      draft.onlyToCustomer = value.u32()
    },
    encode: ({ onlyToCustomer }, _, into) => putU32IfGiven(onlyToCustomer, into),
    format: ({ onlyToCustomer }) => onlyToCustomer?.toString(),
  },
  {
    code: AttributeCode.prefixSid,
    name: 'PREFIX_SID',
    flags: optionalTransitive,
    check: tlvs(1, 'discard', 'RFC 8669 section 6'),
  },
]

/** Rows by code, for the 256 codes there can be. */
export const attributeRows: readonly (AttributeRow | undefined)[] = (() => {
  const rows = new Array<AttributeRow | undefined>(256).fill(undefined)
  for (const row of table) rows[row.code] = row
  return rows
})()

/** `COMMUNITIES`, or `attribute 254` if the code is not in the table. */
export function attributeName(code: number): string {
  return attributeRows[code]?.name ?? `attribute ${String(code)}`
}

/** The attributes of a route as name and text, in the order of their codes. */
export function formatAttributes(attributes: PathAttributes): { name: string; value: string }[] {
  const known = table.flatMap((row) => {
    const value = row.format?.(attributes)
    return value === undefined ? [] : [{ name: row.name, value }]
  })
  const opaque = (attributes.opaque ?? []).map(({ code, value }) => ({
    name: attributeName(code),
    value: hexadecimal(value),
  }))
  return [...known, ...opaque]
}
