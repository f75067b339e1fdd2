import {
  type EntityRule,
  type ICMPMatch,
  parseSelector,
  type Protocol,
  type Rule,
} from '@network/datastore/model'
import { actions, protocols, SHORT_SELECTOR, sides, type SideWord, sideWords } from './words.ts'

/** The words of a rule; `parseRule` makes the same rule of them. */
export function formatRule(rule: Rule): string[] {
  const words: string[] = [wordOf(actions, rule.action)]
  if (rule.ipVersion !== undefined) words.push(`ipv${String(rule.ipVersion)}`)
  if (rule.protocol !== undefined) words.push(...protocolWords(rule.protocol))
  if (rule.icmp !== undefined) words.push(...icmpWords(rule.icmp))
  if (rule.notICMP !== undefined) words.push('not', ...icmpWords(rule.notICMP))
  if (rule.notProtocol !== undefined) words.push('not', ...protocolWords(rule.notProtocol))
  for (const [word, side] of Object.entries(sides)) {
    const asked = sideWords.flatMap((item) => itemWords(item, rule[side] ?? {}))
    if (asked.length > 0) words.push(word, ...asked)
  }
  for (const [key, value] of Object.entries(rule.metadata?.annotations ?? {})) {
    words.push('note', `${key}=${value}`)
  }
  return words
}

/** A rule as a line that a POSIX shell takes apart into the same words. */
export function formatRuleLine(rule: Rule): string {
  return formatRule(rule).map(shellWord).join(' ')
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

function wordOf(table: Readonly<Record<string, string>>, value: string): string {
  return Object.entries(table).find(([, meant]) => meant === value)?.[0] ?? value
}

function protocolWords(protocol: Protocol): string[] {
  return typeof protocol === 'number' ? ['protocol', String(protocol)] : [wordOf(protocols, protocol)]
}

function icmpWords(match: ICMPMatch): string[] {
  return [
    ...(match.type === undefined ? [] : ['type', String(match.type)]),
    ...(match.code === undefined ? [] : ['code', String(match.code)]),
  ]
}

function itemWords(item: SideWord, side: EntityRule): string[] {
  const asked = valueOf(item, side, item.field)
  const excluded = item.notField === undefined ? undefined : valueOf(item, side, item.notField)
  return [
    ...(asked === undefined ? [] : [item.word, asked]),
    ...(excluded === undefined ? [] : ['not', item.word, excluded]),
  ]
}

function valueOf(item: SideWord, side: EntityRule, field: keyof EntityRule): string | undefined {
  const value: unknown = item.inner === undefined ? side[field] : side.serviceAccounts?.[item.inner]
  if (Array.isArray(value)) return value.join(',')
  return typeof value === 'string' ? formatShortSelector(value) : undefined
}

/** role=web where that says it, else the selector as it is. */
export function formatShortSelector(text: string): string {
  const parsed = parseSelector(text)
  if (!parsed.ok || parsed.value.is !== '==') return text
  const short = `${parsed.value.label}=${parsed.value.value}`
  return SHORT_SELECTOR.test(short) ? short : text
}
