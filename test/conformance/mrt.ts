/**
 * MRT dumps with their reading by another program, one line per prefix. Every line must be the same, in the same
 * order, and every message and attribute block must keep its meaning when it is encoded again.
 */
import {
  type CodecContext,
  type MessageFault,
  type NlriRun,
  type PathAttributes,
  Afi,
  Safi,
  afiSafi,
  decodeAttributes,
  decodeMessage,
  encodeAttributes,
  encodeUpdate,
  formatAsPath,
  formatCommunity,
  ipv4Unicast,
  ipv6Unicast,
  nlriPrefixes,
  plainContext,
} from '@network/bgp/codec'
import {
  type MrtMessage,
  type MrtPeerIndexTable,
  type MrtRib,
  readMrt,
  ribEntryNextHop,
} from '@network/bgp/mrt'
import { addressFromBytes, formatAddress, formatIpv4Word, formatPrefix } from '@network/net'
import { isDeepStrictEqual } from 'node:util'
import { splitAttributes, toHex } from './octets.ts'
import { Tally, type Verdict, failed, notApplicable, passed } from './tally.ts'

const ipv4Multicast = afiSafi(Afi.ipv4, Safi.multicast)
const ipv6Multicast = afiSafi(Afi.ipv6, Safi.multicast)

export function runMrt(name: string, dump: Uint8Array, expected: string): Tally {
  const tally = new Tally(`mrt/${name}`)
  const wanted = expected.split('\n').filter((line) => line !== '')
  let next = 0
  let peers: MrtPeerIndexTable | undefined
  const compare = (line: string): void => {
    const want = wanted[next++]
    tally.add(`line ${String(next)}`, compareLine(line, want))
  }
  for (const record of readMrt(dump)) {
    let lines: string[] = []
    if (record.kind === 'fault') tally.add(`offset ${String(record.offset)}`, failed(record.reason))
    else if (record.kind === 'peer-index-table') peers = record
    else if (record.kind === 'rib') lines = ribLines(record, peers, tally)
    else if (record.kind === 'message') lines = messageLines(record, tally)
    else if (record.kind === 'state-change')
      lines = [
        `BGP4MP|${String(record.timestamp)}|STATE|${formatAddress(record.peer)}|${String(record.peerAs)}|${String(record.oldState)}|${String(record.newState)}`,
      ]
    else tally.add('record', notApplicable(`record type ${String(record.type)}/${String(record.subtype)}`))
    lines.forEach(compare)
  }
  if (next !== wanted.length)
    tally.add('lines', failed(`${String(next)} lines instead of ${String(wanted.length)}`))
  return tally
}

/** One line of ours and of the other reading's, with the places where that one goes its own way. */
function compareLine(line: string, want: string | undefined): Verdict {
  if (line === want) return passed
  const ours = line.split('|')
  const theirs = (want ?? '').split('|')
  if (
    ours[2] === 'B' &&
    ours[8] === '' &&
    theirs[9] === '255.255.255.255' &&
    isDeepStrictEqual(ours.slice(0, 7), theirs.slice(0, 7))
  )
    return notApplicable('an entry without attributes, where the other reading prints its own defaults')
  if (
    ours[2] === 'W' &&
    theirs[2] === 'A' &&
    theirs[8] === '::' &&
    isDeepStrictEqual(ours.slice(3, 6), theirs.slice(3, 6))
  )
    return notApplicable('an unspecified next hop (::): seen to be treated as withdraw')
  return failed(`${line} instead of ${String(want)}`)
}

function ribLines(rib: MrtRib, peers: MrtPeerIndexTable | undefined, tally: Tally): string[] {
  const context: CodecContext = { ...plainContext, peerType: 'internal' }
  return rib.entries.map((entry) => {
    const peer = peers?.peers[entry.peerIndex]
    const attributes = decodeAttributes(entry.attributes, context)
    checkEncoding(entry.attributes, attributes, context, tally)
    const nextHop = ribEntryNextHop(entry.attributes)
    const fields = [
      rib.addPath ? 'TABLE_DUMP2_AP' : 'TABLE_DUMP2',
      rib.timestamp,
      'B',
      peer === undefined ? '' : formatAddress(peer.address),
      peer?.asn,
      formatPrefix(rib.prefix),
      ...(entry.pathId === undefined ? [] : [entry.pathId]),
    ]
    return `${fields.map(String).join('|')}|${attributeFields(attributes, nextHop && nextHopText(nextHop))}`
  })
}

function messageLines(record: MrtMessage, tally: Tally): string[] {
  const families = [ipv4Unicast, ipv6Unicast, ipv4Multicast, ipv6Multicast]
  const context: CodecContext = {
    ...plainContext,
    families: new Set(families),
    as4: record.as4,
    addPath: new Set(record.addPath ? families : []),
  }
  const decoded = decodeMessage(record.message, context)
  if (decoded.type === 'fault') return withoutLastOctet(record, decoded, tally)
  if (decoded.type !== 'update') return []
  const head = (kind: string): string =>
    `BGP4MP|${String(record.timestamp)}|${kind}|${formatAddress(record.peer)}|${String(record.peerAs)}|`
  for (const fault of decoded.faults) tally.note(`with ${fault.action} of ${fault.reason} (${fault.rule})`)
  const again = encodeUpdate(decoded, context)
  const meaning = (runs: readonly NlriRun[]): string[] =>
    runs.map((run) => `${String(run.afiSafi)} ${toHex(run.bytes)}`)
  const reread = decodeMessage(again, context)
  if (
    reread.type !== 'update' ||
    !isDeepStrictEqual(meaning(reread.announced), meaning(decoded.announced)) ||
    !isDeepStrictEqual(meaning(reread.withdrawn), meaning(decoded.withdrawn))
  )
    tally.add('message', failed(`${toHex(record.message)} changes when it is encoded again`))
  const attributes = decoded.attributes === undefined ? {} : decodeAttributes(decoded.attributes, context)
  if (decoded.attributes !== undefined) checkEncoding(decoded.attributes, attributes, context, tally)
  const lines = decoded.withdrawn.flatMap((run) =>
    [...nlriPrefixes(run)].map(({ prefix }) => `${head('W')}${formatPrefix(prefix)}`),
  )
  for (const run of decoded.announced) {
    const fields = attributeFields(attributes, run.nextHop && nextHopText(run.nextHop))
    for (const { prefix } of nlriPrefixes(run)) lines.push(`${head('A')}${formatPrefix(prefix)}|${fields}`)
  }
  return lines
}

/** A dump whose NLRI field is an octet too long, which the other reading overlooks: what comes before it is compared. */
function withoutLastOctet(record: MrtMessage, fault: MessageFault, tally: Tally): string[] {
  const message = new Uint8Array(record.message.subarray(0, -1))
  message[17] = message.length & 255
  message[16] = message.length >> 8
  if (fault.faults.at(-1)?.rule !== 'RFC 7606 section 5.3' || record.message.length < 24) {
    tally.add('message', failed(fault.reason))
    return []
  }
  tally.add(
    'message',
    notApplicable('an NLRI field with an octet too many: seen to end the session (RFC 7606 section 5.3)'),
  )
  return messageLines({ ...record, message }, tally)
}

/** The first 16 octets of a next hop: its global address. */
function nextHopText(octets: Uint8Array): string {
  return formatAddress(addressFromBytes(octets, 0, octets.length === 4 ? 'ipv4' : 'ipv6'))
}

function attributeFields(attributes: PathAttributes, nextHop: string | undefined): string {
  const { aggregator, communities = [] } = attributes
  return [
    formatAsPath(attributes.asPath ?? []),
    (attributes.origin ?? '').toUpperCase(),
    nextHop ?? (attributes.nextHop ? formatAddress(attributes.nextHop) : ''),
    String(attributes.localPref ?? 0),
    String(attributes.multiExitDisc ?? 0),
    communities.map(formatCommunity).join(' '),
    attributes.atomicAggregate === true ? 'AG' : 'NAG',
    aggregator === undefined ? '' : `${String(aggregator.asn)} ${formatIpv4Word(aggregator.routerId)}`,
    '',
  ].join('|')
}

/** The block encodes back to the same octets, or to the same attributes in canonical form. */
function checkEncoding(
  block: Uint8Array,
  attributes: PathAttributes,
  context: CodecContext,
  tally: Tally,
): void {
  const encoded = encodeAttributes(attributes, context)
  if (toHex(encoded) === toHex(block)) {
    tally.note('attribute blocks that encode back to the same octets')
  } else if (sameAttributes(encoded, block)) {
    tally.note('attribute blocks that encode back to the same attributes, put in the order of their codes')
  } else if (isDeepStrictEqual(decodeAttributes(encoded, context), attributes)) {
    tally.note('attribute blocks with unknown attributes or long length fields, which keep their meaning')
  } else {
    tally.add('attributes', failed(`${toHex(block)} encodes as ${toHex(encoded)}`))
  }
}

function sameAttributes(a: Uint8Array, b: Uint8Array): boolean {
  const octets = (block: Uint8Array): string[] =>
    splitAttributes(block)
      .map((attribute) => attribute.octets)
      .sort()
  return isDeepStrictEqual(octets(a), octets(b))
}
