import fc from 'fast-check'
import t, { type Test } from 'tap'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { createMemoryStore, type MemoryStore } from '../../src/store/memory.ts'
import { createSyncer, type SyncBatch, type Syncer, type SyncerState } from '../../src/syncer/syncer.ts'
import { createManualClock, silentLog, systemClock, type ManualClock } from '../modules.ts'
import { failsWith, put } from '../store/store-calls.ts'
import { createFaultyStore } from '../store/faulty-store.ts'

/** Keeps what a consumer would and checks what no consumer may ever see. */
class Consumer {
  readonly map = new Map<string, string>()
  readonly #revisions = new Map<string, number>()
  readonly batches: SyncBatch[] = []
  readonly faults: string[] = []
  synced = 0

  take(batch: SyncBatch): void {
    this.batches.push(batch)
    if (batch.status === 'in-sync' && batch.updates.length === 0) this.synced += 1
    for (const update of batch.updates) {
      const { key } = update
      if (update.type === 'delete') {
        if (!this.map.delete(key)) this.faults.push(`${key} deleted twice`)
        continue
      }
      if (update.modRevision <= (this.#revisions.get(key) ?? 0)) this.faults.push(`${key} went back`)
      if (update.modRevision > batch.revision) this.faults.push(`${key} is ahead of its batch`)
      this.#revisions.set(key, update.modRevision)
      this.map.set(key, update.value)
    }
  }
}

async function contents(store: MemoryStore, prefixes: string[]): Promise<Map<string, string>> {
  const all = await Promise.all(prefixes.map((prefix) => store.list(prefix)))
  return new Map(all.flatMap(({ items }) => items.map(({ key, value }) => [key, value] as const)))
}

async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error('waited in vain')
    await turn()
  }
}

/** Lets everything that is ready happen; the clock is turned, so that retries happen too. */
async function settle(clock: ManualClock): Promise<void> {
  for (let round = 0; round < 12; round++) {
    for (let step = 0; step < 12; step++) await turn()
    clock.advance(5000)
  }
}

function start(t: Test, syncer: Syncer, consumer: Consumer, stop: AbortController): void {
  const running = (async () => {
    for await (const batch of syncer) consumer.take(batch)
  })()
  t.teardown(async () => {
    stop.abort()
    await running
  })
}

await t.test('snapshot in pages of one revision, in-sync, then changes', async (t) => {
  const store = createMemoryStore({ clock: systemClock })
  for (let index = 0; index < 25; index++) await put(store, `/a/${index}`, 'old')
  await put(store, '/b/1', 'old')
  await put(store, '/other', 'x')
  const stop = new AbortController()
  const syncer = createSyncer(
    { store, clock: systemClock, log: silentLog },
    { prefixes: ['/b/', '/a/', '/a/1', '/b/'], pageSize: 10, signal: stop.signal },
  )
  const batches: SyncBatch[] = []
  const iterator = syncer[Symbol.asyncIterator]()
  const take = async (): Promise<SyncBatch> => {
    const result = await iterator.next()
    if (result.done === true) throw new Error('the stream ended')
    batches.push(result.value)
    return result.value
  }
  await take()
  const revision = store.revision
  await put(store, '/a/3', 'new')
  await store.transact({ when: [], then: [{ delete: '/a/4' }, { put: '/b/2', value: 'new' }] })
  while ((await take()).status === 'syncing');
  t.same(
    batches.map(({ status, revision, updates }) => [status, revision, updates.length]),
    [
      ['syncing', revision, 1],
      ['syncing', revision, 10],
      ['syncing', revision, 10],
      ['syncing', revision, 5],
      ['in-sync', revision, 0],
    ],
  )
  t.equal(syncer.state.status, 'in-sync')
  const later = [await take(), await take(), await take()]
  t.same(later.flatMap(({ updates }) => updates.map((update) => `${update.type} ${update.key}`)).sort(), [
    'delete /a/4',
    'put /a/3',
    'put /b/2',
  ])
  const waiting = iterator.next()
  stop.abort()
  t.equal((await waiting).done, true)
  t.throws(() => syncer[Symbol.asyncIterator](), 'it is iterated once')
})

await t.test('an empty store is in sync', async (t) => {
  const store = createMemoryStore({ clock: systemClock })
  for await (const batch of createSyncer(
    { store, clock: systemClock, log: silentLog },
    { prefixes: ['/'] },
  )) {
    t.same(batch, { status: 'in-sync', revision: 1, updates: [] })
    break
  }
})

await t.test('deletions during a gap are found after compaction', async (t) => {
  const clock = createManualClock()
  const memory = createMemoryStore({ clock })
  let reachable = true
  const store = createFaultyStore(memory, () => (reachable ? undefined : { fail: 'before' }))
  for (const name of ['a', 'b', 'c']) await put(memory, `/${name}`, '1')
  const stop = new AbortController()
  const states: string[] = []
  const onState = (state: SyncerState): void => void states.push(state.status)
  const syncer = createSyncer(
    { store, clock, log: silentLog },
    { prefixes: ['/'], signal: stop.signal, onState },
  )
  const consumer = new Consumer()
  start(t, syncer, consumer, stop)
  await settle(clock)
  const sinceMs = clock.now()
  reachable = false
  memory.disconnect()
  await settle(clock)
  t.match(syncer.state, { status: 'disconnected', sinceMs, reason: { code: 'unreachable' } })
  await memory.transact({
    when: [],
    then: [{ delete: '/a' }, { put: '/b', value: '2' }, { put: '/d', value: '1' }],
  })
  await memory.transact({ when: [], then: [{ delete: '/d' }] })
  memory.compact()
  const before = consumer.batches.length
  reachable = true
  await settle(clock)
  const told: SyncBatch[] = [
    { status: 'syncing', revision: 6, updates: [{ type: 'put', key: '/b', value: '2', modRevision: 5 }] },
    { status: 'syncing', revision: 6, updates: [{ type: 'delete', key: '/a' }] },
    { status: 'in-sync', revision: 6, updates: [] },
  ]
  t.same(consumer.batches.slice(before), told)
  t.same([...consumer.map.keys()], ['/b', '/c'])
  t.same(states, ['in-sync', 'disconnected', 'in-sync', 'syncing', 'in-sync'])
})

await t.test('a store that went back to an earlier state is read anew', async (t) => {
  const clock = createManualClock()
  const first = createMemoryStore({ clock })
  for (let index = 0; index < 20; index++) await put(first, '/a', `new ${index}`)
  await put(first, '/gone', 'x')
  const restored = createMemoryStore({ clock })
  await put(restored, '/b', 'old')
  await put(restored, '/a', 'old')
  let current = first
  const store = createFaultyStore(first, () => undefined)
  store.list = (prefix, options) => current.list(prefix, options)
  store.watch = (prefix, options) => current.watch(prefix, options)
  const stop = new AbortController()
  const map = new Map<string, string>()
  const running = (async () => {
    const syncer = createSyncer({ store, clock, log: silentLog }, { prefixes: ['/'], signal: stop.signal })
    for await (const { updates } of syncer) {
      for (const update of updates) {
        if (update.type === 'put') map.set(update.key, update.value)
        else map.delete(update.key)
      }
    }
  })()
  await settle(clock)
  t.equal(map.get('/a'), 'new 19')
  current = restored
  first.disconnect()
  await settle(clock)
  t.same(Object.fromEntries(map), { '/a': 'old', '/b': 'old' })
  stop.abort()
  await running
})

await t.test('failures of every temporary kind are waited out, closing is not', async (t) => {
  const clock = createManualClock()
  const memory = createMemoryStore({ clock })
  await put(memory, '/a', 'v')
  const store = createFaultyStore(memory, ({ number }) =>
    number <= 6 ? { fail: number % 2 === 0 ? 'before' : 'after' } : undefined,
  )
  const consumer = new Consumer()
  const running = (async () => {
    for await (const batch of createSyncer({ store, clock, log: silentLog }, { prefixes: ['/'] })) {
      consumer.take(batch)
    }
  })()
  await settle(clock)
  t.same([...consumer.map], [['/a', 'v']])
  await store.close()
  await failsWith(t, running, 'closed')
})

await t.test('it stops at once also while the datastore is silent', async (t) => {
  const memory = createMemoryStore({ clock: systemClock })
  const never = new Promise(() => undefined)
  const store = createFaultyStore(memory, () => ({ before: never }))
  const stop = new AbortController()
  const syncer = createSyncer(
    { store, clock: systemClock, log: silentLog },
    { prefixes: ['/'], signal: stop.signal },
  )
  const waiting = syncer[Symbol.asyncIterator]().next()
  await turn()
  stop.abort()
  t.equal((await waiting).done, true)
})

await t.test('retries slow down', async (t) => {
  const clock = createManualClock()
  const store = createMemoryStore({ clock })
  store.setAvailable(false)
  let attempts = 0
  const counting = createFaultyStore(store, () => {
    attempts += 1
    return undefined
  })
  const stop = new AbortController()
  const consumer = new Consumer()
  start(
    t,
    createSyncer({ store: counting, clock, log: silentLog }, { prefixes: ['/'], signal: stop.signal }),
    consumer,
    stop,
  )
  for (let second = 0; second < 60; second++) {
    for (let step = 0; step < 20; step++) {
      for (let round = 0; round < 6; round++) await turn()
      clock.advance(50)
    }
  }
  t.ok(attempts >= 15 && attempts <= 40, `${attempts} attempts in a minute`)
})

type Step =
  | { do: 'put' | 'delete'; keys: number[] }
  | { do: 'compact' | 'disconnect' | 'off' | 'on' | 'read' | 'turn' | 'clock' }

const prefixes = ['/a/', '/b/']
const keyOf = (index: number): string => `${prefixes[index % 2]!}${index}`

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('put' as const, 'delete' as const),
      keys: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('read' as const, 'turn' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'compact' as const,
        'disconnect' as const,
        'off' as const,
        'on' as const,
        'clock' as const,
      ),
    }),
  },
)

await t.test('whatever happens, the consumer ends with what the store holds', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, pageSize) => {
        const clock = createManualClock()
        const store = createMemoryStore({ clock })
        let on = true
        const wire = createFaultyStore(store, () => (on ? undefined : { fail: 'before' }))
        const stop = new AbortController()
        const syncer = createSyncer(
          { store: wire, clock, log: silentLog },
          { prefixes, pageSize, signal: stop.signal },
        )
        const consumer = new Consumer()
        const iterator = syncer[Symbol.asyncIterator]()
        // The consumer takes a batch when it is told to, otherwise the syncer has to wait.
        let permits = 0
        const consuming = (async () => {
          for (;;) {
            while (permits <= 0) await turn()
            permits -= 1
            const result = await iterator.next()
            if (result.done === true) return
            consumer.take(result.value)
          }
        })()
        let counter = 0
        for (const { do: action, ...rest } of steps) {
          if (action === 'put' || action === 'delete') {
            counter += 1
            const keys = 'keys' in rest ? rest.keys.map(keyOf) : []
            await store.transact({
              when: [],
              then: keys.map((key) =>
                action === 'put' ? { put: key, value: `${counter}` } : { delete: key },
              ),
            })
          } else if (action === 'compact') store.compact()
          else if (action === 'disconnect') store.disconnect()
          else if (action === 'off' || action === 'on') {
            on = action === 'on'
            if (!on) store.disconnect()
          } else if (action === 'read') {
            permits += 4
            await turn()
          } else if (action === 'turn') for (let round = 0; round < 5; round++) await turn()
          else clock.advance(5000)
        }
        on = true
        permits = Infinity
        const want = [...(await contents(store, prefixes))].sort()
        for (let round = 0; round < 100; round++) {
          for (let step = 0; step < 10; step++) await turn()
          clock.advance(5000)
          if (consumer.synced > 0 && JSON.stringify([...consumer.map].sort()) === JSON.stringify(want)) break
        }
        stop.abort()
        await consuming
        t.same(consumer.faults, [])
        t.same([...consumer.map].sort(), want)
      },
    ),
    { numRuns: 300 },
  )
})

await t.test('a slow consumer holds nothing but the keys', async (t) => {
  const store = createMemoryStore({ clock: systemClock })
  let read = 0
  const counting = createFaultyStore(store, () => undefined)
  counting.watch = async function* (prefix, options) {
    for await (const batch of store.watch(prefix, options)) {
      read += 1
      yield batch
    }
  }
  const stop = new AbortController()
  const syncer = createSyncer(
    { store: counting, clock: systemClock, log: silentLog },
    { prefixes: ['/'], signal: stop.signal },
  )
  const iterator = syncer[Symbol.asyncIterator]()
  await iterator.next()
  const first = iterator.next()
  for (let index = 0; index < 500; index++) await put(store, '/a', String(index))
  await first
  await sleep(50)
  t.ok(read <= 2, `${read} batches were read ahead`)
  let last = ''
  while (last !== '499') {
    const { value } = (await iterator.next()) as IteratorYieldResult<SyncBatch>
    for (const update of value.updates) if (update.type === 'put') last = update.value
  }
  stop.abort()
  await until(() => syncer.state.status === 'in-sync')
})
