import { parseCommunity, parseLargeCommunity } from '../codec/communities.ts'
import { Community } from '../codec/iana.ts'
import { type LargeCommunity } from '../codec/path-attributes.ts'

/** The names that policies may use for well-known communities. */
const wellKnown: Readonly<Record<string, number>> = {
  'graceful-shutdown': Community.gracefulShutdown,
  'accept-own': Community.acceptOwn,
  'llgr-stale': Community.llgrStale,
  'no-llgr': Community.noLlgr,
  blackhole: Community.blackhole,
  'no-export': Community.noExport,
  'no-advertise': Community.noAdvertise,
  'no-export-subconfed': Community.noExportSubconfed,
  'no-peer': Community.noPeer,
}

/**
 * Reads '64512:1' or 'no-export'.
 * @throws TypeError naming the text and what is accepted
 */
export function readCommunity(text: string): number {
  const community = wellKnown[text] ?? parseCommunity(text)
  if (community === undefined)
    throw new TypeError(
      `'${text}' is not a community: write two integers up to 65535 ('64512:1') or one of ${Object.keys(wellKnown).join(', ')}.`,
    )
  return community
}

/** @throws TypeError naming the text and what is accepted */
export function readLargeCommunity(text: string): LargeCommunity {
  const community = parseLargeCommunity(text)
  if (community === undefined)
    throw new TypeError(
      `'${text}' is not a large community: write three integers up to 4294967295 ('64512:1:2').`,
    )
  return community
}

/** Which communities '64512:1', '64512:*', '*' or 'no-export' names. */
export function readCommunityPattern(text: string): (community: number) => boolean {
  if (text === '*') return () => true
  if (text.endsWith(':*')) {
    const high = readCommunity(`${text.slice(0, -2)}:0`) >>> 16
    return (community) => community >>> 16 === high
  }
  const exact = readCommunity(text)
  return (community) => community === exact
}

/** Which large communities '64512:1:2', '64512:1:*', '64512:*' or '*' names. */
export function readLargeCommunityPattern(text: string): (community: LargeCommunity) => boolean {
  if (text === '*') return () => true
  const parts = text.split(':')
  const wildFrom = parts.indexOf('*')
  if (wildFrom < 0) {
    const exact = readLargeCommunity(text)
    return (c) => c.global === exact.global && c.local1 === exact.local1 && c.local2 === exact.local2
  }
  const { global, local1 } = readLargeCommunity(
    [...parts.slice(0, wildFrom), '0', '0', '0'].slice(0, 3).join(':'),
  )
  return wildFrom === 1 ? (c) => c.global === global : (c) => c.global === global && c.local1 === local1
}
