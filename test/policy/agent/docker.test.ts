/** A real dockerd with its bridge and its rules on a node: policy holds beside it, and its containers go on. */
import tap from 'tap'
import {
  Lab,
  type LabNode,
  buildCluster,
  busybox,
  rack,
  reaches,
  startDocker,
  until,
} from '../../lab/index.ts'

await tap.test('dockerd was there first', async (t) => {
  const lab = new Lab('poldocker')
  t.teardown(() => {
    lab.destroy()
  })
  const cluster = await buildCluster(lab, { nodes: 1 })
  const [node] = cluster.nodes as [LabNode]
  const { place } = node
  // dockerd makes DROP the policy of FORWARD where it turns forwarding on itself.
  await node.agent().stop()
  await place.run('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=0'])
  const docker = await startDocker(lab, place, ['--iptables=true', '--ip-masq=true'])
  t.teardown(() => docker.stop())
  const rules = async (): Promise<string> => (await place.run('iptables-save', ['-t', 'filter'])).stdout
  const dockers = async (): Promise<string[]> =>
    (await rules())
      .split('\n')
      .filter((line) => /DOCKER|docker0/.test(line))
      .map((line) => line.replace(/\[\d+:\d+\]/, ''))
  const before = await dockers()
  t.ok(before.length > 5, 'dockerd has made its rules')
  t.match(await rules(), /^:FORWARD DROP/m, 'and drops what nobody lets through')

  // Which iptables dockerd uses the agent finds by itself.
  await node.startAgent()
  const web = await node.attach('web', '--label', 'role=web')
  const client = await node.attach('client', '--label', 'role=client')
  const other = await node.attach('other', '--label', 'role=other')
  await cluster.apply(`
apiVersion: drover.network/v1
kind: GlobalNetworkPolicy
metadata: { name: web }
spec: { selector: role == 'web', ingress: [{ action: Allow, source: { selector: role == 'client' } }] }
`)
  const open = async (from: typeof web): Promise<boolean[]> =>
    Promise.all(web.addresses.map((address) => reaches(from.place, address, 1)))
  await until('policy is in the kernel', async () => (await open(other)).every((reached) => !reached))
  t.same(await open(client), [true, true], 'what policy allows passes, whatever FORWARD is')
  t.ok(await reaches(client.place, rack.outside.ipv4), 'out of the rack too')
  t.ok(await reaches(cluster.outside, client.addresses[0] ?? ''), 'and from there')

  await docker.docker('run', '-d', '--name', 'plain', busybox, 'sleep', '600')
  t.ok(
    (await docker.attempt('exec', 'plain', 'ping', '-c', '1', '-W', '2', rack.ipv4.gateway)).exitCode === 0,
    'a container of its bridge reaches the world',
  )
  const ours = async (): Promise<number> =>
    (await rules()).split('\n').findIndex((line) => line.includes('-j drv-FORWARD'))
  const first = async (): Promise<number> =>
    (await rules()).split('\n').findIndex((line) => line.startsWith('-A FORWARD'))
  t.equal(await ours(), await first(), 'our jump is the first')
  await docker.docker('rm', '-f', 'plain')
  t.same(await dockers(), before, "dockerd's rules are as they were")
})
