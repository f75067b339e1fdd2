import { type FieldFault } from './kind.ts'

/** What stands for a secret wherever it is printed. */
export const SECRET_MASK = '********'

/** `spec.rules[2].destination.ports[0]`; keys that aren't words stand in brackets and quotes. */
export function formatPath(segments: readonly (string | number)[]): string {
  let path = ''
  for (const segment of segments) {
    if (typeof segment === 'number') path += `[${String(segment)}]`
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(segment)) path += path === '' ? segment : `.${segment}`
    else path += `[${JSON.stringify(segment)}]`
  }
  return path
}

/** A value as a message shows it: JSON, cut to a readable length. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'string') return `'${cut(value)}'`
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'function' || typeof value === 'symbol') return typeof value
  return cut(JSON.stringify(value))
}

function cut(value: string): string {
  return value.length <= 80 ? value : `${value.slice(0, 77)}...`
}

/** A fault with its sentence. `reason` is what is wrong, where the value and the expectation don't say it already. */
export function fieldFault(
  segments: readonly (string | number)[],
  value: unknown,
  expected: string,
  reason?: string,
): FieldFault {
  const path = formatPath(segments)
  const why = reason === undefined ? '' : `: ${reason}`
  const place = path === '' ? '' : `${path}: `
  return {
    code: 'invalid',
    path,
    segments,
    value,
    expected,
    message: `${place}${showValue(value)}${why}; expected ${expected}`,
  }
}
