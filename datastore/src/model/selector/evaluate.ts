import { type Selector } from './parse.ts'

/** What a selector is held against. A map for labels that inherit, a plain object for the rest. */
export type Labels = ReadonlyMap<string, string> | Readonly<Record<string, string>>

function labelOf(labels: Labels, name: string): string | undefined {
  if (labels instanceof Map) return (labels as ReadonlyMap<string, string>).get(name)
  return Object.hasOwn(labels, name) ? (labels as Readonly<Record<string, string>>)[name] : undefined
}

/**
 * Whether the selector holds for something with these labels. Where the label is absent `!=` and `not in` hold and
 * every other comparison fails. global() holds for a thing without a namespace.
 */
export function evaluateSelector(selector: Selector, labels: Labels, namespace?: string): boolean {
  switch (selector.is) {
    case 'all':
      return true
    case 'global':
      return namespace === undefined
    case 'has':
      return labelOf(labels, selector.label) !== undefined
    case 'not':
      return !evaluateSelector(selector.operand, labels, namespace)
    case 'and':
      return selector.operands.every((operand) => evaluateSelector(operand, labels, namespace))
    case 'or':
      return selector.operands.some((operand) => evaluateSelector(operand, labels, namespace))
    default:
      return compare(selector, labelOf(labels, selector.label))
  }
}

type Comparison = Extract<Selector, { label: string }>

function compare(selector: Comparison, actual: string | undefined): boolean {
  if (actual === undefined) return selector.is === '!=' || selector.is === 'not in'
  switch (selector.is) {
    case '==':
      return actual === selector.value
    case '!=':
      return actual !== selector.value
    case 'in':
      return selector.values.includes(actual)
    case 'not in':
      return !selector.values.includes(actual)
    case 'contains':
      return actual.includes(selector.value)
    case 'starts with':
      return actual.startsWith(selector.value)
    case 'ends with':
      return actual.endsWith(selector.value)
    case 'has':
      return true
  }
}
