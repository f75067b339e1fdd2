/**
 * An UPDATE is read in two steps. `splitUpdate` (split-update.ts) finds the fields, the multiprotocol attributes and the
 * NLRI, which it counts and checks in place; `checkAttributes` (attribute-block.ts) holds the remaining attributes against
 * RFC 7606. `joinUpdate` draws the conclusion from both: routes announced, routes withdrawn because of a fault, or a reset.
 * `decodeUpdate` is their sum. Whoever keeps the checks of attribute blocks seen before skips the middle step.
 */
import { type AttributeCheck, checkAttributes } from './attribute-block.ts'
import { type CodecContext } from './context.ts'
import { type MessageFault, type Update, type UpdateFault } from './messages.ts'
import { empty } from './reader.ts'
import { type SplitUpdate, reset, splitUpdate } from './split-update.ts'

/**
 * What an UPDATE comes to, by the strongest of its faults (RFC 7606 section 3). With treat-as-withdraw the announced
 * routes become withdrawn ones; where a fault is found and no reachable NLRI is encoded, nothing is there to withdraw
 * and the session ends (RFC 7606 section 5.2).
 */
export function joinUpdate(split: SplitUpdate, check: AttributeCheck): Update | MessageFault {
  const announces = split.announced.length > 0
  let faults = split.faults
  if (check.faults.length > 0) faults = [...faults, ...check.faults]
  if (announces && check.missing.length > 0) faults = [...faults, ...check.missing]
  let withdraw = false
  for (const fault of faults) {
    if (fault.action === 'reset') return reset(faults, fault)
    if (fault.action === 'treat-as-withdraw') {
      if (!split.reachable) {
        const last: UpdateFault = {
          ...fault,
          action: 'reset',
          rule: 'RFC 7606 section 5.2',
          reason: `${fault.reason}, and no reachable NLRI is encoded`,
        }
        return reset([...faults, last], last)
      }
      withdraw = true
    }
  }
  const { withdrawn, announced, endOfRib } = split
  if (!withdraw)
    return {
      type: 'update',
      withdrawn,
      announced,
      attributes: announces ? check.attributes : undefined,
      endOfRib,
      faults,
    }
  const moved = announced.map((run) => ({ ...run, nextHop: undefined }))
  return {
    type: 'update',
    withdrawn: [...withdrawn, ...moved],
    announced: [],
    attributes: undefined,
    endOfRib: undefined,
    faults,
  }
}

const nothingToCheck: AttributeCheck = { attributes: empty, faults: [], missing: [] }

/** Reads an UPDATE, given as a whole message with its header. */
export function decodeUpdate(message: Uint8Array, context: CodecContext): Update | MessageFault {
  const split = splitUpdate(message, context)
  if ('type' in split) return split
  const check =
    split.attributes.length === 0 && split.announced.length === 0
      ? nothingToCheck
      : checkAttributes(split.attributes, context)
  return joinUpdate(split, check)
}
