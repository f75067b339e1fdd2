import { test } from 'tap'
import { Lab, buildCluster, droverProgram, reaches, until } from '../lab/index.ts'

test('who is which node', async (t) => {
  const lab = new Lab('identity')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2 })
  const [one, two] = cluster.nodes
  const a = await one!.attach('a')
  const b = await two!.attach('b')
  await until('a reaches b', () => reaches(a.place, b.addresses[0]!, 1))

  t.test(
    'a second agent of the same name: refused with a clear error, the first one undisturbed',
    async (t) => {
      const stranger = await lab.host('stranger')
      await cluster.switch.plug(stranger, 9)
      const program = stranger.start('agent', process.execPath, [droverProgram, 'agent'], {
        env: { DROVER_ETCD_ENDPOINTS: cluster.etcd.endpoint, DROVER_NODE_NAME: one!.name },
      })
      const ended = await program.ended
      t.not(ended.exitCode, 0)
      t.match(program.log(), /error: .*node1.*/)
      t.match(program.log(), /remedy: /)
      t.equal((await one!.attempt(['node', 'status'])).exitCode, 0)
      t.match(
        await one!.drover('get', 'node', 'node1', '-o', 'yaml'),
        '10.250.0.1/24',
        'its address is not overwritten',
      )
    },
  )

  t.test('a second node with the same address: refused with a clear error', async (t) => {
    const twin = await lab.host('twin')
    await cluster.switch.plug(twin, 10)
    await twin.run('ip', ['addr', 'add', '10.250.0.2/24', 'dev', 'eth0'])
    const program = twin.start(
      'agent',
      process.execPath,
      [droverProgram, 'agent', '--ipv4-address-method', 'cidr=10.250.0.2/32'],
      {
        env: { DROVER_ETCD_ENDPOINTS: cluster.etcd.endpoint, DROVER_NODE_NAME: 'twin' },
      },
    )
    const ended = await program.ended
    t.not(ended.exitCode, 0)
    t.match(program.log(), /error: .*10\.250\.0\.2.*node2/)
    t.match(program.log(), /remedy: /)
    t.equal((await one!.attempt(['get', 'node', 'twin'])).exitCode, 3, 'no such node was registered')
    t.ok(await reaches(a.place, b.addresses[0]!))
  })

  t.test(
    'a node removed from etcd while it is up: an error that is shown, its workloads go on',
    async (t) => {
      await one!.drover('delete', 'node', 'node2')
      await until(
        'node2 says what happened, or has put itself right',
        async () => {
          const status = await two!.attempt(['node', 'status'])
          const known = await one!.attempt(['get', 'node', 'node2'])
          return known.exitCode === 0 || /removed/.test(status.stdout)
        },
        { timeoutMs: 20_000, intervalMs: 250 },
      )
      t.ok(
        await until('a reaches b', () => reaches(a.place, b.addresses[0]!, 1)),
        'its workloads stay reachable',
      )
      t.match(await one!.drover('ipam', 'check'), 'nothing is wrong')
    },
  )
})
