/** What every Store must do as time goes by: watches, compaction, leases. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ComplianceCase } from './compliance-case.ts'
import { collect, failsWith, put } from './store-calls.ts'

export const watchCases: Readonly<Record<string, ComplianceCase>> = {
  async 'a watch tells what happened since, then what happens'({ t, store, prefix }) {
    const start = await put(store, `${prefix}a`, '1')
    const second = await put(store, `${prefix}a`, '2')
    await put(store, `${prefix.slice(0, -1)}-elsewhere`, 'x')
    const collecting = collect(store.watch(prefix, { fromRevision: start }), (changes) => changes.length >= 4)
    await sleep(150)
    const third = (
      await store.transact({ when: [], then: [{ delete: `${prefix}a` }, { put: `${prefix}b`, value: '3' }] })
    ).revision
    const fourth = await put(store, `${prefix}b`, '4')
    const batches = await collecting
    t.same(
      batches.flatMap(({ changes }) => changes),
      [
        { type: 'put', key: `${prefix}a`, value: '2', modRevision: second, createRevision: start },
        { type: 'delete', key: `${prefix}a`, modRevision: third },
        { type: 'put', key: `${prefix}b`, value: '3', modRevision: third, createRevision: third },
        { type: 'put', key: `${prefix}b`, value: '4', modRevision: fourth, createRevision: third },
      ],
    )
  },

  async 'a batch holds revisions whole and names the last'({ t, store, prefix }) {
    const start = await put(store, `${prefix}start`, '')
    const collecting = collect(
      store.watch(prefix, { fromRevision: start }),
      (changes) => changes.length >= 100 * 20,
    )
    for (let round = 0; round < 20; round++) {
      const then = Array.from({ length: 100 }, (_, index) => ({
        put: `${prefix}${index}`,
        value: 'x'.repeat(500) + String(round),
      }))
      await store.transact({ when: [], then })
    }
    const batches = await collecting
    let last = start
    for (const { revision, changes } of batches) {
      for (let first = 0; first < changes.length; first += 100) {
        const revisions = new Set(changes.slice(first, first + 100).map(({ modRevision }) => modRevision))
        if (revisions.size !== 1 || !revisions.has(last + 1)) t.fail(`revision ${last + 1} is not whole`)
        last += 1
      }
      t.equal(revision, last)
    }
    t.equal(last, start + 20)
  },

  async 'changes of a megabyte each are watched'({ t, store, prefix }) {
    const start = await put(store, `${prefix}start`, '')
    for (let index = 0; index < 8; index++) await put(store, `${prefix}${index}`, 'x'.repeat(1024 * 1024))
    const batches = await collect(
      store.watch(prefix, { fromRevision: start }),
      (changes) => changes.length >= 8,
    )
    t.same(
      batches.flatMap(({ changes }) => changes.map(({ key }) => key)),
      Array.from({ length: 8 }, (_, index) => `${prefix}${index}`),
    )
  },

  async 'a watch that nobody reads loses nothing'({ t, store, prefix }) {
    const start = await put(store, `${prefix}start`, '')
    const watch = store.watch(prefix, { fromRevision: start })[Symbol.asyncIterator]()
    const values: string[] = []
    const take = async (): Promise<void> => {
      const result = await watch.next()
      if (result.done === true) throw new Error('the watch ended')
      for (const change of result.value.changes) if (change.type === 'put') values.push(change.value)
    }
    await put(store, `${prefix}n`, '0')
    await take()
    for (let index = 1; index < 1500; index++) await put(store, `${prefix}n`, String(index))
    await sleep(100)
    while (values.length < 1500) await take()
    t.same(
      values,
      Array.from({ length: 1500 }, (_, index) => String(index)),
    )
    await watch.return?.()
  },

  async 'a watch ends by its signal, without an error'({ t, store, prefix }) {
    const stop = new AbortController()
    const start = await put(store, `${prefix}a`, '')
    let ended = false
    const watching = collect(
      store.watch(prefix, { fromRevision: start, signal: stop.signal }),
      () => false,
    ).then((batches) => {
      ended = true
      return batches
    })
    await sleep(100)
    t.notOk(ended)
    stop.abort()
    t.same(await watching, [])
    t.same(await collect(store.watch(prefix, { fromRevision: start, signal: stop.signal }), () => false), [])
  },

  async 'forgotten history is refused, and what is left is not'({ t, store, prefix, compact }) {
    const first = await put(store, `${prefix}a`, '1')
    const second = (await store.transact({ when: [], then: [{ delete: `${prefix}a` }] })).revision
    const third = await put(store, `${prefix}b`, '3')
    await compact(second)
    await failsWith(t, store.get(`${prefix}a`, { revision: first }), 'compacted')
    await failsWith(t, store.list(prefix, { revision: first }), 'compacted')
    await failsWith(
      t,
      collect(store.watch(prefix, { fromRevision: first }), () => true),
      'compacted',
    )
    const rest = await collect(store.watch(prefix, { fromRevision: second }), (changes) => changes.length > 0)
    t.same(
      rest.flatMap(({ changes }) => changes.map(({ modRevision }) => modRevision)),
      [third],
    )
    t.equal((await store.get(`${prefix}b`, { revision: third }))?.value, '3')
  },

  async 'compaction does not disturb a watch that keeps up'({ t, store, prefix, compact }) {
    const start = await put(store, `${prefix}a`, '0')
    const values: string[] = []
    const collecting = collect(store.watch(prefix, { fromRevision: start }), (changes) => {
      for (const change of changes) if (change.type === 'put') values.push(change.value)
      return changes.length >= 5
    })
    await sleep(200)
    for (let index = 1; index <= 5; index++) {
      const revision = await put(store, `${prefix}a`, String(index))
      await sleep(30)
      await compact(revision)
    }
    t.equal((await collecting).length, 5)
  },

  async 'keys live as long as their lease'({ t, store, prefix }) {
    const lease = await store.lease(30)
    t.equal(lease.ttlSeconds, 30)
    await store.transact({
      when: [],
      then: [
        { put: `${prefix}leased`, value: 'v', lease: lease.id },
        { put: `${prefix}freed`, value: 'v', lease: lease.id },
        { put: `${prefix}plain`, value: 'v' },
      ],
    })
    t.equal((await store.get(`${prefix}leased`))?.lease, lease.id)
    const freed = await put(store, `${prefix}freed`, 'without a lease')
    const gone = collect(store.watch(prefix, { fromRevision: freed }), (changes) => changes.length >= 1)
    await lease.revoke()
    t.same(
      (await gone).flatMap(({ changes }) => changes.map(({ type, key }) => [type, key])),
      [['delete', `${prefix}leased`]],
    )
    t.same(
      (await store.list(prefix)).items.map(({ key }) => key),
      [`${prefix}freed`, `${prefix}plain`],
    )
    await failsWith(
      t,
      store.transact({ when: [], then: [{ put: `${prefix}x`, value: '', lease: lease.id }] }),
      'lease-lost',
    )
    await lease.revoke()
  },
}
