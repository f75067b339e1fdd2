import t from 'tap'
import { createMemoryStore } from '../../src/store/memory.ts'
import { codeOf, createCluster, createTestClock, request, writePool } from './cluster.ts'

async function cluster() {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  await writePool(store, 'p', '10.40.0.0/16')
  await writePool(store, 'six', 'fd00::/112')
  return { ...createCluster(store, clock), store }
}

t.test('handles get another owner in one transaction with what the caller writes', async (t) => {
  const { store, allocator } = await cluster()
  const a = allocator('a')
  const four = await a.assign(request('a', { handle: 'four', ipv4: 1 }))
  const six = await a.assign(request('a', { handle: 'six', ipv6: 1 }))
  const owner = { node: 'a', orchestrator: 'docker', workload: 'c1', endpoint: 'web' }
  const held = await a.transfer({
    handles: ['four', 'six'],
    owner,
    alongside: (addresses) => ({
      when: [{ key: '/k', is: 'absent' }],
      then: [{ put: '/k', value: addresses.map(({ address }) => address).join() }],
    }),
  })
  const texts = [...four.addresses, ...six.addresses].map(({ address }) => address)
  t.same(
    held.map(({ address }) => address),
    texts,
  )
  t.equal((await store.get('/k'))?.value, texts.join())
  t.same((await a.get('four'))?.owner, owner)
  t.same((await a.lookup(texts[1] ?? '')).holder?.owner, owner)

  const before = store.revision
  t.same(
    await a.transfer({ handles: ['four'], owner }),
    four.addresses.map(({ pool: _, borrowed: __, ...rest }) => rest),
  )
  t.equal(store.revision, before, 'what is right already is not written')

  const other = { ...owner, workload: 'c2' }
  t.equal(await codeOf(a.transfer({ handles: ['four', 'none'], owner: other })), 'not-found')
  t.equal(await codeOf(a.transfer({ handles: ['four'], owner: other, from: () => false })), 'taken')
  t.equal(
    await codeOf(
      a.transfer({
        handles: ['four'],
        owner: other,
        alongside: () => ({ when: [{ key: '/k', is: 'absent' }], then: [{ put: '/k', value: '' }] }),
      }),
    ),
    'condition-failed',
  )
  t.same((await a.get('four'))?.owner, owner, 'nothing was written by those that failed')
  t.equal((await a.release({ handle: 'four' })).outcome, 'released')
})

t.test('what is assigned takes other handles over, all or nothing', async (t) => {
  const { store, allocator } = await cluster()
  const a = allocator('a')
  const waiting = await a.assign(request('a', { handle: 'four', ipv4: 1 }))
  const owner = { node: 'a', orchestrator: 'docker', workload: 'c1', endpoint: 'web' }
  const wanted = {
    ...request('a', { handle: 'kept', ipv4: 1, ipv6: 1 }),
    owner,
    reservation: 'shop@web',
    takeOver: { handles: ['four'] },
  }
  const before = store.revision
  await t.rejects(a.assign({ ...wanted, takeOver: { handles: ['none'] } }), { code: 'not-found' })
  await t.rejects(a.assign({ ...wanted, takeOver: { handles: ['four'], from: () => false } }), {
    code: 'taken',
  })
  t.equal(store.revision, before, 'nothing is reserved for what can not be taken over')
  const texts: string[] = []
  const kept = await a.assign({
    ...wanted,
    alongside: ({ addresses }, takenOver) => {
      texts.splice(0, Infinity, ...[...takenOver, ...addresses].map(({ address }) => address))
      return { when: [{ key: '/k', is: 'absent' }], then: [{ put: '/k', value: texts.join() }] }
    },
  })
  t.same(
    texts,
    [...waiting.addresses, ...kept.addresses].map(({ address }) => address),
  )
  t.equal((await store.get('/k'))?.modRevision, kept.sequence, 'all of it in one transaction')
  t.same((await a.get('four'))?.owner, owner)
  t.match(await a.assign(wanted), { existing: true, sequence: kept.sequence })

  const rival = { ...owner, workload: 'c2' }
  await a.assign(request('a', { handle: 'other', ipv4: 1 }))
  await t.rejects(a.assign({ ...wanted, handle: 'second', owner: rival, takeOver: { handles: ['other'] } }), {
    code: 'taken',
    message: /Reservation 'shop@web' is in use/,
  })
  t.equal((await a.get('other'))?.owner.workload, 'other', 'it still waits')
  await a.release({ handle: 'kept' })
  const again = await a.assign({
    ...wanted,
    handle: 'second',
    owner: rival,
    takeOver: { handles: ['other'] },
  })
  t.same(
    again.addresses.map(({ address }) => address),
    kept.addresses.map(({ address }) => address),
  )
})

t.test('addresses keep to a range', async (t) => {
  const { allocator } = await cluster()
  const a = allocator('a')
  await a.assign(request('a', { ipv4: 1 }))
  const within = ['10.40.8.64/27', '10.40.9.5/32']
  const many = await a.assign(request('a', { ipv4: 33, within }))
  const numbers = many.addresses.map(({ address }) => address)
  t.ok(numbers.includes('10.40.9.5'))
  t.equal(numbers.filter((text) => /^10\.40\.8\.(6[4-9]|[78]\d|9[0-5])$/.test(text)).length, 32)
  t.equal(await codeOf(a.assign(request('a', { ipv4: 1, within }))), 'no-address')
  t.equal(await codeOf(allocator('b').assign(request('b', { ipv4: 1, within }))), 'no-address', 'on no node')
  t.equal(await codeOf(a.assign(request('a', { addresses: ['10.40.7.1'], within }))), 'not-in-pool')
  const fixed = await a.assign(request('a', { addresses: ['10.40.10.1'], within: ['10.40.10.0/24'] }))
  t.equal(fixed.addresses[0]?.address, '10.40.10.1')
  const six = await a.assign(request('a', { ipv6: 1, within }))
  t.match(six.addresses[0]?.address ?? '', /^fd00::/, 'a family without a range is not bound')
  t.equal(await codeOf(a.assign(request('a', { ipv4: 1, within: ['10.40.8/24'] }))), 'invalid')
})
