/**
 * Malformed path attributes with what RFC 7606 makes of them, per kind of session. Each is put into an otherwise good
 * UPDATE with one prefix; the decoded UPDATE must show the outcome.
 */
import { type CodecContext, decodeAttributes, decodeUpdate, plainContext } from '@network/bgp/codec'
import { fromHex, splitAttributes } from './octets.ts'
import { Tally, type Verdict, failed, notApplicable, passed } from './tally.ts'

interface Vector {
  readonly name: string
  readonly nexthop: string | null
  readonly attr_type: number | null
  readonly flags: number
  readonly data: string
  readonly skip_sorts: readonly string[]
  readonly _outcomes: Readonly<Record<string, Outcome>>
}

type Outcome = 'withdraw' | 'discard' | 'session-reset'

/** Vectors that record what another speaker does where the RFCs say otherwise or nothing; and what is done here. */
const differing: Readonly<Record<string, { outcome: Outcome; reason: string }>> = {
  'as4path-seg-type-0': {
    outcome: 'discard',
    reason: 'RFC 6793 section 6 discards a malformed AS4_PATH and goes on; seen to be done',
  },
  'pmsi-type-8': {
    outcome: 'discard',
    reason: 'RFC 7524 assigns tunnel type 8; PMSI_TUNNEL is carried unread, seen to be done',
  },
  'nhc-bad-afi-safi': {
    outcome: 'discard',
    reason:
      "attribute 39 is a draft's; as an unknown transitive one it is carried with Partial, seen to be done",
  },
  'nhc-tlv-overrun': {
    outcome: 'discard',
    reason:
      "attribute 39 is a draft's; as an unknown transitive one it is carried with Partial, seen to be done",
  },
}

/** Unknown transitive attributes are not discarded but carried. */
const carried = new Set(['unknown-fe-transitive', 'pmsi-type-8', 'nhc-bad-afi-safi', 'nhc-tlv-overrun'])

const contexts: Readonly<Record<string, CodecContext>> = {
  ebgp: plainContext,
  ibgp: { ...plainContext, peerType: 'internal' },
}

export function runRfc7606(text: string): Tally {
  const tally = new Tally('rfc7606.json')
  for (const vector of JSON.parse(text) as Vector[]) {
    for (const [sort, outcome] of Object.entries(vector._outcomes)) {
      const name = `${vector.name} (${sort})`
      const context = contexts[sort]
      if (vector.skip_sorts.includes(sort))
        tally.add(name, notApplicable('the vector has no outcome for this kind of session'))
      else if (context === undefined)
        tally.add(name, notApplicable(`sessions of kind ${sort} are a draft's and not spoken`))
      else tally.add(name, judge(vector, outcome, context))
    }
  }
  return tally
}

function judge(vector: Vector, outcome: Outcome, context: CodecContext): Verdict {
  const other = differing[vector.name]
  const expected = other?.outcome ?? outcome
  const verdict = hold(vector, expected, context)
  return verdict.kind === 'passed' && other !== undefined ? notApplicable(other.reason) : verdict
}

function hold(vector: Vector, expected: Outcome, context: CodecContext): Verdict {
  const decoded = decodeUpdate(updateOf(vector, context), context)
  if (decoded.type === 'fault') {
    return expected === 'session-reset' ? passed : failed(`ends the session: ${decoded.reason}`)
  }
  const withdrawn = decoded.withdrawn.length > 0 && decoded.announced.length === 0
  if (expected === 'withdraw') return withdrawn ? passed : failed('is not treated as withdraw')
  if (expected === 'session-reset') return failed('does not end the session')
  if (withdrawn || decoded.attributes === undefined) return failed('is treated as withdraw')
  const attribute = splitAttributes(decoded.attributes).find(({ code }) => code === vector.attr_type)
  if (!carried.has(vector.name) || attribute === undefined)
    return attribute === undefined || attribute.flags === 0x80
      ? passed
      : failed('the attribute is not discarded')
  const opaque = decodeAttributes(decoded.attributes, context).opaque
  const partial = opaque?.some(({ code, flags }) => code === vector.attr_type && (flags & 0x20) !== 0)
  return partial === true ? passed : failed('is carried without Partial')
}

/** The vectors' UPDATEs for one kind of session, as seeds for other tests. */
export function rfc7606Updates(text: string): Uint8Array[] {
  return (JSON.parse(text) as Vector[]).map((vector) => updateOf(vector, plainContext))
}

function updateOf(vector: Vector, context: CodecContext): Uint8Array {
  const nextHop = vector.nexthop ?? '10.0.0.2'
  const nextHopHex = nextHop
    .split('.')
    .map((octet) => Number(octet).toString(16).padStart(2, '0'))
    .join('')
  const base: Record<number, string> = {
    1: '40010100',
    2: '40020602010000fde9',
    3: `400304${nextHopHex}`,
    ...(context.peerType === 'internal' ? { 5: '40050400000064' } : {}),
  }
  if (vector.attr_type !== null) {
    const length = (vector.data.length / 2).toString(16).padStart(2, '0')
    const head = [vector.flags, vector.attr_type].map((octet) => octet.toString(16).padStart(2, '0')).join('')
    base[vector.attr_type] = `${head}${length}${vector.data}`
  }
  const attributes = Object.values(base).join('')
  const length = (attributes.length / 2).toString(16).padStart(4, '0')
  const body = `0000${length}${attributes}180a0100`
  const total = (19 + body.length / 2).toString(16).padStart(4, '0')
  return fromHex(`${'ff'.repeat(16)}${total}02${body}`)
}
