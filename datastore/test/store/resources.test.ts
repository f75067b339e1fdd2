import { prefix } from '@network/net'
import t from 'tap'
import { type ResourceError, type Store, StoreError, type TransactionResult } from '../../src/index.ts'
import {
  type Metadata,
  type Resource,
  SECRET_MASK,
  draftResource,
  parseSelector,
  resourceKey,
} from '../../src/model/index.ts'
import { pool, refusal, setUp } from './resources-in-memory.ts'

t.test('create, get, list, replace, apply, delete', async (t) => {
  const { resources, store } = setUp()
  const [created] = await resources.create([pool('a', '10.0.0.0/16', {}, { labels: { x: '1' } })])
  t.match(created, {
    action: 'create',
    resource: {
      metadata: { uid: 'uid-1', creationTimestamp: '2026-01-02T03:04:05.000Z', labels: { x: '1' } },
      spec: { blockSize: 26, natOutgoing: false },
    },
  })
  t.same(await resources.get('IPPool', 'a'), created?.resource, 'what was answered is what is stored')
  t.equal(await resources.get('IPPool', 'b'), undefined)

  const [replaced] = await resources.replace([pool('a', '10.0.0.0/16', { natOutgoing: true })])
  t.match(replaced, { action: 'update', fields: ['spec.natOutgoing'] })
  t.match(
    replaced?.resource.metadata,
    { uid: 'uid-1', labels: { x: '1' } },
    'uid and unmentioned labels stay',
  )

  const [again] = await resources.apply([pool('a', '10.0.0.0/16', { natOutgoing: true })])
  t.equal(again?.action, 'unchanged')
  t.equal(again?.resource.metadata.resourceVersion, replaced?.resource.metadata.resourceVersion)

  const changes = await resources.apply([pool('a', '10.0.0.0/16'), pool('b', '10.1.0.0/16')])
  t.same(
    changes.map(({ action }) => action),
    ['update', 'create'],
  )
  t.equal(
    new Set(changes.map(({ resource }) => resource.metadata.resourceVersion)).size,
    1,
    'one transaction',
  )

  t.same(
    (await resources.list('IPPool')).items.map(({ metadata }) => metadata.name),
    ['a', 'b'],
  )
  const selector = parseSelector('has(x)')
  if (!selector.ok) throw new Error('the selector is good')
  t.same(
    (await resources.list('IPPool', { selector: selector.value })).items.map(({ metadata }) => metadata.name),
    ['a'],
  )

  const deleted = await resources.delete([{ kind: 'IPPool', name: 'a' }])
  t.match(deleted, [{ action: 'delete', resource: { metadata: { name: 'a' }, spec: { disabled: false } } }])
  t.equal(await resources.get('IPPool', 'a'), undefined)
  t.equal(await store.get(resourceKey({ kind: 'IPPool', name: 'a' })), undefined)
})

t.test('what is refused, with code, field and remedy, and nothing written', async (t) => {
  const { resources, store } = setUp()
  await resources.create([pool('a', '10.0.0.0/16'), draftResource('Profile', 'p', {})])
  const before = (await store.list('')).items
  const stale: Omit<Metadata, 'name'> = { resourceVersion: '1' }
  const cases: readonly (readonly [title: string, call: () => Promise<unknown>, expected: object])[] = [
    [
      'exists',
      () => resources.create([pool('a', '10.9.0.0/16')]),
      { code: 'exists', message: 'IPPool a exists already.' },
    ],
    [
      'absent',
      () => resources.replace([pool('z', '10.9.0.0/16')]),
      { code: 'not-found', message: 'There is no IPPool z.' },
    ],
    ['absent, to delete', () => resources.delete([{ kind: 'Profile', name: 'z' }]), { code: 'not-found' }],
    [
      'stale',
      () => resources.apply([pool('a', '10.0.0.0/16', {}, stale)]),
      { code: 'conflict', field: 'metadata.resourceVersion', value: '1' },
    ],
    [
      'stale, to delete',
      () => resources.delete([{ kind: 'IPPool', name: 'a', resourceVersion: '1' }]),
      { code: 'conflict' },
    ],
    ['gone meanwhile', () => resources.apply([pool('z', '10.9.0.0/16', {}, stale)]), { code: 'not-found' }],
    [
      'cidr',
      () => resources.apply([pool('a', '10.9.0.0/16')]),
      { code: 'immutable', field: 'spec.cidr', value: '10.9.0.0/16' },
    ],
    [
      'block size',
      () => resources.apply([pool('a', '10.0.0.0/16', { blockSize: 27 })]),
      { code: 'immutable', field: 'spec.blockSize', value: 27 },
    ],
    [
      'overlap',
      () => resources.create([pool('b', '10.0.128.0/17')]),
      {
        code: 'invalid',
        field: 'spec.cidr',
        value: '10.0.128.0/17',
        message: /overlaps 10.0.0.0\/16 of the IPPool a/,
      },
    ],
    [
      'overlap in one call',
      () => resources.create([pool('b', '10.1.0.0/16'), pool('c', '10.0.0.0/8')]),
      { code: 'invalid', field: 'spec.cidr' },
    ],
    [
      'twice in one call',
      () => resources.create([pool('b', '10.1.0.0/16'), pool('b', '10.1.0.0/16')]),
      { code: 'invalid', field: 'metadata.name' },
    ],
    [
      'one bad among good',
      () => resources.create([pool('b', '10.1.0.0/16'), pool('c', 'x')]),
      { code: 'invalid', field: 'spec.cidr', value: 'x' },
    ],
    [
      'one existing among new',
      () => resources.create([draftResource('Profile', 'q', {}), draftResource('Profile', 'p', {})]),
      { code: 'exists' },
    ],
    [
      'a version on what is new',
      () => resources.create([draftResource('Profile', 'q', {}, stale)]),
      { code: 'invalid', field: 'metadata.resourceVersion' },
    ],
    [
      'pool of a network',
      () => resources.create([draftResource('Network', 'n', { pools: ['a', 'zz'] })]),
      { code: 'invalid', field: 'spec.pools[1]', value: 'zz' },
    ],
    [
      'subnet of a network',
      () => resources.create([draftResource('Network', 'n', { subnets: ['10.0.0.0/15'] })]),
      { code: 'invalid', field: 'spec.subnets[0]' },
    ],
    [
      'a mask where nothing is',
      () =>
        resources.create([
          draftResource('BGPPeer', 'b', { peerIP: '10.0.0.1', asNumber: 1, password: SECRET_MASK }),
        ]),
      { code: 'invalid', field: 'spec.password' },
    ],
    [
      'a name that is a path',
      () => resources.get('IPPool', '../nodes/n1'),
      { code: 'invalid', field: 'metadata.name' },
    ],
    [
      'too many',
      () =>
        resources.create(
          Array.from({ length: 121 }, (_, i) => draftResource('Profile', `p${String(i)}`, {})),
        ),
      { code: 'invalid', message: /^121 resources don't fit/ },
    ],
  ]
  for (const [title, call, expected] of cases) {
    const error = await refusal(call())
    t.match(error, expected, title)
    t.match(error.remedy, /^.+\.$/s, title)
  }
  t.same((await store.list('')).items, before)
})

t.test('a dry run tells the same and writes nothing', async (t) => {
  const { resources, store } = setUp()
  await resources.create([pool('a', '10.0.0.0/16')])
  const before = (await store.list('')).items
  const plan = await resources.apply(
    [pool('a', '10.0.0.0/16', { disabled: true }), pool('b', '10.1.0.0/16')],
    { dryRun: true },
  )
  t.same(
    plan.map(({ action, fields }) => [action, fields]),
    [
      ['update', ['spec.disabled']],
      ['create', []],
    ],
  )
  t.same(
    (await resources.delete([{ kind: 'IPPool', name: 'a' }], { dryRun: true })).map(({ action }) => action),
    ['delete'],
  )
  t.match(await refusal(resources.apply([pool('c', '10.0.0.0/24')], { dryRun: true })), { code: 'invalid' })
  t.same((await store.list('')).items, before)
})

t.test('a secret survives being printed and applied', async (t) => {
  const { resources } = setUp()
  const peer = (password: string, passive: boolean): Resource =>
    draftResource('BGPPeer', 'tor', { peerIP: '10.0.0.1', asNumber: 65001, password, passive })
  await resources.create([peer('hunter2', false)])
  await resources.apply([peer(SECRET_MASK, true)])
  t.match((await resources.get('BGPPeer', 'tor'))?.spec, { password: 'hunter2', passive: true })
})

t.test('of two overlapping pools made at the same time one is refused', async (t) => {
  const { resources } = setUp()
  const results = await Promise.allSettled(
    ['10.0.0.0/16', '10.0.0.0/17', '10.0.128.0/17', '10.0.0.0/8', '10.1.0.0/16'].map((cidr, index) =>
      resources.create([pool(`p${String(index)}`, cidr)]),
    ),
  )
  const { items } = await resources.list('IPPool')
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, items.length)
  for (const a of items) {
    for (const b of items) {
      if (a !== b) t.notOk(overlap(a.spec.cidr, b.spec.cidr), `${a.spec.cidr} ${b.spec.cidr}`)
    }
  }
})

function overlap(a: string, b: string): boolean {
  const length = Math.min(prefix(a).length, prefix(b).length)
  return prefix(a).address.w0 >>> (32 - length) === prefix(b).address.w0 >>> (32 - length)
}

t.test('replace from the same revision wins once', async (t) => {
  const { resources } = setUp()
  const [created] = await resources.create([draftResource('Profile', 'p', {})])
  const resourceVersion = created?.resource.metadata.resourceVersion ?? ''
  const results = await Promise.allSettled(
    ['a', 'b', 'c'].map((role) =>
      resources.replace([draftResource('Profile', 'p', { labelsToApply: { role } }, { resourceVersion })]),
    ),
  )
  t.same(
    results
      .map((result) => (result.status === 'fulfilled' ? 'done' : (result.reason as ResourceError).code))
      .sort(),
    ['conflict', 'conflict', 'done'],
  )
})

/** A store whose transactions are carried out, but the first answer after `losing` is set is lost. */
function losingAnswers(state: { losing: boolean }): (inner: Store) => Store {
  return (inner) => ({
    ...inner,
    async transact(transaction): Promise<TransactionResult> {
      const result = await inner.transact(transaction)
      if (!state.losing) return result
      state.losing = false
      throw new StoreError('unknown-outcome', 'the answer was lost')
    },
  })
}

t.test('a lost answer is neither a failure nor a second write', async (t) => {
  const state = { losing: true }
  const { resources } = setUp(losingAnswers(state))
  const [created] = await resources.create([pool('a', '10.0.0.0/16')])
  t.match(created, { action: 'create', resource: { metadata: { uid: 'uid-1' } } })
  const resourceVersion = created?.resource.metadata.resourceVersion
  t.equal((await resources.get('IPPool', 'a'))?.metadata.resourceVersion, resourceVersion)
  state.losing = true
  await resources.replace([
    pool('a', '10.0.0.0/16', { disabled: true }, { resourceVersion: resourceVersion ?? '' }),
  ])
  t.equal((await resources.get('IPPool', 'a'))?.spec.disabled, true)
  state.losing = true
  t.match(await resources.delete([{ kind: 'IPPool', name: 'a' }]), [
    { action: 'delete', resource: { metadata: { name: 'a' } } },
  ])
  t.equal(await resources.get('IPPool', 'a'), undefined)
})

t.test(
  'what lies under a resource’s key and is none is told, replaced and deleted, never thrown over',
  async (t) => {
    const { resources, store } = setUp()
    const key = (name: string): string => resourceKey({ kind: 'Profile', name })
    const values: Record<string, string> = {
      broken: '{',
      foreign:
        '{"apiVersion":"drover.network/v1","kind":"IPPool","metadata":{"name":"x"},"spec":{"cidr":"10.0.0.0/8"}}',
      newer:
        '{"apiVersion":"drover.network/v1","kind":"Profile","metadata":{"name":"newer"},"spec":{"ingress":[],"colour":1}}',
    }
    await store.transact({
      when: [],
      then: Object.entries(values).map(([name, value]) => ({ put: key(name), value })),
    })
    const { items, unreadable } = await resources.list('Profile')
    t.same(
      items.map(({ metadata, spec }) => [metadata.name, spec]),
      [['newer', { ingress: [] }]],
      'a newer field is left out',
    )
    t.same(
      unreadable.map((item) => item.key),
      [key('broken'), key('foreign')],
    )
    t.match(await refusal(resources.get('Profile', 'broken')), { code: 'unreadable' })
    await resources.apply([draftResource('Profile', 'broken', {})])
    t.not(await resources.get('Profile', 'broken'), undefined)
    await resources.delete([{ kind: 'Profile', name: 'foreign' }])
    t.equal(await store.get(key('foreign')), undefined)
  },
)
