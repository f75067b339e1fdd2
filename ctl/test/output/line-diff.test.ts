import fc from 'fast-check'
import { test } from 'tap'
import { lineDiff } from '../../src/output/line-diff.ts'

const cases: readonly (readonly [before: string, after: string, diff: readonly string[]])[] = [
  ['', '', []],
  ['a\n', 'a\n', []],
  ['', 'a\n', ['+ a']],
  ['a\n', '', ['- a']],
  ['a\nb\nc\n', 'a\nx\nc\n', ['  a', '- b', '+ x', '  c']],
  ['1\n2\n3\n4\n5\n6\n', '1\n2\n3\n4\n5\n7\n', ['  4', '  5', '- 6', '+ 7']],
  [
    'x\n1\n2\n3\n4\n5\n6\n7\ny\n',
    'X\n1\n2\n3\n4\n5\n6\n7\nY\n',
    ['- x', '+ X', '  1', '  2', '  …', '  6', '  7', '- y', '+ Y'],
  ],
]

test('what differs, with two lines around it', (t) => {
  for (const [before, after, diff] of cases) t.same(lineDiff(before, after), diff, `${before} → ${after}`)
  t.end()
})

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 })
  .map((lines) => lines.map((line) => `${line}\n`).join(''))

test('what stays and what goes is the first text, what stays and what comes the second; nothing is told needlessly', (t) => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = lineDiff(before, after, Infinity)
      const of = (marks: string): string =>
        lines
          .filter(([mark = '']) => marks.includes(mark))
          .map((line) => `${line.slice(2)}\n`)
          .join('')
      const all = before === after ? lines.length === 0 : of(' -') === before && of(' +') === after
      const common = lines.filter((line) => line.startsWith(' ')).length
      return all && (before === after || common === longestCommon(before.split('\n'), after.split('\n')))
    }),
    { numRuns: 1000 },
  )
  t.pass('every property held')
  t.end()
})

/** By trying everything; without the empty piece after the last line. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  const known = new Map<string, number>()
  const of = (i: number, j: number): number => {
    if (i >= a.length - 1 || j >= b.length - 1) return 0
    const key = `${String(i)},${String(j)}`
    const before = known.get(key)
    if (before !== undefined) return before
    const both = a[i] === b[j] ? 1 + of(i + 1, j + 1) : 0
    const length = Math.max(both, of(i + 1, j), of(i, j + 1))
    known.set(key, length)
    return length
  }
  return of(0, 0)
}
