import path from 'node:path'
import { test } from 'tap'
import {
  type DockerHost,
  Lab,
  buildCluster,
  busybox,
  dockerFlags,
  rack,
  startDocker,
  until,
} from '../lab/index.ts'

test('services of a swarm have routed addresses', async (t) => {
  const lab = new Lab('dks')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 3, agentFlags: (node) => dockerFlags(lab, node) })
  const hosts: DockerHost[] = []
  for (const node of cluster.nodes) {
    const host = await startDocker(lab, node.place)
    t.teardown(() => host.stop())
    const folder = path.join(lab.folder, `${node.name}-plugin`)
    await node.drover('install', 'docker-plugin', folder)
    await host.docker('plugin', 'create', 'drover:1', folder)
    await host.docker('plugin', 'enable', 'drover:1')
    hosts.push(host)
  }
  const [manager, ...workers] = hosts
  if (manager === undefined) throw new Error('there is no host')
  const address = (number: number): string => rack.ipv4.address(number)
  await manager.docker('swarm', 'init', '--advertise-addr', address(1))
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker')
  for (const [index, worker] of workers.entries()) {
    await worker.docker(
      'swarm',
      'join',
      '--token',
      token,
      '--advertise-addr',
      address(index + 2),
      `${address(1)}:2377`,
    )
  }
  await manager.docker(
    'network',
    'create',
    '--scope',
    'swarm',
    '-d',
    'drover:1',
    '--ipam-driver',
    'drover:1',
    '--subnet',
    '10.50.0.0/16',
    'fleet',
  )
  await manager.docker(
    'service',
    'create',
    '--detach',
    '--endpoint-mode',
    'dnsrr',
    '--network',
    'fleet',
    '--replicas',
    '2',
    '--replicas-max-per-node',
    '1',
    '--name',
    'web',
    '--no-resolve-image',
    busybox,
    'sleep',
    '1000',
  )
  const listed = async (): Promise<{ node: string; address: string }[]> => {
    const text = await cluster.nodes[0]!.drover('get', 'endpoints', '-o', 'json')
    const { items } = JSON.parse(text) as { items: { spec: { node: string; ipNetworks: string[] } }[] }
    return items.map(({ spec }) => ({
      node: spec.node,
      address: (spec.ipNetworks[0] ?? '').replace(/\/.*/, ''),
    }))
  }
  /** From the task that runs on a host. */
  const pings = async (from: DockerHost, to: string): Promise<boolean> => {
    const [task] = (await from.docker('ps', '-q')).split('\n')
    return (await from.attempt('exec', task ?? '', 'ping', '-c', '1', '-W', '1', to)).exitCode === 0
  }
  const placed = await until(
    'two tasks have endpoints',
    async () => {
      const now = await listed()
      return now.length === 2 ? now : undefined
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  ).catch(async (error: unknown) => {
    t.comment(await manager.docker('service', 'ps', '--no-trunc', 'web'))
    throw error
  })
  t.equal(new Set(placed.map(({ node }) => node)).size, 2, 'each on a node of its own')
  const runs = (place: string): DockerHost => {
    const host = hosts.find((one) => one.place.name === place)
    if (host === undefined) throw new Error(`no host ${place}`)
    return host
  }
  const [first, second] = placed
  if (first === undefined || second === undefined) throw new Error('there are no two tasks')
  const patience = { timeoutMs: 30_000 }
  t.ok(await until('one reaches the other', () => pings(runs(first.node), second.address), patience))
  t.ok(await until('and back', () => pings(runs(second.node), first.address), patience))

  await t.test('a task moves to another node', async (t) => {
    const number = cluster.nodes.find(({ name }) => name === second.node)?.number ?? 0
    const drained = (await manager.docker('node', 'ls', '-q')).split('\n')
    for (const id of drained) {
      const at = await manager.docker('node', 'inspect', '-f', '{{.Status.Addr}}', id)
      if (at === address(number)) await manager.docker('node', 'update', '--availability', 'drain', id)
    }
    const moved = await until(
      'a third node has a task',
      async () => (await listed()).find(({ node }) => node !== first.node && node !== second.node),
      { timeoutMs: 90_000, intervalMs: 500 },
    ).catch(async (error: unknown) => {
      t.comment(await manager.docker('node', 'ls'))
      t.comment(await manager.docker('service', 'ps', '--no-trunc', 'web'))
      throw error
    })
    t.ok(await until('it is reached', () => pings(runs(first.node), moved.address), patience))
    await until('the first is gone', async () => (await listed()).length === 2, patience)
    if (moved.address !== second.address)
      t.notOk(await pings(runs(first.node), second.address), 'its address is withdrawn')
  })

  await t.test('nothing is left', async (t) => {
    await manager.docker('service', 'rm', 'web')
    t.same(
      await until('endpoints go', async () => ((await listed()).length === 0 ? [] : undefined), {
        timeoutMs: 60_000,
        intervalMs: 500,
      }),
      [],
    )
    await until(
      'the network can be removed',
      async () => (await manager.attempt('network', 'rm', 'fleet')).exitCode === 0,
      { timeoutMs: 60_000, intervalMs: 1_000 },
    )
    await until(
      'it is gone everywhere',
      async () => {
        const { items } = JSON.parse(await cluster.nodes[0]!.drover('get', 'networks', '-o', 'json')) as {
          items: unknown[]
        }
        return items.length === 0
      },
      { timeoutMs: 30_000, intervalMs: 500 },
    )
  })
})
