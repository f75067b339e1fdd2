import { formatIpv4Word } from '@network/net'
import { type ExtendedCommunity, type LargeCommunity } from './path-attributes.ts'

/** `64512:1` (RFC 1997). */
export function formatCommunity(community: number): string {
  return `${String(community >>> 16)}:${String(community & 0xffff)}`
}

/** `64512:1:2` (RFC 8092 section 5). */
export function formatLargeCommunity({ global, local1, local2 }: LargeCommunity): string {
  return `${String(global)}:${String(local1)}:${String(local2)}`
}

/** Type of an extended community less its transitive bit: two-octet AS, IPv4 address, four-octet AS, opaque. */
const ExtendedType = { as2: 0, ipv4: 1, as4: 2, opaque: 3 } as const

const extendedSubtypes: Readonly<Record<number, string>> = { 2: 'rt', 3: 'soo', 4: 'bandwidth' }

/** `rt:64512:1`, `soo:10.0.0.1:7`, or sixteen hexadecimal digits where the type has no such form. */
export function formatExtendedCommunity({ high, low }: ExtendedCommunity): string {
  const name = extendedSubtypes[(high >>> 16) & 0xff]
  const type = (high >>> 24) & 0x3f
  if (name === 'bandwidth' && type === ExtendedType.as2)
    return `bandwidth:${String(high & 0xffff)}:${String(bandwidthOf({ high, low }))}`
  if (name !== undefined && name !== 'bandwidth') {
    if (type === ExtendedType.as2) return `${name}:${String(high & 0xffff)}:${String(low)}`
    const number = ((high & 0xffff) << 16) | (low >>> 16)
    if (type === ExtendedType.ipv4) return `${name}:${formatIpv4Word(number)}:${String(low & 0xffff)}`
    if (type === ExtendedType.as4) return `${name}:${String(number >>> 0)}:${String(low & 0xffff)}`
  }
  return `${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`
}

/** Octets per second of a link bandwidth community: an IEEE 754 single (draft-ietf-idr-link-bandwidth). */
function bandwidthOf({ low }: ExtendedCommunity): number {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, low)
  return view.getFloat32(0)
}

/** The octets per second that a route's link bandwidth community tells, if it has one. */
export function linkBandwidth(communities: readonly ExtendedCommunity[]): number | undefined {
  const found = communities.find(({ high }) => (high & 0xbfff0000) === 0x00040000)
  return found && bandwidthOf(found)
}

/** A link bandwidth community, non-transitive as the draft has it. */
export function linkBandwidthCommunity(asn: number, octetsPerSecond: number): ExtendedCommunity {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, octetsPerSecond)
  return { high: (0x40040000 | Math.min(asn, 0xffff)) >>> 0, low: view.getUint32(0) }
}

const decimal = /^(0|[1-9][0-9]{0,9})$/

function numbers(text: string, limits: readonly number[]): number[] | undefined {
  const parts = text.split(':')
  if (parts.length !== limits.length) return undefined
  const values = parts.map((part) => (decimal.test(part) ? Number(part) : NaN))
  return values.every((value, i) => value <= (limits[i] ?? 0)) ? values : undefined
}

/** Reads `64512:1`; undefined if it isn't two integers of 16 bits. */
export function parseCommunity(text: string): number | undefined {
  const values = numbers(text, [0xffff, 0xffff])
  if (values === undefined) return undefined
  const [high = 0, low = 0] = values
  return ((high << 16) | low) >>> 0
}

/** Reads `64512:1:2`; undefined if it isn't three integers of 32 bits. */
export function parseLargeCommunity(text: string): LargeCommunity | undefined {
  const values = numbers(text, [0xffffffff, 0xffffffff, 0xffffffff])
  if (values === undefined) return undefined
  const [global = 0, local1 = 0, local2 = 0] = values
  return { global, local1, local2 }
}
