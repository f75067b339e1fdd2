import { type Prefix, type Result, failure, formatPrefix, parsePrefix, success } from '@network/net'
import { type Allocation, type Block, blockCapacity } from './block.ts'
import { isRecord, isSequence, parseJsonRecord } from './json-record.ts'

/*
 * A block's value in the store. It is rewritten with every attach, so it is short, and still legible:
 *
 *   {"cidr":"10.0.0.0/26","affinity":"node-1","sequence":412,
 *    "allocations":{"0":"407 3f9a1c22","1":"411 77be0d14"},"free":"4-63,2,3","released":{"3":1732179136000}}
 *
 * `allocations` gives sequence number and holder by ordinal, `free` the queue with its runs of ascending ordinals
 * drawn together. The longest value, of a block of 4,096 addresses that are all held, stays under 110 KB.
 */

/** The widest block: a /20, or a /116. */
const maxCapacity = 4096

/** Writes a block's value. */
export function encodeBlock(block: Block): string {
  const allocations: Record<string, string> = {}
  for (const [ordinal, { sequence, holder }] of block.allocations) {
    allocations[ordinal] = `${String(sequence)} ${holder}`
  }
  return JSON.stringify({
    cidr: formatPrefix(block.cidr),
    affinity: block.affinity,
    sequence: block.sequence,
    allocations,
    free: encodeQueue(block.free),
    ...(block.released.size > 0 && { released: Object.fromEntries(block.released) }),
  })
}

/**
 * Reads a block's value. A queue that disagrees with the allocations is put right: what is held is in no queue, and
 * what is in neither is free. The error says what can't be read.
 */
export function decodeBlock(text: string): Result<Block, string> {
  const parsed = parseJsonRecord(text)
  if (!parsed.ok) return parsed
  const { cidr: cidrText, affinity, sequence, allocations: held, free, released = {} } = parsed.value
  if (typeof cidrText !== 'string') return failure('cidr is not a text')
  const cidr = parsePrefix(cidrText)
  if (!cidr.ok) return failure(`cidr is not a network: ${cidr.error.reason}`)
  const capacity = blockCapacity(cidr.value)
  if (capacity > maxCapacity) return failure(`cidr ${cidrText} is wider than a block may be`)
  if (affinity !== null && typeof affinity !== 'string') return failure('affinity is neither a node nor null')
  if (!isSequence(sequence)) return failure('sequence is not a whole number')
  const allocations = decodeAllocations(held, capacity)
  if (!allocations.ok) return allocations
  const queue = decodeQueue(free, capacity)
  if (!queue.ok) return queue
  if (!isRecord(released)) return failure('released is not an object')
  const times = new Map<number, number>()
  for (const [key, time] of Object.entries(released)) {
    const ordinal = decodeOrdinal(key, capacity)
    if (ordinal === undefined || typeof time !== 'number') return failure(`released has a bad entry '${key}'`)
    if (!allocations.value.has(ordinal)) times.set(ordinal, time)
  }
  return success({
    cidr: cidr.value,
    affinity,
    sequence,
    allocations: allocations.value,
    free: completeQueue(queue.value, allocations.value, cidr.value),
    released: times,
  })
}

function decodeAllocations(held: unknown, capacity: number): Result<Map<number, Allocation>, string> {
  if (!isRecord(held)) return failure('allocations is not an object')
  const allocations = new Map<number, Allocation>()
  for (const [key, value] of Object.entries(held)) {
    const ordinal = decodeOrdinal(key, capacity)
    const parts = typeof value === 'string' ? /^([0-9]{1,16}) (\S{1,16})$/.exec(value) : null
    if (ordinal === undefined || parts === null) return failure(`allocations has a bad entry '${key}'`)
    allocations.set(ordinal, { sequence: Number(parts[1]), holder: parts[2] ?? '' })
  }
  return success(allocations)
}

function decodeOrdinal(text: string, capacity: number): number | undefined {
  const ordinal = /^(0|[1-9][0-9]{0,3})$/.test(text) ? Number(text) : capacity
  return ordinal < capacity ? ordinal : undefined
}

function encodeQueue(free: readonly number[]): string {
  const runs: string[] = []
  let at = 0
  while (at < free.length) {
    const first = free[at] ?? 0
    let length = 1
    while (free[at + length] === first + length) length++
    runs.push(length === 1 ? String(first) : `${String(first)}-${String(first + length - 1)}`)
    at += length
  }
  return runs.join(',')
}

function decodeQueue(text: unknown, capacity: number): Result<number[], string> {
  if (typeof text !== 'string') return failure('free is not a text')
  const free: number[] = []
  if (text === '') return success(free)
  for (const run of text.split(',')) {
    const [from = '', to = from, more] = run.split('-')
    const first = decodeOrdinal(from, capacity)
    const last = decodeOrdinal(to, capacity)
    if (first === undefined || last === undefined || more !== undefined || free.length > capacity) {
      return failure(`free has a bad entry '${run}'`)
    }
    for (let ordinal = first; ordinal <= last; ordinal++) free.push(ordinal)
  }
  return success(free)
}

function completeQueue(
  queue: readonly number[],
  allocations: ReadonlyMap<number, Allocation>,
  cidr: Prefix,
): number[] {
  const free = new Set(queue.filter((ordinal) => !allocations.has(ordinal)))
  const capacity = blockCapacity(cidr)
  for (let ordinal = 0; free.size + allocations.size < capacity && ordinal < capacity; ordinal++) {
    if (!allocations.has(ordinal)) free.add(ordinal)
  }
  return [...free]
}
