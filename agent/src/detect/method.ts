import {
  type Result,
  failure,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  success,
} from '@network/net'
import { type DetectionMethod } from './detection.ts'

const forms = 'first-found, interface=REGEX[,…], skip-interface=REGEX[,…], can-reach=ADDRESS, cidr=PREFIX[,…]'

function items(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/**
 * The expression for a whole interface name. Patterns come from an administrator's configuration; they are bounded in length
 * and matched against names of at most 15 characters.
 */
export function interfacePattern(text: string): Result<RegExp, string> {
  if (text.length > 200) return failure('the expression is longer than 200 characters')
  try {
    return success(new RegExp(`^(?:${text})$`))
  } catch (error) {
    return failure(error instanceof Error ? error.message : String(error))
  }
}

/** Reads a detection method's text form; the error is a sentence that names the part which is wrong. */
export function parseDetectionMethod(text: string): Result<DetectionMethod, string> {
  const equals = text.indexOf('=')
  const word = (equals < 0 ? text : text.slice(0, equals)).trim()
  const rest = equals < 0 ? '' : text.slice(equals + 1).trim()
  if (word === 'first-found' || word === 'autodetect') {
    return equals < 0 ? success({ method: 'first-found' }) : failure(`'${word}' takes no value.`)
  }
  if (!['interface', 'skip-interface', 'can-reach', 'cidr'].includes(word)) {
    return failure(`'${text}' is not a way to detect an address; there are ${forms}.`)
  }
  if (items(rest).length === 0) return failure(`'${word}=' needs a value; the ways are ${forms}.`)
  if (word === 'can-reach') {
    const target = parseAddress(rest)
    return target.ok
      ? success({ method: 'can-reach', target: formatAddress(target.value) })
      : failure(`can-reach: '${rest}' is not an address: ${target.error.reason}.`)
  }
  if (word === 'cidr') {
    const prefixes: string[] = []
    for (const item of items(rest)) {
      const parsed = parsePrefix(item)
      if (!parsed.ok) return failure(`cidr: '${item}' is not a prefix: ${parsed.error.reason}.`)
      prefixes.push(formatPrefix(parsed.value))
    }
    return success({ method: 'cidr', prefixes })
  }
  for (const item of items(rest)) {
    const pattern = interfacePattern(item)
    if (!pattern.ok) return failure(`${word}: '${item}' is not a regular expression: ${pattern.error}.`)
  }
  return word === 'interface'
    ? success({ method: 'interface', patterns: items(rest) })
    : success({ method: 'skip-interface', patterns: items(rest) })
}
