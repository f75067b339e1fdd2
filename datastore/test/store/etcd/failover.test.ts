import { spawnSync } from 'node:child_process'
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { createEtcdStore } from '../../../src/store/etcd.ts'
import { StoreError, type Store } from '../../../src/store/store.ts'
import { freePorts, startEtcd } from '../../etcd-process.ts'
import { silentLog, systemClock } from '../../modules.ts'
import { createRelay, createSilentServer } from '../../relay.ts'
import { collect, failsWith, put } from '../store-calls.ts'

function connect(endpoints: string[], deadlineMs = 5000): Store {
  return createEtcdStore({ clock: systemClock, log: silentLog }, { endpoints, deadlineMs })
}

const url = (port: number): string => `http://127.0.0.1:${port}`
const portOf = (endpoint: string): number => Number(new URL(endpoint).port)

async function timed<T>(promise: Promise<T>): Promise<{ value: T; ms: number }> {
  const begin = performance.now()
  return { value: await promise, ms: performance.now() - begin }
}

await t.test('nobody listens: a clear error, soon', async (t) => {
  const [port] = await freePorts(1)
  const store = connect([url(port!)])
  const { value: error, ms } = await timed(failsWith(t, store.get('/a'), 'unreachable'))
  t.match(error.message, url(port!))
  t.match(error.message, 'ECONNREFUSED')
  t.ok(error.remedy)
  t.ok(ms < 3000, `${ms} ms`)
  await failsWith(t, put(store, '/a', 'v'), 'unreachable')
  await failsWith(t, store.lease(5), 'unreachable')
  await failsWith(
    t,
    collect(store.watch('/', { fromRevision: 1 }), () => false),
    'unreachable',
  )
  await store.close()
})

await t.test('an endpoint that swallows packets: the deadline holds', async (t) => {
  const silent = await createSilentServer()
  t.teardown(() => silent.close())
  const store = connect([url(silent.port)], 700)
  const calls: Record<string, () => Promise<unknown>> = {
    get: () => store.get('/a'),
    list: () => store.list('/'),
    transact: () => put(store, '/a', 'v'),
    lease: () => store.lease(5),
    watch: () => collect(store.watch('/', { fromRevision: 1 }), () => false),
  }
  for (const [name, call] of Object.entries(calls)) {
    const { ms } = await timed(failsWith(t, call(), 'unreachable'))
    t.ok(ms > 600 && ms < 1700, `${name}: ${ms} ms`)
  }
  const { ms } = await timed(failsWith(t, store.get('/a', { deadlineMs: 200 }), 'unreachable'))
  t.ok(ms < 700, `a deadline of its own: ${ms} ms`)
  await store.close()
})

await t.test('one etcd behind a wire that breaks', async (t) => {
  const cluster = await startEtcd()
  const relay = await createRelay(portOf(cluster.endpoints[0]!))
  const direct = connect(cluster.endpoints)
  t.teardown(async () => {
    await direct.close()
    await relay.close()
    await cluster.remove()
  })

  await t.test('beside a silent endpoint it is found quickly', async (t) => {
    const silent = await createSilentServer()
    for (let round = 0; round < 4; round++) {
      const store = connect([url(silent.port), cluster.endpoints[0]!])
      const { ms } = await timed(put(store, '/beside', 'v'))
      t.ok(ms < 2000, `${ms} ms`)
      await store.close()
    }
    await silent.close()
  })

  await t.test('a lost answer to a transaction is an unknown outcome', async (t) => {
    const store = connect([url(relay.port)], 800)
    await put(store, '/lost', 'before')
    relay.mode = 'answers-lost'
    const { value: error, ms } = await timed(failsWith(t, put(store, '/lost', 'after'), 'unknown-outcome'))
    t.ok(ms < 1800, `${ms} ms`)
    t.ok(error.remedy)
    t.equal((await direct.get('/lost'))?.value, 'after', 'it was carried out, once')
    relay.mode = 'open'
    const found = await store.get('/lost')
    t.equal(found?.value, 'after')
    t.equal(found?.modRevision, found!.createRevision + 1)
    await store.close()
  })

  await t.test('a connection that is reset in the middle is an unknown outcome too', async (t) => {
    const store = connect([url(relay.port)])
    await store.get('/a')
    relay.mode = 'answers-lost'
    const writing = put(store, '/reset', 'v')
    await sleep(100)
    relay.cut()
    relay.mode = 'open'
    await failsWith(t, writing, 'unknown-outcome')
    t.ok(await store.get('/reset'))
    await store.close()
  })

  await t.test('a lost answer to a read is asked for again', async (t) => {
    const store = connect([url(relay.port)])
    await put(store, '/read', 'v')
    relay.mode = 'answers-lost'
    const reading = store.get('/read')
    await sleep(100)
    relay.cut()
    relay.mode = 'open'
    t.equal((await reading)?.value, 'v')
    relay.mode = 'silent'
    await failsWith(t, store.get('/read', { deadlineMs: 500 }), 'deadline')
    relay.mode = 'open'
    t.equal((await store.get('/read'))?.value, 'v', 'and the dead connection was left')
    await store.close()
  })

  await t.test('a watch that is cut says so, and a new one misses nothing', async (t) => {
    const store = connect([url(relay.port)])
    const start = await put(store, '/w/a', '1')
    const watching = collect(store.watch('/w/', { fromRevision: start }), () => false)
    await sleep(200)
    relay.cut()
    await failsWith(t, watching, 'unreachable')
    await put(direct, '/w/a', '2')
    const batches = await collect(
      store.watch('/w/', { fromRevision: start }),
      (changes) => changes.length > 0,
    )
    t.equal(batches.length, 1)
    await store.close()
  })

  await t.test('a watch over a wire gone silent ends by itself', async (t) => {
    const store = connect([url(relay.port)])
    const start = await put(store, '/w/a', '1')
    const watching = collect(store.watch('/w/', { fromRevision: start }), () => false)
    await sleep(200)
    relay.mode = 'silent'
    const { ms } = await timed(failsWith(t, watching, 'unreachable'))
    relay.mode = 'open'
    t.ok(ms < 15_000, `${ms} ms`)
    await store.close()
  })

  await t.test('a lease is kept over a gap shorter than its time, and lost over a longer one', async (t) => {
    const store = connect([url(relay.port)])
    const lease = await store.lease(2)
    let lost: StoreError | undefined
    void lease.lost.then((reason) => {
      lost = reason
    })
    await store.transact({ when: [], then: [{ put: '/leased', value: '', lease: lease.id }] })
    await sleep(2500)
    relay.cut()
    await sleep(2500)
    t.equal(lost, undefined)
    t.ok(await store.get('/leased'))
    relay.mode = 'silent'
    const { ms } = await timed(lease.lost)
    t.equal(lost!.code, 'lease-lost')
    t.ok(ms < 4000, `${ms} ms`)
    relay.mode = 'open'
    await store.close()
  })

  await t.test('a closed store refuses, ends what runs, and lets the process go', async (t) => {
    const store = connect(cluster.endpoints)
    const lease = await store.lease(30)
    const watching = collect(store.watch('/', { fromRevision: 1_000_000 }), () => false)
    await sleep(100)
    await store.close()
    await failsWith(t, watching, 'closed')
    await failsWith(t, store.get('/a'), 'closed')
    t.equal((await lease.lost).code, 'closed')

    const program = `
      import { createEtcdStore } from ${JSON.stringify(new URL('../../../src/store/etcd.ts', import.meta.url).href)}
      import { systemClock as clock, silentLog as log } from ${JSON.stringify(new URL('../../modules.ts', import.meta.url).href)}
      const store = createEtcdStore({ clock, log }, { endpoints: ${JSON.stringify(cluster.endpoints)} })
      await store.get('/a')
      await store.lease(60)
      const watch = store.watch('/', { fromRevision: 1000000 })[Symbol.asyncIterator]()
      watch.next().catch((error) => console.log(error.code))
      setTimeout(() => store.close(), 100)`
    const flags = ['--import=tsx', '--conditions=@network/source', '--input-type=module', '--eval', program]
    const { status, stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8', timeout: 8000 })
    t.same([status, stdout], [0, 'closed\n'], stderr)
  })
})

await t.test('three members, one killed or frozen in the middle of use', async (t) => {
  const cluster = await startEtcd({ members: 3 })
  const store = connect(cluster.endpoints)
  t.teardown(async () => {
    await store.close()
    await cluster.remove()
  })

  /** Counts up by compare-and-swap as a careful caller would, and says how often an outcome was unknown. */
  async function countTo(key: string, goal: number, disturb: (value: number) => unknown): Promise<number> {
    let unknown = 0
    for (;;) {
      const item = await store.get(key)
      const value = Number(item?.value ?? 0)
      if (value >= goal) return unknown
      disturb(value)
      try {
        await store.transact({
          when: [item ? { key, is: 'at', modRevision: item.modRevision } : { key, is: 'absent' }],
          then: [{ put: key, value: String(value + 1) }],
        })
      } catch (error) {
        if (!(error instanceof StoreError && error.code === 'unknown-outcome')) throw error
        unknown += 1
      }
    }
  }

  for (const [index, member] of cluster.members.entries()) {
    await t.test(`${member.name} is killed`, async (t) => {
      const { value: unknown, ms } = await timed(
        countTo(`/count/${index}`, 60, (value) => value === 20 && void member.kill()),
      )
      t.equal((await store.get(`/count/${index}`))?.value, '60')
      t.ok(unknown <= 3, `${unknown} unknown outcomes`)
      t.ok(ms < 12_000, `${ms} ms`)
      await member.start()
      await sleep(500)
    })
  }

  await t.test('a frozen member is left within the deadline of one call', async (t) => {
    for (const member of cluster.members) {
      member.freeze()
      const { ms } = await timed(store.get('/count/0', { deadlineMs: 6000 }))
      t.ok(ms < 6000, `${ms} ms`)
      t.equal((await store.get('/count/0'))?.value, '60')
      member.thaw()
      await sleep(700)
    }
  })

  await t.test('a member without the others refuses at once, or the deadline holds', async (t) => {
    const [first, second, third] = cluster.members
    await second!.kill()
    await third!.kill()
    await sleep(1500)
    const { ms } = await timed(
      store.get('/count/0', { deadlineMs: 1500 }).then(
        () => t.fail('a read without a majority was answered'),
        (error: unknown) => t.ok(error instanceof StoreError, String(error)),
      ),
    )
    t.ok(ms < 2500, `${ms} ms`)
    t.ok(first)
    await Promise.all([second!.start(), third!.start()])
    const { ms: back } = await timed(
      (async () => {
        for (;;) {
          try {
            return await put(store, '/back', 'v')
          } catch (error) {
            if (!(error instanceof StoreError)) throw error
          }
        }
      })(),
    )
    t.ok(back < 15_000, `${back} ms`)
  })
})
