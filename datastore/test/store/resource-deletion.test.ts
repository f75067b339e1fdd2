import { prefix } from '@network/net'
import t from 'tap'
import { type Store, type TransactionResult } from '../../src/index.ts'
import { createBlock, takeOrdinal } from '../../src/ipam/block.ts'
import { encodeBlock } from '../../src/ipam/block-encoding.ts'
import { affinityKey, blockKey, draftResource } from '../../src/model/index.ts'
import { pool, refusal, setUp } from './resources-in-memory.ts'

async function hold(store: Store, cidr: string, node: string, addresses: number): Promise<void> {
  let block = createBlock(prefix(cidr), node, 0)
  for (let ordinal = 0; ordinal < addresses; ordinal++) block = takeOrdinal(block, ordinal, 'holder') ?? block
  await store.transact({
    when: [],
    then: [
      { put: blockKey(prefix(cidr)), value: encodeBlock(block) },
      { put: affinityKey(node, prefix(cidr)), value: 'confirmed' },
    ],
  })
}

t.test('a pool whose addresses are held stays, unless forced', async (t) => {
  const { resources, store } = setUp()
  await resources.create([pool('a', '10.0.0.0/24'), pool('b', '10.1.0.0/24')])
  await hold(store, '10.0.0.0/26', 'n1', 3)
  await hold(store, '10.0.0.64/26', 'n2', 0)
  await hold(store, '10.1.0.0/26', 'n1', 0)
  const error = await refusal(resources.delete([{ kind: 'IPPool', name: 'a' }]))
  t.match(error, { code: 'in-use', field: 'spec.cidr', message: /3 addresses of it are held by workloads/ })
  t.equal((await resources.get('IPPool', 'a'))?.spec.disabled, false)

  await resources.delete([{ kind: 'IPPool', name: 'b' }])
  t.equal(await store.get(blockKey(prefix('10.1.0.0/26'))), undefined, 'its empty block goes with it')
  t.equal(await store.get(affinityKey('n1', prefix('10.1.0.0/26'))), undefined, 'and the claim')

  await resources.delete([{ kind: 'IPPool', name: 'a' }], { force: true })
  t.equal(await resources.get('IPPool', 'a'), undefined)
  t.not(await store.get(blockKey(prefix('10.0.0.0/26'))), undefined, 'held addresses keep their block')
  t.equal(await store.get(blockKey(prefix('10.0.0.64/26'))), undefined)
})

t.test('an address taken while its pool is being deleted saves the pool, enabled as it was', async (t) => {
  let taken = false
  const { resources, store } = setUp((inner) => ({
    ...inner,
    async transact(transaction): Promise<TransactionResult> {
      // The allocator's transaction arrives just before the pool is disabled.
      if (
        !taken &&
        transaction.then.some(
          (operation) => 'put' in operation && operation.value.includes('"disabled":true'),
        )
      ) {
        taken = true
        await hold(inner, '10.0.0.0/26', 'n1', 1)
      }
      return inner.transact(transaction)
    },
  }))
  await resources.create([pool('a', '10.0.0.0/24')])
  t.match(await refusal(resources.delete([{ kind: 'IPPool', name: 'a' }])), {
    code: 'in-use',
    message: /1 address of it is held/,
  })
  t.equal(taken, true)
  t.equal((await resources.get('IPPool', 'a'))?.spec.disabled, false)
  t.not(await store.get(blockKey(prefix('10.0.0.0/26'))), undefined)
})

t.test('networks and their pools and endpoints go in order', async (t) => {
  const { resources } = setUp()
  const endpoint = draftResource('WorkloadEndpoint', 'n1/docker/w/eth0', {
    node: 'n1',
    orchestrator: 'docker',
    workload: 'w',
    endpoint: 'eth0',
    network: 'web',
  })
  await resources.apply([
    draftResource('Network', 'web', { pools: ['a'] }),
    draftResource('Network', 'db', { subnets: ['10.0.1.0/24'] }),
    pool('a', '10.0.0.0/16'),
    endpoint,
  ])
  t.match(await refusal(resources.delete([{ kind: 'IPPool', name: 'a' }])), {
    code: 'in-use',
    message: /the Network (db|web) takes/,
  })
  t.match(await refusal(resources.delete([{ kind: 'Network', name: 'web' }])), {
    code: 'in-use',
    message: /n1\/docker\/w\/eth0/,
  })
  await resources.delete([{ kind: 'WorkloadEndpoint', name: 'n1/docker/w/eth0' }])
  await resources.delete([
    { kind: 'IPPool', name: 'a' },
    { kind: 'Network', name: 'web' },
    { kind: 'Network', name: 'db' },
  ])
  t.same((await resources.list('Network')).items, [])
  await resources.delete([{ kind: 'Network', name: 'web' }], { ignoreMissing: true })
})
