import { type Document, isMap, isNode, isScalar, type LineCounter } from 'yaml'

/**
 * The line on which brackets or indentation pass the bound on nesting: the parser descends by recursion, and what a
 * file contains must not decide how deep.
 */
export function tooDeepLine(text: string, nesting: number): number | undefined {
  let depth = 0
  let line = 1
  let indented = 0
  let atStart = true
  for (const character of text) {
    if (character === '\n') {
      line++
      indented = 0
      atStart = true
      continue
    }
    if (atStart) {
      if (character === ' ' || character === '-' || character === '?' || character === ':') {
        if (character !== ' ') indented++
        if (indented > nesting) return line
        continue
      }
      atStart = false
    }
    if (character === '[' || character === '{') depth++
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1)
    if (depth > nesting) return line
  }
  return undefined
}

/** The line of the place, or of the nearest one around it that exists. A field is where its key stands. */
export function lineAt(
  document: Document,
  segments: readonly (string | number)[],
  lines: LineCounter,
): number {
  for (let length = segments.length; length > 0; length--) {
    const last = segments[length - 1] ?? ''
    const parent: unknown = document.getIn(segments.slice(0, length - 1), true)
    const start =
      isMap(parent) && typeof last === 'string'
        ? parent.items.map((pair) => pair.key).find((key) => isScalar(key) && key.value === last)
        : document.getIn(segments.slice(0, length), true)
    if (isNode(start) && start.range) return lines.linePos(start.range[0]).line
  }
  return lines.linePos(document.contents?.range?.[0] ?? document.range?.[0] ?? 0).line
}
