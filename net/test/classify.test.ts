import t from 'tap'
import { address, type AddressClass, classifyAddress, isUsableAddress } from '../src/index.ts'

const cases: readonly (readonly [AddressClass, readonly string[]])[] = [
  ['unspecified', ['0.0.0.0', '::']],
  ['loopback', ['127.0.0.1', '127.255.255.255', '::1']],
  ['link-local', ['169.254.1.1', 'fe80::1', 'febf::1']],
  ['multicast', ['224.0.0.1', '239.255.255.255', 'ff02::1']],
  ['broadcast', ['255.255.255.255']],
  ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1']],
  ['documentation', ['192.0.2.1', '198.51.100.7', '203.0.113.9', '2001:db8::1']],
  ['global', ['8.8.8.8', '172.32.0.1', '192.169.0.1', '2606:4700::1']],
]

t.test('classes of addresses', (t) => {
  for (const [expected, texts] of cases) {
    for (const text of texts) t.equal(classifyAddress(address(text)), expected, text)
  }
  t.equal(isUsableAddress(address('10.0.0.1')), true)
  t.equal(isUsableAddress(address('169.254.1.1')), false)
  t.end()
})
