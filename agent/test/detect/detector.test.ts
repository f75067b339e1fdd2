import fc from 'fast-check'
import { type Family } from '@network/net'
import { createDetector } from '../../src/detect/detector.ts'
import { hostView } from '../../src/detect/host-links.ts'
import { parseDetectionMethod } from '../../src/detect/method.ts'
import { createExec } from '../../src/exec.ts'
import { systemClock } from '@network/net/system'
import { inOwnNetwork, ip } from '../own-network.ts'

/** A host as they are found: uplinks, Docker's bridges, workloads, a bridge that carries the default route later. */
function makeHost(): void {
  for (const [name, mtu] of [
    ['docker0', 1500],
    ['eth9', 1400],
    ['eth1', 9000],
    ['veth12ab', 1500],
    ['drv0123', 1500],
    ['ens3', 1450],
  ] as const) {
    ip(`link add ${name} mtu ${String(mtu)} type veth peer name p-${name}`)
    ip(`link set ${name} up`)
    ip(`link set p-${name} up`)
  }
  for (const bridge of ['br-0a1b', 'lan']) {
    ip(`link add ${bridge} type bridge`)
    ip(`link add p-${bridge} type veth peer name q-${bridge}`)
    ip(`link set p-${bridge} master ${bridge}`)
    for (const name of [bridge, `p-${bridge}`, `q-${bridge}`]) ip(`link set ${name} up`)
  }
  for (const [device, address] of [
    ['docker0', '172.17.0.1/16'],
    ['br-0a1b', '172.18.0.1/16'],
    ['lan', '192.168.7.1/24'],
    ['veth12ab', '10.250.0.1/24'],
    ['drv0123', '10.251.0.1/24'],
    ['eth9', '192.0.2.10/24'],
    ['eth1', '198.51.100.10/25'],
    ['ens3', '203.0.113.10/28'],
    ['ens3', '169.254.9.9/16'],
  ] as const)
    ip(`addr add ${address} dev ${device}${address.startsWith('169.254.') ? ' scope link' : ''}`)
  ip('addr add 2001:db8:9::10/64 dev eth9 nodad')
  ip('addr add 2001:db8:1::10/64 dev eth1 nodad')
  ip('link add eth7 type veth peer name p-eth7')
  ip('addr add 192.0.2.77/24 dev eth7')
}

await inOwnNetwork(import.meta.url, async (t) => {
  makeHost()
  const detector = createDetector({ exec: createExec(), clock: systemClock })
  const detect = async (text: string, family: Family = 'ipv4'): Promise<string> => {
    const method = parseDetectionMethod(text)
    if (!method.ok) throw new Error(method.error)
    const found = await (await detector.look()).nodeAddress(family, method.value)
    return `${found.device} ${found.interfaceAddress}`
  }

  await t.test('each method', async (t) => {
    const cases: [method: string, family: Family, found: string][] = [
      ['first-found', 'ipv4', 'eth9 192.0.2.10/24'],
      ['first-found', 'ipv6', 'eth9 2001:db8:9::10/64'],
      ['interface=eth1', 'ipv4', 'eth1 198.51.100.10/25'],
      ['interface=ens.*,eth1', 'ipv4', 'eth1 198.51.100.10/25'],
      ['interface=ens.*', 'ipv4', 'ens3 203.0.113.10/28'],
      ['interface=docker0', 'ipv4', 'docker0 172.17.0.1/16'],
      ['skip-interface=eth9', 'ipv4', 'eth1 198.51.100.10/25'],
      ['skip-interface=eth.*', 'ipv4', 'ens3 203.0.113.10/28'],
      ['can-reach=203.0.113.14', 'ipv4', 'ens3 203.0.113.10/28'],
      ['can-reach=2001:db8:1::99', 'ipv6', 'eth1 2001:db8:1::10/64'],
      ['cidr=198.51.100.0/24', 'ipv4', 'eth1 198.51.100.10/25'],
      ['cidr=10.0.0.0/9,203.0.113.0/24', 'ipv4', 'ens3 203.0.113.10/28'],
      ['cidr=2001:db8:1::/48', 'ipv6', 'eth1 2001:db8:1::10/64'],
    ]
    for (const [method, family, found] of cases)
      t.equal(await detect(method, family), found, `${method} ${family}`)
  })

  await t.test('the default route comes first, also on a bridge', async (t) => {
    ip('route add default via 203.0.113.1 metric 50')
    t.equal(await detect('first-found'), 'ens3 203.0.113.10/28')
    ip('route add default via 192.168.7.254')
    t.equal(await detect('first-found'), 'lan 192.168.7.1/24')
    ip('route del default via 192.168.7.254')
    t.equal(await detect('skip-interface=ens3'), 'eth9 192.0.2.10/24')
  })

  await t.test('when nothing fits, the error lists what was considered and why', async (t) => {
    const cases: [method: string, family: Family, ...words: RegExp[]][] = [
      ['interface=absent0', 'ipv4', /interface=absent0/, /eth9: its name does not match absent0/, /eth7/],
      [
        'skip-interface=eth.*,ens.*',
        'ipv4',
        /docker0: its name is one of container/,
        /br-0a1b: its name/,
        /lan: it is a bridge without the default route/,
        /lo: it is the loopback/,
        /drv0123: it is an interface of a workload/,
        /eth9: its name matches/,
      ],
      [
        'cidr=10.99.0.0/16',
        'ipv4',
        /eth9 192\.0\.2\.10: it lies outside 10\.99\.0\.0\/16/,
        /eth7: it is down/,
      ],
      ['can-reach=2001:db8:77::1', 'ipv6', /the kernel has no route to 2001:db8:77::1/],
      ['interface=ens3', 'ipv6', /ens3/],
    ]
    for (const [method, family, ...words] of cases) {
      await detect(method, family).then(
        (found) => t.fail(`${method} found ${found}`),
        (error: unknown) => {
          t.match(error, { code: 'no-node-address', remedy: /Address of its Node/ }, method)
          for (const word of words) t.match((error as Error).message, word, `${method}: ${String(word)}`)
        },
      )
    }
  })

  await t.test('the MTU is the smallest of the uplinks', async (t) => {
    t.equal((await detector.look()).mtu({ nodeDevices: ['eth1'] }), 1450, 'ens3 has the default route')
    t.equal((await detector.look()).mtu({ nodeDevices: ['eth9'] }), 1400)
    t.equal((await detector.look()).mtu({ uplinks: ['eth1'], nodeDevices: ['eth9'] }), 9000)
    t.equal((await detector.look()).mtu({ uplinks: ['eth.*'], nodeDevices: [] }), 1400, 'eth7 is down')
    t.equal((await detector.look()).mtu({ uplinks: ['absent'], nodeDevices: [] }), 1500)
  })

  await t.test('what a method may not be', (t) => {
    const cases: [text: string, words: RegExp][] = [
      ['', /there are first-found/],
      ['first-found=x', /takes no value/],
      ['second-found', /is not a way/],
      ['interface=', /needs a value/],
      ['interface=[', /'\[' is not a regular expression/],
      ['skip-interface=(', /regular expression/],
      ['can-reach=example.org', /'example\.org' is not an address/],
      ['cidr=10.0.0.1/8', /host bits set, the network is 10\.0\.0\.0\/8/],
      [`interface=${'a'.repeat(300)}`, /longer than 200/],
    ]
    for (const [text, words] of cases) {
      const parsed = parseDetectionMethod(text)
      t.equal(parsed.ok, false, text)
      if (!parsed.ok) t.match(parsed.error, words)
    }
    fc.assert(fc.property(fc.string(), (text) => typeof parseDetectionMethod(text).ok === 'boolean'))
    fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => Array.isArray(hostView(a, b).links)))
    t.end()
  })
})
