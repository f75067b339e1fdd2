/**
 * How much slower is an address than a bare transaction of etcd? Fifty nodes take 10,000 addresses, first each node
 * one after another, so that fifty transactions are under way at any time, then all of them at once. Beside it, in
 * the same run, before and after: etcd's own rate, 10,000 transactions of one put each, fifty under way.
 */
import { silentLog as log, systemClock as clock } from '@network/net/system'
import { type Store, createAllocator, createEtcdStore } from '@network/datastore'
import { resourceKey } from '@network/datastore/model'
import { startEtcd } from '../datastore/test/etcd-process.ts'

const nodes = 50
const addresses = 10_000
const target = 1.5

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}

/** One put of a handle's length, if the key is absent. */
async function bareTransactions(stores: readonly Store[], round: number): Promise<void> {
  let next = 0
  const value = 'x'.repeat(250)
  await Promise.all(
    stores.map(async (store) => {
      while (next < addresses) {
        const key = `/bare/${String(round)}/${String(next++)}`
        await store.transact({ when: [{ key, is: 'absent' }], then: [{ put: key, value }] })
      }
    }),
  )
}

type Row = { question: string; seconds: number; transactions: number }

async function measure(): Promise<Row[]> {
  const etcd = await startEtcd()
  const stores = Array.from({ length: nodes }, () =>
    createEtcdStore({ clock, log }, { endpoints: etcd.endpoints }),
  )
  try {
    const [first] = stores
    if (first === undefined) throw new Error('no store')
    for (const [index, cidr] of ['10.0.0.0/18', '10.1.0.0/18'].entries()) {
      const name = `pool-${String(index)}`
      const value = JSON.stringify({
        kind: 'IPPool',
        metadata: { name },
        spec: { cidr, assignmentMode: 'Manual' },
      })
      await first.transact({ when: [], then: [{ put: resourceKey({ kind: 'IPPool', name }), value }] })
    }
    await bareTransactions(stores, 0)
    const rows: Row[] = []
    const bare = async (round: number): Promise<void> => {
      const seconds = await timed(() => bareTransactions(stores, round))
      rows.push({ question: 'bare transactions, 50 under way', seconds, transactions: addresses })
    }
    const allocate = async (question: string, pool: string, atOnce: boolean): Promise<void> => {
      const given = new Set<string>()
      const before = (await first.list('/none/')).revision
      const seconds = await timed(() =>
        Promise.all(
          stores.map(async (store, index) => {
            const node = `node-${String(index)}`
            const allocator = createAllocator({ store, clock, random: Math.random, log }, { node })
            const take = async (i: number): Promise<void> => {
              const handle = `${pool}-${String(index)}-${String(i)}`
              const owner = { node, orchestrator: 'bench', workload: handle, endpoint: 'eth0' }
              const request = { handle, owner, ipv4: 1, pools: [pool], deadlineMs: 120_000 }
              for (const { address } of (await allocator.assign(request)).addresses) given.add(address)
            }
            const each = Array.from({ length: addresses / nodes }, (_, i) => i)
            if (atOnce) await Promise.all(each.map(take))
            else for (const i of each) await take(i)
          }),
        ),
      )
      if (given.size !== addresses)
        throw new Error(`${String(given.size)} distinct addresses of ${String(addresses)}`)
      rows.push({ question, seconds, transactions: (await first.list('/none/')).revision - before })
    }
    await bare(1)
    await allocate('addresses, each node one after another', 'pool-0', false)
    await bare(2)
    await allocate('addresses, all asked for at once', 'pool-1', true)
    await bare(3)
    return rows
  } finally {
    await Promise.all(stores.map((store) => store.close()))
    await etcd.remove()
  }
}

const rows = await measure()
const bare = rows.filter(({ question }) => question.startsWith('bare'))
const bareSeconds = bare.reduce((sum, { seconds }) => sum + seconds, 0) / bare.length
console.log(
  `${'10,000 of'.padEnd(44)}${'seconds'.padStart(9)}${'per second'.padStart(12)}${'transactions'.padStart(14)}${'ratio'.padStart(8)}`,
)
for (const { question, seconds, transactions } of rows) {
  console.log(
    `${question.padEnd(44)}${seconds.toFixed(2).padStart(9)}${(addresses / seconds).toFixed(0).padStart(12)}${String(transactions).padStart(14)}${(seconds / bareSeconds).toFixed(2).padStart(8)}`,
  )
}
const missed = rows.filter(
  ({ seconds }) => seconds / bareSeconds > target && !bare.some((row) => row.seconds === seconds),
)
console.log(
  missed.length === 0 ? `target reached: at most ${String(target)}` : `target missed: ${String(target)}`,
)
if (missed.length > 0) process.exitCode = 1
