import { address } from '@network/net'
import t from 'tap'
import { OwnAddresses, hostAddresses } from '../../../src/speaker/network/host-addresses.ts'
import { type HostAddress } from '../../../src/index.ts'
import { FakeClock } from '../fake-network.ts'

function host(...addresses: HostAddress[]) {
  const clock = new FakeClock()
  const kernel = { addresses, reads: 0 }
  const own = new OwnAddresses(() => {
    kernel.reads++
    return kernel.addresses
  }, clock)
  return { clock, kernel, own }
}

const eth0 = { device: 'eth0', address: '10.0.0.1', length: 24 }

t.test('what the kernel has, by address, by device and by bytes', (t) => {
  const { own } = host(
    eth0,
    { device: 'eth0', address: 'FE80::1', length: 64 },
    { device: 'eth1', address: '10.0.0.1', length: 32 },
    { device: 'eth1', address: 'not an address', length: 0 },
  )
  t.equal(own.deviceOf(address('10.0.0.1')), 'eth0', 'the first of two devices')
  t.equal(own.deviceOf(address('fe80::1')), 'eth0')
  t.equal(own.deviceOf(address('10.0.0.2')), undefined)
  t.equal(own.on('eth0').length, 2)
  t.equal(own.on('eth1').length, 1)
  t.same(own.on('eth2'), [])
  t.ok(own.has(Uint8Array.of(10, 0, 0, 1)))
  t.notOk(own.has(Uint8Array.of(10, 0, 0, 2)))
  t.ok(own.has(Uint8Array.of(0xfe, 0x80, ...new Array<number>(13).fill(0), 1)))
  t.end()
})

t.test('sessions that come up at once share one reading', (t) => {
  const { clock, kernel, own } = host(eth0)
  for (let i = 0; i < 500; i++) own.refresh(address('10.0.0.1'))
  t.equal(kernel.reads, 1)
  kernel.addresses = [eth0, { device: 'eth1', address: '10.1.0.1', length: 24 }]
  t.notOk(own.has(Uint8Array.of(10, 1, 0, 1)))
  clock.advance(100)
  own.refresh(address('10.0.0.1'))
  t.equal(kernel.reads, 2, 'a later one reads anew')
  t.ok(own.has(Uint8Array.of(10, 1, 0, 1)))
  t.end()
})

t.test('a session from an address that is not known yet is one to read anew for', (t) => {
  const { kernel, own } = host(eth0)
  own.refresh(address('10.0.0.1'))
  kernel.addresses = [eth0, { device: 'eth1', address: '10.1.0.1', length: 24 }]
  own.refresh(address('10.1.0.1'))
  t.equal(own.deviceOf(address('10.1.0.1')), 'eth1')
  t.equal(kernel.reads, 2)
  t.end()
})

t.test('this machine has its loopback', (t) => {
  t.match(
    hostAddresses().find(({ address }) => address === '127.0.0.1'),
    { device: 'lo', length: 8 },
  )
  t.end()
})
