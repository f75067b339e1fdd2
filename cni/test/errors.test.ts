/** Each error of each verb in each version of the specification, by what goes wrong. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { DroverError } from '@network/net'
import { test } from 'tap'
import { CniErrorCode } from '../src/cni-error.ts'
import { cniVersions } from '../src/result/versions.ts'
import { agentError, good, startFace } from './running-face.ts'

/** What the agent says, and the code that it becomes. */
const agentWords = [
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

/** The agent's call behind a verb. */
const callOf: Readonly<Record<string, string>> = { ADD: 'attach', CHECK: 'check', DEL: 'detach' }

/** The version in which a verb came. */
const since: Readonly<Record<string, string>> = { CHECK: '0.4.0', STATUS: '1.1.0', GC: '1.1.0' }

/** What goes wrong, and its code. `env` and `configuration` replace what would work. */
const errors: readonly {
  what: string
  command?: string
  configuration?: unknown
  env?: Record<string, string>
  failure?: DroverError
  /** The first version in which it is wrong; default: the first of all. */
  from?: string
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
    from: '0.3.0',
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
  ...(['ADD', 'CHECK', 'DEL'] as const).flatMap((command) =>
    agentWords
      // A DEL that must be tried again is promised, and succeeds.
      .filter(([, code]) => command !== 'DEL' || code !== CniErrorCode.tryAgainLater)
      .map(([word, code]) => ({
        what: `the agent's ${word}`,
        command,
        ...(command === 'CHECK' ? { configuration: { ...good, prevResult: {} } } : {}),
        failure: agentError(word),
        code,
        msg: new RegExp(`The agent says ${word}`),
      })),
  ),
]

/** The same configuration in another version; undefined: what is wrong with it is its version, or that it has none. */
function inVersion(configuration: unknown, cniVersion: string): object | undefined {
  const isKnown =
    typeof configuration === 'object' &&
    configuration !== null &&
    'cniVersion' in configuration &&
    cniVersions.some((version) => version === configuration.cniVersion)
  return isKnown ? { ...configuration, cniVersion } : undefined
}

for (const cniVersion of cniVersions) {
  test(`each error, in version ${cniVersion}`, async (t) => {
    const wrong = errors.filter(({ from = '' }) => cniVersion >= from)
    for (const { what, command = 'ADD', configuration = good, env, failure, code, msg } of wrong) {
      const { agent, call, folder } = await startFace(t)
      if (failure !== undefined) agent.failures.set(callOf[command] ?? '', failure)
      const asked = inVersion(configuration, cniVersion)
      const answer = await call(command, asked ?? configuration, env)
      const isKnown = cniVersion >= (since[command] ?? '')
      const title = `${command}: ${what}`
      t.equal(answer.status, 422, title)
      // A verb that the version does not have is refused for that, unless something is wrong with the call itself.
      if (isKnown || code === CniErrorCode.environment) t.match(answer.json, { code, msg }, title)
      else t.match(answer.json, { code: CniErrorCode.incompatibleVersion, msg: new RegExp(command) }, title)
      if (asked !== undefined && code !== CniErrorCode.environment)
        t.match(answer.json, { cniVersion }, title)
      t.equal(agent.attached.size, 0, `${title}: nothing is attached`)
      t.same(await readdir(path.join(folder, 'cni')), [], `${title}: nothing is remembered`)
      if (failure !== undefined && isKnown) t.match(answer.json, { details: 'Do this.' })
    }
  })
}

test('a DEL for which the agent is not ready is promised', async (t) => {
  for (const [word] of agentWords.filter(([, code]) => code === CniErrorCode.tryAgainLater)) {
    const { agent, call } = await startFace(t)
    agent.failures.set('detach', agentError(word))
    t.match(await call('DEL', good), { status: 200, body: '' }, word)
  }
})

test('a bug of ours is an error like others', async (t) => {
  const { agent, call } = await startFace(t)
  agent.failures.set('attach', new TypeError('oops') as unknown as DroverError)
  t.match((await call('ADD', good)).json, { code: 199, msg: /did not foresee/ })
})
