/**
 * How much memory does an agent hold with 250 workloads, each under a profile and five policies, in a cluster of 10,000
 * endpoints and 1,000 policies? Beside it, in the same run: a Node process that does nothing. Resident set as the kernel
 * counts it.
 */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgentClient } from '@network/agent/client'
import { Lab, buildCluster, until } from '@network/test/lab'
import { type Resident, reportResidents, residentOf, restMs, startBareNode } from '../memory/residents.ts'
import { agentSocket, runInside, workloadNamespaces } from '../node/inside.ts'
import { appOf, localWorkloads, profileName } from './cluster.ts'

const targetMiB = 150

async function measure(): Promise<{ bareNode: Resident; agent: readonly Resident[] }> {
  const lab = new Lab('bench-polmem')
  try {
    const cluster = await buildCluster(lab, { nodes: 1 })
    const [node] = cluster.nodes
    if (node === undefined) throw new Error('the cluster has no node')
    const bare = startBareNode(node.place)
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
    const bareNode = residentOf('Node that does nothing', bare)
    const all = `${String(localWorkloads)} workloads, ${String(written)} other resources`
    const agent = [residentOf(`agent, ${all}`, pid, targetMiB)]
    await node.agent().stop()
    await node.startAgent()
    await sleep(restMs)
    agent.push(residentOf('the same after a restart', node.agent().pid, targetMiB))
    return { bareNode, agent }
  } finally {
    lab.destroy()
  }
}

const { bareNode, agent } = await measure()
reportResidents(bareNode, agent)
