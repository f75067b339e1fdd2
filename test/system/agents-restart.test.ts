/*
 * Agents of several nodes that restart within seconds of each other, as when a rack is upgraded: each is a helper for the
 * others while it restarts itself. Packets between workloads are not lost, and no kernel takes a route away.
 */
import { test } from 'tap'
import {
  type Cluster,
  type LabNode,
  type Workload,
  Lab,
  buildCluster,
  reaches,
  startFlow,
  until,
} from '../lab/index.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function end(node: LabNode, signal: NodeJS.Signals): Promise<void> {
  node.agent().signal(signal)
  await node.agent().ended
}

/** Ways in which two nodes' agents come to be away, some moments apart. */
const cases: Readonly<Record<string, (one: LabNode, two: LabNode) => Promise<unknown>>> = {
  'both are killed at once': async (one, two) => {
    await Promise.all([end(one, 'SIGKILL'), end(two, 'SIGKILL')])
    await Promise.all([one.startAgent(), two.startAgent()])
  },
  'both are stopped in order at once': async (one, two) => {
    await Promise.all([end(one, 'SIGTERM'), end(two, 'SIGTERM')])
    await Promise.all([one.startAgent(), two.startAgent()])
  },
  'the second is killed while the first is away': async (one, two) => {
    await end(one, 'SIGTERM')
    await pause(1000)
    await end(two, 'SIGKILL')
    await one.startAgent()
    await two.startAgent()
  },
  'the second goes as soon as the first is back': async (one, two) => {
    await end(one, 'SIGTERM')
    await one.startAgent()
    await end(two, 'SIGTERM')
    await two.startAgent()
  },
  'the first goes once more before the second has come': async (one, two) => {
    await Promise.all([end(one, 'SIGTERM'), end(two, 'SIGTERM')])
    await one.startAgent()
    await end(one, 'SIGKILL')
    await Promise.all([one.startAgent(), two.startAgent()])
  },
}

async function everySessionUp({ nodes }: Cluster): Promise<void> {
  for (const node of nodes) {
    await until(
      `every session of ${node.name} is up`,
      async () => {
        const { stdout } = await node.attempt(['node', 'status', '-o', 'json'])
        if (stdout === '') return false
        const { peers } = JSON.parse(stdout) as { peers: { state: string }[] }
        // Each other node and the switch, in both families.
        return peers.length === nodes.length * 2 && peers.every(({ state }) => state === 'Established')
      },
      { timeoutMs: 60_000, intervalMs: 250 },
    )
  }
}

test('agents that restart within seconds of each other lose no packet and no route', async (t) => {
  const lab = new Lab('rack')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab)
  const { nodes, outside } = cluster
  const workloads: Workload[] = []
  for (const node of nodes) workloads.push(await node.attach(`w${String(node.number)}`))
  const [one, two] = nodes
  const [a, b, c] = workloads
  const ways = [
    { from: a!.place, to: b!.addresses[0]! },
    { from: b!.place, to: a!.addresses[1]! },
    { from: c!.place, to: a!.addresses[0]! },
    { from: c!.place, to: b!.addresses[1]! },
    { from: outside, to: b!.addresses[0]! },
  ]
  for (const { from, to } of ways) await until(`${from.name} reaches ${to}`, () => reaches(from, to, 1))
  await everySessionUp(cluster)

  for (const [name, restart] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const flows = ways.map(({ from, to }) => startFlow(from, to))
      const monitors = nodes.map((node) => node.place.start('routes', 'ip', ['-N', 'monitor', 'route']))
      const logged = monitors.map((monitor) => monitor.log().length)
      await restart(one!, two!)
      await everySessionUp(cluster)
      await pause(1500)
      for (const [index, flow] of flows.entries()) {
        const { sent, lost } = await flow.finish()
        const { from, to } = ways[index]!
        t.ok(sent > 100, `${String(sent)} packets from ${from.name} to ${to}`)
        t.equal(lost, 0, 'no packet is lost')
      }
      for (const [index, monitor] of monitors.entries()) {
        await monitor.stop()
        t.notMatch(
          monitor.log().slice(logged[index]),
          /^Deleted .* proto 98 /m,
          `${nodes[index]!.name} takes no route away`,
        )
      }
    })
  }
})
