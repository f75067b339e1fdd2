/**
 * Addresses that a DHCP server leases: the plugin with the daemon that Debian brings, and dnsmasq on the node itself, which
 * serves the unaddressed interfaces of workloads as if they were one that has an address.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type Test, test } from 'tap'
import {
  Lab,
  type LabNode,
  type LabProcess,
  type Place,
  buildCluster,
  noTraces,
  reaches,
  remains,
  until,
} from '../lab/index.ts'

interface Said {
  status: number
  json: Record<string, unknown> & { code?: number; msg?: string; ips?: { address: string }[] }
}

const range = { first: '10.88.0.10', last: '10.88.0.19' }
const first = ({ json }: Said): string => json.ips?.[0]?.address.replace(/\/\d+$/, '') ?? ''

async function prepare(t: Test) {
  const lab = new Lab('cnidhcp')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2 })
  const [node] = cluster.nodes as [LabNode]
  await cluster.apply(
    'apiVersion: drover.network/v1\nkind: IPPool\nmetadata: { name: leased }\nspec: { cidr: 10.88.0.0/24, disabled: true }\n',
  )
  const bin = path.join(lab.folder, 'bin')
  mkdirSync(bin)
  await node.drover('install', 'cni', '--bin', bin, '--conf', path.join(lab.folder, 'conf'))
  const socket = path.join(lab.folder, 'dhcp.sock')
  const leaseFile = path.join(lab.folder, 'leases')

  await node.place.run('ip', ['link', 'add', 'leases', 'type', 'bridge'])
  await node.place.run('ip', ['addr', 'add', '10.88.0.1/24', 'dev', 'leases'])
  await node.place.run('ip', ['link', 'set', 'leases', 'up'])
  const startServer = (): LabProcess =>
    node.place.start('dnsmasq', 'dnsmasq', [
      ...['--conf-file=/dev/null', '--keep-in-foreground', '--user=root', '--pid-file=', '--port=0'],
      ...['--interface=leases', '--bridge-interface=leases,drv*', '--log-dhcp', '--log-facility=-'],
      ...[`--dhcp-range=${range.first},${range.last},255.255.255.0,2m`, '--no-ping'],
      ...['--dhcp-authoritative', `--dhcp-leasefile=${leaseFile}`],
    ])
  const startDaemon = (): LabProcess =>
    node.place.start('dhcp', '/usr/lib/cni/dhcp', [
      ...['daemon', '-socketpath', socket, '-timeout', '2s', '-resendmax', '4s'],
    ])

  const configuration = {
    cniVersion: '1.0.0',
    name: 'net',
    type: 'drover',
    ipam: { type: 'dhcp', daemonSocketPath: socket },
  }
  const call = async (command: string, more: object, env: Record<string, string>): Promise<Said> => {
    const done = await node.place.attempt(path.join(bin, 'drover'), [], {
      env: { CNI_COMMAND: command, CNI_IFNAME: 'eth0', CNI_PATH: '/usr/lib/cni', ...env },
      input: JSON.stringify({ ...configuration, ...more }),
      timeoutMs: 60_000,
    })
    const json = (done.stdout === '' ? {} : JSON.parse(done.stdout)) as Said['json']
    return { status: done.exitCode, json }
  }
  let made = 0
  const container = async (): Promise<{ place: Place; env: Record<string, string> }> => {
    const id = `c${String(++made)}`
    const place = await lab.namespace(id)
    return { place, env: { CNI_CONTAINERID: id, CNI_NETNS: place.netns } }
  }
  const leased = (): string[] =>
    existsSync(leaseFile)
      ? readFileSync(leaseFile, 'utf8')
          .split('\n')
          .flatMap((line) => line.split(' ')[2] ?? [])
      : []
  const clean = async (t: Test): Promise<void> => {
    t.strictSame(await remains(cluster.etcd, node), noTraces, 'nothing is left')
  }
  return { cluster, node, socket, startServer, startDaemon, configuration, call, container, leased, clean }
}

test('addresses by DHCP', async (t) => {
  const lab = await prepare(t)
  const { cluster, node, call, container, leased, clean } = lab
  const [, other] = cluster.nodes as [LabNode, LabNode]

  await t.test('without a daemon an ADD fails and leaves nothing', async (t) => {
    const { env } = await container()
    const said = await call('ADD', {}, env)
    t.match(said, { status: 1, json: { code: 103, msg: /dhcp failed at ADD: .*dhcp\.sock/ } })
    await clean(t)
  })

  const daemon = lab.startDaemon()
  await until('the daemon listens', () => existsSync(lab.socket))

  await t.test('a server that does not answer', async (t) => {
    const { place, env } = await container()
    const said = await call('ADD', {}, env)
    t.match(said, { status: 1, json: { code: 103, msg: /dhcp failed at ADD/ } })
    t.notMatch((await place.run('ip', ['link'])).stdout, 'eth0')
    await clean(t)
    t.match(await call('DEL', {}, env), { status: 0 })
  })

  const server = lab.startServer()

  await t.test('ADD, again, CHECK, DEL', async (t) => {
    const { place, env } = await container()
    const added = await call('ADD', {}, env)
    t.match(added, { status: 0, json: { ips: [{ address: /^10\.88\.0\.1\d\/32$/ }] } }, server.log())
    const address = first(added)
    t.same(leased(), [address], "the server's file has it")
    t.strictSame(await call('ADD', {}, env), added)
    t.ok(await until('it is reached from outside', () => reaches(cluster.outside, address, 1)))
    t.ok(await until('it is reached from another node', () => reaches(other.place, address, 1)))
    t.match((await place.run('ip', ['addr', 'show', 'eth0'])).stdout, `${address}/32`)
    t.match(await call('CHECK', { prevResult: added.json }, env), { status: 0 })
    const listed = JSON.parse(await node.drover('get', 'endpoints', '-o', 'json')) as { items: object[] }
    t.match(listed.items, [{ spec: { ipNetworks: [`${address}/32`] } }])
    t.match(await call('DEL', { prevResult: added.json }, env), { status: 0 })
    t.same(leased(), [], 'the lease is released')
    await clean(t)
    t.match(await call('DEL', {}, { ...env, CNI_NETNS: '' }), { status: 0 })
  })

  await t.test('ten at once, each its own address; the eleventh gets none', async (t) => {
    const containers = await Promise.all(Array.from({ length: 10 }, () => container()))
    const added = await Promise.all(containers.map(({ env }) => call('ADD', {}, env)))
    t.same(
      added.map(({ status }) => status),
      added.map(() => 0),
      JSON.stringify(added.filter(({ status }) => status !== 0)),
    )
    t.equal(new Set(added.map(first)).size, 10)
    t.equal(leased().length, 10)
    const { env } = await container()
    t.match(await call('ADD', {}, env), { status: 1, json: { code: 103 } })
    t.equal(leased().length, 10)
    await Promise.all(containers.map((each) => call('DEL', {}, { ...each.env, CNI_NETNS: '' })))
    t.same(leased(), [], 'released by what was remembered')
    await clean(t)
  })

  await t.test('DHCP is all that a workload without an address may say', async (t) => {
    const { place, env } = await container()
    const added = await call('ADD', {}, env)
    t.equal(added.status, 0, JSON.stringify(added.json))
    const { stdout } = await node.place.run('iptables-save', ['-t', 'filter'])
    t.match(
      stdout,
      /-A drv-wh -s 0\.0\.0\.0\/32 -d 255\.255\.255\.255\/32 -i drv\S+ -p udp .*--sport 68 --dport 67/,
    )
    t.notOk(await reaches(place, '10.88.0.1', 1), 'the host stays closed')
    const plain = await container()
    const own = await call('ADD', { ipam: { type: 'drover' } }, plain.env)
    t.equal(own.status, 0, JSON.stringify(own.json))
    const asks = (where: Place) =>
      where.attempt('busybox', ['udhcpc', '-i', 'eth0', '-n', '-q', '-t', '2', '-T', '1', '-s', '/bin/true'])
    t.not((await asks(plain.place)).exitCode, 0, 'a workload with addresses of ours is not answered')
    t.equal((await asks(place)).exitCode, 0, 'one whose addresses are leased is')
    for (const each of [env, plain.env]) await call('DEL', { ipam: lab.configuration.ipam }, each)
    await clean(t)
  })

  await t.test('an agent that dies while it waits for a lease', async (t) => {
    const { env } = await container()
    server.signal('SIGSTOP')
    const adding = call('ADD', {}, env)
    await until('the interface waits for its address', async () => {
      const shown = await node.attempt(['get', 'endpoints', '-o', 'json'])
      return (JSON.parse(shown.stdout) as { items: object[] }).items.length > 0
    })
    node.agent().signal('SIGKILL')
    t.match(await adding, { status: 1, json: { code: 11 } })
    await node.agent().ended
    await node.startAgent()
    server.signal('SIGCONT')
    const added = await call('ADD', {}, env)
    t.match(added, { status: 0, json: { ips: [{ address: /^10\.88\.0\.1\d\/32$/ }] } })
    t.ok(await until('it is reached', () => reaches(cluster.outside, first(added), 1)))
    t.match(await call('DEL', {}, env), { status: 0 })
    t.notOk(leased().includes(first(added)))
    await clean(t)
  })

  await t.test('a DEL without the daemon succeeds, and the lease ends by itself', async (t) => {
    const { env } = await container()
    const added = await call('ADD', {}, env)
    t.equal(added.status, 0, JSON.stringify(added.json))
    await daemon.stop()
    t.match(await call('DEL', {}, env), { status: 0 })
    await clean(t)
    t.ok(leased().includes(first(added)))
  })
})
