import { spawnSync } from 'node:child_process'
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { createEtcdStore } from '../../src/store/etcd.ts'
import { StoreError, type Store } from '../../src/store/store.ts'
import { createSyncer, type Syncer } from '../../src/syncer/syncer.ts'
import { requireProgram, startEtcd } from '../etcd-process.ts'
import { silentLog, systemClock } from '../modules.ts'
import { createRelay } from '../relay.ts'
import { put } from '../store/store-calls.ts'

function connect(endpoints: string[]): Store {
  return createEtcdStore({ clock: systemClock, log: silentLog }, { endpoints, deadlineMs: 2000 })
}

/** Runs a syncer over `/s/` and keeps what it tells; going back in a key's revisions is a fault. */
function follow(store: Store): {
  syncer: Syncer
  map: Map<string, string>
  faults: string[]
  stop(): Promise<void>
} {
  const stop = new AbortController()
  const syncer = createSyncer(
    { store, clock: systemClock, log: silentLog },
    { prefixes: ['/s/'], pageSize: 50, signal: stop.signal },
  )
  const map = new Map<string, string>()
  const revisions = new Map<string, number>()
  const faults: string[] = []
  const running = (async () => {
    for await (const { updates } of syncer) {
      for (const update of updates) {
        if (update.type === 'delete') map.delete(update.key)
        else {
          if (update.modRevision <= (revisions.get(update.key) ?? 0)) faults.push(`${update.key} went back`)
          revisions.set(update.key, update.modRevision)
          map.set(update.key, update.value)
        }
      }
    }
  })()
  return {
    syncer,
    map,
    faults,
    async stop() {
      stop.abort()
      await running
    },
  }
}

async function until(what: string, condition: () => boolean, withinMs = 15_000): Promise<void> {
  const giveUpAt = Date.now() + withinMs
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(10)
  }
}

/** Writes until it is done, as a careful caller: an unknown outcome of a plain put is simply put again. */
async function putUntilDone(store: Store, key: string, value: string): Promise<void> {
  for (;;) {
    try {
      await put(store, key, value)
      return
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
    }
  }
}

async function equalsStore(store: Store, map: Map<string, string>): Promise<boolean> {
  const { items } = await store.list('/s/')
  return items.length === map.size && items.every(({ key, value }) => map.get(key) === value)
}

await t.test('etcd killed and started again', async (t) => {
  const cluster = await startEtcd()
  const [member] = cluster.members
  const store = connect(cluster.endpoints)
  for (let index = 0; index < 120; index++) await put(store, `/s/${index}`, 'first')
  const followed = follow(store)
  t.teardown(async () => {
    await followed.stop()
    await store.close()
    await cluster.remove()
  })
  await until('in sync', () => followed.syncer.state.status === 'in-sync')
  t.equal(followed.map.size, 120)
  for (let round = 0; round < 3; round++) {
    const killedAt = Date.now()
    await member!.kill()
    await until('disconnected', () => followed.syncer.state.status === 'disconnected')
    const { state } = followed.syncer
    t.ok(state.status === 'disconnected' && state.sinceMs >= killedAt - 1000, JSON.stringify(state))
    await sleep(200)
    await member!.start()
    await putUntilDone(store, `/s/${round}`, `after ${round}`)
    await store.transact({ when: [], then: [{ delete: `/s/${100 + round}` }] })
    await until('caught up', () => followed.map.get(`/s/${round}`) === `after ${round}`)
    await until('deleted', () => !followed.map.has(`/s/${100 + round}`))
    t.equal(followed.syncer.state.status, 'in-sync')
  }
  t.ok(await equalsStore(store, followed.map))
  t.same(followed.faults, [])
})

await t.test('compaction and deletions while disconnected', async (t) => {
  requireProgram('etcdctl', 'etcd-client', 'version')
  const cluster = await startEtcd()
  const relay = await createRelay(Number(new URL(cluster.endpoints[0]!).port))
  const direct = connect(cluster.endpoints)
  const store = connect([`http://127.0.0.1:${relay.port}`])
  const followed = follow(store)
  t.teardown(async () => {
    await followed.stop()
    await Promise.all([store.close(), direct.close()])
    await relay.close()
    await cluster.remove()
  })
  for (let index = 0; index < 30; index++) await put(direct, `/s/${index}`, 'first')
  await until('in sync', () => followed.map.size === 30)
  relay.mode = 'silent'
  relay.cut()
  for (let index = 0; index < 10; index++) await put(direct, `/s/${index}`, 'second')
  const { revision } = await direct.transact({
    when: [],
    then: [{ delete: '/s/20' }, { deletePrefix: '/s/2' }],
  })
  const { status, stderr } = spawnSync(
    'etcdctl',
    ['--endpoints', cluster.endpoints.join(','), 'compact', String(revision)],
    { env: { ...process.env, ETCDCTL_API: '3' }, encoding: 'utf8' },
  )
  t.equal(status, 0, stderr)
  await until('disconnected', () => followed.syncer.state.status === 'disconnected')
  relay.mode = 'open'
  relay.cut()
  await until('read anew', () => !followed.map.has('/s/20') && followed.map.get('/s/9') === 'second')
  await until('in sync', () => followed.syncer.state.status === 'in-sync')
  t.ok(await equalsStore(direct, followed.map))
  t.same(followed.faults, [])
})

await t.test('three members, each killed in turn under a stream of writes', async (t) => {
  const cluster = await startEtcd({ members: 3 })
  const store = connect(cluster.endpoints)
  const writer = connect(cluster.endpoints)
  const followed = follow(store)
  t.teardown(async () => {
    await followed.stop()
    await Promise.all([store.close(), writer.close()])
    await cluster.remove()
  })
  const enough = new AbortController()
  let written = 0
  const writes = (async () => {
    while (!enough.signal.aborted) {
      await putUntilDone(writer, `/s/${written % 40}`, String(written))
      written += 1
    }
  })()
  for (const member of cluster.members) {
    await sleep(600)
    await member.kill()
    await sleep(600)
    await member.start()
  }
  await sleep(500)
  enough.abort()
  await writes
  await putUntilDone(writer, '/s/last', 'done')
  await until('the last write', () => followed.map.get('/s/last') === 'done')
  t.ok(await equalsStore(writer, followed.map), `after ${written} writes`)
  t.same(followed.faults, [])
})
