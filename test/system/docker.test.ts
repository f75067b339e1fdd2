import { test } from 'tap'
import { Lab, buildCluster, busybox, dockerFlags, startDocker, until } from '../lab/index.ts'

test('the life of a routed network on two hosts', async (t) => {
  const lab = new Lab('dkr')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2, agentFlags: (node) => dockerFlags(lab, node) })
  const [one, two] = cluster.nodes
  const a = await startDocker(lab, one!.place)
  t.teardown(() => a.stop())
  const b = await startDocker(lab, two!.place)
  t.teardown(() => b.stop())

  await a.docker(
    'network',
    'create',
    '-d',
    'drover',
    '--ipam-driver',
    'drover',
    '--subnet',
    '10.40.0.0/16',
    'web',
  )
  await a.docker(
    'run',
    '-d',
    '--name',
    'one',
    '--network',
    'web',
    '--label',
    'tier=front',
    busybox,
    'sleep',
    '1000',
  )
  const inside = await a.docker('exec', 'one', 'ip', 'addr', 'show', 'eth0')
  t.match(inside, /inet 10\.40\.\d+\.\d+\/32/)
  t.match(await a.docker('exec', 'one', 'ip', 'route'), 'default via 169.254.1.1 dev eth0')
  const address = await a.docker('inspect', '-f', '{{.NetworkSettings.Networks.web.IPAddress}}', 'one')
  t.match(address, /^10\.40\./)

  await until('the network is known on the other host', async () => {
    return (await b.docker('network', 'ls', '--format', '{{.Name}}')).split('\n').includes('web')
  })
  await b.docker(
    'run',
    '-d',
    '--name',
    'two',
    '--network',
    'web',
    '--ip',
    '10.40.77.7',
    busybox,
    'sleep',
    '1000',
  )
  t.equal(await b.docker('inspect', '-f', '{{.NetworkSettings.Networks.web.IPAddress}}', 'two'), '10.40.77.7')
  t.equal((await a.attempt('exec', 'one', 'ping', '-c', '2', '-W', '3', '10.40.77.7')).exitCode, 0)
  t.equal((await b.attempt('exec', 'two', 'ping', '-c', '2', '-W', '3', address)).exitCode, 0)
})
