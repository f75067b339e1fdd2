import type { Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreError, type Operation, type Store, type WatchBatch } from '../../src/store/store.ts'

/*
 * What every Store must do, as a list of cases that memory.test.ts and etcd.test.ts run. Each case has a prefix of
 * its own in a store that others have written to.
 */

export interface StoreUnderTest {
  store: Store
  /** Forgets history up to and including the revision. */
  compact: (revision: number) => Promise<void>
}

interface Case extends StoreUnderTest {
  t: Test
  /** Ends with a slash. */
  prefix: string
}

/** Rejects unless the promise fails with a StoreError of this code, which it returns. */
export async function failsWith(t: Test, promise: Promise<unknown>, code: string): Promise<StoreError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof StoreError) {
      t.equal(error.code, code, `${error.code}: ${error.message}`)
      return error
    }
    throw error
  }
  throw new Error(`expected a failure with the code ${code}`)
}

export async function put(store: Store, key: string, value: string): Promise<number> {
  return (await store.transact({ when: [], then: [{ put: key, value }] })).revision
}

/** Collects batches until `enough` is true of all changes so far. */
export async function collect(
  batches: AsyncIterable<WatchBatch>,
  enough: (changes: WatchBatch['changes']) => boolean,
): Promise<WatchBatch[]> {
  const collected: WatchBatch[] = []
  for await (const batch of batches) {
    if (batch.changes.length > 0) collected.push(batch)
    if (enough(collected.flatMap(({ changes }) => changes))) break
  }
  return collected
}

const cases: Record<string, (c: Case) => Promise<void>> = {
  async 'an absent key is undefined'({ t, store, prefix }) {
    t.equal(await store.get(`${prefix}none`), undefined)
  },

  async 'a put is read back, with its revisions'({ t, store, prefix }) {
    const first = await put(store, `${prefix}a`, 'one')
    const second = await put(store, `${prefix}a`, 'two')
    t.ok(second > first)
    t.same(await store.get(`${prefix}a`), {
      key: `${prefix}a`,
      value: 'two',
      modRevision: second,
      createRevision: first,
    })
  },

  async 'a read at a revision shows the past'({ t, store, prefix }) {
    const first = await put(store, `${prefix}a`, 'one')
    await store.transact({ when: [], then: [{ delete: `${prefix}a` }] })
    t.equal((await store.get(`${prefix}a`, { revision: first }))?.value, 'one')
    t.equal(await store.get(`${prefix}a`, { revision: first - 1 }), undefined)
    t.same(
      (await store.list(prefix, { revision: first })).items.map(({ value }) => value),
      ['one'],
    )
    await failsWith(t, store.get(`${prefix}a`, { revision: first + 1000 }), 'invalid-request')
  },

  async 'text of every kind survives'({ t, store, prefix }) {
    for (const text of ['', 'ä€😀', '\0\n\t"\\', 'x'.repeat(70_000), '{"a":1}']) {
      await put(store, `${prefix}text`, text)
      t.equal((await store.get(`${prefix}text`))?.value, text)
    }
    await put(store, `${prefix}ключ/😀`, 'v')
    t.equal((await store.get(`${prefix}ключ/😀`))?.value, 'v')
  },

  async 'keys come in the order of their bytes'({ t, store, prefix }) {
    const names = ['b', 'a', 'a/b', 'a0', 'A', '\u{1F600}', '\uFFFD', 'é', 'aa', '']
    for (const name of names) await put(store, `${prefix}k${name}`, 'v')
    const byBytes = names
      .map((name) => `${prefix}k${name}`)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    t.same(
      (await store.list(prefix)).items.map(({ key }) => key),
      byBytes,
    )
  },

  async 'a prefix does not reach into its neighbours'({ t, store, prefix }) {
    for (const name of ['ab', 'ab/', 'ab/c', 'ab0', 'ac', 'aa']) await put(store, prefix + name, 'v')
    t.same(
      (await store.list(`${prefix}ab/`)).items.map(({ key }) => key.slice(prefix.length)),
      ['ab/', 'ab/c'],
    )
    t.same((await store.list(`${prefix}nothing/`)).items, [])
  },

  async 'pages show one revision, whatever is written between them'({ t, store, prefix }) {
    const names = Array.from({ length: 25 }, (_, index) => `k${String(index).padStart(2, '0')}`)
    for (const name of names) await put(store, prefix + name, 'old')
    const first = await store.list(prefix, { limit: 10 })
    await put(store, `${prefix}k15`, 'new')
    await store.transact({
      when: [],
      then: [{ delete: `${prefix}k20` }, { put: `${prefix}k05x`, value: 'new' }],
    })
    const seen = [...first.items]
    let after = first.next
    while (after !== undefined) {
      const page = await store.list(prefix, { limit: 10, after, revision: first.revision })
      t.equal(page.revision, first.revision)
      seen.push(...page.items)
      after = page.next
    }
    t.same(
      seen.map(({ key, value }) => [key, value]),
      names.map((name) => [prefix + name, 'old']),
    )
    t.same((await store.list(prefix, { limit: 25, revision: first.revision })).next, undefined)
  },

  async 'ten thousand keys are listed whole, and without values'({ t, store, prefix }) {
    for (let start = 0; start < 10_000; start += 100) {
      const then = Array.from({ length: 100 }, (_, index) => ({
        put: `${prefix}${String(start + index).padStart(5, '0')}`,
        value: `value ${start + index}`,
      }))
      await store.transact({ when: [], then })
    }
    const all = await store.list(prefix)
    t.equal(all.items.length, 10_000)
    t.equal(all.next, undefined)
    t.equal(all.items[9_999]?.value, 'value 9999')
    const keys = await store.list(prefix, { keysOnly: true, limit: 9_999 })
    t.equal(keys.items.length, 9_999)
    t.equal(keys.items[0]?.value, '')
    t.equal(keys.next, `${prefix}09998`)
  },

  async 'conditions decide between the branches'({ t, store, prefix }) {
    const revision = await put(store, `${prefix}here`, 'v')
    const here = `${prefix}here`
    const gone = `${prefix}gone`
    const table = [
      { when: [], committed: true },
      { when: [{ key: here, is: 'present' }], committed: true },
      { when: [{ key: here, is: 'absent' }], committed: false },
      { when: [{ key: gone, is: 'present' }], committed: false },
      { when: [{ key: gone, is: 'absent' }], committed: true },
      { when: [{ key: here, is: 'at', modRevision: revision }], committed: true },
      { when: [{ key: here, is: 'at', modRevision: revision - 1 }], committed: false },
      { when: [{ key: gone, is: 'at', modRevision: revision }], committed: false },
      { when: [{ key: gone, is: 'at', modRevision: 0 }], committed: true },
      {
        when: [
          { key: here, is: 'present' },
          { key: gone, is: 'present' },
        ],
        committed: false,
      },
    ] as const
    for (const { when, committed } of table) {
      const result = await store.transact({
        when: [...when],
        then: [{ get: here }, { get: gone }],
        otherwise: [{ get: gone }, { get: here }],
      })
      t.equal(result.committed, committed, JSON.stringify(when))
      t.same(
        result.reads.map((item) => item?.value),
        committed ? ['v', undefined] : [undefined, 'v'],
      )
    }
  },

  async 'a transaction is all or nothing, at one revision'({ t, store, prefix }) {
    await put(store, `${prefix}c`, 'v')
    const lost = await store.transact({
      when: [{ key: `${prefix}c`, is: 'absent' }],
      then: [{ put: `${prefix}a`, value: '1' }, { delete: `${prefix}c` }],
    })
    t.same([lost.committed, lost.reads], [false, []])
    t.equal(await store.get(`${prefix}a`), undefined)
    const won = await store.transact({
      when: [{ key: `${prefix}c`, is: 'present' }],
      then: [
        { put: `${prefix}a`, value: '1' },
        { delete: `${prefix}c` },
        { put: `${prefix}b`, value: '2' },
        { get: `${prefix}a` },
      ],
    })
    t.equal(won.revision, lost.revision + 1)
    t.same(
      (await store.list(prefix)).items.map(({ key, modRevision }) => [key, modRevision]),
      [`${prefix}a`, `${prefix}b`].map((key) => [key, won.revision]),
    )
    t.equal(won.reads[0]?.value, '1', 'a get sees the puts before it')
  },

  async 'a transaction that writes nothing takes no revision'({ t, store, prefix }) {
    const before = await put(store, `${prefix}a`, 'v')
    const empty = await store.transact({ when: [], then: [] })
    const deleted = await store.transact({ when: [], then: [{ delete: `${prefix}none` }] })
    t.same([empty.revision, deleted.revision], [before, before])
  },

  async 'a prefix is deleted at once'({ t, store, prefix }) {
    for (const name of ['x/1', 'x/2', 'x', 'y']) await put(store, prefix + name, 'v')
    await store.transact({
      when: [],
      then: [{ deletePrefix: `${prefix}x/` }, { put: `${prefix}z`, value: 'v' }],
    })
    t.same(
      (await store.list(prefix)).items.map(({ key }) => key.slice(prefix.length)),
      ['x', 'y', 'z'],
    )
  },

  async 'a key that comes back has a new creation'({ t, store, prefix }) {
    await put(store, `${prefix}a`, 'v')
    await store.transact({ when: [], then: [{ delete: `${prefix}a` }] })
    const again = await put(store, `${prefix}a`, 'v')
    t.equal((await store.get(`${prefix}a`))?.createRevision, again)
  },

  async 'a hundred racing increments all count'({ t, store, prefix }) {
    const key = `${prefix}counter`
    await put(store, key, '0')
    const increment = async (): Promise<void> => {
      for (;;) {
        const item = await store.get(key)
        if (!item) throw new Error('the counter is gone')
        const { committed } = await store.transact({
          when: [{ key, is: 'at', modRevision: item.modRevision }],
          then: [{ put: key, value: String(Number(item.value) + 1) }],
        })
        if (committed) return
      }
    }
    const worker = async (): Promise<void> => {
      for (let round = 0; round < 10; round++) await increment()
    }
    await Promise.all(Array.from({ length: 10 }, worker))
    t.equal((await store.get(key))?.value, '100')
  },

  async 'requests that contradict themselves are refused by name'({ t, store, prefix }) {
    const a = `${prefix}a`
    const bad: Operation[][] = [
      [
        { put: a, value: '1' },
        { put: a, value: '2' },
      ],
      [{ put: a, value: '1' }, { delete: a }],
      [{ deletePrefix: prefix }, { put: a, value: '1' }],
    ]
    for (const then of bad) {
      const error = await failsWith(t, store.transact({ when: [], then }), 'invalid-request')
      t.match(error.message, a)
    }
    await failsWith(t, store.get(''), 'invalid-request')
    await failsWith(t, store.transact({ when: [], then: [{ delete: '' }] }), 'invalid-request')
    t.equal(await store.get(a), undefined)
  },

  async 'what is too large is refused as such'({ t, store, prefix }) {
    const value = 'x'.repeat(1024 * 1024)
    await put(store, `${prefix}big`, value)
    t.equal((await store.get(`${prefix}big`))?.value.length, value.length)
    await failsWith(t, put(store, `${prefix}bigger`, value + value), 'too-large')
    const then = Array.from({ length: 129 }, (_, index) => ({ put: `${prefix}${index}`, value: '' }))
    await failsWith(t, store.transact({ when: [], then }), 'too-large')
    t.same((await store.list(prefix)).items.length, 1)
  },

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

/** Runs every case as a subtest. */
export async function runCompliance(t: Test, { store, compact }: StoreUnderTest): Promise<void> {
  let number = 0
  for (const [name, run] of Object.entries(cases)) {
    number += 1
    const prefix = `/compliance/${number}/`
    await t.test(name, (t) => run({ t, store, compact, prefix }))
  }
}
