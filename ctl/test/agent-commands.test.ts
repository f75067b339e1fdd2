import path from 'node:path'
import type {
  AttachResult,
  BgpPeerReport,
  BgpRouteReport,
  DetachResult,
  HealthReport,
  NodeReport,
  SettingReport,
} from '@network/agent/client'
import { type Test, test } from 'tap'
import { type FakeServer, NOW, createBench, fakeServer, temporaryFolder } from './fake-world.ts'

const attached: AttachResult = {
  endpoint: 'cli/web1/eth0',
  hostInterface: { name: 'drv0a1b2c3d4e5', mac: 'ee:ee:ee:ee:ee:ee' },
  containerInterface: { name: 'eth0', mac: '02:00:00:00:00:01', mtuBytes: 1500, netns: '/run/netns/web1' },
  addresses: [
    { address: '10.65.0.1/32', gateway: '169.254.1.1' },
    { address: 'fd65::1/128', gateway: 'fe80::1' },
  ],
  routes: [],
}
const detached: DetachResult = { endpoints: ['cli/web1/eth0'], addresses: ['10.65.0.1'], journaled: false }
const health: HealthReport = {
  ok: true,
  checks: [{ name: 'store', ok: true, reason: 'etcd answers.', since: NOW }],
}
const peer: BgpPeerReport = {
  name: 'tor',
  address: '192.0.2.1',
  port: 179,
  asn: 64601,
  state: 'Established',
  since: NOW - 61_000,
  origin: 'BGPPeer tor',
  routerId: '192.0.2.1',
  families: ['ipv4'],
  holdTimeSeconds: 90,
  keepaliveSeconds: 30,
  prefixesReceived: 3,
  prefixesAccepted: 2,
  prefixesSent: 1,
  messagesIn: 9,
  messagesOut: 9,
  flaps: 0,
  lastError: undefined,
}
const node: NodeReport = {
  node: 'node1',
  version: '0.1.0',
  nodeVersion: 'v20.20.0',
  startedAt: NOW - 3_661_000,
  pid: 42,
  inSync: true,
  revision: 17,
  addresses: { ipv4: '192.0.2.11/24', ipv6: undefined },
  asNumber: 64512,
  routerId: '192.0.2.11',
  mtuBytes: 1500,
  blocks: [{ cidr: '10.65.0.0/26', family: 'ipv4', state: 'confirmed' }],
  endpoints: 0,
  routes: { workload: 0, blackhole: 1, cluster: 2 },
  peers: { established: 1, configured: 1 },
  journal: 2,
  problems: ['Something is odd.'],
}
const settings: SettingReport[] = [
  {
    name: 'logLevel',
    value: 'debug',
    origin: 'flag',
    place: '--log-level',
    description: '',
    hidden: [
      { value: 'warn', origin: 'file', place: '/etc/drover/drover.yaml: logLevel' },
      { value: 'info', origin: 'built-in', place: 'built-in' },
    ],
  },
  { name: 'mtuBytes', value: 0, origin: 'built-in', place: 'built-in', description: '', hidden: [] },
]
const route: BgpRouteReport = {
  prefix: '10.65.0.64/26',
  best: true,
  nextHops: ['192.0.2.12'],
  asPath: '',
  origin: 'IGP',
  localPreference: 100,
  med: undefined,
  communities: [],
  from: 'node2',
  accepted: true,
  stale: false,
  multipath: false,
  pathId: undefined,
  step: undefined,
  decidedBy: undefined,
}

/** The agent's answers by path; a test replaces some. */
const answers: Readonly<Record<string, unknown>> = {
  '/v1/attach': attached,
  '/v1/detach': detached,
  '/v1/health': health,
  '/v1/node': node,
  '/v1/bgp/peers': [peer],
  '/v1/bgp/routes': { routes: [route], truncated: false },
  '/v1/bgp/why': {
    prefix: route.prefix,
    routes: [{ ...route, step: 'best', decidedBy: 'the best path' }],
    exports: [],
  },
  '/v1/endpoints': [],
  '/v1/config': settings,
}

async function agentBench(
  t: Test,
  replaced: Readonly<Record<string, { status?: number; body: unknown }>> = {},
): Promise<{ agent: FakeServer; run: ReturnType<typeof createBench>['run'] }> {
  const agent = await fakeServer(t, path.join(temporaryFolder(t), 'agent.sock'), ({ url }) => {
    const call = url.split('?')[0] ?? ''
    return replaced[call] ?? { body: answers[call] }
  })
  return { agent, run: createBench({ socket: agent.socket }).run }
}

test('attach hands every option to the agent in its words', async (t) => {
  const { agent, run } = await agentBench(t)
  const words =
    'attach --netns web1 --ip 10.65.0.80 --ip fd65::80 --ipv4-pool a --ipv6-pool fd65::/48 --family ipv4'
  const more =
    '--family ipv6 --profile p --profile q --label role=web --label tier= --reserve web --mac 02:00:00:00:00:01'
  const done = await run([
    ...words.split(' '),
    ...more.split(' '),
    '--mtu',
    '1400',
    '--no-default-route',
    '--network',
    'n',
  ])
  t.same(done, {
    exitCode: 0,
    out: 'web1 has 10.65.0.1 and fd65::1 on eth0 (MTU 1500, host side drv0a1b2c3d4e5)\n',
    err: '',
  })
  t.same(agent.calls, [
    {
      method: 'POST',
      url: '/v1/attach',
      body: {
        netns: '/run/netns/web1',
        containerId: 'web1',
        interfaceName: 'eth0',
        orchestrator: 'cli',
        workload: 'web1',
        endpoint: 'eth0',
        network: 'n',
        ipv4Pools: ['a'],
        ipv6Pools: ['fd65::/48'],
        families: ['ipv4', 'ipv6'],
        addresses: ['10.65.0.80', 'fd65::80'],
        reservation: 'web',
        mac: '02:00:00:00:00:01',
        mtuBytes: 1400,
        profiles: ['p', 'q'],
        labels: { role: 'web', tier: '' },
        defaultRoute: false,
        deadlineMs: 15_000,
      },
    },
  ])
})

test('what is attached: a name, a path, a process, an identity of its own', async (t) => {
  const { agent, run } = await agentBench(t)
  const cases: [words: string[], expected: object][] = [
    [['--netns', 'web1'], { netns: '/run/netns/web1', containerId: 'web1', workload: 'web1' }],
    [['--netns', '/var/run/x/../ns'], { netns: '/var/run/ns', containerId: 'ns' }],
    [['--pid', '4711'], { netns: '/proc/4711/ns/net', containerId: 'pid-4711' }],
    [
      ['--pid', '4711', '--id', 'db', '--interface', 'net1'],
      { containerId: 'db', interfaceName: 'net1', endpoint: 'net1' },
    ],
  ]
  for (const [words, expected] of cases) {
    t.equal((await run(['attach', ...words])).exitCode, 0)
    t.match(agent.calls.at(-1)?.body, expected, words.join(' '))
  }
  t.equal(
    (await run(['detach', '--id', 'web1', '--timeout', '3'])).out,
    'web1 is detached, 10.65.0.1 given back\n',
  )
  t.same(agent.calls.at(-1)?.body, { containerId: 'web1', interfaceName: 'eth0', deadlineMs: 3000 })
})

test('attach and detach refuse what makes no sense before the agent is asked', async (t) => {
  const { agent, run } = await agentBench(t)
  const cases: [words: string, says: RegExp][] = [
    ['attach', /not said what is meant/],
    ['attach --id web1', /not said what to attach/],
    ['attach --netns a --pid 1', /exclude each other/],
    ['attach --pid abc', /--pid 'abc'/],
    ['attach --pid 0', /--pid '0'/],
    ['attach --netns a --netns b', /--netns is given 2 times/],
    ['attach --netns a --mtu big', /--mtu is 'big'[\s\S]*68 to 65535/],
    ['attach --netns a --timeout 0', /--timeout is '0'/],
    ['attach --netns a --label web', /--label 'web' is no key=value/],
    ['attach --netns a --family ipv5', /--family can't be "ipv5"/],
    ['detach', /not said what is meant/],
  ]
  for (const [words, says] of cases) {
    const done = await run(words.split(' '))
    t.equal(done.exitCode, 2, words)
    t.match(done.err, says, words)
    t.match(done.err, /^remedy: /m, words)
  }
  t.same(agent.calls, [])
})

test('detach tells what came of it', async (t) => {
  const cases: [DetachResult, string][] = [
    [{ endpoints: [], addresses: [], journaled: false }, 'web1 was not attached\n'],
    [{ ...detached, addresses: [] }, 'web1 is detached, no address was held\n'],
    [
      { ...detached, journaled: true },
      'web1 is detached, 10.65.0.1 given back; etcd is away, the agent will tell it when it is back\n',
    ],
  ]
  for (const [body, text] of cases) {
    const { run } = await agentBench(t, { '/v1/detach': { body } })
    t.equal((await run(['detach', '--netns', 'web1'])).out, text)
  }
})

test('a Docker container by name', async (t) => {
  const agent = await fakeServer(t, path.join(temporaryFolder(t), 'a.sock'), ({ url }) => ({
    body: answers[url],
  }))
  const docker = await fakeServer(t, path.join(temporaryFolder(t), 'd.sock'), ({ url }) => {
    if (url === '/containers/web%2F1/json')
      return { body: { Id: 'c0ffee', Name: '/web1', State: { Pid: 77 } } }
    if (url === '/containers/stopped/json')
      return { body: { Id: 'dead', Name: '/stopped', State: { Pid: 0 } } }
    if (url === '/containers/odd/json') return { status: 500, body: {} }
    return { status: 404, body: { message: 'No such container' } }
  })
  const { run } = createBench({ socket: agent.socket, env: { DOCKER_HOST: `unix://${docker.socket}` } })
  t.equal((await run(['attach', '--docker', 'web/1'])).exitCode, 0)
  t.match(agent.calls[0]?.body, {
    netns: '/proc/77/ns/net',
    containerId: 'c0ffee',
    orchestrator: 'docker',
    workload: 'web1',
  })
  t.equal((await run(['detach', '--docker', 'stopped'])).exitCode, 0)
  t.match(agent.calls[1]?.body, { containerId: 'dead' })
  const failures: [name: string, exitCode: number, says: RegExp][] = [
    ['stopped', 1, /'stopped' is not running[\s\S]*docker start/],
    ['nobody', 3, /no container 'nobody'[\s\S]*docker ps/],
    ['odd', 1, /status 500/],
  ]
  for (const [name, exitCode, says] of failures) {
    const done = await run(['attach', '--docker', name])
    t.equal(done.exitCode, exitCode, name)
    t.match(done.err, says)
  }
  const remote = createBench({ env: { DOCKER_HOST: 'tcp://192.0.2.1:2375' } })
  t.match((await remote.run(['attach', '--docker', 'x'])).err, /DOCKER_HOST is 'tcp:/)
  const absent = createBench({ env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' } })
  t.match((await absent.run(['attach', '--docker', 'x'])).err, /there is no \/nowhere\/docker\.sock/)
})

test('node status is a page', async (t) => {
  const { run } = await agentBench(t)
  const done = await run(['node', 'status'])
  t.equal(done.exitCode, 0)
  t.same(done.out.split('\n'), [
    'Node     node1 (AS 64512, 192.0.2.11/24)',
    'Agent    0.1.0, pid 42, up 1h 1m',
    'State    healthy',
    'etcd     in sync at revision 17',
    'Routes   0 workload, 1 block, 2 from BGP; MTU 1500',
    'Journal  2 releases wait for etcd',
    'Problem  Something is odd.',
    '',
    'PEER           AS   FROM          STATE         SINCE   IN   OUT   LAST ERROR',
    '192.0.2.1   64601   BGPPeer tor   Established   1m 1s    2     1',
    '',
    'BLOCK          STATE',
    '10.65.0.0/26   confirmed',
    '',
    'No workloads.',
    '',
  ])
})

test('node status of an agent that is not well, or still starting, exits 1', async (t) => {
  const ill: HealthReport = {
    ok: false,
    checks: [{ name: 'store', ok: false, reason: 'etcd is away.', since: NOW }],
  }
  const one = await agentBench(t, { '/v1/health': { status: 503, body: ill } })
  const done = await one.run(['node', 'status'])
  t.equal(done.exitCode, 1)
  t.match(done.out, /^State +etcd is away\.$/m)
  const notReady = {
    status: 503,
    body: { error: { code: 'not-ready', message: 'The agent is still starting.' } },
  }
  const two = await agentBench(t, { '/v1/health': { status: 503, body: ill }, '/v1/node': notReady })
  t.same(await two.run(['node', 'status']), {
    exitCode: 1,
    out: 'State    starting: etcd is away.\n',
    err: '',
  })
})

test('node config shows what was set, where, and what it hides', async (t) => {
  const { run } = await agentBench(t)
  t.same((await run(['node', 'config'])).out.split('\n'), [
    'SETTING    VALUE   ORIGIN          PLACE',
    'logLevel   debug   flag            --log-level',
    '           warn    (hidden) file   /etc/drover/drover.yaml: logLevel',
    '',
  ])
  t.match((await run(['node', 'config', '--all'])).out, /^mtuBytes +0 +built-in/m)
})

test('node routes lists, and tells why of one prefix', async (t) => {
  const { agent, run } = await agentBench(t)
  t.same((await run(['node', 'routes', '--family', 'ipv4'])).out.split('\n'), [
    'PREFIX            NEXT HOP     FROM    AS PATH   PREF   MED',
    '* 10.65.0.64/26   192.0.2.12   node2   -          100     -',
    '',
  ])
  t.match((await run(['node', 'routes', '10.65.0.64/26'])).out, /WHY\n.*the best path/)
  t.same(
    agent.calls.map(({ url }) => url),
    ['/v1/bgp/routes?family=ipv4', '/v1/bgp/why?prefix=10.65.0.64%2F26'],
  )
})

test("the agent's own errors keep their words and give the exit code", async (t) => {
  const cases: [code: string, exitCode: number][] = [
    ['invalid-request', 2],
    ['not-found', 3],
    ['not-ready', 4],
    ['deadline', 4],
    ['unreachable', 4],
    ['no-address', 1],
    ['kernel', 1],
  ]
  for (const [code, exitCode] of cases) {
    const body = { error: { code, message: `It is ${code}.`, remedy: 'Do this.' } }
    const { run } = await agentBench(t, { '/v1/attach': { status: 400, body } })
    const done = await run(['attach', '--netns', 'web1'])
    t.same(done, { exitCode, out: '', err: `error: It is ${code}.\nremedy: Do this.\n` })
  }
})

test('no agent', async (t) => {
  const { run } = createBench({ socket: '/nowhere/agent.sock' })
  const done = await run(['node', 'status'])
  t.equal(done.exitCode, 4)
  t.match(done.err, /\/nowhere\/agent\.sock[\s\S]*drover agent/)
  const version = await run(['version', '-o', 'json'])
  t.equal(version.exitCode, 0)
  t.match(JSON.parse(version.out), { drover: /^\d+\.\d+\.\d+$/, agent: null })
})

test('version tells both', async (t) => {
  const { run } = await agentBench(t)
  t.match((await run(['version'])).out, /^drover \S+, agent 0\.1\.0, Node 20\./)
})
