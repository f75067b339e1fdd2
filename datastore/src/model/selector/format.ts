import { type Selector } from './parse.ts'

/**
 * The one text of a selector: single spaces, double quotes where the value allows them, sets sorted, no
 * parentheses that the precedence makes unnecessary. Reading it gives an equal tree.
 */
export function formatSelector(selector: Selector): string {
  switch (selector.is) {
    case 'all':
    case 'global':
      return `${selector.is}()`
    case 'has':
      return `has(${selector.label})`
    case 'in':
    case 'not in':
      return `${selector.label} ${selector.is} {${selector.values.map(quote).join(', ')}}`
    case 'not':
      return `!${nested(selector.operand, ['and', 'or'])}`
    case 'and':
      return selector.operands.map((operand) => nested(operand, ['or'])).join(' && ')
    case 'or':
      return selector.operands.map(formatSelector).join(' || ')
    default:
      return `${selector.label} ${selector.is} ${quote(selector.value)}`
  }
}

function nested(operand: Selector, inParentheses: readonly Selector['is'][]): string {
  const text = formatSelector(operand)
  return inParentheses.includes(operand.is) ? `(${text})` : text
}

function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`
}
