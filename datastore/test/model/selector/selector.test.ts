import fc from 'fast-check'
import t from 'tap'
import {
  evaluateSelector,
  formatSelector,
  parseSelector,
  type Selector,
} from '../../../src/model/selector/index.ts'

const bad: readonly (readonly [text: string, column: number, reason: RegExp])[] = [
  ['b == b', 6, /the label 'b' where a string in quotes was expected after ==/],
  ["'b1' == b", 1, /a string where a label/],
  ['b', 2, /the end where a comparison .* was expected after the label 'b'/],
  ['a b', 3, /the label 'b' where a comparison/],
  ['!', 2, /the end where a label/],
  ['foo == "bar" &', 14, /'&' has no meaning here, '&&' was meant/],
  ['foo in ""', 8, /a string where '{' was expected after in/],
  ['"FOO', 1, /has no end/],
  ['(a == "foo"', 12, /the end where '\)' was expected to close the '\(' at column 1/],
  ['()', 2, /'\)' where a label/],
  ['%', 1, /'%' has no meaning here/],
  ['has(foo) &&', 12, /the end where a label/],
  ['has()', 5, /'\)' where a label was expected in has\(\)/],
  ['has("a")', 5, /a string where a label was expected/],
  ['all', 4, /the end where a comparison/],
  ['all(x)', 5, /the label 'x' where '\)'/],
  ['a = "b"', 3, /'=' has no meaning here, '==' was meant/],
  ['a in {"x" "y"}', 11, /a string where '}'/],
  ['a in {x}', 7, /the label 'x' where a string/],
  ['a in {"x",}', 11, /'}' where a string/],
  ['a == "x" || || b == "y"', 13, /'\|\|' where a label/],
  ['a == "x" b == "y"', 10, /the label 'b' where &&, \|\| or the end was expected/],
  ['a == "x")', 9, /'\)' where &&/],
  [`${'a'.repeat(513)} == "x"`, 1, /longer than 512/],
  [`${'('.repeat(65)}a == "x"${')'.repeat(65)}`, 65, /nested deeper than 64/],
  [`${'!'.repeat(200)}all()`, 65, /nested deeper than 64/],
  [`a == "${'x'.repeat(5000)}"`, 4097, /longer than 4096/],
  ['ä == "x"', 1, /'ä' has no meaning here/],
  ['a == "x" & b', 10, /'&' has no meaning here, '&&' was meant/],
  ['a in ("x")', 6, /'\(' where '\{' was expected after in/],
  ['a not "x"', 3, /the label 'not' where a comparison/],
  ['a == "x" && !', 14, /the end where a label/],
]

t.test('refuses bad selectors with the column', (t) => {
  for (const [text, column, reason] of bad) {
    const parsed = parseSelector(text)
    t.equal(parsed.ok, false, text)
    if (parsed.ok) continue
    t.equal(parsed.error.column, column, `column in ${text.slice(0, 40)}: ${parsed.error.reason}`)
    t.match(parsed.error.reason, reason)
  }
  t.end()
})

const canonical: readonly (readonly [text: string, canonical: string])[] = [
  ['', 'all()'],
  ['  ', 'all()'],
  ['all( )', 'all()'],
  ['global()', 'global()'],
  ["a=='x'", 'a == "x"'],
  ['a in {"z","z","x","y","x","a"}', 'a in {"a", "x", "y", "z"}'],
  ['a notin{"x"}', 'a not in {"x"}'],
  ['a not   in {}', 'a not in {}'],
  [`a startswith '"'`, `a starts with '"'`],
  [`a endswith "'"`, `a ends with "'"`],
  ['a contains"x"', 'a contains "x"'],
  ['has( in )', 'has(in)'],
  ['in in {"in"}', 'in in {"in"}'],
  ['has == "x"', 'has == "x"'],
  ['!!has(a)', 'has(a)'],
  ['!(a == "x" && has(b))', '!(a == "x" && has(b))'],
  ['(has(a) && has(b)) && has(c)', 'has(a) && has(b) && has(c)'],
  ['has(a) && (has(b) || has(c))', 'has(a) && (has(b) || has(c))'],
  ['(has(a) && has(b)) || has(c)', 'has(a) && has(b) || has(c)'],
  ['k8s.io/name != "x"', 'k8s.io/name != "x"'],
]

t.test('has one canonical text', (t) => {
  for (const [text, expected] of canonical) {
    const parsed = parseSelector(text)
    t.equal(parsed.ok && formatSelector(parsed.value), expected, text)
  }
  t.end()
})

const verdicts: readonly (readonly [text: string, labels: Record<string, string>, holds: boolean])[] = [
  ['all()', {}, true],
  ['a == "x"', { a: 'x' }, true],
  ['a == "x"', {}, false],
  ['a != "x"', {}, true],
  ['a != "x"', { a: 'x' }, false],
  ['a in {"x","y"}', { a: 'y' }, true],
  ['a in {}', { a: 'y' }, false],
  ['a not in {"x"}', {}, true],
  ['a not in {"x"}', { a: 'x' }, false],
  ['has(a)', { a: '' }, true],
  ['has(toString)', {}, false],
  ['a contains "b"', { a: 'abc' }, true],
  ['a contains ""', {}, false],
  ['a starts with "ab"', { a: 'abc' }, true],
  ['a ends with "bc"', { a: 'abc' }, true],
  ['a ends with "ab"', { a: 'abc' }, false],
  ['!has(a) && has(b) || has(c)', { c: '' }, true],
  ['!has(a) && (has(b) || has(c))', { a: '', c: '' }, false],
  ['has(c) || has(b) && has(a)', { c: '' }, true],
]

t.test('holds or not', (t) => {
  for (const [text, labels, holds] of verdicts) {
    const parsed = parseSelector(text)
    t.ok(parsed.ok, text)
    if (!parsed.ok) continue
    t.equal(evaluateSelector(parsed.value, labels), holds, `${text} on ${JSON.stringify(labels)}`)
    t.equal(evaluateSelector(parsed.value, new Map(Object.entries(labels))), holds, `${text} on a map`)
  }
  t.equal(evaluateSelector({ is: 'global' }, {}), true)
  t.equal(evaluateSelector({ is: 'global' }, {}, 'web'), false)
  t.end()
})

/** One of four operands, whether it holds, and how it is written without a parenthesis. */
const operand = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.boolean())

t.test('! binds before && and && before ||, without a parenthesis', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.array(operand, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constant('')),
      (terms, labels) => {
        const text = terms
          .map((term) => term.map(([name, not]) => `${not ? '!' : ''}has(${name})`).join(' && '))
          .join(' || ')
        const expected = terms.some((term) => term.every(([name, not]) => name in labels !== not))
        const parsed = parseSelector(text)
        return parsed.ok && evaluateSelector(parsed.value, labels) === expected
      },
    ),
    { numRuns: 500 },
  )
  t.pass('every property held')
  t.end()
})

/** A selector as text with random spaces and parentheses beside its meaning as a plain function. */
interface Known {
  readonly text: string
  readonly holds: (labels: Readonly<Record<string, string>>, namespace?: string) => boolean
}

const namespace = fc.constantFrom(undefined, 'default')
const label = fc.constantFrom('a', 'b', 'role', 'in')
const value = fc.constantFrom('', 'x', 'xy', 'yx', 'y"')
const quote = (text: string): string => (text.includes('"') ? `'${text}'` : `"${text}"`)
const leaf: fc.Arbitrary<Known> = fc.oneof(
  fc.constant<Known>({ text: 'all()', holds: () => true }),
  fc.constant<Known>({ text: 'global( )', holds: (_labels, namespace) => namespace === undefined }),
  fc.tuple(label, value).map(([l, v]): Known => ({
    text: `${l} ends  with${quote(v)}`,
    holds: (labels) => labels[l]?.endsWith(v) === true,
  })),
  fc.tuple(label, fc.array(value, { maxLength: 3 })).map(([l, vs]): Known => ({
    text: `${l} in{ ${vs.map(quote).join(' , ')} }`,
    holds: (labels) => vs.some((v) => labels[l] === v),
  })),
  label.map((l): Known => ({ text: `has( ${l})`, holds: (labels) => l in labels })),
  fc
    .tuple(label, value)
    .map(([l, v]): Known => ({ text: `${l} == ${quote(v)}`, holds: (labels) => labels[l] === v })),
  fc
    .tuple(label, value)
    .map(([l, v]): Known => ({ text: `${l}!=${quote(v)}`, holds: (labels) => labels[l] !== v })),
  fc.tuple(label, value).map(([l, v]): Known => ({
    text: `${l} startswith ${quote(v)}`,
    holds: (labels) => labels[l]?.startsWith(v) === true,
  })),
  fc.tuple(label, value).map(([l, v]): Known => ({
    text: `${l} contains ${quote(v)}`,
    holds: (labels) => labels[l]?.includes(v) === true,
  })),
  fc.tuple(label, fc.array(value, { maxLength: 3 })).map(([l, vs]): Known => ({
    text: `${l} not in {${vs.map(quote).join(',')}}`,
    holds: (labels) => !vs.some((v) => labels[l] === v),
  })),
)
const { known } = fc.letrec<{ known: Known }>((tie) => ({
  known: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    tie('known').map((k): Known => ({
      text: `!(${k.text})`,
      holds: (labels, namespace) => !k.holds(labels, namespace),
    })),
    fc.tuple(tie('known'), tie('known')).map(([k, l]): Known => ({
      text: `(${k.text} )&&(${l.text})`,
      holds: (labels, namespace) => k.holds(labels, namespace) && l.holds(labels, namespace),
    })),
    fc.tuple(tie('known'), tie('known')).map(([k, l]): Known => ({
      text: `(${k.text}) || (${l.text})`,
      holds: (labels, namespace) => k.holds(labels, namespace) || l.holds(labels, namespace),
    })),
  ),
}))

t.test('agrees with a plain function, also after going through its canonical text', (t) => {
  fc.assert(
    fc.property(known, fc.dictionary(label, value), namespace, ({ text, holds }, labels, namespace) => {
      const parsed = parseSelector(text)
      if (!parsed.ok) return false
      const again = parseSelector(formatSelector(parsed.value))
      t.same(again, { ok: true, value: parsed.value } satisfies { ok: true; value: Selector })
      return evaluateSelector(parsed.value, labels, namespace) === holds(labels, namespace)
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('any text gives a tree or a fault within the text', (t) => {
  const fragment = fc.constantFrom(
    'a',
    ' ',
    '==',
    '"x"',
    'in',
    '{',
    '}',
    '(',
    ')',
    '!',
    '&&',
    '||',
    'has(',
    'all()',
    ',',
    "'",
    '&',
  )
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 15 }), (parts) => {
      const text = parts.join('')
      const parsed = parseSelector(text)
      return parsed.ok || (parsed.error.column >= 1 && parsed.error.column <= text.length + 1)
    }),
    { numRuns: 3000 },
  )
  t.pass('every property held')
  t.end()
})
