import { asTrans } from './iana.ts'
import { type AsPath, type AsPathSegment } from './path-attributes.ts'
import { type Reader, u16At, u32At } from './reader.ts'
import { type Writer } from './writer.ts'

/** Segment types (RFC 4271 section 4.3, RFC 5065 section 3), by number. */
const segmentTypes: readonly (AsPathSegment['type'] | undefined)[] = [
  undefined,
  'set',
  'sequence',
  'confed-sequence',
  'confed-set',
]

const longestSegment = 255

function isConfederation(segment: AsPathSegment): boolean {
  return segment.type === 'confed-sequence' || segment.type === 'confed-set'
}

export interface AsPathRules {
  /** Octets of an AS number, 2 or 4. */
  readonly octets: 2 | 4
  /** Whether segments of a confederation are in order. */
  readonly confederation: boolean
}

/**
 * What is wrong with the octets of a path, as the end of a sentence (RFC 7606 section 7.2, RFC 7607 section 2).
 *
 *     +--------------+----------------+--------------------------+
 *     | Segment type | Number of ASes | AS numbers, 2 or 4 each  |
 *     +--------------+----------------+--------------------------+
 */
export function asPathProblem(
  bytes: Uint8Array,
  start: number,
  end: number,
  rules: AsPathRules,
): string | undefined {
  let at = start
  while (at < end) {
    if (end - at < 2) return 'a segment header is cut short'
    const type = bytes[at] ?? 0
    const count = bytes[at + 1] ?? 0
    at += 2
    if (type < 1 || type > 4) return `segment type ${String(type)} is not known`
    if (type > 2 && !rules.confederation)
      return 'a confederation segment comes from outside of the confederation'
    if (count === 0) return 'a segment is empty'
    if (at + count * rules.octets > end)
      return `a segment of ${String(count)} AS numbers reaches beyond the attribute`
    for (let i = 0; i < count; i++) {
      if ((rules.octets === 4 ? u32At(bytes, at) : u16At(bytes, at)) === 0)
        return 'AS number 0 is reserved (RFC 7607)'
      at += rules.octets
    }
  }
  return undefined
}

export function decodeAsPath(value: Reader, octets: 2 | 4): AsPath {
  const path: AsPathSegment[] = []
  while (value.remaining > 0) {
    const type = segmentTypes[value.u8()]
    const count = value.u8()
    if (type === undefined || count * octets > value.remaining) break
    const asns: number[] = []
    for (let i = 0; i < count; i++) asns.push(octets === 4 ? value.u32() : value.u16())
    path.push({ type, asns })
  }
  return path
}

/** Writes a path; in two octets, AS_TRANS stands for what doesn't fit. A segment past 255 numbers becomes several. */
export function encodeAsPath(path: AsPath, octets: 2 | 4, into: Writer): void {
  for (const { type, asns } of path) {
    for (let from = 0; from < asns.length; from += longestSegment) {
      const part = asns.slice(from, from + longestSegment)
      into.u8(segmentTypes.indexOf(type))
      into.u8(part.length)
      for (const asn of part) {
        if (octets === 4) into.u32(asn)
        else into.u16(asn > 0xffff ? asTrans : asn)
      }
    }
  }
}

/** Length as the decision process counts it: a set counts 1, confederation segments 0 (RFC 4271 9.1.2.2, RFC 5065). */
export function asPathLength(path: AsPath): number {
  let length = 0
  for (const { type, asns } of path) {
    if (type === 'sequence') length += asns.length
    else if (type === 'set') length += 1
  }
  return length
}

/** Whether a path needs four octets for a number outside of confederation segments. */
export function needsAs4Path(path: AsPath): boolean {
  return path.some((segment) => !isConfederation(segment) && segment.asns.some((asn) => asn > 0xffff))
}

/** The path for AS4_PATH: confederation segments have no place in it (RFC 6793 section 3). */
export function withoutConfederation(path: AsPath): AsPath {
  return path.some(isConfederation) ? path.filter((segment) => !isConfederation(segment)) : path
}

/**
 * RFC 6793 section 4.2.3: the path of an old speaker's AS_PATH and AS4_PATH. As many leading numbers of AS_PATH as
 * AS4_PATH lacks come before it; an AS4_PATH that is the longer one is ignored.
 */
export function mergeAs4Path(asPath: AsPath, as4Path: AsPath): AsPath {
  const tail = withoutConfederation(as4Path)
  let missing = asPathLength(asPath) - asPathLength(tail)
  if (missing < 0) return asPath
  const head: AsPathSegment[] = []
  for (const segment of asPath) {
    if (isConfederation(segment)) {
      head.push(segment)
    } else if (missing <= 0) {
      break
    } else if (segment.type === 'set') {
      head.push(segment)
      missing--
    } else {
      const asns = segment.asns.slice(0, missing)
      head.push({ type: 'sequence', asns })
      missing -= asns.length
    }
  }
  return joinSequences([...head, ...tail])
}

/** Neighbouring sequences as one, as far as a segment holds them. */
function joinSequences(path: AsPath): AsPath {
  const joined: AsPathSegment[] = []
  for (const segment of path) {
    const last = joined.at(-1)
    if (
      last?.type === 'sequence' &&
      segment.type === 'sequence' &&
      last.asns.length + segment.asns.length <= longestSegment
    ) {
      joined[joined.length - 1] = { type: 'sequence', asns: [...last.asns, ...segment.asns] }
    } else {
      joined.push(segment)
    }
  }
  return joined
}

/** The path with `asn` put before it `count` times (RFC 4271 section 5.1.2). */
export function prependAs(path: AsPath, asn: number, count = 1): AsPath {
  if (count <= 0) return path
  const [first, ...rest] = path
  const added = new Array<number>(count).fill(asn)
  const asns = first?.type === 'sequence' ? [...added, ...first.asns] : added
  const tail = first === undefined || first.type === 'sequence' ? rest : path
  // A segment that is too long is filled from its end, so that the numbers next to us stand in the shorter one.
  const segments: AsPathSegment[] = []
  for (let end = asns.length; end > 0; end -= longestSegment)
    segments.unshift({ type: 'sequence', asns: asns.slice(Math.max(0, end - longestSegment), end) })
  return [...segments, ...tail]
}

/** How often the number stands in the path, in segments of any type: for loop detection. */
export function countAs(path: AsPath, asn: number): number {
  let count = 0
  for (const { asns } of path) for (const member of asns) if (member === asn) count++
  return count
}

/** The neighbouring AS: the first number, if the path begins with a sequence once confederation segments are past. */
export function firstAs(path: AsPath): number | undefined {
  const first = path.find((segment) => !isConfederation(segment))
  return first?.type === 'sequence' ? first.asns[0] : undefined
}

/** The AS that originated the route: the last number, if the path ends with a sequence. */
export function originAs(path: AsPath): number | undefined {
  const last = path.at(-1)
  return last?.type === 'sequence' ? last.asns.at(-1) : undefined
}

/** `65001 65002 {65003,65004} (64512)`. */
export function formatAsPath(path: AsPath): string {
  return path
    .map(({ type, asns }) => {
      if (type === 'sequence') return asns.join(' ')
      if (type === 'set') return `{${asns.join(',')}}`
      return type === 'confed-sequence' ? `(${asns.join(' ')})` : `[${asns.join(',')}]`
    })
    .join(' ')
}
