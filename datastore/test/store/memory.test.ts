import t from 'tap'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createManualClock } from '../modules.ts'
import { runCompliance } from './compliance.ts'
import { collect, failsWith, put } from './store-calls.ts'

await t.test('compliance', async (t) => {
  const store = createMemoryStore({ clock: createManualClock() })
  await runCompliance(t, {
    store,
    compact(revision) {
      store.compact(revision)
      return Promise.resolve()
    },
  })
})

await t.test('switched off it fails every call, and its leases run out', async (t) => {
  const clock = createManualClock()
  const store = createMemoryStore({ clock })
  const kept = await store.lease(60)
  const short = await store.lease(10)
  const revision = await put(store, '/plain', 'v')
  await store.transact({
    when: [],
    then: [
      { put: '/kept', value: '', lease: kept.id },
      { put: '/short', value: '', lease: short.id },
    ],
  })
  clock.advance(3_600_000)
  t.ok(await store.get('/short'), 'leases are kept alive while the store is there')
  const watching = collect(store.watch('/', { fromRevision: revision + 1 }), () => false)
  store.setAvailable(false)
  await failsWith(t, store.get('/plain'), 'unreachable')
  await failsWith(t, put(store, '/plain', 'w'), 'unreachable')
  await failsWith(t, store.lease(1), 'unreachable')
  await failsWith(t, watching, 'unreachable')
  clock.advance(30_000)
  t.equal((await short.lost).code, 'lease-lost')
  store.setAvailable(true)
  clock.advance(3_600_000)
  t.same(
    (await store.list('/')).items.map(({ key }) => key),
    ['/kept', '/plain'],
  )
})

await t.test('disconnect() ends the watches alone', async (t) => {
  const store = createMemoryStore({ clock: createManualClock() })
  const watching = collect(store.watch('/', { fromRevision: 1 }), () => false)
  store.disconnect()
  await failsWith(t, watching, 'unreachable')
  await put(store, '/a', 'v')
  const batches = await collect(store.watch('/', { fromRevision: 1 }), (changes) => changes.length > 0)
  t.equal(batches.length, 1)
})

await t.test('a closed store refuses', async (t) => {
  const store = createMemoryStore({ clock: createManualClock() })
  const lease = await store.lease(10)
  const watching = collect(store.watch('/', { fromRevision: 1 }), () => false)
  await store.close()
  await failsWith(t, watching, 'closed')
  await failsWith(t, store.get('/a'), 'closed')
  t.equal((await lease.lost).code, 'closed')
})
