import t from 'tap'
import { hostInterfaceName, linkLocalOfMac, workloadMac } from '../../src/endpoint/interface-name.ts'

const name = (...identity: string[]): string => hostInterfaceName(['test', ...identity], { prefix: 'drv' })

t.test('names follow from identity', (t) => {
  t.equal(name('a', 'eth0'), name('a', 'eth0'))
  t.not(name('a', 'eth0'), name('a', 'eth1'))
  t.match(name('a', 'eth0'), /^drv[0-9a-v]{11}$/)
  const other = hostInterfaceName(['test', 'a', 'eth0'], {
    prefix: 'drv',
    isTaken: (taken) => taken === name('a', 'eth0'),
  })
  t.not(other, name('a', 'eth0'), 'a name that another holds is passed over')
  t.not(name('a', 'bc'), name('ab', 'c'))
  t.throws(() => hostInterfaceName(['a'], { prefix: 'drv-prefix' }))
  t.end()
})

t.test('a MAC follows from the name, is locally administered and of one interface', (t) => {
  t.equal(workloadMac('drv1'), workloadMac('drv1'))
  t.not(workloadMac('drv1'), workloadMac('drv2'))
  for (let i = 0; i < 100; i++) t.match(workloadMac(`drv${i}`), /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/)
  t.end()
})

t.test('link-local addresses are written as the kernel writes them, whatever is zero in the MAC', (t) => {
  for (const [mac, address] of [
    ['02:11:22:33:44:55', 'fe80::11:22ff:fe33:4455'],
    ['00:11:22:33:44:55', 'fe80::211:22ff:fe33:4455'],
    ['02:00:00:00:00:05', 'fe80::ff:fe00:5'],
    ['02:00:5e:00:00:00', 'fe80::5eff:fe00:0'],
    ['0a:00:00:00:01:00', 'fe80::800:ff:fe00:100'],
  ] as const)
    t.equal(linkLocalOfMac(mac), address, mac)
  t.end()
})
