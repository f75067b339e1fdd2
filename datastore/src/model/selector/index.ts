export { evaluateSelector, type Labels } from './evaluate.ts'
export { formatSelector } from './format.ts'
export { parseSelector, type Selector, SELECTOR_LIMITS } from './parse.ts'
export { type SelectorFault } from './tokenize.ts'
