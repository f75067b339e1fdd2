import fc from 'fast-check'
import t from 'tap'
import {
  address,
  comparePrefixes,
  formatPrefix,
  hostPrefix,
  type Prefix,
  prefix,
  prefixContains,
  prefixCovers,
  prefixesOverlap,
  PrefixSet,
  PrefixTrie,
} from '../src/index.ts'
import { crowdedPrefix } from './arbitraries.ts'

const names = (entries: Iterable<readonly [Prefix, unknown]>): string[] =>
  Array.from(entries, ([held]) => formatPrefix(held))

t.test('longest match', (t) => {
  const trie = new PrefixTrie(
    ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '10.1.2.3/32', '::/0', 'fd00::/8'].map(
      (text): [Prefix, string] => [prefix(text), text],
    ),
  )
  const cases: readonly (readonly [string, string])[] = [
    ['10.1.2.3', '10.1.2.3/32'],
    ['10.1.2.4', '10.1.2.0/24'],
    ['10.1.3.4', '10.1.0.0/16'],
    ['10.2.0.1', '10.0.0.0/8'],
    ['11.0.0.1', '0.0.0.0/0'],
    ['fd00::1', 'fd00::/8'],
    ['2001:db8::1', '::/0'],
  ]
  for (const [text, expected] of cases) t.equal(trie.longestMatch(address(text))?.[1], expected, text)
  t.equal(trie.size, 7)
  t.end()
})

t.test('families don’t meet, and nothing matches in an empty trie', (t) => {
  const trie = new PrefixTrie<number>()
  t.equal(trie.longestMatch(address('10.0.0.1')), undefined)
  trie.set(prefix('0.0.0.0/0'), 1)
  t.equal(trie.longestMatch(address('::1')), undefined)
  t.same(names(trie.entries('ipv6')), [])
  t.same(names(trie.entries('ipv4')), ['0.0.0.0/0'])
  t.end()
})

t.test('covering, covered and overlap', (t) => {
  const trie = new PrefixTrie<null>()
  for (const text of ['10.0.0.0/8', '10.1.0.0/16', '10.1.128.0/17', '10.2.0.0/16'])
    trie.set(prefix(text), null)
  t.same(names(trie.covering(prefix('10.1.200.0/24'))), ['10.0.0.0/8', '10.1.0.0/16', '10.1.128.0/17'])
  t.same(names(trie.coveredBy(prefix('10.1.0.0/16'))), ['10.1.0.0/16', '10.1.128.0/17'])
  t.same(names(trie.coveredBy(prefix('10.0.0.0/15'))), ['10.1.0.0/16', '10.1.128.0/17'])
  t.same(names(trie.coveredBy(prefix('11.0.0.0/8'))), [])
  t.equal(trie.overlaps(prefix('0.0.0.0/0')), true)
  t.equal(trie.overlaps(prefix('10.1.2.3/32')), true)
  t.equal(trie.overlaps(prefix('11.0.0.0/8')), false)
  t.end()
})

t.test('an undefined value is a value', (t) => {
  const trie = new PrefixTrie<undefined>()
  trie.set(prefix('10.0.0.0/8'), undefined)
  t.equal(trie.has(prefix('10.0.0.0/8')), true)
  t.same(trie.longestMatch(address('10.0.0.1')), [prefix('10.0.0.0/8'), undefined])
  t.end()
})

t.test('clear leaves an empty trie that works', (t) => {
  const trie = new PrefixTrie([[prefix('10.0.0.0/8'), 1]])
  trie.clear()
  t.equal(trie.size, 0)
  t.equal(trie.get(prefix('10.0.0.0/8')), undefined)
  trie.set(prefix('10.0.0.0/9'), 2)
  t.same(names(trie), ['10.0.0.0/9'])
  t.end()
})

type Step = { readonly op: 'set' | 'delete'; readonly at: Prefix; readonly value: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    op: fc.constantFrom('set' as const, 'set' as const, 'delete' as const),
    at: crowdedPrefix,
    value: fc.nat(),
  }),
  { maxLength: 120 },
)

t.test('behaves like a plain list of prefixes under any sequence of changes', (t) => {
  fc.assert(
    fc.property(steps, crowdedPrefix, (sequence, probe) => {
      const trie = new PrefixTrie<number>()
      const naive = new Map<string, readonly [Prefix, number]>()
      for (const { op, at, value } of sequence) {
        if (op === 'set') {
          trie.set(at, value)
          naive.set(formatPrefix(at), [at, value])
        } else if (trie.delete(at) !== naive.delete(formatPrefix(at))) {
          return false
        }
      }
      const all = [...naive.values()].sort(([a], [b]) => comparePrefixes(a, b))
      const same = (actual: Iterable<readonly [Prefix, number]>, expected: typeof all): boolean =>
        JSON.stringify([...actual]) === JSON.stringify(expected)
      const match = all.filter(([held]) => prefixContains(held, probe.address)).at(-1)
      return (
        trie.size === all.length &&
        same(trie, all) &&
        trie.get(probe) === naive.get(formatPrefix(probe))?.[1] &&
        JSON.stringify(trie.longestMatch(probe.address)) === JSON.stringify(match) &&
        same(
          trie.covering(probe),
          all.filter(([held]) => prefixCovers(held, probe)),
        ) &&
        same(
          trie.coveredBy(probe),
          all.filter(([held]) => prefixCovers(probe, held)),
        ) &&
        trie.overlaps(probe) === all.some(([held]) => prefixesOverlap(held, probe)) &&
        JSON.stringify(trie.longestCovering(hostPrefix(probe.address))) === JSON.stringify(match)
      )
    }),
    { numRuns: 1500 },
  )
  t.pass('every property held')
  t.end()
})

t.test('a set answers as its trie does', (t) => {
  const set = new PrefixSet([prefix('10.0.0.0/8'), prefix('fd00::/8'), prefix('10.0.0.0/8')])
  t.equal(set.size, 2)
  t.equal(set.contains(address('10.9.9.9')), true)
  t.equal(set.contains(address('11.0.0.1')), false)
  t.equal(set.covers(prefix('10.1.0.0/16')), true)
  t.equal(set.covers(prefix('8.0.0.0/5')), false)
  t.equal(set.overlaps(prefix('8.0.0.0/5')), true)
  t.same(Array.from(set, formatPrefix), ['10.0.0.0/8', 'fd00::/8'])
  t.equal(set.delete(prefix('10.0.0.0/8')), true)
  t.equal(set.has(prefix('10.0.0.0/8')), false)
  t.end()
})
