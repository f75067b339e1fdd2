/** What a check finds of a real interface: all of it as it was made, and each way in which it is not. */
import { DroverError } from '@network/net'
import { silentLog as log, systemClock as clock } from '@network/net/system'
import { hostSysctls, writeSysctls } from '../../src/drivers/sysctl.ts'
import { createCheck } from '../../src/endpoint/check.ts'
import { createDeadline } from '../../src/endpoint/deadline.ts'
import { endpointResource } from '../../src/endpoint/endpoint-resource.ts'
import { createKeyedLock } from '../../src/endpoint/keyed-lock.ts'
import { createLocalEndpoints } from '../../src/endpoint/local-endpoints.ts'
import { openNamespace } from '../../src/endpoint/netns.ts'
import { createWire } from '../../src/endpoint/wiring.ts'
import { wireSpec } from '../../src/endpoint/workload-wire.ts'
import { createExec } from '../../src/exec.ts'
import { addNamespace, inOwnNetwork, ip, program } from '../own-network.ts'

const addresses = ['10.0.0.5', 'fd00::5']
const device = 'drvw'

await inOwnNetwork(import.meta.url, async (t) => {
  writeSysctls(hostSysctls({ uplinks: [], families: ['ipv4', 'ipv6'] }))
  const netns = addNamespace('w')
  const namespace = await openNamespace(netns)
  await namespace.close()
  const endpoint = endpointResource(
    {
      ...{ netns, containerId: 'c1', interfaceName: 'eth0' },
      ...{ orchestrator: 'cli', workload: 'w', endpoint: 'eth0' },
    },
    {
      ...{ counts: { ipv4: 1, ipv6: 1 }, pools: undefined, profiles: [] },
      ...{ mtuBytes: 1500, defaultRoute: undefined },
    },
    {
      identity: { node: 'n1', orchestrator: 'cli', workload: 'w', endpoint: 'eth0' },
      ...{ handle: 'c1:eth0:n1', hostInterface: device, mac: '02:00:00:00:00:05' },
      ...{ namespace: namespace.id, uid: '00000000-0000-4000-8000-000000000000', createdAt: 0, addresses },
    },
  )
  const endpoints = createLocalEndpoints({ detached: [], onChange: () => undefined })
  endpoints.committed({ key: 'k', endpoint, revision: 1 })
  const wire = createWire({ clock, log })
  const held = new Set(addresses)
  const check = createCheck(
    {
      ...{ wire, endpoints, exec: createExec(), locks: createKeyedLock() },
      allocator: {
        get: () => Promise.resolve({ addresses: [...held].map((address) => ({ address })) } as never),
      },
      backend: () => undefined,
      createDeadline: (operation, ms) => createDeadline(clock, operation, ms),
    },
    { node: 'n1', deadlineMs: () => 10_000 },
  )
  const asked = { containerId: 'c1', interfaceName: 'eth0', netns }
  const found = async (): Promise<string[]> =>
    (await check(asked)).differences.map(
      ({ field, expected, actual }) => `${field} is ${actual}, not ${expected}`,
    )
  const make = async (): Promise<void> => {
    await wire.wireWorkload(wireSpec(endpoint))
    for (const address of addresses) ip(`route replace ${address} dev ${device} proto 98`)
  }
  const inside = (line: string): string => ip(`-n drvdp-w ${line}`)
  const set = async (path: string, value: string): Promise<void> => {
    t.equal((await program('sysctl', ['-qw', `${path}=${value}`])).status, 0)
  }

  await make()
  t.match(await check(asked), { endpoint: 'cli/w/eth0', hostInterface: device, differences: [] })

  ip('link add drvother type veth peer name drvpeer')
  ip('link set drvother up')
  const ways: [what: string, harm: () => unknown, words: RegExp][] = [
    [
      'no route of the host',
      () => ip('route del 10.0.0.5'),
      /^host\.route 10\.0\.0\.5\/32 is absent, not dev drvw$/,
    ],
    ['none of IPv6', () => ip('-6 route del fd00::5'), /^host\.route fd00::5\/128 is absent, not dev drvw$/],
    [
      'a route elsewhere',
      () => ip('route replace 10.0.0.5 dev drvother proto 98'),
      /^host\.route 10\.0\.0\.5\/32 is dev drvother, not dev drvw$/,
    ],
    ['the host end down', () => ip(`link set ${device} down`), /^host\.up is false, not true$/],
    [
      'a setting of the host end',
      () => set(`net.ipv4.conf.${device}.rp_filter`, '0'),
      /^host\.sysctl net\/ipv4\/conf\/drvw\/rp_filter is 0, not 1$/,
    ],
    [
      'one of IPv6',
      () => set(`net.ipv6.conf.${device}.proxy_ndp`, '0'),
      /^host\.sysctl net\/ipv6\/conf\/drvw\/proxy_ndp is 0, not 1$/,
    ],
    [
      'an address',
      () => inside('addr del 10.0.0.5/32 dev eth0'),
      /^container\.address 10\.0\.0\.5\/32 is absent/,
    ],
    ['the default route', () => inside('-6 route del default'), /^container\.route ::\/0 .*absent/],
    [
      'the MAC',
      () => inside('link set eth0 address 02:00:00:00:00:99'),
      /^container\.mac is 02:00:00:00:00:99/,
    ],
    ['the pair', () => ip(`link del ${device}`), /^(host|container)\.interface is absent, not present$/],
    [
      'an allocation',
      () => held.delete('fd00::5'),
      /^allocation fd00::5\/128 is not held, not held by c1:eth0:n1$/,
    ],
  ]
  for (const [what, harm, words] of ways) {
    await harm()
    const differences = await found()
    t.ok(
      differences.some((difference) => words.test(difference)),
      `${what}: ${differences.join('; ')}`,
    )
    for (const address of addresses) held.add(address)
    await make()
    t.same(await found(), [], `${what}: put right`)
  }

  await t.test('another namespace at the path, and an interface that nobody knows', async (t) => {
    const elsewhere = addNamespace('v')
    t.match((await check({ ...asked, netns: elsewhere })).differences, [
      { field: `container.namespace ${elsewhere}`, expected: namespace.id, actual: /^net:/ },
    ])
    t.match(await check({ ...asked, containerId: 'c2' }), { endpoint: undefined, differences: [] })
    await t.rejects(check({ ...asked, deadlineMs: 0 }), DroverError)
  })
})
