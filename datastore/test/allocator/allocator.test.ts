import t from 'tap'
import { prefix } from '@network/net'
import { createAllocator } from '../../src/allocator/allocator.ts'
import { AllocationError } from '../../src/allocator/allocation-error.ts'
import { affinityKey, blockKey, handleKey, prefixes } from '../../src/model/keys.ts'
import { type MemoryStore, createMemoryStore } from '../../src/store/memory.ts'
import {
  type Cluster,
  codeOf,
  createCluster,
  createTestClock,
  request,
  silent,
  writePool,
  writeResource,
} from './cluster.ts'
import { createFaultyStore } from './faulty-store.ts'

async function cluster(configuration?: object): Promise<Cluster & { store: MemoryStore }> {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  await writePool(store, 'p', '192.168.1.0/24')
  await writePool(store, 'six', 'fd00::/120')
  if (configuration) await writeResource(store, 'IPAMConfiguration', 'default', configuration)
  return { ...createCluster(store, clock), store }
}

function put(key: string, value = 'x', when: 'absent' | 'present' = 'absent') {
  return { when: [{ key, is: when }], then: [{ put: key, value }] }
}

t.test('an attach is one round trip once the node has a block', async (t) => {
  const { store, clock } = await cluster()
  const calls: string[] = []
  const watched = createFaultyStore(store, (kind) => {
    calls.push(kind)
    return 'none'
  })
  const a = createAllocator({ store: watched, clock, random: Math.random, log: silent }, { node: 'a' })
  await a.assign(request('a', { ipv4: 1, ipv6: 1 }))
  calls.length = 0
  await a.assign(request('a', { ipv4: 1, ipv6: 1 }))
  t.same(calls, ['transact'])
  calls.length = 0
  await Promise.all(Array.from({ length: 30 }, () => a.assign(request('a', { ipv4: 1 }))))
  t.same(calls, ['transact'], 'thirty at once go together')
})

t.test('assigning a handle again answers the same', async (t) => {
  const { store, allocator } = await cluster()
  const ask = request('a', { handle: 'h', ipv4: 1, ipv6: 1, alongside: () => put('/k') })
  const first = await allocator('a').assign(ask)
  t.equal(first.existing, false)
  t.equal(first.sequence, store.revision)
  const again = await allocator('a').assign(ask)
  t.same(again, { ...first, existing: true })
  t.same(await allocator('b').get('h'), again)
  t.equal(await allocator('b').get('other'), undefined)
  t.equal(await codeOf(allocator('a').assign({ ...ask, addresses: ['192.168.1.250'] })), 'mismatch')
  t.equal(await codeOf(allocator('a').assign({ ...ask, ipv4: 2 })), 'mismatch')
  t.equal(await codeOf(allocator('b').assign({ ...ask, owner: { ...ask.owner, node: 'b' } })), 'taken')
  t.equal(await codeOf(allocator('b').assign(ask)), 'invalid', 'an allocator serves its own node')
})

t.test('several requests for one handle at once', async (t) => {
  const { allocator } = await cluster()
  const ask = request('a', { handle: 'h', ipv4: 1 })
  const a = allocator('a')
  const twins = await Promise.all([a.assign(ask), a.assign(ask), allocator('a').assign(ask)])
  t.equal(new Set(twins.map(({ addresses }) => addresses[0]?.address)).size, 1)
  t.equal(twins.filter(({ existing }) => !existing).length, 1)
})

t.test('a condition of alongside that fails refuses this request alone', async (t) => {
  const { store, allocator } = await cluster()
  await store.transact({ when: [], then: [{ put: '/there', value: 'x' }] })
  const a = allocator('a')
  const results = await Promise.all([
    a.assign(request('a', { ipv4: 1, alongside: () => put('/new-1') })).then(() => 'assigned'),
    codeOf(a.assign(request('a', { ipv4: 1, alongside: () => put('/there') }))),
    a.assign(request('a', { ipv4: 1, alongside: () => put('/new-2') })).then(() => 'assigned'),
    a.assign(request('a', { ipv4: 1, alongside: () => put('/new-3') })).then(() => 'assigned'),
  ])
  t.same(results, ['assigned', 'condition-failed', 'assigned', 'assigned'])
  t.equal((await allocator('x').audit()).checked.addresses, 3)
  t.equal((await store.list('/new-')).items.length, 3)
})

t.test('two requests that put the same key go one after the other', async (t) => {
  const { allocator } = await cluster()
  const a = allocator('a')
  const results = await Promise.all(
    ['h1', 'h2'].map((handle) =>
      codeOf(a.assign(request('a', { handle, ipv4: 1, alongside: () => put('/same') }))),
    ),
  )
  t.same(results, ['no error', 'condition-failed'])
})

t.test('release', async (t) => {
  const { store, allocator } = await cluster()
  const a = allocator('a')
  const first = await a.assign(request('a', { handle: 'h', ipv4: 1, ipv6: 1, alongside: () => put('/k') }))
  const before = store.revision
  const alongside = () => ({ when: [], then: [{ delete: '/k' }] })
  t.same(await a.release({ handle: 'h', sequence: first.sequence + 1, alongside }), {
    handle: 'h',
    outcome: 'stale',
    addresses: [],
  })
  t.equal(store.revision, before, 'a stale release writes nothing')
  const released = await allocator('b').release({ handle: 'h', sequence: first.sequence, alongside })
  t.equal(released.outcome, 'released')
  t.equal(released.addresses.length, 2)
  t.equal(store.revision, before + 1, 'one transaction')
  t.equal(await store.get('/k'), undefined)
  t.equal((await a.release({ handle: 'h' })).outcome, 'absent')
  await store.transact({ when: [], then: [{ put: '/k', value: 'x' }] })
  t.equal((await a.release({ handle: 'h', alongside })).outcome, 'absent')
  t.equal(await store.get('/k'), undefined, 'alongside is written though the handle is gone')

  const second = await a.assign(request('a', { handle: 'h', ipv4: 1 }))
  t.equal((await a.release({ handle: 'h', sequence: first.sequence })).outcome, 'stale', 'a late release')
  t.same((await a.get('h'))?.addresses, second.addresses)
})

t.test('what others release in our block we give again, and a late number frees nothing', async (t) => {
  const { allocator } = await cluster()
  const [a, b] = [allocator('a'), allocator('b')]
  const one = await a.assign(request('a', { handle: 'one', ipv4: 1 }))
  const address = one.addresses[0]?.address ?? ''
  await b.release({ handle: 'one' })
  const two = await a.assign(request('a', { handle: 'two', addresses: [address] }))
  t.not(two.addresses[0]?.sequence, one.addresses[0]?.sequence)
  const late = await b.releaseAddress({ address, sequence: one.addresses[0]?.sequence ?? -1 })
  t.equal(late.outcome, 'stale')
  t.equal((await b.lookup(address)).state, 'held')
})

t.test('the cooldown, first released first given', async (t) => {
  const { allocator, clock } = await cluster({ ipCooldownSeconds: 60 })
  const a = allocator('a')
  const full = await a.assign(request('a', { handle: 'full', ipv4: 256 }))
  t.equal(full.addresses.length, 256)
  await a.release({ handle: 'full' })
  const refused = await a.assign(request('a', { ipv4: 1 })).catch((error: unknown) => error)
  t.ok(refused instanceof AllocationError)
  t.match(refused, { code: 'no-address', details: { reason: 'cooldown' } })
  t.equal((await a.lookup('192.168.1.9')).state, 'cooling')
  t.equal((await a.show()).pools[0]?.cooling, 256n)
  t.equal((await a.assign(request('a', { addresses: ['192.168.1.9'] }))).addresses.length, 1, 'a fixed one')
  clock.advance(60_000)
  t.equal((await a.assign(request('a', { ipv4: 1 }))).addresses.length, 1)
  t.equal((await a.show()).pools[0]?.cooling, 0n)
})

t.test('a reservation by name keeps its addresses across detach and nodes', async (t) => {
  const { allocator } = await cluster()
  const [a, b] = [allocator('a'), allocator('b')]
  const first = await a.assign(request('a', { handle: 'h1', ipv4: 1, reservation: 'db-1' }))
  const address = first.addresses[0]?.address
  t.equal(await codeOf(b.assign(request('b', { handle: 'h2', reservation: 'db-1' }))), 'taken')
  const refused = await b.assign(request('b', { handle: 'h2', reservation: 'db-1' })).catch(String)
  t.match(refused, /Reservation 'db-1' is in use by test workload 'h1' on node 'a', handle 'h1'/)
  t.equal(await codeOf(a.releaseReservation('db-1')), 'in-use')
  t.equal((await a.release({ handle: 'h1' })).reservation, 'db-1')
  t.equal((await b.lookup(address ?? '')).holder?.reservation, 'db-1', 'kept though nobody runs')
  t.equal(await codeOf(b.assign(request('b', { addresses: [address ?? ''] }))), 'taken')
  t.equal(await codeOf(b.releaseAddress({ address: address ?? '' })), 'in-use')
  const second = await b.assign(request('b', { handle: 'h2', ipv4: 1, reservation: 'db-1' }))
  t.equal(second.addresses[0]?.address, address)
  t.equal(second.addresses[0]?.borrowed, true)
  t.same(
    (await a.reservations()).map(({ name, heldBy }) => ({ name, heldBy })),
    [{ name: 'db-1', heldBy: 'h2' }],
  )
  await b.release({ handle: 'h2' })
  t.equal(
    await codeOf(b.assign(request('b', { addresses: ['192.168.1.77'], reservation: 'db-1' }))),
    'mismatch',
  )
  const both = await a.assign(request('a', { handle: 'h3', ipv4: 1, ipv6: 1, reservation: 'db-1' }))
  t.equal(both.addresses[0]?.address, address, 'grows by a family')
  t.equal(both.addresses.length, 2)
  await a.release({ handle: 'h3' })
  t.equal((await a.releaseReservation('db-1')).addresses.length, 2)
  t.equal(await codeOf(a.releaseReservation('db-1')), 'not-found')
  const report = await a.audit()
  t.equal(report.checked.addresses, 0)
})

t.test('a reservation of a fixed address, raced for by two nodes', async (t) => {
  const { allocator } = await cluster()
  const results = await Promise.all(
    ['a', 'b'].map((node) =>
      codeOf(
        allocator(node).assign(
          request(node, { handle: node, addresses: ['192.168.1.100'], reservation: 'db-1' }),
        ),
      ),
    ),
  )
  t.same([...results].sort(), ['no error', 'taken'])
})

t.test('who has an address', async (t) => {
  const { allocator, store } = await cluster()
  await writeResource(store, 'IPReservation', 'r', { reservedCIDRs: ['192.168.1.254'] })
  const a = allocator('a')
  const { owner } = await a.assign(request('a', { handle: 'h', addresses: ['192.168.1.5'] }))
  const held = await a.lookup('192.168.1.5')
  t.match(held, {
    state: 'held',
    pool: 'p',
    affinity: 'a',
    block: '192.168.1.0/26',
    holder: { handle: 'h', owner },
  })
  t.equal((await a.lookup('192.168.1.6')).state, 'free')
  t.equal((await a.lookup('192.168.1.254')).state, 'reserved')
  t.equal((await a.lookup('10.0.0.1')).state, 'outside')
  t.equal(await codeOf(a.lookup('10.0.0')), 'invalid')
  const refused = await a.assign(request('a', { addresses: ['192.168.1.5'] })).catch(String)
  t.match(refused, /Address 192.168.1.5 is held by test workload 'h' on node 'a', handle 'h'\./)
  t.equal((await a.releaseAddress({ address: '192.168.1.5' })).outcome, 'released')
  t.equal(await codeOf(a.releaseAddress({ address: '192.168.1.5' })), 'not-found')
})

t.test('claiming affinity', async (t) => {
  const { allocator, store } = await cluster()
  const [a, b] = [allocator('a'), allocator('b')]
  t.same(await a.claimAffinity('192.168.1.64/26'), { claimed: ['192.168.1.64/26'], failed: [] })
  const refused = await a.claimAffinity('192.168.1.64/27').catch(String)
  t.match(refused, /192.168.1.64\/27 is smaller than a block/)
  t.equal(await codeOf(a.claimAffinity('10.0.0.0/26')), 'not-in-pool')
  const rest = await b.claimAffinity('192.168.1.0/24')
  t.equal(rest.claimed.length, 3)
  t.same(rest.failed, [{ block: '192.168.1.64/26', reason: "node 'a' holds it" }])
  const again = await allocator('c').claimAffinity('192.168.1.0/24')
  t.equal(again.claimed.length, 0)
  t.equal(again.failed.length, 4)
  t.equal((await b.claimAffinity('192.168.1.0/26')).claimed.length, 1, 'claiming what one has is no error')
  t.ok(await store.get(affinityKey('b', prefix('192.168.1.0/26'))))
  t.same(
    (await a.audit()).findings.filter(({ kind }) => kind !== 'empty-block'),
    [],
  )
})

t.test('a deleted node: its blocks go back, what others or its workloads hold stays', async (t) => {
  const { allocator, store } = await cluster()
  const a = allocator('a')
  await a.assign(request('a', { handle: 'h', ipv4: 65 }))
  const rest = await a.assign(request('a', { handle: 'g', ipv6: 1 }))
  await a.release({ handle: 'g' })
  t.equal(rest.addresses.length, 1)
  const released = await allocator('ctl').releaseNode('a')
  t.equal(released.deleted.length, 1, 'the empty IPv6 block')
  t.equal(released.detached.length, 2)
  t.equal((await store.list(`${prefixes.affinities}a/`)).items.length, 0)
  t.equal((await a.get('h'))?.addresses.length, 65)
  const b = allocator('b')
  const all = await b.assign(request('b', { ipv4: 191 }))
  t.equal(all.addresses.length, 191, 'another node takes over what is left of them')
  t.equal(all.addresses.filter(({ borrowed }) => borrowed).length, 0)
  t.equal((await b.show()).nodes.find(({ node }) => node === 'a')?.borrowed, 65)
  t.same(
    (await allocator('x').audit()).findings.filter(({ kind }) => kind !== 'leaked-handle'),
    [],
  )
  await b.release({ handle: 'h' })
  t.equal((await b.audit()).checked.addresses, 191)
})

t.test('the last address of a block that no node holds takes the block with it', async (t) => {
  const { allocator, store } = await cluster()
  const a = allocator('a')
  await a.assign(request('a', { handle: 'h', ipv4: 1 }))
  await a.releaseNode('a')
  t.equal((await store.list(prefixes.blocks)).items.length, 1)
  await a.release({ handle: 'h' })
  t.equal((await store.list(prefixes.blocks)).items.length, 0)
  const again = await a.assign(request('a', { handle: 'h', ipv4: 1 }))
  t.equal(again.addresses.length, 1)
})

t.test('a disabled pool is noticed by the transaction, whatever the settings say', async (t) => {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  await writePool(store, 'p', '10.0.0.0/24')
  const a = createAllocator(
    { store, clock, random: Math.random, log: silent },
    { node: 'a', settingsMaxAgeMs: 3_600_000 },
  )
  await a.assign(request('a', { ipv4: 1 }))
  await writePool(store, 'p', '10.0.0.0/24', { disabled: true })
  t.equal(await codeOf(a.assign(request('a', { ipv4: 1 }))), 'no-address')
  await writePool(store, 'p', '10.0.0.0/24')
  t.equal((await a.assign(request('a', { ipv4: 1 }))).addresses.length, 1, 'and a refusal is never old')
})

t.test('without the store an attach fails within its deadline and leaves nothing', async (t) => {
  const { store, allocator } = await cluster()
  const a = allocator('a')
  await a.assign(request('a', { ipv4: 1 }))
  store.setAvailable(false)
  const start = performance.now()
  t.equal(await codeOf(a.assign(request('a', { ipv4: 1, deadlineMs: 300 }))), 'unreachable')
  t.ok(performance.now() - start < 1_500)
  store.setAvailable(true)
  t.equal((await a.audit()).checked.addresses, 1)
  t.equal((await a.assign(request('a', { ipv4: 1 }))).addresses.length, 1)
})

t.test('a store that is back in time is waited for', async (t) => {
  const { store, allocator } = await cluster()
  const a = allocator('a')
  store.setAvailable(false)
  setTimeout(() => {
    store.setAvailable(true)
  }, 100)
  t.equal((await a.assign(request('a', { ipv4: 1 }))).addresses.length, 1)
})

t.test('close waits for what is under way', async (t) => {
  const { allocator } = await cluster()
  const a = allocator('a')
  const pending = a.assign(request('a', { ipv4: 1 }))
  await a.close()
  t.equal((await pending).addresses.length, 1)
  t.equal(await codeOf(a.assign(request('a', { ipv4: 1 }))), 'closed')
})

t.test('a handle of any text', async (t) => {
  const { allocator, store } = await cluster()
  const a = allocator('a')
  for (const handle of ['../../x', 'a b"c', 'ü/%', '..']) {
    const given = await a.assign(request('a', { handle, ipv4: 1 }))
    t.ok(await store.get(handleKey(handle)))
    t.equal((await a.lookup(given.addresses[0]?.address ?? '')).holder?.handle, handle)
  }
  t.equal(await codeOf(a.assign(request('a', { handle: '', ipv4: 1 }))), 'invalid')
  t.equal(await codeOf(a.assign(request('a', { handle: '\ud800', ipv4: 1 }))), 'invalid')
  t.equal(await codeOf(a.assign(request('a', { handle: 'r', ipv4: 1, reservation: '../x' }))), 'invalid')
})

t.test('values that nobody can read do no harm', async (t) => {
  const { allocator, store } = await cluster()
  const block = blockKey(prefix('192.168.1.0/26'))
  await store.transact({
    when: [],
    then: [
      { put: block, value: '{"broken' },
      { put: handleKey('bad'), value: '[]' },
      { put: affinityKey('a', prefix('192.168.1.0/26')), value: '7' },
    ],
  })
  const a = allocator('a')
  const given = await a.assign(request('a', { ipv4: 256, partial: true }))
  t.equal(given.addresses.length, 192, 'the other blocks serve')
  t.equal((await store.get(block))?.value, '{"broken', 'and it is left alone')
  t.equal(await codeOf(a.assign(request('a', { handle: 'bad', ipv4: 1 }))), 'mismatch')
  t.equal((await a.release({ handle: 'bad' })).outcome, 'released')
  const kinds = (await a.audit()).findings.filter(({ kind }) => kind === 'unreadable')
  t.equal(kinds.length, 2)
})
