/**
 * Where the parts of an UPDATE are: withdrawn routes, path attributes and NLRI, classic and multiprotocol. NLRI are
 * counted and checked in place; of the attributes only those are looked at that hold NLRI or their next hop, and what the
 * others say is left to attribute-block.ts.
 */
import { flagsProblem, missingFault, updateFault, without } from './attribute-block.ts'
import { attributeRows } from './attributes.ts'
import { type CodecContext } from './context.ts'
import { headerLength } from './frame.ts'
import {
  AttributeCode,
  AttributeFlag,
  type AfiSafi,
  UpdateSubcode,
  formatAfiSafi,
  ipv4Unicast,
} from './iana.ts'
import { type MessageFault, type NlriRun, type UpdateFault } from './messages.ts'
import { isNextHop, nextHopLengthFits } from './next-hop.ts'
import { countNlri, prefixBits } from './nlri.ts'
import { empty, u16At } from './reader.ts'

/** An UPDATE whose attributes have not been checked yet. */
export interface SplitUpdate {
  readonly withdrawn: readonly NlriRun[]
  readonly announced: readonly NlriRun[]
  /** Path attributes as received, less MP_REACH_NLRI and MP_UNREACH_NLRI; a view if they leave no gap. */
  readonly attributes: Uint8Array
  readonly endOfRib: AfiSafi | undefined
  readonly faults: readonly UpdateFault[]
  /** Whether it encodes reachable NLRI of any family (RFC 7606 section 5.2). */
  readonly reachable: boolean
}

const none: readonly never[] = []

/** The UPDATE's end of the session: UpdateMsgErr (event 28). */
export function reset(faults: readonly UpdateFault[], last: UpdateFault): MessageFault {
  return { type: 'fault', notification: last.notification, event: 28, reason: last.reason, faults }
}

function malformedList(bytes: Uint8Array, reason: string): UpdateFault {
  return updateFault(
    'reset',
    'RFC 4271 section 6.3',
    undefined,
    UpdateSubcode.malformedAttributeList,
    reason,
    bytes,
  )
}

/**
 * Finds the parts of an UPDATE, given as a whole message with its header. A fault is returned where the NLRI can't be
 * known for certain: there RFC 7606 section 3(j) leaves no choice but to end the session.
 *
 *     +-------------------------+------------------+------------------------+-----------------+------+
 *     | Withdrawn Routes Length | Withdrawn Routes | Total Attribute Length | Path Attributes | NLRI |
 *     |            2            |                  |           2            |                 |      |
 *     +-------------------------+------------------+------------------------+-----------------+------+
 */
export function splitUpdate(message: Uint8Array, context: CodecContext): SplitUpdate | MessageFault {
  const end = message.length
  const withdrawnAt = headerLength + 2
  const withdrawnEnd = withdrawnAt + u16At(message, headerLength)
  const attributesAt = withdrawnEnd + 2
  if (attributesAt > end) {
    const fault = malformedList(empty, 'the withdrawn routes reach beyond the UPDATE')
    return reset([fault], fault)
  }
  const attributesEnd = attributesAt + u16At(message, withdrawnEnd)
  if (attributesEnd > end) {
    const fault = malformedList(empty, 'the path attributes reach beyond the UPDATE')
    return reset([fault], fault)
  }
  const split = new Splitter(message, context)
  if (!split.classicWithdrawn(withdrawnAt, withdrawnEnd)) return split.ended()
  if (!split.attributes(attributesAt, attributesEnd)) return split.ended()
  if (!split.classicAnnounced(attributesEnd, end)) return split.ended()
  return split.finish()
}

/** The state of one splitUpdate; its methods return false once the session has to end. */
class Splitter {
  readonly #message: Uint8Array
  readonly #context: CodecContext
  #withdrawn: NlriRun[] | undefined
  #announced: NlriRun[] | undefined
  #faults: UpdateFault[] | undefined
  #block: Uint8Array = empty
  #nextHopAt = -1
  #reachable = false
  #unreachFamily: AfiSafi | undefined

  constructor(message: Uint8Array, context: CodecContext) {
    this.#message = message
    this.#context = context
  }

  ended(): MessageFault {
    const faults = this.#faults ?? []
    return reset(faults, faults.at(-1) as UpdateFault)
  }

  finish(): SplitUpdate {
    return {
      withdrawn: this.#withdrawn ?? none,
      announced: this.#announced ?? none,
      attributes: this.#block,
      endOfRib: this.#endOfRib(),
      faults: this.#faults ?? none,
      reachable: this.#reachable,
    }
  }

  /** RFC 4724 section 2: an UPDATE without anything, or with nothing but an MP_UNREACH_NLRI without routes. */
  #endOfRib(): AfiSafi | undefined {
    if (this.#withdrawn !== undefined || this.#reachable || this.#block.length > 0) return undefined
    if (this.#unreachFamily !== undefined) return this.#unreachFamily
    const bare = this.#message.length === headerLength + 4
    return bare && this.#context.families.has(ipv4Unicast) ? ipv4Unicast : undefined
  }

  #fault(fault: UpdateFault): boolean {
    this.#faults ??= []
    this.#faults.push(fault)
    return fault.action !== 'reset'
  }

  #ignoredFamily(family: AfiSafi, attribute: number | undefined, bytes: Uint8Array): true {
    this.#fault(
      updateFault(
        'discard',
        'RFC 4760 section 8',
        attribute,
        UpdateSubcode.optionalAttribute,
        `${formatAfiSafi(family)} was not negotiated`,
        bytes,
      ),
    )
    return true
  }

  classicWithdrawn(start: number, end: number): boolean {
    if (start === end) return true
    const run = this.#classicRun(start, end, undefined)
    if (typeof run === 'string') return this.#invalidNetworkField(start, end, `withdrawn routes: ${run}`)
    if (run === undefined)
      return this.#ignoredFamily(ipv4Unicast, undefined, this.#message.subarray(start, end))
    this.#withdrawn = [run]
    return true
  }

  classicAnnounced(start: number, end: number): boolean {
    if (start === end) return true
    const message = this.#message
    this.#reachable = true
    const nextHopAt = this.#nextHopAt
    const nextHop = this.#checkedNextHop()
    const run = this.#classicRun(start, end, nextHop)
    if (typeof run === 'string') return this.#invalidNetworkField(start, end, `NLRI: ${run}`)
    if (run === undefined) return this.#ignoredFamily(ipv4Unicast, undefined, message.subarray(start, end))
    if (nextHopAt < 0) this.#fault(missingFault(AttributeCode.nextHop))
    this.#announced ??= []
    this.#announced.push(run)
    return true
  }

  /** NEXT_HOP for the classic NLRI; a wrong one is a fault, and undefined. */
  #checkedNextHop(): Uint8Array | undefined {
    const message = this.#message
    const at = this.#nextHopAt
    const row = attributeRows[AttributeCode.nextHop]
    if (at < 0 || row === undefined) return undefined
    const flags = message[at] ?? 0
    const extended = (flags & AttributeFlag.extendedLength) !== 0
    const valueAt = at + (extended ? 4 : 3)
    const valueEnd = valueAt + (extended ? u16At(message, at + 2) : (message[at + 2] ?? 0))
    const reason = flagsProblem(flags, row)
    const problem =
      reason === undefined
        ? row.check(message, valueAt, valueEnd, this.#context)
        : {
            action: 'treat-as-withdraw' as const,
            rule: 'RFC 7606 section 3(c)',
            subcode: UpdateSubcode.attributeFlags,
            reason,
          }
    if (problem === undefined) return message.subarray(valueAt, valueEnd)
    const { action, rule, subcode } = problem
    this.#fault(
      updateFault(
        action,
        rule,
        AttributeCode.nextHop,
        subcode,
        problem.reason,
        message.subarray(at, valueEnd),
      ),
    )
    return undefined
  }

  /** RFC 7606 section 5.3: a run of IPv4 unicast, what is wrong with it, or undefined if the family is not spoken. */
  #classicRun(start: number, end: number, nextHop: Uint8Array | undefined): NlriRun | string | undefined {
    const { addPath, families } = this.#context
    if (!families.has(ipv4Unicast)) return undefined
    return this.#run(ipv4Unicast, 32, start, end, addPath.has(ipv4Unicast), nextHop)
  }

  #run(
    family: AfiSafi,
    bits: number,
    start: number,
    end: number,
    addPath: boolean,
    nextHop: Uint8Array | undefined,
  ): NlriRun | string {
    const count = countNlri(this.#message, start, end, bits, addPath)
    if (count === -1) return `a prefix is longer than ${String(bits)} bits`
    if (count < 0) return 'the last prefix reaches beyond the field'
    return { afiSafi: family, bytes: this.#message.subarray(start, end), count, addPath, nextHop }
  }

  #invalidNetworkField(start: number, end: number, reason: string): boolean {
    const field = this.#message.subarray(start, end)
    const rule = 'RFC 7606 section 5.3'
    return this.#fault(
      updateFault('reset', rule, undefined, UpdateSubcode.invalidNetworkField, reason, field),
    )
  }

  /** Walks the attributes by their lengths (RFC 7606 section 4) and takes the multiprotocol ones out. */
  attributes(start: number, end: number): boolean {
    const message = this.#message
    let taken: number[] | undefined
    let reachSeen = false
    let unreachSeen = false
    let at = start
    while (at < end) {
      const flags = message[at] as number
      const extended = (flags & AttributeFlag.extendedLength) !== 0
      const valueAt = at + (extended ? 4 : 3)
      const next =
        valueAt > end ? Infinity : valueAt + (extended ? u16At(message, at + 2) : (message[at + 2] as number))
      if (next > end) {
        this.#fault(
          updateFault(
            'treat-as-withdraw',
            'RFC 7606 section 4',
            undefined,
            UpdateSubcode.malformedAttributeList,
            'an attribute reaches beyond the path attributes',
            message.subarray(at, end),
          ),
        )
        break
      }
      const code = message[at + 1]
      if (code === AttributeCode.nextHop) {
        if (this.#nextHopAt < 0) this.#nextHopAt = at
      } else if (code === AttributeCode.mpReachNlri || code === AttributeCode.mpUnreachNlri) {
        const reach = code === AttributeCode.mpReachNlri
        if (reach ? reachSeen : unreachSeen) {
          const rule = 'RFC 7606 section 3(g)'
          const subcode = UpdateSubcode.malformedAttributeList
          const bytes = message.subarray(at, next)
          return this.#fault(updateFault('reset', rule, code, subcode, 'it appears more than once', bytes))
        }
        if (reach) reachSeen = true
        else unreachSeen = true
        if (!this.#multiprotocol(reach, at, valueAt, next)) return false
        taken ??= []
        if (taken.at(-1) === at) taken[taken.length - 1] = next
        else taken.push(at, next)
      }
      at = next
    }
    this.#block = taken === undefined ? message.subarray(start, at) : without(message, start, at, taken)
    return true
  }

  #multiprotocol(reach: boolean, at: number, valueAt: number, end: number): boolean {
    const code = reach ? AttributeCode.mpReachNlri : AttributeCode.mpUnreachNlri
    const row = attributeRows[code]
    const reason = row && flagsProblem(this.#message[at] ?? 0, row)
    if (reason !== undefined) {
      const rule = 'RFC 7606 section 3(c)'
      const bytes = this.#message.subarray(at, end)
      this.#fault(updateFault('treat-as-withdraw', rule, code, UpdateSubcode.attributeFlags, reason, bytes))
    }
    return reach ? this.#reach(at, valueAt, end) : this.#unreach(at, valueAt, end)
  }

  /**
   * RFC 4760 section 3, RFC 7606 section 7.11
   *
   *     +-----+------+--------------------+----------+----------+------+
   *     | AFI | SAFI | Length of Next Hop | Next Hop | Reserved | NLRI |
   *     |  2  |  1   |         1          |          |    1     |      |
   *     +-----+------+--------------------+----------+----------+------+
   */
  #reach(at: number, valueAt: number, end: number): boolean {
    const message = this.#message
    const context = this.#context
    const code = AttributeCode.mpReachNlri
    const fail = (reason: string): boolean => {
      const bytes = message.subarray(at, end)
      const rule = 'RFC 7606 section 7.11'
      return this.#fault(updateFault('reset', rule, code, UpdateSubcode.optionalAttribute, reason, bytes))
    }
    this.#reachable = true
    if (end - valueAt < 5) return fail('it is too short')
    const family = (u16At(message, valueAt) << 8) | (message[valueAt + 2] ?? 0)
    const nextHopAt = valueAt + 4
    const nextHopEnd = nextHopAt + (message[valueAt + 3] ?? 0)
    if (nextHopEnd + 1 > end) return fail('the next hop reaches beyond it')
    const bits = prefixBits(family)
    if (bits === 0 || !context.families.has(family))
      return this.#ignoredFamily(family, code, message.subarray(at, end))
    if (!nextHopLengthFits(family, nextHopEnd - nextHopAt, context))
      return fail(
        `a next hop of ${String(nextHopEnd - nextHopAt)} octets doesn't fit ${formatAfiSafi(family)}`,
      )
    const nextHop = message.subarray(nextHopAt, nextHopEnd)
    const run = this.#run(family, bits, nextHopEnd + 1, end, context.addPath.has(family), nextHop)
    if (typeof run === 'string') return fail(run)
    if (!isNextHop(nextHop)) {
      const bytes = message.subarray(at, end)
      const rule = 'RFC 4271 section 6.3'
      const reason = 'the next hop is not the address of a host'
      this.#fault(updateFault('treat-as-withdraw', rule, code, UpdateSubcode.invalidNextHop, reason, bytes))
    }
    if (run.count > 0) {
      this.#announced ??= []
      this.#announced.push(run)
    }
    return true
  }

  /** RFC 4760 section 4, RFC 7606 section 7.12: AFI, SAFI, withdrawn routes. */
  #unreach(at: number, valueAt: number, end: number): boolean {
    const message = this.#message
    const context = this.#context
    const code = AttributeCode.mpUnreachNlri
    const fail = (reason: string): boolean => {
      const bytes = message.subarray(at, end)
      const rule = 'RFC 7606 section 7.12'
      return this.#fault(updateFault('reset', rule, code, UpdateSubcode.optionalAttribute, reason, bytes))
    }
    if (end - valueAt < 3) return fail('it is too short')
    const family = (u16At(message, valueAt) << 8) | (message[valueAt + 2] ?? 0)
    const bits = prefixBits(family)
    if (bits === 0 || !context.families.has(family))
      return this.#ignoredFamily(family, code, message.subarray(at, end))
    const run = this.#run(family, bits, valueAt + 3, end, context.addPath.has(family), undefined)
    if (typeof run === 'string') return fail(run)
    if (run.count === 0) {
      this.#unreachFamily = family
    } else {
      this.#withdrawn ??= []
      this.#withdrawn.push(run)
    }
    return true
  }
}
