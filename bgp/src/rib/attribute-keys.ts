import { AttributeCode, AttributeFlag, Community } from '../codec/iana.ts'
import { u16At, u32At } from '../codec/reader.ts'

/** What the decision process and the propagation rules ask of an attribute set, as bits. */
export const SetFlag = {
  localPref: 1,
  med: 2,
  originatorId: 4,
  noExport: 8,
  noAdvertise: 16,
  noPeer: 32,
  gracefulShutdown: 64,
  llgrStale: 128,
  noLlgr: 256,
  onlyToCustomer: 512,
} as const

/** Integers that the decision process compares, read once per attribute set. */
export interface AttributeKeys {
  flags: number
  localPref: number
  /** As RFC 4271 section 9.1.2.2 a counts it: a set is 1, confederation segments 0. */
  pathLength: number
  origin: number
  /** Absent is 0, the best (RFC 4271 section 9.1.2.2 c). */
  med: number
  /** First AS number of the path, 0 for an empty path. */
  neighbourAs: number
  originatorId: number
  clusterLength: number
  /** Hash of AS_PATH, for ECMP that wants the same path. */
  pathHash: number
  onlyToCustomer: number
}

export const defaultLocalPref = 100

export function emptyKeys(): AttributeKeys {
  return {
    flags: 0,
    localPref: defaultLocalPref,
    pathLength: 0,
    origin: 0,
    med: 0,
    neighbourAs: 0,
    originatorId: 0,
    clusterLength: 0,
    pathHash: 0,
    onlyToCustomer: 0,
  }
}

/** Reads the keys of a checked block with four-octet AS numbers into `keys`; no object is made. */
export function readKeys(bytes: Uint8Array, start: number, end: number, keys: AttributeKeys): void {
  keys.flags = 0
  keys.localPref = defaultLocalPref
  keys.pathLength = 0
  keys.origin = 0
  keys.med = 0
  keys.neighbourAs = 0
  keys.originatorId = 0
  keys.clusterLength = 0
  keys.pathHash = 0
  keys.onlyToCustomer = 0
  let at = start
  while (end - at >= 3) {
    const flags = bytes[at] as number
    const code = bytes[at + 1] as number
    const extended = (flags & AttributeFlag.extendedLength) !== 0
    const value = at + (extended ? 4 : 3)
    const next = value + (extended ? u16At(bytes, at + 2) : (bytes[at + 2] as number))
    if (next > end) return
    readKey(bytes, code, value, next, keys)
    at = next
  }
}

function readKey(bytes: Uint8Array, code: number, at: number, end: number, keys: AttributeKeys): void {
  switch (code) {
    case AttributeCode.origin:
      keys.origin = bytes[at] as number
      break
    case AttributeCode.asPath:
      readPath(bytes, at, end, keys)
      break
    case AttributeCode.multiExitDisc:
      keys.med = u32At(bytes, at)
      keys.flags |= SetFlag.med
      break
    case AttributeCode.localPref:
      keys.localPref = u32At(bytes, at)
      keys.flags |= SetFlag.localPref
      break
    case AttributeCode.communities:
      for (let i = at; i + 4 <= end; i += 4) keys.flags |= communityFlag(u32At(bytes, i))
      break
    case AttributeCode.originatorId:
      keys.originatorId = u32At(bytes, at)
      keys.flags |= SetFlag.originatorId
      break
    case AttributeCode.clusterList:
      keys.clusterLength = Math.min(255, (end - at) >>> 2)
      break
    case AttributeCode.onlyToCustomer:
      keys.onlyToCustomer = u32At(bytes, at)
      keys.flags |= SetFlag.onlyToCustomer
      break
  }
}

function readPath(bytes: Uint8Array, start: number, end: number, keys: AttributeKeys): void {
  let hash = 0
  let neighbourSeen = false
  for (let at = start; at + 2 <= end;) {
    const type = bytes[at] as number
    const count = bytes[at + 1] as number
    if (type === 2) keys.pathLength += count
    else if (type === 1) keys.pathLength += 1
    // Confederation segments come before the neighbouring AS (RFC 5065 section 5.3).
    if (!neighbourSeen && (type === 1 || type === 2)) {
      neighbourSeen = true
      if (type === 2 && count > 0) keys.neighbourAs = u32At(bytes, at + 2)
    }
    const next = at + 2 + count * 4
    for (; at < next && at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193) + 1
    at = next
  }
  keys.pathHash = hash | 0
}

function communityFlag(community: number): number {
  switch (community) {
    // Without confederations, both say the same (RFC 1997).
    case Community.noExport:
    case Community.noExportSubconfed:
      return SetFlag.noExport
    case Community.noAdvertise:
      return SetFlag.noAdvertise
    case Community.noPeer:
      return SetFlag.noPeer
    case Community.gracefulShutdown:
      return SetFlag.gracefulShutdown
    case Community.llgrStale:
      return SetFlag.llgrStale
    case Community.noLlgr:
      return SetFlag.noLlgr
    default:
      return 0
  }
}

/** Where the value of an attribute lies in a checked block: undefined if the block hasn't it. */
export function findAttribute(block: Uint8Array, wanted: number): { start: number; end: number } | undefined {
  let at = 0
  while (block.length - at >= 3) {
    const extended = ((block[at] as number) & AttributeFlag.extendedLength) !== 0
    const start = at + (extended ? 4 : 3)
    const end = start + (extended ? u16At(block, at + 2) : (block[at + 2] as number))
    if (block[at + 1] === wanted) return end <= block.length ? { start, end } : undefined
    at = end
  }
  return undefined
}

/** How often an AS number stands in the AS_PATH of a block with four-octet numbers, in segments of any type. */
export function countAsInBlock(block: Uint8Array, asn: number): number {
  const found = findAttribute(block, AttributeCode.asPath)
  if (found === undefined) return 0
  let count = 0
  for (let at = found.start; at + 2 <= found.end;) {
    const next = at + 2 + (block[at + 1] as number) * 4
    for (at += 2; at < next && at + 4 <= found.end; at += 4) if (u32At(block, at) === asn) count++
  }
  return count
}

/** Whether a cluster id stands in the CLUSTER_LIST of a block. */
export function hasCluster(block: Uint8Array, clusterId: number): boolean {
  const found = findAttribute(block, AttributeCode.clusterList)
  if (found === undefined) return false
  for (let at = found.start; at + 4 <= found.end; at += 4) if (u32At(block, at) === clusterId) return true
  return false
}
