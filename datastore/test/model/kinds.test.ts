import t from 'tap'
import { kindNames, kindOf, kinds, suggest } from '../../src/model/index.ts'

t.test('kinds', (t) => {
  t.equal(new Set(kindNames.map((kind) => kinds[kind].plural)).size, kindNames.length, 'plurals differ')
  for (const kind of kindNames) {
    t.equal(kinds[kind].kind, kind)
    t.equal(kinds[kind].plural, `${kind.toLowerCase()}s`.replace(/ys$/, 'ies'))
    t.equal(kindOf(kind), kind)
  }
  t.equal(kindOf('pool'), 'IPPool')
  t.equal(kindOf('WEP'), 'WorkloadEndpoint')
  t.equal(kindOf('toString'), undefined)
  t.end()
})

t.test('suggestions', (t) => {
  const words = ['natOutgoing', 'disabled', 'cidr']
  for (const [word, near] of [
    ['natoutgoing', 'natOutgoing'],
    ['natOutgoign', 'natOutgoing'],
    ['disable', 'disabled'],
    ['cird', 'cidr'],
    ['x', undefined],
    ['x'.repeat(100_000), undefined],
  ] as const) {
    t.equal(suggest(word, words), near, word.slice(0, 20))
  }
  t.end()
})
