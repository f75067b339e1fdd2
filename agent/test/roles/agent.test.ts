/**
 * Two agents, each in a network namespace of its own, with a real etcd and real BGP between them. What a cluster of
 * three with a switch shows is in the system tests; here is what one agent must survive.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type AgentClient, createAgentClient } from '../../src/client/index.ts'
import { resource } from '../managers/model.ts'

const tag = `agt${process.pid % 100_000}`
const wire = `${tag}-wire`
const etcdUrl = 'http://10.99.0.254:2379'
const program = fileURLToPath(new URL('../run-agent.ts', import.meta.url))
const folder = await mkdtemp(path.join(tmpdir(), 'drover-agent-'))
const namespaces: string[] = []
const children = new Set<ChildProcess>()

function run(file: string, ...args: string[]): string {
  const done = spawnSync(file, args, { encoding: 'utf8' })
  if (done.error !== undefined)
    throw new Error(`${file} is missing (Debian: iproute2, iputils-ping): ${done.error.message}`)
  if (done.status !== 0) throw new Error(`${file} ${args.join(' ')}: ${done.stderr}`)
  return done.stdout
}
const inside = (namespace: string, file: string, ...args: string[]): string =>
  run('nsenter', `--net=/run/netns/${namespace}`, '--', file, ...args)

function namespace(name: string): string {
  const full = `${tag}-${name}`
  run('ip', 'netns', 'add', full)
  namespaces.push(full)
  run('ip', '-n', full, 'link', 'set', 'lo', 'up')
  return full
}

function start(namespaceName: string, log: string, file: string, ...args: string[]): ChildProcess {
  const child = spawn('nsenter', [`--net=/run/netns/${namespaceName}`, '--', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out = createWriteStream(path.join(folder, log), { flags: 'a' })
  child.stdout.pipe(out, { end: false })
  child.stderr.pipe(out, { end: false })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once('exit', (code) => resolve(code)))

async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 20_000,
): Promise<NonNullable<T>> {
  const end = Date.now() + withinMs
  let last: unknown
  while (Date.now() < end) {
    try {
      const found = await look()
      if (found !== undefined && found !== null && found !== false) return found
    } catch (error) {
      last = error
    }
    await sleep(50)
  }
  const logs = ['n1.log', 'n2.log'].map((log) => {
    try {
      return `${log}:\n${readFileSync(path.join(folder, log), 'utf8').slice(-3_000)}`
    } catch {
      return ''
    }
  })
  throw new Error(`not in time: ${what} (${String(last)})\n${logs.join('\n')}`)
}

t.teardown(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all([...children].map(ended))
  for (const name of namespaces) spawnSync('ip', ['netns', 'delete', name])
  await rm(folder, { recursive: true, force: true })
})

namespace('wire')
run('ip', '-n', wire, 'link', 'add', 'br0', 'type', 'bridge')
run('ip', '-n', wire, 'addr', 'add', '10.99.0.254/24', 'dev', 'br0')
run('ip', '-n', wire, 'link', 'set', 'br0', 'up')
const startEtcd = (): ChildProcess =>
  start(
    wire,
    'etcd.log',
    'etcd',
    ...['--data-dir', path.join(folder, 'etcd'), '--log-level', 'error'],
    ...['--listen-client-urls', 'http://0.0.0.0:2379', '--advertise-client-urls', etcdUrl],
    ...['--listen-peer-urls', 'http://127.0.0.1:2380'],
  )
let etcd = startEtcd()
const etcdctl = (...args: string[]): string =>
  inside(wire, 'env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', etcdUrl, ...args)
await until('etcd answers', () => etcdctl('endpoint', 'health'))
for (const [name, cidr] of [
  ['four', '10.65.0.0/16'],
  ['six', 'fd65::/48'],
] as const) {
  etcdctl('put', `/drover/v1/resources/ippools/${name}`, JSON.stringify(resource('IPPool', name, { cidr })))
}

interface TestNode {
  name: string
  namespace: string
  client: AgentClient
  agent: ChildProcess
  start(): Promise<void>
}

function host(number: number): TestNode {
  const name = `n${number}`
  const full = namespace(name)
  run('ip', '-n', wire, 'link', 'add', `port${number}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', full)
  run('ip', '-n', wire, 'link', 'set', `port${number}`, 'master', 'br0', 'up')
  run('ip', '-n', full, 'addr', 'add', `10.99.0.${number}/24`, 'dev', 'eth0')
  run('ip', '-n', full, 'addr', 'add', `fd99::${number}/64`, 'dev', 'eth0', 'nodad')
  run('ip', '-n', full, 'link', 'set', 'eth0', 'up')
  const socket = path.join(folder, `${name}.sock`)
  const launch = (): ChildProcess =>
    start(
      full,
      `${name}.log`,
      process.execPath,
      ...['--import=tsx', '--conditions=@network/source', program, `nodeName=${name}`],
      ...['metricsListen=127.0.0.1:9098', 'healthListen=127.0.0.1:9099', 'kernelRouteMetric=77'],
      ...[`etcdEndpoints=${etcdUrl}`, `stateDirectory=${path.join(folder, name)}`, `socket=${socket}`],
    )
  const node: TestNode = {
    name,
    namespace: full,
    client: createAgentClient({ socketPath: socket }),
    agent: launch(),
    async start() {
      node.agent = launch()
      await ready(node)
    },
  }
  return node
}
const ready = (node: TestNode): Promise<unknown> =>
  until(`${node.name} is ready`, async () => (await node.client.ready()).ok)

// One after the other: loading the agent from its sources takes a core for seconds.
const one = host(1)
await ready(one)
const two = host(2)
await ready(two)

async function attach(node: TestNode, id: string, more: object = {}) {
  const existing = namespaces.includes(`${tag}-${id}`)
  const full = existing ? `${tag}-${id}` : namespace(id)
  const result = await node.client.attach({
    netns: `/run/netns/${full}`,
    containerId: id,
    interfaceName: 'eth0',
    orchestrator: 'test',
    workload: id,
    endpoint: 'eth0',
    ...more,
  })
  const addresses = result.addresses.map(({ address }) => address.slice(0, address.indexOf('/')))
  return { namespace: full, result, addresses: addresses as [string, string] }
}
const pings = (from: string, to: string): boolean => {
  const done = spawnSync('nsenter', [`--net=/run/netns/${from}`, '--', 'ping', '-c1', '-W1', to])
  return done.status === 0
}
/** Our routes: prefix and how, one a line. */
const routes = (node: TestNode): string[] =>
  ['-4', '-6'].flatMap((family) =>
    run('ip', '-n', node.namespace, family, 'route', 'show', 'proto', '98')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.trim()),
  )

const a = await attach(one, 'a')
const b = await attach(two, 'b')

t.test('workloads of two nodes reach each other in both families, by our own BGP', async (t) => {
  for (const address of b.addresses) await until(`a reaches ${address}`, () => pings(a.namespace, address))
  t.match(await one.client.bgpPeers(), [
    { name: 'mesh-n2-ipv4', state: 'Established', prefixesAccepted: 1, prefixesSent: 1, origin: 'node mesh' },
    { name: 'mesh-n2-ipv6', state: 'Established', prefixesAccepted: 1, prefixesSent: 1 },
  ])
  t.match(await one.client.node(), {
    node: 'n1',
    inSync: true,
    endpoints: 1,
    routes: { workload: 2, blackhole: 2, cluster: 2 },
    peers: { established: 2, configured: 2 },
    problems: [],
  })
  const found = await one.client.bgpRoutes({ prefix: `${b.addresses[0]}/32` })
  t.same(found.routes, [], 'a block is announced, not its addresses')
  const why = await one.client.bgpWhy(a.addresses[0])
  t.match(why.routes, [{ from: 'local', best: true, step: 'best' }])
  t.match(why.exports, [
    { peer: 'mesh-n2-ipv4', sent: true, step: 'filter', from: 'local' },
    { peer: 'mesh-n2-ipv6', sent: false, step: 'family' },
  ])
})

t.test('monitors: metrics and health over TCP; what others read of the node in etcd', async (t) => {
  const fetched = (url: string): string =>
    inside(
      one.namespace,
      process.execPath,
      '-e',
      `fetch('http://127.0.0.1:${url}').then(async (r) => console.log(r.status, await r.text()))`,
    )
  const text = fetched('9098/metrics')
  for (const sample of [
    /^drover_bgp_session_established\{peer="mesh-n2-ipv4",address="10\.99\.0\.2"\} 1$/m,
    /^drover_bgp_prefixes_accepted\{peer="mesh-n2-ipv6".*\} 1$/m,
    /^drover_operation_seconds_count\{operation="attach",outcome="ok"\} 1$/m,
    /^drover_routes\{kind="workload"\} 2$/m,
    /^drover_ipam_addresses\{family="ipv4"\} 1$/m,
    /^drover_ipam_blocks\{family="ipv6",state="confirmed"\} 1$/m,
    /^drover_journal_releases 0$/m,
    /^drover_health\{check="bgp"\} 1$/m,
  ])
    t.match(text, sample)
  t.match(fetched('9099/live'), /^200 .*"process"/)
  t.match(fetched('9099/ready'), /^200 .*"in-sync"/)

  const repaired = (): number =>
    Number(/^drover_drift_repairs_total\{kind="route"\} (\d+)$/m.exec(fetched('9098/metrics'))?.[1] ?? 0)
  const before = repaired()
  run('ip', '-n', one.namespace, 'route', 'flush', 'proto', '98')
  await until('routes are repaired, and counted', () => repaired() > before, 5_000)
  t.ok(
    run('ip', '-n', one.namespace, 'route', 'show', 'proto', '98')
      .trim()
      .split('\n')
      .every((line) => line.includes('metric 77')),
    'our routes have the metric of the settings',
  )

  const status = (key: string): Record<string, unknown> =>
    JSON.parse(etcdctl('get', '--print-value-only', `/drover/v1/status/n1/${key}`)) as Record<string, unknown>
  const bgp = await until('both sessions are told as up', () => {
    const told = status('bgp')
    return told['established'] === 2 ? told : undefined
  })
  t.match(bgp, { configured: 2, peers: [{ name: 'mesh-n2-ipv4', established: true, since: String }, {}] })
  t.match(status('agent'), { version: String, nodeVersion: process.version, kernel: String })
})

/** Both sessions of a node are up, and every route of its peer has been told. */
async function sessionsOf(node: typeof one): Promise<void> {
  await until('both sessions are up', async () => {
    const peers = await node.client.bgpPeers()
    return (
      peers.filter(({ state, prefixesAccepted }) => state === 'Established' && prefixesAccepted === 1)
        .length === 2
    )
  })
}

t.test('killed and started again: no packet lost, kernel as it was', async (t) => {
  const before = routes(one).sort()
  const flow = spawn('nsenter', [
    `--net=/run/netns/${a.namespace}`,
    '--',
    'ping',
    '-q',
    '-i',
    '0.02',
    '-w',
    '16',
    b.addresses[0],
  ])
  let report = ''
  flow.stdout.setEncoding('utf8').on('data', (text: string) => (report += text))
  const finished = new Promise<void>((resolve) => flow.once('exit', () => resolve()))
  await sleep(300)
  one.agent.kill('SIGKILL')
  await ended(one.agent)
  await sleep(300)
  await one.start()
  await sessionsOf(one)
  two.agent.kill('SIGTERM')
  t.equal(await ended(two.agent), 0, 'an orderly end')
  await two.start()
  await finished
  t.match(report, / 0% packet loss/)
  t.same(routes(one).sort(), before)
})

t.test('an interface that somebody deletes is made again', async (t) => {
  const device = a.result.hostInterface.name
  run('ip', '-n', one.namespace, 'link', 'delete', device)
  const began = Date.now()
  await until('it is back', () => pings(a.namespace, b.addresses[0]), 10_000)
  t.ok(Date.now() - began < 5_000, `${Date.now() - began} ms`)
})

t.test('etcd is away', async (t) => {
  const gone = await attach(one, 'gone')
  etcd.kill('SIGKILL')
  await ended(etcd)
  namespace('late')

  const began = Date.now()
  await t.rejects(attach(one, 'late', { deadlineMs: 2_000 }), { message: /etcd/ })
  t.ok(Date.now() - began < 4_000)
  t.equal(
    run('ip', '-n', `${tag}-late`, '-o', 'link')
      .split('\n')
      .filter((line) => line.includes('eth0')).length,
    0,
  )

  t.match(await one.client.detach({ containerId: 'gone', interfaceName: 'eth0' }), { journaled: true })
  t.equal((await one.client.node()).journal, 1)
  t.equal((await one.client.ready()).ok, false)

  // An agent that has to start now goes on as last known, and still takes detaches.
  one.agent.kill('SIGKILL')
  await ended(one.agent)
  one.agent.kill()
  const restarted = one.start().catch(() => undefined)
  await until(
    'it speaks BGP without etcd',
    async () => (await one.client.bgpPeers()).filter(({ state }) => state === 'Established').length === 2,
  )
  t.ok(pings(a.namespace, b.addresses[0]), 'traffic goes on')
  t.equal((await one.client.node()).journal, 1, 'the journal survived')
  await t.rejects(attach(one, 'late', { deadlineMs: 2_000 }), { message: /etcd/ })

  etcd = startEtcd()
  await restarted
  await ready(one)
  await until('the release is carried out', async () => (await one.client.node()).journal === 0)
  t.match(etcdctl('get', '--prefix', '/drover/v1/ipam/handles/', '--keys-only'), /a%3Aeth0%3An1/)
  t.notMatch(etcdctl('get', '--prefix', '/drover/v1/ipam/handles/', '--keys-only'), /gone/)
  t.match((await one.client.audit({ fix: false })).findings, [])
  await attach(one, 'late')
  t.ok(pings(a.namespace, b.addresses[0]))
  t.notOk(pings(a.namespace, gone.addresses[0]))
})

t.test(
  'a Node that is deleted while its agent runs is registered again, and its workloads stay reachable',
  async (t) => {
    etcdctl('del', '/drover/v1/resources/nodes/n2')
    await until('it is back', () => etcdctl('get', '/drover/v1/resources/nodes/n2').includes('10.99.0.2'))
    await until('a reaches b', () => pings(a.namespace, b.addresses[0]))
    await ready(two)
    t.match(readFileSync(path.join(folder, 'n2.log'), 'utf8'), /deleted while its agent runs/)
  },
)

t.test('rubbish in the store is told and changes nothing', async (t) => {
  etcdctl('put', '/drover/v1/resources/bgppeers/bad', '{"kind":')
  await until('it is told', async () =>
    (await one.client.node()).problems.some((line) => line.includes('BGPPeer bad')),
  )
  t.ok(pings(a.namespace, b.addresses[0]))
  etcdctl('del', '/drover/v1/resources/bgppeers/bad')
  await until('it is forgotten', async () => (await one.client.node()).problems.length === 0)
})

t.test('all detached: nothing of ours is left but blocks', async (t) => {
  for (const [node, ids] of [
    [one, ['a', 'late']],
    [two, ['b']],
  ] as const) {
    for (const containerId of ids) t.match(await node.client.detach({ containerId }), { journaled: false })
  }
  await until('routes are gone', () => routes(one).every((line) => !line.includes('drv')))
  t.notMatch(run('ip', '-n', one.namespace, 'link'), /drv/)
  t.equal(etcdctl('get', '--prefix', '/drover/v1/endpoints/', '--keys-only').trim(), '')
})
