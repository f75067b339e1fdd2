import { failure, type Result, success } from '@network/net'
import { type SelectorFault, type Token, tokenize } from './tokenize.ts'

/** A selector as a tree. `and` and `or` have two operands or more, none of them of their own kind. */
export type Selector =
  | { readonly is: 'all' }
  | { readonly is: 'global' }
  | { readonly is: 'has'; readonly label: string }
  | {
      readonly is: '==' | '!=' | 'contains' | 'starts with' | 'ends with'
      readonly label: string
      readonly value: string
    }
  /** `values` are sorted and distinct. */
  | { readonly is: 'in' | 'not in'; readonly label: string; readonly values: readonly string[] }
  | { readonly is: 'not'; readonly operand: Selector }
  | { readonly is: 'and' | 'or'; readonly operands: readonly Selector[] }

export const SELECTOR_LIMITS = { characters: 4096, depth: 64 } as const

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', 'contains', 'starts with', 'ends with'])

/**
 * Reads a selector. `!` binds before `&&` before `||`; the empty text is all(). Strings stand in either quote and
 * have no escapes.
 */
export function parseSelector(text: string): Result<Selector, SelectorFault> {
  if (text.length > SELECTOR_LIMITS.characters) {
    return failure({
      code: 'selector',
      text: `${text.slice(0, 77)}...`,
      column: SELECTOR_LIMITS.characters + 1,
      reason: `it is longer than ${String(SELECTOR_LIMITS.characters)} characters`,
    })
  }
  const tokens = tokenize(text)
  if (!Array.isArray(tokens)) return failure(tokens)
  if (tokens.length === 1) return success({ is: 'all' })
  return new Parser(text, tokens).parse()
}

/** Ends the descent; never leaves this file. */
class Refusal extends Error {
  readonly column: number

  constructor(column: number, reason: string) {
    super(reason)
    this.column = column
  }
}

class Parser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  readonly #end: Token
  #at = 0
  #depth = 0

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text
    this.#tokens = tokens
    this.#end = { is: 'end', text: '', column: text.length + 1 }
  }

  parse(): Result<Selector, SelectorFault> {
    try {
      const selector = this.#or()
      const rest = this.#peek()
      if (rest.is !== 'end')
        throw new Refusal(rest.column, `${describe(rest)} where &&, || or the end was expected`)
      return success(selector)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return failure({ code: 'selector', text: this.#text, column: error.column, reason: error.message })
    }
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? this.#end
  }

  #take(): Token {
    const token = this.#peek()
    this.#at++
    return token
  }

  #takeSymbol(text: string): boolean {
    const token = this.#peek()
    if (token.is !== 'symbol' || token.text !== text) return false
    this.#at++
    return true
  }

  #require(text: string, where: string): void {
    const token = this.#peek()
    if (!this.#takeSymbol(text)) {
      throw new Refusal(token.column, `${describe(token)} where '${text}' was expected ${where}`)
    }
  }

  #or(): Selector {
    return this.#chain('or', '||', () => this.#and())
  }

  #and(): Selector {
    return this.#chain('and', '&&', () => this.#unary())
  }

  #chain(is: 'and' | 'or', symbol: string, operand: () => Selector): Selector {
    const operands: Selector[] = []
    do {
      const next = operand()
      if (next.is === is) operands.push(...next.operands)
      else operands.push(next)
    } while (this.#takeSymbol(symbol))
    const [only] = operands
    return only !== undefined && operands.length === 1 ? only : { is, operands }
  }

  #unary(): Selector {
    if (++this.#depth > SELECTOR_LIMITS.depth) {
      throw new Refusal(
        this.#peek().column,
        `it is nested deeper than ${String(SELECTOR_LIMITS.depth)} levels`,
      )
    }
    const selector = this.#operand()
    this.#depth--
    return selector
  }

  #operand(): Selector {
    const token = this.#take()
    if (token.is === 'symbol' && token.text === '!') {
      const operand = this.#unary()
      return operand.is === 'not' ? operand.operand : { is: 'not', operand }
    }
    if (token.is === 'symbol' && token.text === '(') {
      const inner = this.#or()
      this.#require(')', `to close the '(' at column ${String(token.column)}`)
      return inner
    }
    if (token.is === 'function') return this.#call(token)
    if (token.is === 'label') return this.#comparison(token)
    throw new Refusal(
      token.column,
      `${describe(token)} where a label, has(), all(), global(), ! or ( was expected`,
    )
  }

  #call(name: Token): Selector {
    if (name.text === 'has') {
      const label = this.#take()
      if (label.is !== 'label')
        throw new Refusal(label.column, `${describe(label)} where a label was expected in has()`)
      this.#require(')', 'after the label in has()')
      return { is: 'has', label: label.text }
    }
    this.#require(')', `after '${name.text}('`)
    return { is: name.text === 'all' ? 'all' : 'global' }
  }

  #comparison(label: Token): Selector {
    const operator = this.#take()
    if (operator.is === 'symbol' && COMPARISONS.has(operator.text)) {
      const value = this.#take()
      if (value.is !== 'string') {
        throw new Refusal(
          value.column,
          `${describe(value)} where a string in quotes was expected after ${operator.text}`,
        )
      }
      return { is: operator.text as '==', label: label.text, value: value.text }
    }
    if (operator.is === 'symbol' && (operator.text === 'in' || operator.text === 'not in')) {
      return { is: operator.text, label: label.text, values: this.#set(operator.text) }
    }
    throw new Refusal(
      operator.column,
      `${describe(operator)} where a comparison (==, !=, in, not in, contains, starts with, ends with) was expected after the label '${label.text}'`,
    )
  }

  #set(operator: string): readonly string[] {
    this.#require('{', `after ${operator}`)
    const values = new Set<string>()
    if (this.#takeSymbol('}')) return []
    do {
      const value = this.#take()
      if (value.is !== 'string') {
        throw new Refusal(value.column, `${describe(value)} where a string in quotes was expected in the set`)
      }
      values.add(value.text)
    } while (this.#takeSymbol(','))
    this.#require('}', 'after the set')
    return [...values].sort()
  }
}

function describe(token: Token): string {
  switch (token.is) {
    case 'end':
      return 'the end'
    case 'string':
      return 'a string'
    case 'function':
      return `'${token.text}('`
    case 'label':
      return `the label '${token.text}'`
    case 'symbol':
      return `'${token.text}'`
  }
}
