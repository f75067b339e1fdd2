import t from 'tap'
import { addressOfPointer, answerFor } from '../../src/names/answer.ts'
import { createNameIndex } from '../../src/names/name-index.ts'
import { nameserversOf, serverOf } from '../../src/names/nameservers.ts'
import { endpoint } from './endpoints.ts'

const index = createNameIndex()
index.onUpdate(
  'a',
  endpoint({ network: 'web', names: ['shop', 'front'], addresses: ['10.0.0.1', 'fd00::1'] }),
)
index.onUpdate('b', endpoint({ network: 'web', names: ['old', 'front'], addresses: ['10.0.0.2'] }))
index.onUpdate('c', endpoint({ network: 'web', names: ['1.0.0.10.in-addr.arpa'], addresses: ['10.0.0.3'] }))
const scope = index.scopeOf('10.0.0.2')

const cases: readonly {
  name: string
  type?: string
  class?: string
  exact?: boolean
  records: readonly string[] | undefined
}[] = [
  { name: 'shop', records: ['A 10.0.0.1'] },
  { name: 'shop', type: 'AAAA', records: ['AAAA fd00::1'] },
  { name: 'old', type: 'AAAA', records: [] },
  { name: 'shop', type: 'MX', records: [] },
  { name: 'shop', type: 'UNKNOWN_65', records: [] },
  { name: 'shop', type: 'ANY', records: ['A 10.0.0.1', 'AAAA fd00::1'] },
  { name: 'shop', type: 'PTR', records: [] },
  { name: 'shop', class: 'CH', records: undefined },
  { name: 'shop', exact: false, records: undefined },
  { name: 'nobody', records: undefined },
  { name: 'shop.example.net', records: undefined },
  { name: '1.0.0.10.in-addr.arpa', type: 'PTR', records: ['PTR shop.web'] },
  { name: '1.0.0.10.IN-ADDR.ARPA', type: 'PTR', records: ['PTR shop.web'] },
  { name: '9.0.0.10.in-addr.arpa', type: 'PTR', records: undefined },
  { name: `1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, type: 'PTR', records: ['PTR shop.web'] },
]
for (const { records, ...asked } of cases) {
  const question = { type: 'A', class: 'IN', exact: true, ...asked }
  t.test(`${question.class} ${question.type} ${question.name}`, (t) => {
    const answered = answerFor(question, scope, index, () => 0.99)
    t.same(
      answered?.map(({ type, data }) => `${type} ${data}`),
      records,
    )
    t.end()
  })
}

t.test('several addresses come in turn', (t) => {
  const orders = new Set<string>()
  for (const chance of [0, 0.99]) {
    const question = { name: 'front', type: 'A', class: 'IN', exact: true }
    orders.add((answerFor(question, scope, index, () => chance) ?? []).map(({ data }) => data).join())
  }
  t.same([...orders].sort(), ['10.0.0.1,10.0.0.2', '10.0.0.2,10.0.0.1'])
  t.end()
})

t.test('names that point from an address', (t) => {
  for (const name of [
    'in-addr.arpa',
    '0.0.10.in-addr.arpa',
    '1.1.0.0.10.in-addr.arpa',
    '256.0.0.10.in-addr.arpa',
    'a.0.0.10.in-addr.arpa',
    `1.${'0.'.repeat(30)}ip6.arpa`,
    `10.${'0.'.repeat(31)}ip6.arpa`,
    '1.0.0.10.in-addr.arpa.example',
    '....in-addr.arpa',
  ])
    t.equal(addressOfPointer(name), undefined, name)
  t.equal(addressOfPointer('7.2.0.192.in-addr.arpa.'), '192.0.2.7')
  t.end()
})

t.test('nameservers of resolv.conf', (t) => {
  const text = [
    '# nameserver 192.0.2.1',
    'search example.net',
    'nameserver 192.0.2.53',
    '  nameserver\tfd00::53  ',
    'nameserver fe80::1%eth0',
    'nameserver',
    'nameserver none',
    'nameserver 192.0.2.53 192.0.2.54',
    'nameserver 192.0.2.300',
    'options ndots:2',
  ].join('\n')
  t.same(nameserversOf(text), [
    { address: '192.0.2.53', port: 53 },
    { address: 'fd00::53', port: 53 },
    { address: 'fe80::1%eth0', port: 53 },
  ])
  t.same(serverOf('[fd00::53]:5353'), { address: 'fd00::53', port: 5353 })
  t.same(serverOf('nobody'), undefined)
  t.end()
})
