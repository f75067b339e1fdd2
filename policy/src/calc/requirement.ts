import type { Selector } from '@network/datastore/model'

/** A label that a thing must have, with a value if that is required too. */
export interface LabelKey {
  readonly label: string
  readonly value?: string
}

/** Past this a list of keys is no longer cheaper than the label alone. */
const MAX_VALUES = 64

/**
 * Keys of which everything that the selector holds for has at least one; the shortest list that is easily found.
 * undefined: the selector may hold for things without any of its labels.
 */
export function requiredLabels(selector: Selector): readonly LabelKey[] | undefined {
  switch (selector.is) {
    case '==':
      return [{ label: selector.label, value: selector.value }]
    case 'in':
      return selector.values.length > MAX_VALUES
        ? [{ label: selector.label }]
        : selector.values.map((value) => ({ label: selector.label, value }))
    case 'has':
    case 'contains':
    case 'starts with':
    case 'ends with':
      return [{ label: selector.label }]
    case 'and': {
      let best: readonly LabelKey[] | undefined
      for (const operand of selector.operands) {
        const keys = requiredLabels(operand)
        if (keys !== undefined && (best === undefined || cost(keys) < cost(best))) best = keys
      }
      return best
    }
    case 'or': {
      const keys: LabelKey[] = []
      for (const operand of selector.operands) {
        const ofOperand = requiredLabels(operand)
        if (ofOperand === undefined) return undefined
        keys.push(...ofOperand)
      }
      return keys
    }
    default:
      return undefined
  }
}

/** A label with any value stands on far more things than one with a value. */
function cost(keys: readonly LabelKey[]): number {
  return keys.reduce((sum, key) => sum + (key.value === undefined ? MAX_VALUES : 1), 0)
}
