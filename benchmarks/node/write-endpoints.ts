/** Runs within a node of the lab: writes endpoints of workloads that live on nodes elsewhere, straight to etcd. */
import { createEtcdStore } from '@network/datastore'
import { endpointKey, validateResource } from '@network/datastore/model'
import { silentLog as log, systemClock as clock } from '@network/net/system'

export interface WriteTask {
  etcd: string
  nodes: number
  endpointsEach: number
}

const perTransaction = 100

function endpoint(nodeNumber: number, index: number): { put: string; value: string } {
  const node = `far${String(nodeNumber)}`
  const workload = `workload-${String(index)}`
  const identity = { node, orchestrator: 'bench', workload, endpoint: 'eth0' }
  const resource = validateResource({
    apiVersion: 'drover.network/v1',
    kind: 'WorkloadEndpoint',
    metadata: {
      name: `${node}/bench/${workload}/eth0`,
      labels: { app: `app-${String(index % 50)}`, tier: 'web' },
    },
    spec: {
      ...identity,
      containerID: workload,
      containerInterface: 'eth0',
      interfaceName: `drv${node}${String(index)}`.slice(0, 15),
      ipNetworks: [`10.${String(100 + nodeNumber)}.${String(index >>> 8)}.${String(index & 255)}/32`],
      profiles: [],
    },
  })
  if (!resource.ok) throw new Error(resource.error.map(({ message }) => message).join('; '))
  return { put: endpointKey(identity), value: JSON.stringify(resource.value) }
}

const task = JSON.parse(process.argv[2] ?? '{}') as WriteTask
const store = createEtcdStore({ clock, log }, { endpoints: [task.etcd] })
const all = Array.from({ length: task.nodes * task.endpointsEach }, (_, i) =>
  endpoint(Math.floor(i / task.endpointsEach), i % task.endpointsEach),
)
for (let i = 0; i < all.length; i += perTransaction)
  await store.transact({ when: [], then: all.slice(i, i + perTransaction) })
await store.close()
process.stdout.write(JSON.stringify(all.length))
