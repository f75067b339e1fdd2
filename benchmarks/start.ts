/**
 * How long after its start does an agent answer, and how long until it is ready: in sync, its routes programmed, its
 * speaker running? Beside it, in turns: a Node process that does nothing. Each start follows an orderly end.
 */
import { createAgentClient } from '@network/agent/client'
import { Lab, buildCluster, until } from '@network/test/lab'
import { agentSocket } from './node/inside.ts'
import { Series, markdown, quantile, surroundings } from './node/timings.ts'

const starts = 10
const lookEveryMs = 5

const series = { bare: new Series(), answers: new Series(), ready: new Series() }
const lab = new Lab('bench-start')
try {
  const cluster = await buildCluster(lab, { nodes: 1 })
  const [node] = cluster.nodes
  if (node === undefined) throw new Error('the cluster has no node')
  const client = createAgentClient({ socketPath: agentSocket(lab, node) })
  for (let round = 0; round < starts; round++) {
    await node.agent().stop()
    await series.bare.run([() => node.place.run(process.execPath, ['-e', ''])])
    const begin = performance.now()
    await node.startAgent({ ready: false })
    let answers: number | undefined
    await until(
      'the agent is ready',
      async () => {
        const report = await client.ready().catch(() => undefined)
        if (report !== undefined) answers ??= performance.now() - begin
        return report?.ok === true
      },
      { timeoutMs: 60_000, intervalMs: lookEveryMs },
    )
    series.ready.add(performance.now() - begin)
    series.answers.add(answers ?? Number.NaN)
  }
} finally {
  lab.destroy()
}

function row(title: string, of: Series): string[] {
  const timings = of.timings()
  const p50 = quantile(timings, 0.5)
  return [title, p50.toFixed(0), quantile(timings, 1).toFixed(0), (p50 / bare).toFixed(1)]
}

const bare = quantile(series.bare.timings(), 0.5)
console.log(surroundings())
console.log(
  `\n${markdown(
    ['', 'p50 ms', 'greatest ms', '× bare Node'],
    [
      row('node -e "", start to exit', series.bare),
      row('agent, start until its local API answers', series.answers),
      row('agent, start until ready', series.ready),
    ],
  )}`,
)
