import t from 'tap'
import {
  asPathLength,
  countAs,
  decodeAsPath,
  encodeAsPath,
  firstAs,
  formatAsPath,
  mergeAs4Path,
  originAs,
  prependAs,
} from '../../src/codec/as-path.ts'
import { type AsPath } from '../../src/codec/path-attributes.ts'
import { Reader } from '../../src/codec/reader.ts'
import { Writer } from '../../src/codec/writer.ts'

const sequence = (...asns: number[]): AsPath[number] => ({ type: 'sequence', asns })
const set = (...asns: number[]): AsPath[number] => ({ type: 'set', asns })
const confederation = (...asns: number[]): AsPath[number] => ({ type: 'confed-sequence', asns })

const paths: readonly {
  path: AsPath
  length: number
  first: number | undefined
  origin: number | undefined
  text: string
}[] = [
  { path: [], length: 0, first: undefined, origin: undefined, text: '' },
  { path: [sequence(1, 2, 3)], length: 3, first: 1, origin: 3, text: '1 2 3' },
  { path: [sequence(1), set(2, 3)], length: 2, first: 1, origin: undefined, text: '1 {2,3}' },
  { path: [confederation(9, 8), sequence(1, 2)], length: 2, first: 1, origin: 2, text: '(9 8) 1 2' },
  { path: [set(5)], length: 1, first: undefined, origin: undefined, text: '{5}' },
  { path: [{ type: 'confed-set', asns: [7] }], length: 0, first: undefined, origin: undefined, text: '[7]' },
]
for (const { path, length, first, origin, text } of paths) {
  t.test(`path '${text}'`, (t) => {
    t.equal(asPathLength(path), length)
    t.equal(firstAs(path), first)
    t.equal(originAs(path), origin)
    t.equal(formatAsPath(path), text)
    t.end()
  })
}

t.test('prepending', (t) => {
  t.strictSame(prependAs([], 1), [sequence(1)])
  t.strictSame(prependAs([sequence(2)], 1, 3), [sequence(1, 1, 1, 2)])
  t.strictSame(prependAs([set(2)], 1), [sequence(1), set(2)])
  t.strictSame(prependAs([confederation(2)], 1), [sequence(1), confederation(2)])
  const path = [sequence(2)]
  t.equal(prependAs(path, 1, 0), path)
  const full = sequence(...new Array<number>(255).fill(2))
  t.strictSame(prependAs([full, set(3)], 1, 2), [sequence(1, 1), full, set(3)])
  t.end()
})

t.test('counting a number', (t) => {
  t.equal(countAs([sequence(1, 2, 1), set(1), confederation(1)], 1), 4)
  t.equal(countAs([sequence(2)], 1), 0)
  t.end()
})

t.test('a segment of more than 255 numbers becomes several', (t) => {
  const into = new Writer()
  encodeAsPath([sequence(...new Array<number>(300).fill(7))], 2, into)
  const path = decodeAsPath(new Reader(into.finish()), 2)
  t.strictSame(
    path.map(({ asns }) => asns.length),
    [255, 45],
  )
  t.end()
})

/** RFC 6793 section 4.2.3. */
const merges: readonly { name: string; asPath: AsPath; as4Path: AsPath; merged: AsPath }[] = [
  {
    name: 'equal lengths',
    asPath: [sequence(1, 23456)],
    as4Path: [sequence(1, 70000)],
    merged: [sequence(1, 70000)],
  },
  {
    name: 'a shorter AS4_PATH',
    asPath: [sequence(1, 2, 23456)],
    as4Path: [sequence(70000)],
    merged: [sequence(1, 2, 70000)],
  },
  {
    name: 'a longer AS4_PATH',
    asPath: [sequence(1)],
    as4Path: [sequence(70000, 70001)],
    merged: [sequence(1)],
  },
  {
    name: 'a leading set',
    asPath: [set(1, 2), sequence(23456)],
    as4Path: [sequence(70000)],
    merged: [set(1, 2), sequence(70000)],
  },
  {
    name: 'a leading confederation',
    asPath: [confederation(9), sequence(1, 23456)],
    as4Path: [sequence(70000)],
    merged: [confederation(9), sequence(1, 70000)],
  },
  {
    name: 'a confederation in AS4_PATH',
    asPath: [sequence(1, 23456)],
    as4Path: [confederation(9), sequence(70000)],
    merged: [sequence(1, 70000)],
  },
  {
    name: 'an AS_SET at the end',
    asPath: [sequence(1, 23456), set(23456)],
    as4Path: [sequence(70000), set(70001)],
    merged: [sequence(1, 70000), set(70001)],
  },
]
for (const { name, asPath, as4Path, merged } of merges) {
  t.test(`AS_PATH and AS4_PATH: ${name}`, (t) => {
    t.strictSame(mergeAs4Path(asPath, as4Path), merged)
    t.end()
  })
}
