/**
 * Messages as ExaBGP encodes them, most with the JSON in which it tells their meaning. Each must decode to the same
 * meaning and encode back to the same octets. Attributes are written in canonical form and MP_REACH_NLRI goes first
 * (RFC 7606 section 5.1), where ExaBGP puts it last: that order is the only difference allowed.
 */
import {
  type CodecContext,
  type NlriRun,
  type PathAttributes,
  type Update,
  decodeAttributes,
  decodeMessage,
  encodeAttributes,
  encodeMessage,
  formatAfiSafi,
  ipv4Unicast,
  ipv6Unicast,
  nlriPrefixes,
  plainContext,
} from '@network/bgp/codec'
import { addressFromBytes, formatAddress, formatIpv4Word, formatPrefix } from '@network/net'
import { isDeepStrictEqual } from 'node:util'
import { fromHex, splitAttributes, toHex } from './octets.ts'
import { Tally, type Verdict, failed, notApplicable, passed } from './tally.ts'

interface Vector {
  readonly file: string
  readonly seq: string
  readonly cmd?: string
  readonly raw: string
  readonly json?: { readonly neighbor?: { readonly message?: { readonly update?: Meaning } } }
}

interface Meaning {
  readonly attribute?: Readonly<Record<string, unknown>>
  readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly Nlri[]>>>>
  readonly withdraw?: Readonly<Record<string, readonly Nlri[]>>
}

interface Nlri {
  readonly nlri: string
  readonly 'path-information'?: string
}

/** ExaBGP's names of the attributes that have a form in PathAttributes. */
const spoken = new Set([
  'origin',
  'as-path',
  'next-hop',
  'med',
  'local-preference',
  'atomic-aggregate',
  'aggregator',
  'community',
  'originator-id',
  'cluster-list',
  'extended-community',
  'extended-community-ipv6',
  'large-community',
])

export function runExabgp(text: string): Tally {
  const tally = new Tally('exabgp.jsonl')
  for (const line of text.split('\n').filter((line) => line !== '')) {
    // Extended communities are integers beyond the precision of a number: kept as text.
    const vector = JSON.parse(line.replace(/"value": ?(\d{10,})/g, '"value":"$1"')) as Vector
    const name = `${vector.file} ${vector.seq}${vector.cmd === undefined ? '' : ` (${vector.cmd})`}`
    tally.add(name, judgeWithHost(vector, tally))
  }
  return tally
}

function contextOf(vector: Vector): CodecContext {
  return {
    ...plainContext,
    peerType: 'internal',
    addPath: new Set(/addpath|attributes-path/.test(vector.file) ? [ipv4Unicast, ipv6Unicast] : []),
    extendedNextHop: new Set([ipv4Unicast]),
  }
}

/** Loopback next hops in octets and as text, and the addresses of hosts that stand in for them. */
const loopbacks = [
  { octets: '4003047F000001', host: '4003047E000001', text: '"127.0.0.1":', hostText: '"126.0.0.1":' },
  {
    octets: '02011000000000000000000000000000000001',
    host: '02011020010000000000000000000000000001',
    text: '"::1":',
    hostText: '"2001::1":',
  },
] as const

/**
 * A loopback next hop makes the routes withdrawn, as rfc7606.json too wants it. That is seen to happen, and
 * everything else is held against the vector with the address of a host in its place.
 */
function judgeWithHost(vector: Vector, tally: Tally): Verdict {
  const loopback = loopbacks.find(({ octets }) => vector.raw.includes(octets))
  if (loopback === undefined) return judge(vector, tally)
  const decoded = decodeMessage(fromHex(vector.raw), contextOf(vector))
  if (decoded.type !== 'update' || decoded.faults[0]?.rule !== 'RFC 4271 section 6.3')
    return failed('a loopback next hop is accepted')
  const { neighbor, ...rest } = vector.json ?? {}
  const verdict = judge(
    {
      ...vector,
      raw: vector.raw.replace(loopback.octets, loopback.host),
      json: { ...rest, ...(neighbor && { neighbor: withHost(neighbor, loopback) }) },
    },
    tally,
  )
  return verdict.kind === 'passed'
    ? notApplicable(
        'a loopback next hop: seen to be treated as withdraw, and to pass with the address of a host instead',
      )
    : verdict
}

function withHost<T>(neighbor: T, { text, hostText }: (typeof loopbacks)[number]): T {
  return JSON.parse(JSON.stringify(neighbor).replace(text, hostText)) as T
}

function judge(vector: Vector, tally: Tally): Verdict {
  const octets = fromHex(vector.raw)
  const context = contextOf(vector)
  const decoded = decodeMessage(octets, context)
  if (decoded.type === 'fault') {
    const fourOctets = /"?dead:beef.*next-hop 170\.170\.170\.170/.test(vector.cmd ?? '')
    return fourOctets && decoded.reason.includes('next hop of 4 octets')
      ? notApplicable('no RFC has IPv6 routes over a next hop of 4 octets: seen to be refused')
      : failed(decoded.reason)
  }
  if (decoded.type !== 'update') {
    return toHex(encodeMessage(decoded, context)) === toHex(octets) ? passed : failed('encodes differently')
  }
  const foreign = decoded.faults.find((fault) => fault.rule === 'RFC 4760 section 8')
  if (foreign !== undefined) {
    const silent = decoded.faults.length === 1 && decoded.announced.length + decoded.withdrawn.length === 0
    return silent
      ? notApplicable('a family that is not spoken: seen to be ignored')
      : failed('a family that is not spoken does more than being ignored')
  }
  if (decoded.faults.length > 0) return failed(decoded.faults.map(({ reason }) => reason).join('; '))
  if (decoded.endOfRib === undefined && decoded.announced.length + decoded.withdrawn.length === 0)
    return notApplicable('an UPDATE with attributes and without routes says nothing: seen to do nothing')
  const update = vector.json?.neighbor?.message?.update
  if (update !== undefined) {
    const difference = compareMeaning(update, decoded, context)
    if (difference !== undefined) return failed(difference)
  }
  return encodesBack(octets, decoded, context, tally)
}

function encodesBack(octets: Uint8Array, decoded: Update, context: CodecContext, tally: Tally): Verdict {
  const block = decoded.attributes
  const attributes = block && encodeAttributes(decodeAttributes(block, context), context)
  const encoded = toHex(encodeMessage({ ...decoded, attributes }, context))
  if (encoded === toHex(octets)) return passed
  if (encoded === toHex(reachFirst(octets))) {
    tally.note('same octets once MP_REACH_NLRI stands first (RFC 7606 section 5.1)')
    return passed
  }
  return failed(`encodes as ${encoded}`)
}

/** The same UPDATE with MP_REACH_NLRI before all other attributes. */
function reachFirst(octets: Uint8Array): Uint8Array {
  const view = Buffer.from(octets)
  const start = 23 + view.readUInt16BE(19)
  const end = start + view.readUInt16BE(start - 2)
  const attributes = splitAttributes(octets.subarray(start, end))
  const ordered = [
    ...attributes.filter(({ code }) => code === 14),
    ...attributes.filter(({ code }) => code !== 14),
  ]
  return fromHex(
    toHex(octets.subarray(0, start)) +
      ordered.map((entry) => entry.octets).join('') +
      toHex(octets.subarray(end)),
  )
}

function compareMeaning(expected: Meaning, decoded: Update, context: CodecContext): string | undefined {
  const attributes = decoded.attributes && decodeAttributes(decoded.attributes, context)
  for (const name of Object.keys(expected.attribute ?? {}))
    if (!spoken.has(name)) return `no meaning is known for ${name}`
  const pairs: readonly [string, unknown, unknown][] = [
    ['attributes', expected.attribute ?? {}, attributes === undefined ? {} : meaningOf(attributes)],
    ['announce', expected.announce ?? {}, announced(decoded.announced)],
    ['withdraw', expected.withdraw ?? {}, withdrawn(decoded.withdrawn)],
  ]
  for (const [name, want, got] of pairs) {
    const wanted = name === 'attributes' ? withoutText(want) : want
    if (!isDeepStrictEqual(wanted, got))
      return `${name}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`
  }
  return undefined
}

/** Extended communities by their value alone: their text is ExaBGP's own. An empty AS_PATH and NEXT_HOP go unsaid. */
function withoutText(attribute: unknown): unknown {
  const entries = Object.entries(attribute as Record<string, unknown>).map(([name, value]) =>
    name.startsWith('extended-community')
      ? [name, (value as { value: unknown }[]).map((entry) => BigInt(entry.value as string).toString())]
      : [name, value],
  )
  return Object.fromEntries(entries.filter(([name]) => name !== 'next-hop')) as unknown
}

function meaningOf(attributes: PathAttributes): Record<string, unknown> {
  const {
    asPath = [],
    communities,
    extendedCommunities,
    ipv6ExtendedCommunities,
    largeCommunities,
  } = attributes
  const all: Record<string, unknown> = {
    origin: attributes.origin,
    'as-path':
      asPath.length === 0
        ? undefined
        : Object.fromEntries(
            asPath.map(({ type, asns }, i) => [String(i), { element: `as-${type}`, value: asns }]),
          ),
    med: attributes.multiExitDisc,
    'local-preference': attributes.localPref,
    'atomic-aggregate': attributes.atomicAggregate,
    aggregator:
      attributes.aggregator &&
      `${String(attributes.aggregator.asn)}:${formatIpv4Word(attributes.aggregator.routerId)}`,
    community: communities?.map((community) => [community >>> 16, community & 0xffff]),
    'originator-id':
      attributes.originatorId === undefined ? undefined : formatIpv4Word(attributes.originatorId),
    'cluster-list': attributes.clusterList?.map(formatIpv4Word),
    'extended-community': extendedCommunities?.map(({ high, low }) =>
      ((BigInt(high) << 32n) | BigInt(low)).toString(),
    ),
    'extended-community-ipv6': ipv6ExtendedCommunities?.map((octets) =>
      BigInt(`0x${toHex(octets)}`).toString(),
    ),
    'large-community': largeCommunities?.map(({ global, local1, local2 }) => [global, local1, local2]),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

function announced(runs: readonly NlriRun[]): unknown {
  return Object.fromEntries(
    runs.map((run) => [familyName(run), { [nextHopText(run.nextHop ?? new Uint8Array())]: nlri(run) }]),
  )
}

function withdrawn(runs: readonly NlriRun[]): unknown {
  return Object.fromEntries(runs.map((run) => [familyName(run), nlri(run)]))
}

const familyName = (run: NlriRun): string => formatAfiSafi(run.afiSafi).replace('/', ' ')

function nextHopText(octets: Uint8Array): string {
  return formatAddress(addressFromBytes(octets, 0, octets.length === 4 ? 'ipv4' : 'ipv6'))
}

function nlri(run: NlriRun): Nlri[] {
  return [...nlriPrefixes(run)].map(({ prefix, pathId }) => ({
    nlri: formatPrefix(prefix),
    ...(pathId === undefined ? {} : { 'path-information': formatIpv4Word(pathId) }),
  }))
}
