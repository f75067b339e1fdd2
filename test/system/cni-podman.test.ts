/** podman with its CNI backend on two nodes: containers that reach each other, and what podman does to them. */
import { type Test, test } from 'tap'
import {
  Lab,
  type LabNode,
  type PodmanHost,
  buildCluster,
  noTraces,
  podmanImage,
  reaches,
  remains,
  startPodman,
  tracesOf,
  until,
} from '../lab/index.ts'

interface Network {
  IPAddress: string
  GlobalIPv6Address: string
  MacAddress: string
}

async function networkOf(host: PodmanHost, name: string, network = 'drover'): Promise<Network> {
  const all = await host.podman('inspect', name, '--format', '{{json .NetworkSettings.Networks}}')
  return (JSON.parse(all) as Record<string, Network>)[network]!
}

test('podman on two nodes', async (t) => {
  const lab = new Lab('podman')
  const hosts: PodmanHost[] = []
  t.teardown(async () => {
    for (const host of hosts) await host.removeAll()
    lab.destroy()
  })
  const cluster = await buildCluster(lab, { nodes: 2 })
  for (const node of cluster.nodes) {
    const host = await startPodman(lab, node.place)
    hosts.push(host)
    // The way without a compiler, on the second node.
    const kind = node.name === 'node2' ? ['--executable', 'script'] : []
    await node.drover('install', 'cni', '--bin', host.bin, '--conf', host.conf, ...kind)
  }
  const [one, two] = cluster.nodes as [LabNode, LabNode]
  const [left, right] = hosts as [PodmanHost, PodmanHost]
  const run = (host: PodmanHost, name: string, ...words: string[]): Promise<string> =>
    host.podman('run', '-d', '--name', name, '--network', 'drover', ...words, podmanImage, 'sleep', '1000')
  const clean = async (t: Test): Promise<void> => {
    for (const host of hosts) await host.removeAll()
    for (const node of cluster.nodes) {
      t.strictSame(await remains(cluster.etcd, node), noTraces, `${node.name}: nothing is left`)
    }
  }

  await t.test('containers of two nodes reach each other by their own addresses', async (t) => {
    await run(left, 'a')
    await run(right, 'b')
    const b = await networkOf(right, 'b')
    for (const address of [b.IPAddress, b.GlobalIPv6Address]) {
      t.ok(
        await until(`${address} answers`, async () => {
          const pinged = await left.attempt('exec', 'a', 'ping', '-c', '1', '-W', '2', address)
          return pinged.exitCode === 0
        }),
        address,
      )
    }
    t.ok(await reaches(cluster.outside, (await networkOf(left, 'a')).IPAddress, 1))
    const listed = JSON.parse(await one.drover('get', 'endpoints', '-o', 'json')) as {
      items: { spec: { workload: string; orchestrator: string } }[]
    }
    t.same(listed.items.map(({ spec }) => `${spec.orchestrator}/${spec.workload}`).sort(), ['cni/a', 'cni/b'])
    await clean(t)
  })

  await t.test('an address and a MAC of their own, kept over restart, stop and reload', async (t) => {
    const fixed = ['--ip', '10.65.201.7', '--mac-address', '02:11:22:33:44:66']
    await run(left, 'fixed', ...fixed)
    const before = await networkOf(left, 'fixed')
    t.match(before, { IPAddress: '10.65.201.7', MacAddress: '02:11:22:33:44:66' })
    for (const words of [
      ['restart', '--time', '0', 'fixed'],
      ['network', 'reload', 'fixed'],
    ]) {
      await left.podman(...words)
      t.match(await networkOf(left, 'fixed'), { IPAddress: '10.65.201.7', MacAddress: '02:11:22:33:44:66' })
      t.ok(await until('it is reached', () => reaches(cluster.outside, '10.65.201.7', 1)), words.join(' '))
    }
    await left.podman('stop', '--time', '0', 'fixed')
    t.strictSame(await remains(cluster.etcd, one), noTraces, 'stopped, it holds nothing')
    await left.podman('start', 'fixed')
    t.match(await networkOf(left, 'fixed'), { IPAddress: '10.65.201.7' })
    const taken = await right.attempt('run', '-d', '--network', 'drover', ...fixed, podmanImage, 'sleep', '9')
    t.not(taken.exitCode, 0)
    t.match(taken.stderr, '10.65.201.7', 'and nobody else gets it')
    await clean(t)
  })

  await t.test('a port of the host, an interface of another name, a pod', async (t) => {
    await run(left, 'web', '-p', '8080:80')
    t.match(await one.drover('ports'), /8080 +TCP/)
    await left.podman('exec', '-d', 'web', 'httpd', '-p', '80', '-h', '/www')
    const shown = JSON.parse(
      (await one.place.run('ip', ['-j', '-4', 'addr', 'show', 'scope', 'global'])).stdout,
    ) as { addr_info: { local: string }[] }[]
    const address = shown[0]?.addr_info[0]?.local ?? ''
    t.ok(
      await until('the port leads there', async () => {
        const got = await cluster.outside.attempt('curl', [
          '-sS',
          '--max-time',
          '2',
          `http://${address}:8080/`,
        ])
        return got.exitCode === 0
      }),
    )
    await left.podman(
      ...[
        'run',
        '-d',
        '--name',
        'odd',
        '--network',
        'drover:interface_name=foo0',
        podmanImage,
        'sleep',
        '1000',
      ],
    )
    t.match(await left.podman('exec', 'odd', 'ip', 'addr', 'show', 'foo0'), /inet 10\.65\./)
    await left.podman(
      ...['pod', 'create', '--name', 'pod1', '--network', 'drover', '--infra-image', podmanImage],
      ...['--infra-command', 'sleep 1000'],
    )
    await left.podman('run', '-d', '--pod', 'pod1', '--name', 'inpod', podmanImage, 'sleep', '1000')
    t.match(await left.podman('exec', 'inpod', 'ip', 'addr', 'show', 'eth0'), /inet 10\.65\./)
    t.match(await one.drover('get', 'endpoints'), 'pod1')
    await clean(t)
    t.match(await one.drover('ports'), 'No port')
  })

  await t.test('disconnected and connected again while it runs', async (t) => {
    await run(left, 'live')
    await left.podman('network', 'disconnect', 'drover', 'live')
    t.strictSame(await remains(cluster.etcd, one), noTraces)
    await left.podman('network', 'connect', 'drover', 'live')
    const { IPAddress } = await networkOf(left, 'live')
    t.ok(await until('it is reached', () => reaches(cluster.outside, IPAddress, 1)))
    await clean(t)
  })

  await t.test('the agent is away: a container stops all the same, and starting says why not', async (t) => {
    for (const [host, node] of [
      [left, one],
      [right, two],
    ] as const) {
      await run(host, 'bereaved')
      await node.agent().stop()
      await host.podman('rm', '--force', '--time', '0', 'bereaved')
      t.equal((await tracesOf(cluster.etcd, node)).promises.length, 1)
      const refused = await host.attempt('run', '-d', '--network', 'drover', podmanImage, 'sleep', '9')
      t.not(refused.exitCode, 0)
      t.match(refused.stderr, /agent of this node does not answer/)
      await node.startAgent()
      await until(
        'the promise is kept',
        async () => (await tracesOf(cluster.etcd, node)).promises.length === 0,
      )
    }
    await clean(t)
  })
})
