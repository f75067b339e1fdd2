/**
 * How much memory does an agent hold: idle, with 250 workloads, and with 10,000 endpoints elsewhere in the cluster?
 * Beside it, in the same run: a Node process that does nothing. One process each, resident set as the kernel counts it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgentClient } from '@network/agent/client'
import { Lab, buildCluster } from '@network/test/lab'
import { type Resident, reportResidents, residentOf, restMs, startBareNode } from './memory/residents.ts'
import { agentSocket, runInside, workloadNamespaces } from './node/inside.ts'
import type { WriteTask } from './node/write-endpoints.ts'

const workloads = 250
const clusterNodes = 40
const endpointsEach = 250
const targetsMiB = { idle: 40, full: 150 }

async function measure(): Promise<{ bareNode: Resident; agent: readonly Resident[] }> {
  const lab = new Lab('bench-memory')
  try {
    const cluster = await buildCluster(lab, { nodes: 1 })
    const [node] = cluster.nodes
    if (node === undefined) throw new Error('the cluster has no node')
    const bare = startBareNode(node.place)
    const client = createAgentClient({ socketPath: agentSocket(lab, node) })
    const { pid } = node.agent()
    await sleep(restMs)
    const bareNode = residentOf('Node that does nothing', bare)
    const agent = [residentOf('agent, idle', pid, targetsMiB.idle)]

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
    agent.push(residentOf(`agent, ${String(workloads)} workloads`, pid, targetsMiB.full))

    const task: WriteTask = { etcd: cluster.etcd.endpoint, nodes: clusterNodes, endpointsEach }
    const written = await runInside<number>(node.place, 'write-endpoints.ts', task)
    await sleep(restMs)
    const all = `${String(workloads)} workloads, ${String(written)} endpoints elsewhere`
    agent.push(residentOf(`agent, ${all}`, pid, targetsMiB.full))
    return { bareNode, agent }
  } finally {
    lab.destroy()
  }
}

const { bareNode, agent } = await measure()
reportResidents(bareNode, agent)
