/** Rules of profiles as one line of words, read and written. Pure. */
export { describeRuleFault, parseRule, type RuleFault } from './parse-rule.ts'
export { formatRule, formatRuleLine, formatShortSelector } from './format-rule.ts'
export { protocols } from './words.ts'
