import t from 'tap'
import { createAllocator } from '../../src/allocator/allocator.ts'
import { createEtcdStore } from '../../src/store/etcd.ts'
import type { Store } from '../../src/store/store.ts'
import { startEtcd } from '../etcd-process.ts'
import { silentLog as log, systemClock as clock } from '../modules.ts'
import { findingsBesidesEndpoints, request, writePool } from './cluster.ts'

t.test(
  '100 nodes, 10 requests each at once, one /20: 1,000 distinct addresses and no block lost',
  async (t) => {
    const etcd = await startEtcd()
    const stores: Store[] = Array.from({ length: 4 }, () =>
      createEtcdStore({ clock, log }, { endpoints: etcd.endpoints }),
    )
    t.teardown(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await etcd.remove()
    })
    const [store] = stores
    if (!store) throw new Error('no store')
    await writePool(store, 'p', '10.0.0.0/20')
    const nodes = Array.from({ length: 100 }, (_, index) => {
      const node = `node-${String(index)}`
      const own = stores[index % stores.length] ?? store
      return { node, allocator: createAllocator({ store: own, clock, random: Math.random, log }, { node }) }
    })
    const assignments = await Promise.all(
      nodes.flatMap(({ node, allocator }) =>
        Array.from({ length: 10 }, () => allocator.assign(request(node, { ipv4: 1, deadlineMs: 60_000 }))),
      ),
    )
    const addresses = assignments.flatMap((assignment) => assignment.addresses)
    t.equal(new Set(addresses.map(({ address }) => address)).size, 1000)

    const auditor = createAllocator({ store, clock, random: Math.random, log }, { node: 'auditor' })
    const report = await auditor.audit()
    t.same(findingsBesidesEndpoints(report.findings), [])
    t.equal(report.checked.addresses, 1000)
    const { pools, nodes: uses } = await auditor.show()
    t.equal(pools[0]?.blocks.length, 64, 'every block of the pool is held')
    t.ok(
      pools[0]?.blocks.every(({ affinity }) => affinity !== undefined),
      'by a node',
    )
    t.equal(pools[0]?.available, 3096n)
    t.equal(
      uses.reduce((sum, { borrowed }) => sum + borrowed, 0),
      addresses.filter(({ borrowed }) => borrowed).length,
      'nodes without a block have borrowed',
    )

    await Promise.all(
      assignments.map(async ({ handle, owner, sequence }) => {
        const allocator = nodes.find(({ node }) => node === owner.node)?.allocator
        const released = await allocator?.release({ handle, sequence, deadlineMs: 60_000 })
        t.equal(released?.outcome, 'released')
      }),
    )
    const after = await auditor.audit()
    t.equal(after.checked.addresses, 0)
    t.equal(after.checked.handles, 0)
  },
)
