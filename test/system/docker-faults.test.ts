import { test } from 'tap'
import {
  Lab,
  buildCluster,
  createNetwork,
  dockerFlags,
  idle,
  rack,
  startDocker,
  startFlow,
  until,
} from '../lab/index.ts'

test('dockerd and agent end and come back', async (t) => {
  const lab = new Lab('dkf')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2, agentFlags: (node) => dockerFlags(lab, node) })
  const [one, two] = cluster.nodes
  if (one === undefined || two === undefined) throw new Error('the cluster has no two nodes')
  const a = await startDocker(lab, one.place)
  t.teardown(() => a.stop())
  const six = ['--ipv6', '--subnet', 'fd40:1::/64']
  await a.docker(...createNetwork, '--subnet', '10.40.0.0/16', ...six, 'web')
  await a.docker(
    'run',
    '-d',
    '--name',
    'kept',
    '--restart',
    'always',
    '--init',
    '--network',
    'web',
    '--ip',
    '10.40.0.9',
    '-p',
    '8081:80',
    ...idle,
  )
  await a.docker('run', '-d', '--name', 'plain', '--init', '--network', 'web', ...idle)
  const far = await two.attach('far', '--profile', 'default')
  const inspect = (container: string, field: string): Promise<string> =>
    a.docker('inspect', '-f', `{{.NetworkSettings.Networks.web.${field}}}`, container)
  const pings = (address: string): Promise<boolean> => a.pings('kept', address)
  const endpoints = async (): Promise<{ spec: { orchestrator: string; ipNetworks: string[] } }[]> => {
    const text = await one.drover('get', 'endpoints', '-o', 'json')
    const { items } = JSON.parse(text) as {
      items: { spec: { orchestrator: string; ipNetworks: string[] } }[]
    }
    return items.filter(({ spec }) => spec.orchestrator === 'docker')
  }

  await t.test('IPv6 beside IPv4', async (t) => {
    const address = await inspect('plain', 'GlobalIPv6Address')
    t.match(address, /^fd40:1:/)
    t.match(await a.docker('exec', 'kept', 'ip', '-6', 'route'), 'default via fe80::1')
    t.ok(await until('IPv6 is reached', () => pings(address)))
    t.ok(await pings(await inspect('plain', 'IPAddress')))
    t.ok(await until('another node is reached', async () => pings(far.addresses[0] ?? '')))
  })

  await t.test('the agent is killed: packets go on, and so do calls when it is back', async (t) => {
    const flow = startFlow(a.place, '10.40.0.9')
    one.agent().signal('SIGKILL')
    await one.agent().ended
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await one.startAgent()
    const report = await flow.finish()
    t.equal(report.lost, 0, `of ${String(report.sent)}`)
    t.equal((await endpoints()).length, 2)
    await a.docker('run', '-d', '--name', 'later', '--network', 'web', ...idle)
    t.ok(
      await until('a container started afterwards is reached', async () =>
        pings(await inspect('later', 'IPAddress')),
      ),
    )
    await a.docker('rm', '-f', 'later')
    t.equal((await endpoints()).length, 2)
  })

  await t.test('dockerd ends in order and comes back', async (t) => {
    await a.stop()
    t.same(await endpoints(), [], 'its containers gave their addresses back')
    await a.start()
    await until('what restarts always is there', async () => (await endpoints()).length === 1)
    t.equal(await inspect('kept', 'IPAddress'), '10.40.0.9')
    t.ok(await until('and reaches the other node', () => pings(far.addresses[0] ?? '')))
    await a.docker('start', 'plain')
    t.ok(await until('what was started by hand too', async () => pings(await inspect('plain', 'IPAddress'))))
  })

  await t.test('dockerd is killed', async (t) => {
    await a.stop('SIGKILL')
    await a.start()
    await until('what restarts always is there', async () => {
      const running = await a.attempt('inspect', '-f', '{{.State.Running}}', 'kept')
      return running.stdout.trim() === 'true'
    })
    t.ok(
      await until('and reaches the other node', () => pings(far.addresses[0] ?? ''), { timeoutMs: 30_000 }),
    )
    const running = (await a.docker('ps', '-q')).split('\n').filter((line) => line !== '').length
    t.equal(
      await until(
        'endpoints are those of running containers',
        async () => {
          const count = (await endpoints()).length
          return count === running ? count : undefined
        },
        { timeoutMs: 90_000, intervalMs: 500 },
      ),
      running,
    )
  })

  await t.test('live restore: dockerd goes and comes, containers stay', async (t) => {
    await a.stop()
    await a.start(['--live-restore'])
    await until('it runs', async () => (await a.attempt('exec', 'kept', 'ip', 'addr')).exitCode === 0)
    const before = await endpoints()
    const flow = startFlow(cluster.nodes[0]!.place, '10.40.0.9')
    await a.stop()
    await a.start(['--live-restore'])
    const report = await flow.finish()
    t.equal(report.lost, 0, `of ${String(report.sent)}`)
    t.same(await endpoints(), before)
    t.ok(await pings(far.addresses[0] ?? ''))
    await a.docker('rm', '-f', 'kept')
    t.notOk(
      (await endpoints()).some(({ spec }) => spec.ipNetworks.includes('10.40.0.9/32')),
      'and goes as ever',
    )
  })

  await t.test('a container goes while the agent is away', async (t) => {
    await a.docker('run', '-d', '--name', 'orphan', '--network', 'web', ...idle)
    const before = (await endpoints()).length
    await one.agent().stop()
    const removed = a.docker('rm', '-f', 'orphan')
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    await one.startAgent()
    await removed
    t.equal(
      await until('it leaves nothing', async () =>
        (await endpoints()).length < before ? 'gone' : undefined,
      ),
      'gone',
    )
  })

  await t.test('a network without a way out', async (t) => {
    await a.docker(
      'network',
      'create',
      '--internal',
      '-d',
      'drover',
      '--ipam-driver',
      'drover',
      '--subnet',
      '10.42.0.0/24',
      'inner',
    )
    for (const name of ['in1', 'in2'])
      await a.docker('run', '-d', '--name', name, '--network', 'inner', ...idle)
    const y = await a.docker('inspect', '-f', '{{.NetworkSettings.Networks.inner.IPAddress}}', 'in2')
    t.ok(
      await until(
        'its containers reach each other',
        async () => (await a.attempt('exec', 'in1', 'ping', '-c', '1', '-W', '2', y)).exitCode === 0,
      ),
    )
    t.not(
      (await a.attempt('exec', 'in1', 'ping', '-c', '1', '-W', '1', rack.ipv4.gateway)).exitCode,
      0,
      'and nothing else',
    )
    await a.docker('rm', '-f', 'in1', 'in2')
  })

  await t.test("Docker's bridge beside", async (t) => {
    await a.docker('run', '-d', '--name', 'both', ...idle)
    await a.docker('network', 'connect', 'web', 'both')
    const both = await inspect('both', 'IPAddress')
    await a.docker('run', '-d', '--name', 'only', '--network', 'web', ...idle)
    t.ok(
      await until(
        'bridge first',
        async () => (await a.attempt('exec', 'only', 'ping', '-c', '1', '-W', '2', both)).exitCode === 0,
      ),
    )
    await a.docker('network', 'connect', 'bridge', 'only')
    const only = await inspect('only', 'IPAddress')
    t.ok(
      await until(
        'bridge second',
        async () => (await a.attempt('exec', 'both', 'ping', '-c', '1', '-W', '2', only)).exitCode === 0,
      ),
    )
    await a.docker('network', 'disconnect', 'bridge', 'both')
    t.ok(
      await until(
        'bridge gone',
        async () => (await a.attempt('exec', 'only', 'ping', '-c', '1', '-W', '2', both)).exitCode === 0,
      ),
    )
    await a.docker('rm', '-f', 'both', 'only')
  })
})
