/** The specification as a table: each verb in each version, and each error. The agent behind it is a fake. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DroverError } from '@network/net'
import { type Test, test } from 'tap'
import { createCniFace } from '../src/face.ts'
import { cniVersions } from '../src/result/versions.ts'
import { createFakeAgent } from './fake-services.ts'

async function face(t: Test) {
  const folder = await mkdtemp(path.join(tmpdir(), 'drover-face-'))
  const agent = createFakeAgent(folder)
  const running = await createCniFace().start(agent.services)
  t.teardown(async () => {
    await running.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const call = async (command: string, configuration: unknown, env: Record<string, string> = {}) => {
    const answer = await agent.ask({
      CNI_COMMAND: command,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: '/proc/self/ns/net',
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/nowhere',
      stdin: typeof configuration === 'string' ? configuration : JSON.stringify(configuration),
      ...env,
    })
    const body = answer.body.toString()
    return { status: answer.status, body, json: (body === '' ? undefined : JSON.parse(body)) as unknown }
  }
  return { agent, call, folder, running }
}

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
    const { agent, call } = await face(t)
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
    const { call } = await face(t)
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

const good = { cniVersion: '1.1.0', name: 'net', type: 'drover' }
const agentError = (code: string) => new DroverError(code, `The agent says ${code}.`, { remedy: 'Do this.' })

/** What goes wrong, and its code. `env` and `configuration` replace what would work. */
const errors: readonly {
  what: string
  command?: string
  configuration?: unknown
  env?: Record<string, string>
  failure?: DroverError
  code: number
  msg: RegExp
}[] = [
  { what: 'no configuration', configuration: '', code: 6, msg: /not JSON/ },
  { what: 'half a configuration', configuration: '{"name":', code: 6, msg: /not JSON/ },
  { what: 'a list', configuration: [], code: 6, msg: /an object is expected/ },
  { what: 'an unknown version', configuration: { ...good, cniVersion: '2.0.0' }, code: 1, msg: /'2\.0\.0'/ },
  { what: 'a version that is no text', configuration: { ...good, cniVersion: 1 }, code: 1, msg: /'1'/ },
  { what: 'no name', configuration: { cniVersion: '1.0.0', type: 'drover' }, code: 7, msg: /no name/ },
  { what: 'a name with a slash', configuration: { ...good, name: '../x' }, code: 7, msg: /'\.\.\/x'/ },
  { what: 'a mistyped key', configuration: { ...good, ipv4_pool: ['a'] }, code: 2, msg: /ipv4_pool/ },
  {
    what: 'a mistyped key of ipam',
    configuration: { ...good, ipam: { subnets: '10.0.0.0/8' } },
    code: 2,
    msg: /ipam\.subnets/,
  },
  {
    what: 'forwarding workloads',
    configuration: { ...good, container_settings: { allow_ip_forwarding: true } },
    code: 2,
    msg: /allow_ip_forwarding/,
  },
  {
    what: 'two pools lists',
    configuration: { ...good, ipv4Pools: ['a'], ipam: { ipv4_pools: ['b'] } },
    code: 7,
    msg: /differ/,
  },
  {
    what: 'pools and a subnet',
    configuration: { ...good, ipv4Pools: ['a'], subnet: '10.0.0.0/8' },
    code: 7,
    msg: /subnet/,
  },
  { what: 'no family', configuration: { ...good, assignIPv4: false }, code: 7, msg: /declined/ },
  {
    what: 'a delegate with a path',
    configuration: { ...good, ipam: { type: '../../bin/sh' } },
    code: 7,
    msg: /no plugin's name/,
  },
  {
    what: 'a delegate that is not there',
    configuration: { ...good, ipam: { type: 'absent' } },
    code: 7,
    msg: /'absent' is in none/,
  },
  {
    what: 'a port mapping of nothing',
    configuration: { ...good, runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 99_999 }] } },
    code: 7,
    msg: /portMappings\[0\]/,
  },
  {
    what: 'a reserved label',
    configuration: { ...good, labels: { 'projectcalico.org/namespace': 'x' } },
    code: 7,
    msg: /projectcalico/,
  },
  {
    what: 'an annotation that is no list',
    configuration: {
      ...good,
      runtimeConfig: { 'io.kubernetes.cri.pod-annotations': { 'cni.projectcalico.org/ipAddrs': '10.0.0.1' } },
    },
    code: 6,
    msg: /ipAddrs/,
  },
  {
    what: 'addresses nobody assigns',
    configuration: {
      ...good,
      runtimeConfig: {
        'io.kubernetes.cri.pod-annotations': { 'cni.projectcalico.org/ipAddrsNoIpam': '["10.0.0.1"]' },
      },
    },
    code: 7,
    msg: /does not allow/,
  },
  {
    what: 'kept addresses of nobody',
    configuration: { ...good, keepAddresses: true },
    code: 7,
    msg: /keepAddresses/,
  },
  {
    what: 'a prevResult that points nowhere',
    configuration: {
      ...good,
      prevResult: { interfaces: [], ips: [{ address: '1.2.3.4/32', interface: 5 }] },
    },
    code: 6,
    msg: /prevResult\.ips\[0\]\.interface/,
  },
  { what: 'no command', env: { CNI_COMMAND: '' }, code: 4, msg: /CNI_COMMAND is missing/ },
  { what: 'an unknown command', env: { CNI_COMMAND: 'EXPLODE' }, code: 4, msg: /'EXPLODE'/ },
  { what: "a command that is an object's own", env: { CNI_COMMAND: '__proto__' }, code: 4, msg: /__proto__/ },
  ...['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'].map((name) => ({
    what: `no ${name}`,
    env: { [name]: '' },
    code: 4,
    msg: new RegExp(`ADD needs ${name}`),
  })),
  { what: 'CHECK without a namespace', command: 'CHECK', env: { CNI_NETNS: '' }, code: 4, msg: /CNI_NETNS/ },
  {
    what: 'DEL without a container',
    command: 'DEL',
    env: { CNI_CONTAINERID: '' },
    code: 4,
    msg: /CNI_CONTAINERID/,
  },
  ...['../../etc', 'a b', 'a\nb', '$(id)', "a'b", 'x'.repeat(300), 'ü', '.hidden'].map((id) => ({
    what: `the container ${JSON.stringify(id.slice(0, 20))}`,
    env: { CNI_CONTAINERID: id },
    code: 4,
    msg: /CNI_CONTAINERID is/,
  })),
  ...['a/b', '..', 'a b', 'a:b', 'sixteen-letters-', "'"].map((name) => ({
    what: `the interface ${JSON.stringify(name)}`,
    env: { CNI_IFNAME: name },
    code: 4,
    msg: /CNI_IFNAME is/,
  })),
  { what: 'arguments that are none', env: { CNI_ARGS: 'A' }, code: 4, msg: /no KEY=VALUE/ },
  { what: 'an unknown argument', env: { CNI_ARGS: 'COLOUR=red' }, code: 4, msg: /COLOUR/ },
  { what: 'CHECK without prevResult', command: 'CHECK', code: 7, msg: /prevResult/ },
  {
    what: 'CHECK of what nobody knows',
    command: 'CHECK',
    configuration: { ...good, prevResult: {} },
    code: 104,
    msg: /knows no interface/,
  },
  { what: 'GC without its list', command: 'GC', code: 7, msg: /valid-attachments/ },
  {
    what: 'a missing Network',
    command: 'STATUS',
    configuration: { ...good, network: 'blue' },
    code: 7,
    msg: /'blue'/,
  },
  ...(
    [
      ['not-ready', 11],
      ['unreachable', 11],
      ['deadline', 11],
      ['stopping', 11],
      ['node-removed', 11],
      ['no-address', 100],
      ['taken', 101],
      ['not-in-pool', 7],
      ['invalid-request', 7],
      ['namespace-missing', 3],
      ['not-a-namespace', 8],
      ['own-namespace', 8],
      ['interface-taken', 102],
      ['default-route-taken', 102],
      ['kernel', 105],
    ] as const
  ).map(([word, code]) => ({
    what: `the agent's ${word}`,
    failure: agentError(word),
    code,
    msg: new RegExp(`The agent says ${word}`),
  })),
]

test('each error', async (t) => {
  for (const { what, command = 'ADD', configuration = good, env, failure, code, msg } of errors) {
    const { agent, call, folder } = await face(t)
    if (failure !== undefined) agent.failures.set('attach', failure)
    const answer = await call(command, configuration, env)
    t.equal(answer.status, 422, what)
    t.match(answer.json, { code, msg }, what)
    t.equal(agent.attached.size, 0, `${what}: nothing is attached`)
    t.same(await readdir(path.join(folder, 'cni')), [], `${what}: nothing is remembered`)
    if (failure !== undefined) t.match(answer.json, { details: 'Do this.' })
  }
})

test('a bug of ours is an error like others', async (t) => {
  const { agent, call } = await face(t)
  agent.failures.set('attach', new TypeError('oops') as unknown as DroverError)
  t.match((await call('ADD', good)).json, { code: 199, msg: /did not foresee/ })
})

test('STATUS', async (t) => {
  const { agent, call } = await face(t)
  agent.free = 0n
  t.match((await call('STATUS', good)).json, { code: 50, msg: /No ipv4 and no ipv6 address is free/ })
  t.match(
    await call('STATUS', { ...good, ipam: { type: 'host-local' } }),
    { status: 200 },
    "a delegate's own matter",
  )
  agent.healthy = false
  t.match((await call('STATUS', good)).json, { code: 50, msg: /etcd is away/ })
})

test('CHECK names every difference, and forgives what later plugins changed', async (t) => {
  const { agent, call } = await face(t)
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
  const { agent, call } = await face(t)
  for (const id of ['c1', 'c2', 'c3']) await call('ADD', good, { CNI_CONTAINERID: id })
  await call('ADD', { ...good, name: 'other' }, { CNI_CONTAINERID: 'c4' })
  const list = { 'cni.dev/valid-attachments': [{ containerID: 'c2', ifname: 'eth0' }] }
  t.match(await call('GC', { ...good, ...list }, { CNI_CONTAINERID: '', CNI_IFNAME: '' }), { status: 200 })
  t.same([...agent.attached.keys()].sort(), ['c2:eth0', 'c4:eth0'])
  agent.failures.set('detach', agentError('kernel'))
  const failed = await call('GC', { ...good, 'cni.dev/valid-attachments': [] })
  t.match(failed.json, { code: 11, msg: /c2:eth0: The agent says kernel/ })
})

test('DEL that can not be carried out now is promised, and kept before the next ADD or when the agent is ready', async (t) => {
  const { agent, call, folder } = await face(t)
  const promises = () => readdir(path.join(folder, 'journal', 'cni'))
  for (const id of ['c1', 'c2']) await call('ADD', good, { CNI_CONTAINERID: id })
  agent.failures.set('detach', agentError('not-ready'))
  for (const id of ['c1', 'c2'])
    t.match(await call('DEL', good, { CNI_CONTAINERID: id }), { status: 200, body: '' })
  t.same((await promises()).sort(), ['c1:eth0', 'c2:eth0'])
  t.match((await call('ADD', good)).json, { code: 11 }, 'an old interface is not given to a new container')
  agent.failures.clear()
  t.match(await call('ADD', good), { status: 200 })
  t.same(await promises(), ['c2:eth0'])
  t.equal(agent.detached.length, 1)
  await writeFile(path.join(folder, 'journal', 'cni', 'no promise'), '')
  agent.becomeReady()
  while ((await promises()).includes('c2:eth0')) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(await promises(), ['no promise'], 'what is no promise is left alone')
  t.same([...agent.attached.keys()], ['c1:eth0'])
  agent.failures.set('detach', agentError('kernel'))
  t.match((await call('DEL', good)).json, { code: 105 }, 'what waiting does not mend is an error')
})

test('a face that ends finishes what it is taking back, and begins nothing more', async (t) => {
  const { agent, call, folder, running } = await face(t)
  for (const id of ['c1', 'c2']) await call('ADD', good, { CNI_CONTAINERID: id })
  agent.failures.set('detach', agentError('not-ready'))
  for (const id of ['c1', 'c2']) await call('DEL', good, { CNI_CONTAINERID: id })
  agent.failures.clear()
  let release = (): void => undefined
  agent.held = new Promise((resolve) => {
    release = resolve
  })
  agent.becomeReady()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const stopped = running.stop()
  release()
  await stopped
  t.equal(agent.detached.length, 1, 'the one that was under way')
  t.equal(
    (await readdir(path.join(folder, 'journal', 'cni'))).length,
    1,
    'the other waits for the next start',
  )
  t.equal(agent.timers.size, 0, 'nothing is planned any more')
})

test('the same attachment from several calls at once', async (t) => {
  const { agent, call } = await face(t)
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => call(i % 2 === 0 ? 'ADD' : 'DEL', good)),
  )
  t.ok(answers.every(({ status }) => status === 200))
  t.equal(agent.attached.size, 0, 'in the order of asking: the last was a DEL')
})

test('drover-ipam answers addresses alone', async (t) => {
  const { agent, call } = await face(t)
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
