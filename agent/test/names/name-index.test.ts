import * as fc from 'fast-check'
import t from 'tap'
import { NAMES_ANNOTATION } from '@network/datastore/model'
import { type NameIndex, type NameScope, createNameIndex } from '../../src/names/name-index.ts'
import { type Draft, type Endpoint, endpoint } from './endpoints.ts'

const qualified: NameScope = { is: 'qualified' }
const on = (...networks: string[]): NameScope => ({ is: 'networks', networks: new Set(networks) })

function indexOf(drafts: Readonly<Record<string, Draft>>): NameIndex {
  const index = createNameIndex()
  for (const [key, draft] of Object.entries(drafts)) index.onUpdate(key, endpoint(draft))
  return index
}

const cluster: Readonly<Record<string, Draft>> = {
  shop: {
    network: 'docker-1',
    called: 'web',
    names: ['Shop', 'front', 'Front.Door'],
    addresses: ['10.0.0.1'],
  },
  shop2: {
    network: 'docker-1',
    called: 'web',
    names: ['shop2', 'front'],
    addresses: ['10.0.0.2', 'fd00::2'],
  },
  store: { network: 'docker-2', called: 'db', names: ['store', 'front'], addresses: ['10.1.0.1'] },
  dotted: { network: 'docker-3', called: 'my.net', names: ['a.b'], addresses: ['10.2.0.1'] },
  fresh: { network: 'docker-1', called: 'web', names: ['fresh'], addresses: ['10.0.0.9'], pending: true },
  nameless: { network: 'docker-1', addresses: ['10.0.0.8'] },
  alone: { names: ['alone'], addresses: ['10.9.0.1'] },
}

const questions: readonly [name: string, scope: NameScope, found: readonly string[] | undefined][] = [
  ['shop', on('docker-1'), ['10.0.0.1']],
  ['SHOP.', on('docker-1'), ['10.0.0.1']],
  ['front', on('docker-1'), ['10.0.0.1', '10.0.0.2', 'fd00::2']],
  ['front', on('docker-1', 'docker-2'), ['10.0.0.1', '10.0.0.2', '10.1.0.1', 'fd00::2']],
  ['front.door', on('docker-1'), ['10.0.0.1']],
  ['shop.web', on('docker-1'), ['10.0.0.1']],
  ['shop.docker-1', on('docker-1'), ['10.0.0.1']],
  ['front.door.web', on('docker-1'), ['10.0.0.1']],
  ['shop.web', on('docker-2'), undefined],
  ['shop', on('docker-2'), undefined],
  ['shop', on(), undefined],
  ['shop.db', on('docker-1', 'docker-2'), undefined],
  ['shop', qualified, undefined],
  ['shop.web', qualified, ['10.0.0.1']],
  ['Store.DB', qualified, ['10.1.0.1']],
  ['a.b', on('docker-3'), ['10.2.0.1']],
  ['a.b.my.net', on('docker-3'), ['10.2.0.1']],
  ['b.my.net', on('docker-3'), undefined],
  ['fresh', on('docker-1'), undefined],
  ['alone', on('docker-1'), undefined],
  ['web', on('docker-1'), undefined],
  ['', on('docker-1'), undefined],
  ['.', qualified, undefined],
  ['.web', qualified, undefined],
  ['shop..web', qualified, undefined],
  [`${'x'.repeat(64)}.web`, qualified, undefined],
  ['__proto__', on('docker-1'), undefined],
]
t.test('who is found', (t) => {
  const index = indexOf(cluster)
  for (const [name, scope, found] of questions)
    t.same(
      index.find(name, scope),
      found,
      `${name} by ${scope.is === 'qualified' ? 'anybody' : [...scope.networks].join()}`,
    )
  t.end()
})

t.test('who may ask about what', (t) => {
  const index = indexOf({
    ...cluster,
    first: { container: 'c1', network: 'docker-1', names: ['both'], addresses: ['10.0.0.5'] },
    second: { container: 'c1', network: 'docker-2', names: ['both'], addresses: ['10.1.0.5'] },
    elsewhere: { node: 'n2', container: 'c1', network: 'docker-3', names: ['both'], addresses: ['10.2.0.5'] },
  })
  t.same(index.scopeOf('10.0.0.1'), on('docker-1'))
  t.same(index.scopeOf('10.0.0.8'), on('docker-1'), 'also who has no name')
  t.same(index.scopeOf('10.0.0.5'), on('docker-1', 'docker-2'), 'all networks of the container')
  t.same(index.scopeOf('10.2.0.5'), on('docker-3'), 'but of another node is another container')
  t.same(index.scopeOf('10.9.0.1'), on(), 'an endpoint on no network')
  t.same(index.scopeOf('10.0.0.9'), qualified, 'a pending endpoint is nobody yet')
  t.same(index.scopeOf('192.0.2.1'), qualified)
  t.equal(index.holds('10.0.0.1'), true)
  t.equal(index.holds('192.0.2.1'), false)
  t.end()
})

t.test('whose an address is', (t) => {
  const index = indexOf(cluster)
  t.equal(index.nameOf('10.0.0.1', on('docker-1')), 'shop.web')
  t.equal(index.nameOf('fd00::2', qualified), 'shop2.web')
  t.equal(index.nameOf('10.0.0.1', on('docker-2')), undefined)
  t.equal(index.nameOf('10.0.0.8', qualified), undefined)
  t.equal(index.nameOf('192.0.2.1', qualified), undefined)
  t.end()
})

t.test('what others wrote into the annotation is nobody', (t) => {
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"names":["x"]}',
    '{"container":1,"network":"web","names":["x"]}',
  ]) {
    const index = createNameIndex()
    const plain = endpoint({ network: 'docker-1', addresses: ['10.0.0.1'] })
    index.onUpdate('k', {
      ...plain,
      metadata: { ...plain.metadata, annotations: { [NAMES_ANNOTATION]: text } },
    })
    t.equal(index.size, 0, text)
    t.same(index.scopeOf('10.0.0.1'), on('docker-1'))
  }
  t.end()
})

const nets = ['docker-1', 'docker-2', 'docker-3'] as const
const addresses = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'] as const
const words = ['a', 'b', 'B', 'a.b', 'a.web', 'web', 'docker-1'] as const
const draft: fc.Arbitrary<Draft> = fc.record(
  {
    node: fc.constantFrom('n1', 'n2'),
    container: fc.constantFrom('c1', 'c2'),
    network: fc.constantFrom(...nets),
    called: fc.constantFrom('web', 'db', 'b.web', 'docker-2'),
    names: fc.array(fc.constantFrom(...words), { maxLength: 3 }),
    addresses: fc.uniqueArray(fc.constantFrom(...addresses), { maxLength: 2 }),
    pending: fc.boolean(),
  },
  { requiredKeys: ['addresses'] },
)
const news = fc.array(
  fc.tuple(fc.constantFrom('k1', 'k2', 'k3', 'k4'), fc.option(draft, { nil: undefined })),
  { maxLength: 30 },
)

/** All that it can be asked. */
function everything(index: NameIndex): unknown {
  const scopes = [qualified, on(), on('docker-1'), on('docker-2', 'docker-3'), on(...nets)]
  const asked = [
    ...words,
    ...words.flatMap((word) => ['web', 'db', 'b.web', 'docker-2'].map((net) => `${word}.${net}`)),
  ]
  return {
    size: index.size,
    found: scopes.map((scope) => asked.map((name) => index.find(name, scope))),
    names: scopes.map((scope) => addresses.map((address) => index.nameOf(address, scope))),
    scopes: addresses.map((address) => {
      const scope = index.scopeOf(address)
      return scope.is === 'qualified' ? 'qualified' : [...scope.networks].sort()
    }),
    holds: addresses.map((address) => index.holds(address)),
  }
}

t.test('it is the same, however it came to be', (t) => {
  fc.assert(
    fc.property(news, (changes) => {
      const index = createNameIndex()
      const present = new Map<string, Endpoint>()
      for (const [key, change] of changes) {
        const next = change === undefined ? undefined : endpoint(change)
        index.onUpdate(key, next)
        if (next === undefined) present.delete(key)
        else present.set(key, next)
      }
      const fresh = createNameIndex()
      for (const [key, next] of [...present].sort(([a], [b]) => (a < b ? 1 : -1))) fresh.onUpdate(key, next)
      t.strictSame(everything(index), everything(fresh))
    }),
    { numRuns: 300 },
  )
  t.end()
})
