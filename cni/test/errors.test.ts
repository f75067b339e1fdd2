/** Each error of the specification, by what goes wrong. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { DroverError } from '@network/net'
import { test } from 'tap'
import { agentError, good, startFace } from './running-face.ts'

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
    const { agent, call, folder } = await startFace(t)
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
  const { agent, call } = await startFace(t)
  agent.failures.set('attach', new TypeError('oops') as unknown as DroverError)
  t.match((await call('ADD', good)).json, { code: 199, msg: /did not foresee/ })
})
