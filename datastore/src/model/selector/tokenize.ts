/** What stands where: `column` counts characters from 1. */
export interface Token {
  readonly is: 'label' | 'string' | 'symbol' | 'function' | 'end'
  /** Of a string the content; of a function its name; of an operator of two words both with one space. */
  readonly text: string
  readonly column: number
}

export interface SelectorFault {
  readonly code: 'selector'
  readonly text: string
  /** From 1. */
  readonly column: number
  /** The end of a sentence. */
  readonly reason: string
}

const SPACE = /[ \t\r\n]/y
const SYMBOLS = /==|!=|&&|\|\||[!(){},]/y
const WORD_OPERATORS =
  /(not[ \t]+in|notin|in|contains|starts[ \t]+with|startswith|ends[ \t]+with|endswith)(?![A-Za-z0-9_./-])/y
const FUNCTIONS = /(has|all|global)[ \t]*\(/y
const LABEL = /[A-Za-z0-9_./-]+/y
const MAX_LABEL = 512

const CANONICAL: Readonly<Record<string, string>> = {
  notin: 'not in',
  startswith: 'starts with',
  endswith: 'ends with',
}

/** Cuts a selector into tokens; the last is always `end`. Words such as `in` are operators after a label, labels elsewhere. */
export function tokenize(text: string): Token[] | SelectorFault {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(text)
  }
  while (at < text.length) {
    if (match(SPACE) !== null) {
      at++
      continue
    }
    const column = at + 1
    const character = text[at] ?? ''
    if (character === '"' || character === "'") {
      const end = text.indexOf(character, at + 1)
      if (end < 0)
        return {
          code: 'selector',
          text,
          column,
          reason: `the string that begins with ${character} has no end`,
        }
      tokens.push({ is: 'string', text: text.slice(at + 1, end), column })
      at = end + 1
      continue
    }
    const afterLabel = tokens.at(-1)?.is === 'label'
    const operator = afterLabel ? match(WORD_OPERATORS) : null
    if (operator !== null) {
      const word = operator[0].replace(/[ \t]+/, ' ')
      tokens.push({ is: 'symbol', text: CANONICAL[word] ?? word, column })
      at += operator[0].length
      continue
    }
    const call = match(FUNCTIONS)
    if (call !== null) {
      tokens.push({ is: 'function', text: call[1] ?? '', column })
      at += call[0].length
      continue
    }
    const symbol = match(SYMBOLS)
    if (symbol !== null) {
      tokens.push({ is: 'symbol', text: symbol[0], column })
      at += symbol[0].length
      continue
    }
    const label = match(LABEL)
    if (label === null) {
      const hint =
        character === '&' || character === '|' || character === '='
          ? `, '${character}${character}' was meant`
          : ''
      return { code: 'selector', text, column, reason: `'${character}' has no meaning here${hint}` }
    }
    if (label[0].length > MAX_LABEL) {
      return {
        code: 'selector',
        text,
        column,
        reason: `a label is longer than ${String(MAX_LABEL)} characters`,
      }
    }
    tokens.push({ is: 'label', text: label[0], column })
    at += label[0].length
  }
  tokens.push({ is: 'end', text: '', column: text.length + 1 })
  return tokens
}
