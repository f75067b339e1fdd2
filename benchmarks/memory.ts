/**
 * How much memory does an agent hold: idle, with 250 workloads, and with 10,000 endpoints elsewhere in the cluster?
 * Beside it, in the same run: a Node process that does nothing. One process each, resident set as the kernel counts it.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgentClient } from '@network/agent/client'
import { Lab, buildCluster } from '@network/test/lab'
import { agentSocket, runInside, workloadNamespaces } from './node/inside.ts'
import type { WriteTask } from './node/write-endpoints.ts'
import { markdown, surroundings } from './node/timings.ts'

const workloads = 250
const clusterNodes = 40
const endpointsEach = 250
/** What was needed once is given back by then. */
const restMs = 20_000
const targets = { idle: 40, full: 150 }

interface Row {
  title: string
  residentMiB: number
  anonymousMiB: number
  peakMiB: number
  target?: number
}

function memoryOf(title: string, pid: number, target?: number): Row {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024
  return {
    title,
    residentMiB: field('VmRSS'),
    anonymousMiB: field('RssAnon'),
    peakMiB: field('VmHWM'),
    ...(target === undefined ? {} : { target }),
  }
}

/** A program started through nsenter keeps its pid: nsenter becomes it. */
async function measure(): Promise<Row[]> {
  const lab = new Lab('bench-memory')
  try {
    const cluster = await buildCluster(lab, { nodes: 1 })
    const [node] = cluster.nodes
    if (node === undefined) throw new Error('the cluster has no node')
    const rows: Row[] = []
    const bare = node.place.start('bare', process.execPath, ['-e', 'setInterval(() => {}, 1e6)'])
    const client = createAgentClient({ socketPath: agentSocket(lab, node) })
    const { pid } = node.agent()
    await sleep(restMs)
    rows.push(memoryOf('Node that does nothing', bare.pid))
    rows.push(memoryOf('agent, idle', pid, targets.idle))

    const namespaces = await workloadNamespaces(lab, 'w', workloads)
    for (const [index, netns] of namespaces.entries()) {
      const containerId = `w${String(index)}`
      await client.attach({
        netns,
        containerId,
        interfaceName: 'eth0',
        orchestrator: 'bench',
        workload: containerId,
        endpoint: 'eth0',
      })
    }
    await sleep(restMs)
    rows.push(memoryOf(`agent, ${String(workloads)} workloads`, pid, targets.full))

    const task: WriteTask = { etcd: cluster.etcd.endpoint, nodes: clusterNodes, endpointsEach }
    const written = await runInside<number>(node.place, 'write-endpoints.ts', task)
    await sleep(restMs)
    rows.push(
      memoryOf(
        `agent, ${String(workloads)} workloads, ${String(written)} endpoints elsewhere`,
        pid,
        targets.full,
      ),
    )
    return rows
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
    ['', 'resident MiB', 'above bare Node', 'at most', 'anonymous', 'peak'],
    rows.map(({ title, residentMiB, anonymousMiB, peakMiB, target }) => [
      title,
      mib(residentMiB),
      mib(residentMiB - bare),
      target === undefined ? '' : `+ ${String(target)}`,
      mib(anonymousMiB),
      mib(peakMiB),
    ]),
  )}\n`,
)
const missed = rows.filter(({ residentMiB, target }) => target !== undefined && residentMiB - bare > target)
console.log(
  missed.length === 0 ? 'target reached' : `target missed: ${missed.map(({ title }) => title).join('; ')}`,
)
if (missed.length > 0) process.exitCode = 1
