import {
  type EntityRule,
  formatSelector,
  type ICMPMatch,
  parseSelector,
  type Port,
  parsePortRange,
  type Protocol,
  refineRules,
  type Rule,
  type RuleAction,
  rules as rulesSchema,
  showValue,
  suggest,
  validateValue,
} from '@network/datastore/model'
import { failure, type Result, success } from '@network/net'
import {
  actions,
  hasICMPTypes,
  protocols,
  SHORT_SELECTOR,
  sides,
  type SideWord,
  sideWords,
  versions,
} from './words.ts'

/** Why words are no rule. */
export interface RuleFault {
  readonly code: 'rule'
  /** Which word, from 1; one more than there are words: the end. */
  readonly word: number
  readonly found: string | undefined
  /** The end of a sentence. */
  readonly reason: string
  /** Words that would be understood there; none where a value is wrong. */
  readonly allowed: readonly string[]
}

/** A whole sentence: the word, its place, what is wrong with it, what is allowed. */
export function describeRuleFault(fault: RuleFault): string {
  const where =
    fault.found === undefined
      ? `the end (after word ${String(fault.word - 1)})`
      : `word ${String(fault.word)}, '${fault.found}'`
  const near = fault.found === undefined ? undefined : suggest(fault.found, fault.allowed)
  const meant = near === undefined ? '' : ` Did you mean '${near}'?`
  const allowed = fault.allowed.length === 0 ? '' : ` Allowed here: ${fault.allowed.join(', ')}.`
  return `At ${where}: ${fault.reason}.${meant}${allowed}`
}

/** Reads the words of one rule; see words.ts for what they may be. */
export function parseRule(words: readonly string[]): Result<Rule, RuleFault> {
  try {
    return success(new RuleReader(words).read())
  } catch (error) {
    if (error instanceof Refusal) return failure(error.fault)
    throw error
  }
}

/** Ends the reading; never leaves this file. */
class Refusal extends Error {
  readonly fault: RuleFault

  constructor(fault: RuleFault) {
    super(fault.reason)
    this.fault = fault
  }
}

class RuleReader {
  readonly #words: readonly string[]
  #at = 0
  /** Which word gave a field its value: 'source.ports'. */
  readonly #places = new Map<string, number>()

  constructor(words: readonly string[]) {
    this.#words = words
  }

  read(): Rule {
    const rule: Rule = { action: this.#action() }
    const version = this.#peek()
    if (isKey(versions, version)) {
      this.#at++
      rule.ipVersion = versions[version]
      this.#places.set('ipVersion', this.#at)
    }
    this.#protocols(rule)
    this.#sides(rule)
    this.#notes(rule)
    if (this.#peek() !== undefined) this.#refuse(`it has no meaning here`, this.#allowedNext(rule))
    this.#judge(rule)
    return rule
  }

  #action(): RuleAction {
    const word = this.#peek()
    if (!isKey(actions, word)) return this.#refuse('a rule begins with what it does', Object.keys(actions))
    this.#at++
    return actions[word]
  }

  #protocols(rule: Rule): void {
    const protocol = this.#protocol()
    if (protocol !== undefined) {
      rule.protocol = protocol
      this.#places.set('protocol', this.#at)
    }
    if (hasICMPTypes(protocol)) {
      const icmp = this.#icmp()
      if (icmp !== undefined) rule.icmp = icmp
      if (this.#peek() === 'not' && this.#peek(1) === 'type') {
        this.#at++
        const notICMP = this.#icmp()
        if (notICMP !== undefined) rule.notICMP = notICMP
      }
    } else if (this.#peek() === 'type') {
      this.#refuse('only icmp and icmpv6 have types', this.#allowedNext(rule))
    }
    if (this.#peek() !== 'not') return
    this.#at++
    const notProtocol = this.#protocol()
    if (notProtocol === undefined) {
      const types = hasICMPTypes(protocol) && rule.notICMP === undefined ? ['type'] : []
      this.#refuse('a protocol is expected after not', [...types, ...protocolWords])
    }
    rule.notProtocol = notProtocol
    this.#places.set('notProtocol', this.#at)
  }

  #protocol(): Protocol | undefined {
    const word = this.#peek()
    if (isKey(protocols, word)) {
      this.#at++
      return protocols[word]
    }
    if (word !== 'protocol') return undefined
    this.#at++
    return this.#number('a protocol number', 1, 255)
  }

  #icmp(): ICMPMatch | undefined {
    if (this.#peek() !== 'type') return undefined
    this.#at++
    const type = this.#number('an ICMP type', 0, 254)
    if (this.#peek() !== 'code') return { type }
    this.#at++
    return { type, code: this.#number('an ICMP code', 0, 255) }
  }

  #sides(rule: Rule): void {
    for (let word = this.#peek(); isKey(sides, word); word = this.#peek()) {
      const name = sides[word]
      if (rule[name] !== undefined) this.#refuse(`there is one '${word}' in a rule`, [])
      this.#at++
      rule[name] = this.#side(name, word)
    }
  }

  #side(name: 'source' | 'destination', word: string): EntityRule {
    const side: EntityRule = {}
    while (this.#item(name, side));
    if (Object.keys(side).length === 0) this.#refuse(`it is not said what follows '${word}'`, itemWords)
    return side
  }

  #item(name: 'source' | 'destination', side: EntityRule): boolean {
    const negated = this.#peek() === 'not'
    const word = this.#peek(negated ? 1 : 0)
    const item = sideWords.find((known) => known.word === word)
    if (item === undefined || (negated && item.notField === undefined)) {
      if (!negated) return false
      this.#at++
      this.#refuse(
        "it can't follow 'not' here",
        sideWords.filter(canBeNegated).map((known) => known.word),
      )
    }
    this.#at += negated ? 2 : 1
    const field = negated ? (item.notField ?? item.field) : item.field
    this.#fill(side, item, field)
    this.#places.set(`${name}.${field}`, this.#at)
    return true
  }

  #fill(side: EntityRule, item: SideWord, field: keyof EntityRule): void {
    const target: Record<string, unknown> =
      item.inner === undefined
        ? (side as Record<string, unknown>)
        : ((side.serviceAccounts ??= {}) as Record<string, unknown>)
    const key = item.inner ?? field
    if (item.value === 'selector') {
      const taken = target[key] !== undefined
      const selector = this.#selector(item.word)
      if (taken) this.#refuseLast(`'${item.word}' is given twice; join the two selectors by &&`)
      target[key] = selector
      return
    }
    const before = (target[key] as unknown[] | undefined) ?? []
    target[key] = [...before, ...this.#list(item)]
  }

  #list(item: SideWord): readonly Port[] {
    const expected = {
      prefixes: 'a prefix such as 10.0.0.0/16, or several with commas between them',
      ports: 'a port, a range such as 8000:8080 or the name of a port, or several with commas between them',
      names: 'the name of a service account, or several with commas between them',
      selector: 'a selector',
    }[item.value]
    const parts = this.#value(expected).split(',')
    if (parts.includes('')) this.#refuseLast(`${expected} is expected after '${item.word}'`)
    if (item.value !== 'ports') return parts
    return parts.map((part) =>
      /^[0-9]{1,5}$/.test(part) && parsePortRange(part) !== undefined ? Number(part) : part,
    )
  }

  #selector(word: string): string {
    const text = this.#value("a selector such as role=web or 'has(role) && !has(canary)'")
    const short = SHORT_SELECTOR.exec(text)
    if (short !== null) {
      return formatSelector({ is: '==', label: short[1] ?? '', value: short[2] ?? '' })
    }
    const parsed = parseSelector(text)
    if (!parsed.ok) {
      this.#refuseLast(
        `the selector after '${word}' can't be read: ${parsed.error.reason} (column ${String(parsed.error.column)}); write role=web, or a selector in quotes`,
      )
    }
    if (text.trim() === '') this.#refuseLast(`the selector after '${word}' is empty; all() takes everything`)
    return formatSelector(parsed.value)
  }

  #notes(rule: Rule): void {
    while (this.#peek() === 'note') {
      this.#at++
      const text = this.#value('KEY=VALUE')
      const split = text.indexOf('=')
      if (split < 1) this.#refuseLast("a note is KEY=VALUE, such as 'note ticket=OPS-17'")
      const annotations = rule.metadata?.annotations ?? {}
      rule.metadata = {
        annotations: Object.fromEntries([
          ...Object.entries(annotations),
          [text.slice(0, split), text.slice(split + 1)],
        ]),
      }
      this.#places.set('metadata', this.#at)
    }
  }

  /** What the model says of the rule as a whole, at the word that it is about. */
  #judge(rule: Rule): void {
    const faults: { at: readonly (string | number)[]; reason: string }[] = []
    const validated = validateValue(rulesSchema, [rule])
    if (validated.ok) {
      refineRules([], [structuredClone(rule)], (at, _value, expected) => {
        faults.push({ at, reason: `expected ${expected}` })
      })
      Object.assign(rule, validated.value[0])
    } else {
      for (const fault of validated.error) {
        // The word that is quoted anyway is not quoted twice.
        const shown = `${fault.path}: ${showValue(fault.value)}`
        const reason = fault.message.startsWith(shown) ? fault.message.slice(shown.length) : fault.message
        faults.push({ at: fault.segments, reason: reason.replace(/^[:;] /, '') })
      }
    }
    const [first] = faults
    if (first === undefined) return
    const path = first.at.slice(1).filter((segment) => typeof segment === 'string')
    const portsWord = ['source.ports', 'source.notPorts', 'destination.ports', 'destination.notPorts']
      .map((place) => this.#places.get(place))
      .find((place) => place !== undefined)
    if (path[0] === 'protocol' && portsWord !== undefined) {
      this.#refuseAt(portsWord, 'ports need tcp, udp, sctp or udplite in front of from and to')
    }
    this.#refuseAt(this.#placeOf(path), first.reason)
  }

  #placeOf(path: readonly string[]): number {
    for (let length = path.length; length > 0; length--) {
      const place = this.#places.get(path.slice(0, length).join('.'))
      if (place !== undefined) return place
    }
    return this.#words.length
  }

  #number(what: string, min: number, max: number): number {
    const text = this.#value(`${what} from ${String(min)} to ${String(max)}`)
    const value = /^[0-9]{1,3}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    return this.#refuseLast(`${what} from ${String(min)} to ${String(max)} is expected`)
  }

  #value(expected: string): string {
    const word = this.#peek()
    if (word === undefined) return this.#refuse(`${expected} is expected`, [])
    this.#at++
    return word
  }

  #peek(ahead = 0): string | undefined {
    return this.#words[this.#at + ahead]
  }

  /** The words that could have followed what was understood of the rule so far. */
  #allowedNext(rule: Rule): string[] {
    const inSide = rule.source !== undefined || rule.destination !== undefined
    const icmp = !inSide && hasICMPTypes(rule.protocol) && rule.icmp === undefined ? ['type'] : []
    const version = !inSide && rule.ipVersion === undefined && rule.protocol === undefined
    const first = inSide ? itemWords : rule.protocol === undefined ? protocolWords : []
    return [
      ...(version && rule.notProtocol === undefined ? Object.keys(versions) : []),
      ...icmp,
      ...(rule.notProtocol === undefined || inSide ? first : []),
      ...(!inSide && rule.notProtocol === undefined ? ['not'] : []),
      ...Object.entries(sides).flatMap(([word, name]) => (rule[name] === undefined ? [word] : [])),
      'note',
    ]
  }

  #refuse(reason: string, allowed: readonly string[]): never {
    throw new Refusal({ code: 'rule', word: this.#at + 1, found: this.#peek(), reason, allowed })
  }

  #refuseLast(reason: string): never {
    return this.#refuseAt(this.#at, reason)
  }

  #refuseAt(word: number, reason: string): never {
    throw new Refusal({ code: 'rule', word, found: this.#words[word - 1], reason, allowed: [] })
  }
}

const protocolWords = [...Object.keys(protocols), 'protocol']
const itemWords = [...sideWords.map(({ word }) => word), 'not']

function canBeNegated(item: SideWord): boolean {
  return item.notField !== undefined
}

function isKey<T extends object>(table: T, word: string | undefined): word is keyof T & string {
  return word !== undefined && Object.hasOwn(table, word)
}
