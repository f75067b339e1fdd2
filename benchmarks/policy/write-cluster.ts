/** Runs within a node of the lab: writes the cluster's profiles, policies and endpoints elsewhere straight to etcd. */
import { createEtcdStore } from '@network/datastore'
import { endpointKey, resourceKey } from '@network/datastore/model'
import { silentLog as log, systemClock } from '@network/net/system'
import { clusterResources, fullCluster, identityOf, localWorkloads } from './cluster.ts'

const perTransaction = 100

const { etcd } = JSON.parse(process.argv[2] ?? '{}') as { etcd: string }
const store = createEtcdStore({ clock: systemClock, log }, { endpoints: [etcd] })
let endpoints = 0
const all = clusterResources(fullCluster).flatMap((made) => {
  const value = JSON.stringify(made)
  if (made.kind !== 'WorkloadEndpoint')
    return [{ put: resourceKey({ kind: made.kind, name: made.metadata.name }), value }]
  const number = endpoints++
  return number < localWorkloads ? [] : [{ put: endpointKey(identityOf(number)), value }]
})
for (let i = 0; i < all.length; i += perTransaction) {
  await store.transact({ when: [], then: all.slice(i, i + perTransaction) })
}
await store.close()
process.stdout.write(JSON.stringify(all.length))
