/** What every Store must do with keys: reads, lists, transactions. */
import type { Operation } from '../../src/store/store.ts'
import type { ComplianceCase } from './compliance-case.ts'
import { failsWith, put } from './store-calls.ts'

export const keyCases: Readonly<Record<string, ComplianceCase>> = {
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
}
