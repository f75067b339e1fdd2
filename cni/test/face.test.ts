/** The specification as a table: each verb in each version; then what a verb answers beyond that. */
import { test } from 'tap'
import { cniVersions } from '../src/result/versions.ts'
import { agentError, good, startFace } from './running-face.ts'

/** What ADD answers, by version. */
const shapes: Readonly<Record<(typeof cniVersions)[number], object>> = (() => {
  const old = {
    ip4: { ip: '10.65.0.5/32', gateway: '169.254.1.1', routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }] },
    ip6: { ip: 'fd65::5/128', gateway: 'fe80::1', routes: [{ dst: '::/0', gw: 'fe80::1' }] },
    dns: { nameservers: ['10.0.0.53'] },
  }
  const interfaces = [
    { name: 'drv1', mac: 'ee:ee:ee:ee:ee:ee' },
    { name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/proc/self/ns/net' },
  ]
  const ips = [
    { interface: 1, address: '10.65.0.5/32', gateway: '169.254.1.1' },
    { interface: 1, address: 'fd65::5/128', gateway: 'fe80::1' },
  ]
  const routes = [
    { dst: '0.0.0.0/0', gw: '169.254.1.1' },
    { dst: '::/0', gw: 'fe80::1' },
  ]
  const { dns } = old
  const third = {
    interfaces,
    ips: [
      { version: '4', ...ips[0] },
      { version: '6', ...ips[1] },
    ],
    routes,
    dns,
  }
  return {
    '0.1.0': old,
    '0.2.0': old,
    '0.3.0': third,
    '0.3.1': third,
    '0.4.0': third,
    '1.0.0': { interfaces, ips, routes, dns },
    '1.1.0': { interfaces: interfaces.map((each) => ({ ...each, mtu: 1500 })), ips, routes, dns },
  }
})()

for (const cniVersion of cniVersions) {
  test(`version ${cniVersion}`, async (t) => {
    const { agent, call } = await startFace(t)
    const configuration = { cniVersion, name: 'net', type: 'drover', dns: { nameservers: ['10.0.0.53'] } }
    const added = await call('ADD', configuration)
    t.equal(added.status, 200, added.body)
    t.strictSame(added.json, { cniVersion, ...shapes[cniVersion] })
    t.strictSame((await call('ADD', configuration)).json, added.json, 'again, the same')
    const withResult = { ...configuration, prevResult: added.json }

    const hasCheck = ['0.4.0', '1.0.0', '1.1.0'].includes(cniVersion)
    const checked = await call('CHECK', withResult)
    t.match(checked, hasCheck ? { status: 200, body: '' } : { status: 422, json: { code: 1, cniVersion } })
    const isNewest = cniVersion === '1.1.0'
    const status = await call('STATUS', configuration)
    t.match(status, isNewest ? { status: 200, body: '' } : { status: 422, json: { code: 1, cniVersion } })
    const list = { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] }
    const collected = await call('GC', { ...configuration, ...list })
    t.match(collected, isNewest ? { status: 200, body: '' } : { status: 422, json: { code: 1, cniVersion } })
    t.equal(agent.attached.size, 1, 'what the list names stays')

    t.strictSame((await call('VERSION', { cniVersion })).json, { cniVersion, supportedVersions: cniVersions })
    t.match(await call('DEL', withResult), { status: 200, body: '' })
    t.match(await call('DEL', configuration, { CNI_NETNS: '' }), { status: 200, body: '' })
    t.equal(agent.attached.size, 0)
    const bad = await call('ADD', { ...configuration, mtu: 'big' })
    t.match(bad, { status: 422, json: { cniVersion, code: 6, msg: /mtu is "big"/ } })
  })
}

test('a prevResult of this plugin is understood and passed on, in every version', async (t) => {
  for (const cniVersion of cniVersions.filter((version) => version >= '0.3.0')) {
    const { call } = await startFace(t)
    const prevResult = {
      cniVersion,
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/x' }],
      ips: [
        {
          ...(cniVersion < '1.0.0' ? { version: '4' } : {}),
          address: '127.0.0.1/8',
          interface: 0,
        },
      ],
      routes: [{ dst: '10.9.0.0/16', gw: '10.9.0.1' }],
      dns: { domain: 'example' },
    }
    const { json } = await call('ADD', { cniVersion, name: 'net', type: 'drover', prevResult })
    t.match(json, {
      interfaces: [{ name: 'lo' }, { name: 'drv1' }, { name: 'eth0' }],
      ips: [
        { address: '127.0.0.1/8', interface: 0 },
        { address: '10.65.0.5/32', interface: 2 },
        { address: 'fd65::5/128', interface: 2 },
      ],
      routes: [{ dst: '10.9.0.0/16' }, { dst: '0.0.0.0/0' }, { dst: '::/0' }],
      dns: { domain: 'example' },
    })
  }
})

test('STATUS', async (t) => {
  const { agent, call } = await startFace(t)
  agent.free = 0n
  t.match((await call('STATUS', good)).json, { code: 50, msg: /No ipv4 and no ipv6 address is free/ })
  t.match(
    await call('STATUS', { ...good, ipam: { type: 'host-local' } }),
    { status: 200 },
    "a delegate's own matter",
  )
  agent.failing = 'store'
  t.match((await call('STATUS', good)).json, { code: 50, msg: /the store is away/ })
  agent.failing = 'dataplane'
  t.match((await call('STATUS', good)).json, { code: 51, msg: /the dataplane is away/ })
})

test('CHECK names every difference, and forgives what later plugins changed', async (t) => {
  const { agent, call } = await startFace(t)
  const { json } = await call('ADD', good)
  const prevResult = json as { interfaces: { mac: string }[]; ips: object[] }
  agent.differences = [
    { field: 'container.address 10.65.0.5/32', expected: 'present', actual: 'absent' },
    { field: 'host.route 10.65.0.5/32', expected: 'dev drv1', actual: 'absent' },
  ]
  t.match((await call('CHECK', { ...good, prevResult })).json, {
    code: 104,
    msg: /container\.address 10\.65\.0\.5\/32 is absent, not present; host\.route/,
  })
  agent.differences = [{ field: 'container.mac', expected: '02:00:00:00:00:01', actual: '02:11:22:33:44:55' }]
  const tuned = structuredClone(prevResult)
  tuned.interfaces[1]!.mac = '02:11:22:33:44:55'
  t.match(await call('CHECK', { ...good, prevResult: tuned }), { status: 200 })
  t.match((await call('CHECK', { ...good, prevResult })).json, { code: 104, msg: /container\.mac/ })
  agent.differences = []
  t.match((await call('CHECK', { ...good, prevResult: { ...prevResult, ips: [] } })).json, {
    code: 104,
    msg: /does not give 10\.65\.0\.5\/32/,
  })
})

test('GC takes back what its list does not name, and of its own network only', async (t) => {
  const { agent, call } = await startFace(t)
  for (const id of ['c1', 'c2', 'c3']) await call('ADD', good, { CNI_CONTAINERID: id })
  await call('ADD', { ...good, name: 'other' }, { CNI_CONTAINERID: 'c4' })
  const list = { 'cni.dev/valid-attachments': [{ containerID: 'c2', ifname: 'eth0' }] }
  t.match(await call('GC', { ...good, ...list }, { CNI_CONTAINERID: '', CNI_IFNAME: '' }), { status: 200 })
  t.same([...agent.attached.keys()].sort(), ['c2:eth0', 'c4:eth0'])
  agent.failures.set('detach', agentError('kernel'))
  const failed = await call('GC', { ...good, 'cni.dev/valid-attachments': [] })
  t.match(failed.json, { code: 11, msg: /c2:eth0: The agent says kernel/ })
})

test('the same attachment from several calls at once', async (t) => {
  const { agent, call } = await startFace(t)
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => call(i % 2 === 0 ? 'ADD' : 'DEL', good)),
  )
  t.ok(answers.every(({ status }) => status === 200))
  t.equal(agent.attached.size, 0, 'in the order of asking: the last was a DEL')
})

test('drover-ipam answers addresses alone', async (t) => {
  const { agent, call } = await startFace(t)
  const ipam = { plugin: 'drover-ipam' }
  const theirs = {
    cniVersion: '1.0.0',
    name: 'net',
    type: 'ptp',
    ipMasq: true,
    whatever: 1,
    ipam: { type: 'drover-ipam' },
  }
  const added = await call('ADD', theirs, ipam)
  t.strictSame(added.json, {
    cniVersion: '1.0.0',
    interfaces: [],
    ips: [{ address: '10.65.0.9/26', gateway: '10.65.0.0' }],
    routes: [{ dst: '0.0.0.0/0' }],
    dns: {},
  })
  t.match(await call('CHECK', theirs, ipam), { status: 200 })
  t.match(await call('DEL', theirs, { ...ipam, CNI_NETNS: '' }), { status: 200, body: '' })
  t.same(
    [...agent.assigned.keys()],
    ['gateway-10.65.0.0-26:gateway:n1'],
    'the fake lists no endpoints without interface',
  )
  t.match((await call('CHECK', theirs, ipam)).json, { code: 104 })
  t.match((await call('ADD', { ...theirs, ipam: { type: 'drover-ipam', pool: 'x' } }, ipam)).json, {
    code: 2,
    msg: /ipam\.pool/,
  })
  agent.failures.set('assign', agentError('no-address'))
  t.match((await call('ADD', theirs, ipam)).json, { code: 100 })
})
