import t from 'tap'
import { AddressIndex } from '../../src/speaker/address-index.ts'

const rows: readonly (readonly [added: string, asked: string, found: boolean])[] = [
  ['10.0.0.1', '10.0.0.1', true],
  ['10.0.0.1', '10.0.0.2', false],
  ['2001:db8::1', '2001:DB8:0:0::0001', true],
  ['2001:db8::1', '2001:db8::1%eth0', false],
  ['fe80::1%eth0', 'fe80:0::1%eth0', true],
  ['fe80::1%eth0', 'fe80::1%eth1', false],
  ['fe80::1%eth0', 'fe80::1', false],
  ['::a00:1', '::10.0.0.1', true],
  ['::a00:1', '10.0.0.1', false],
]

t.test('an address is found however it is written, and no other is', (t) => {
  for (const [added, asked, found] of rows) {
    const index = new AddressIndex<string>()
    index.add(added, 'peer')
    t.equal(index.find(asked), found ? 'peer' : undefined, `${added}, asked for as ${asked}`)
  }
  t.end()
})

t.test('of several at one address the first is found, and after it the next', (t) => {
  const index = new AddressIndex<string>()
  index.add('10.0.0.1', 'first')
  index.add('10.0.0.1', 'second')
  index.add('10.0.0.2', 'other')
  t.equal(index.find('10.0.0.1'), 'first')
  index.delete('10.0.0.1', 'nobody')
  index.delete('10.0.0.1', 'first')
  t.equal(index.find('10.0.0.1'), 'second')
  index.delete('10.0.0.1', 'second')
  index.delete('10.0.0.1', 'second')
  t.equal(index.find('10.0.0.1'), undefined)
  t.equal(index.size, 1, 'nothing is left of an address that nobody is at')
  index.clear()
  t.equal(index.find('10.0.0.2'), undefined)
  t.end()
})
