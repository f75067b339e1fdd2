import { type Prefix, addressFromBytes, prefixOf } from '@network/net'
import { Afi, type AfiSafi, Safi, afiOf, safiOf } from './iana.ts'
import { type NlriRun } from './messages.ts'
import { u32At } from './reader.ts'
import { putU32 } from './writer.ts'

/** Bits of the longest prefix of a family, 32 or 128; 0 if the family's NLRI are not plain prefixes. */
export function prefixBits(family: AfiSafi): 0 | 32 | 128 {
  const safi = safiOf(family)
  if (safi !== Safi.unicast && safi !== Safi.multicast) return 0
  const afi = afiOf(family)
  return afi === Afi.ipv4 ? 32 : afi === Afi.ipv6 ? 128 : 0
}

/**
 * Counts the prefixes between two offsets (RFC 4271 section 4.3, RFC 7911 section 3): -1 if a prefix is longer than
 * `bits`, -2 if the last one reaches beyond `end`. Bits past a prefix's length may have any value.
 */
export function countNlri(
  bytes: Uint8Array,
  start: number,
  end: number,
  bits: number,
  addPath: boolean,
): number {
  let at = start
  let count = 0
  const head = addPath ? 4 : 0
  while (at < end) {
    at += head
    if (at >= end) return -2
    const length = bytes[at] as number
    if (length > bits) return -1
    at += 1 + ((length + 7) >>> 3)
    count++
  }
  return at === end ? count : -2
}

export interface NlriEntry {
  readonly prefix: Prefix
  /** RFC 7911 path identifier, an unsigned 32-bit integer; undefined if the run has none. */
  readonly pathId: number | undefined
}

/** The prefixes of a checked run, made one by one, for a person to read; bits past the length are cleared. */
export function* nlriPrefixes(run: NlriRun): Generator<NlriEntry, void, undefined> {
  const { bytes, addPath } = run
  const family = afiOf(run.afiSafi) === Afi.ipv6 ? 'ipv6' : 'ipv4'
  const padded = new Uint8Array(16)
  let at = 0
  while (at < bytes.length) {
    const pathId = addPath ? u32At(bytes, at) : undefined
    if (addPath) at += 4
    const length = bytes[at++] ?? 0
    const octets = (length + 7) >>> 3
    padded.fill(0)
    padded.set(bytes.subarray(at, at + Math.min(octets, 16)))
    at += octets
    yield { prefix: prefixOf(addressFromBytes(padded, 0, family), length), pathId }
  }
}

/** Writes one NLRI at `at` and returns the offset behind it. The caller makes sure of 21 octets of room. */
export function putNlri(buffer: Uint8Array, at: number, prefix: Prefix, pathId?: number): number {
  let next = at
  if (pathId !== undefined) {
    putU32(buffer, next, pathId)
    next += 4
  }
  buffer[next++] = prefix.length
  const octets = (prefix.length + 7) >>> 3
  const { w0, w1, w2, w3 } = prefix.address
  for (let i = 0; i < octets; i++) {
    const word = i < 4 ? w0 : i < 8 ? w1 : i < 12 ? w2 : w3
    buffer[next++] = word >>> (24 - 8 * (i & 3))
  }
  return next
}

/** A run of prefixes; `addPath` if its first entry has a path identifier, absent ones then being 0. */
export function nlriRun(
  family: AfiSafi,
  entries: readonly { readonly prefix: Prefix; readonly pathId?: number | undefined }[],
  nextHop?: Uint8Array,
): NlriRun {
  const addPath = entries[0]?.pathId !== undefined
  const bytes = new Uint8Array(entries.length * 21)
  let at = 0
  for (const { prefix, pathId } of entries)
    at = putNlri(bytes, at, prefix, addPath ? (pathId ?? 0) : undefined)
  return { afiSafi: family, bytes: bytes.slice(0, at), count: entries.length, addPath, nextHop }
}
