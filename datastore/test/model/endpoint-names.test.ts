import * as fc from 'fast-check'
import t from 'tap'
import {
  NAMES_ANNOTATION,
  formatEndpointNames,
  normalName,
  readEndpointNames,
} from '../../src/model/index.ts'

const names: readonly [text: string, normal: string | undefined][] = [
  ['Shop', 'shop'],
  ['shop.', 'shop'],
  ['Front.Door', 'front.door'],
  ['under_score', 'under_score'],
  ['ÄPFEL', 'Äpfel'],
  ['x'.repeat(63), 'x'.repeat(63)],
  ['x'.repeat(64), undefined],
  ['ä'.repeat(32), undefined],
  [Array.from({ length: 127 }, () => 'a').join('.'), Array.from({ length: 127 }, () => 'a').join('.')],
  [Array.from({ length: 128 }, () => 'a').join('.'), undefined],
  ['', undefined],
  ['.', undefined],
  ['..', undefined],
  ['.shop', undefined],
  ['a..b', undefined],
]
for (const [text, normal] of names) {
  t.test(`the name '${text.slice(0, 20)}', ${String(text.length)} characters`, (t) => {
    t.equal(normalName(text), normal)
    t.end()
  })
}

const read = (text: string) => readEndpointNames({ name: 'e', annotations: { [NAMES_ANNOTATION]: text } })

t.test('what is written is read', (t) => {
  const text = formatEndpointNames({
    container: 'c1',
    network: 'Web',
    names: ['Shop', 'shop', 'a..b', 'front'],
  })
  t.same(read(text), { container: 'c1', network: 'Web', names: ['shop', 'front'] })
  const many = Array.from({ length: 100 }, (_, index) => `n${String(index)}`)
  t.equal(read(formatEndpointNames({ container: 'c1', network: 'web', names: many }))?.names.length, 64)
  t.same(readEndpointNames({ name: 'e' }), undefined)
  t.end()
})

t.test('anything else is nothing', (t) => {
  for (const text of ['', '{', 'null', '1', '[]', '{}', '{"container":"c","network":"n","names":"x"}'])
    t.equal(read(text), undefined, text)
  t.same(read('{"container":"c","network":"n","names":[1,null,"x",["y"]]}')?.names, ['x'])
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => (read(text)?.names.length ?? 0) <= 64))
  t.end()
})
