/**
 * How much memory does an agent hold with 250 workloads, each under a profile and five policies, in a cluster of 10,000
 * endpoints and 1,000 policies? Beside it, in the same run: a Node process that does nothing. Resident set as the kernel
 * counts it.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgentClient } from '@network/agent/client'
import { Lab, buildCluster, until } from '@network/test/lab'
import { agentSocket, runInside, workloadNamespaces } from '../node/inside.ts'
import { markdown, surroundings } from '../node/timings.ts'
import { appOf, localWorkloads, profileName } from './cluster.ts'

/** What was needed once is given back by then. */
const restMs = 20_000
const targetMiB = 150

interface Row {
  readonly title: string
  readonly residentMiB: number
  readonly peakMiB: number
}

function memoryOf(title: string, pid: number): Row {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024
  return { title, residentMiB: field('VmRSS'), peakMiB: field('VmHWM') }
}

async function measure(): Promise<Row[]> {
  const lab = new Lab('bench-polmem')
  try {
    const cluster = await buildCluster(lab, { nodes: 1 })
    const [node] = cluster.nodes
    if (node === undefined) throw new Error('the cluster has no node')
    const bare = node.place.start('bare', process.execPath, ['-e', 'setInterval(() => {}, 1e6)'])
    const client = createAgentClient({ socketPath: agentSocket(lab, node) })
    const written = await runInside<number>(node.place, path.join('..', 'policy', 'write-cluster.ts'), {
      etcd: cluster.etcd.endpoint,
    })
    const namespaces = await workloadNamespaces(lab, 'w', localWorkloads)
    for (const [number, netns] of namespaces.entries()) {
      const containerId = `w${String(number)}`
      await client.attach({
        netns,
        containerId,
        interfaceName: 'eth0',
        orchestrator: 'bench',
        workload: containerId,
        endpoint: 'eth0',
        labels: { app: appOf(number), tier: number % 2 === 0 ? 'front' : 'back' },
        profiles: [profileName(number)],
        ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
        deadlineMs: 60_000,
      })
    }
    await until('all policies are in the kernel', async () => {
      const { stdout } = await node.place.run('iptables-save', ['-t', 'filter'])
      return stdout.includes(`:drv-pi-policy-999 `)
    })
    await sleep(restMs)
    const { pid } = node.agent()
    const rows = [
      memoryOf('Node that does nothing', bare.pid),
      memoryOf(`agent, ${String(localWorkloads)} workloads, ${String(written)} other resources`, pid),
    ]
    await node.agent().stop()
    await node.startAgent()
    await sleep(restMs)
    return [...rows, memoryOf('the same after a restart', node.agent().pid)]
  } finally {
    lab.destroy()
  }
}

const rows = await measure()
const bare = rows[0]?.residentMiB ?? Number.NaN
const mib = (value: number): string => value.toFixed(1)
console.log(surroundings())
console.log(
  `\n${markdown(
    ['', 'resident MiB', 'above bare Node', 'peak'],
    rows.map(({ title, residentMiB, peakMiB }) => [
      title,
      mib(residentMiB),
      mib(residentMiB - bare),
      mib(peakMiB),
    ]),
  )}\n`,
)
const missed = rows.filter(({ residentMiB }) => residentMiB - bare > targetMiB)
console.log(
  missed.length === 0
    ? `within + ${String(targetMiB)} MiB`
    : `target missed: ${missed.map(({ title }) => title).join('; ')}`,
)
if (missed.length > 0) process.exitCode = 1
