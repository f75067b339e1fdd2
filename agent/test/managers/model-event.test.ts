import fc from 'fast-check'
import t from 'tap'
import { decodeChange } from '../../src/managers/model-event.ts'
import { resource } from './model.ts'

const poolKey = '/drover/v1/resources/ippools/p'
const affinityKey = '/drover/v1/ipam/affinities/n1/ipv4/10.0.0.0-26'
const endpointKey = '/drover/v1/endpoints/n1/cli/w/eth0'
const pool = JSON.stringify(resource('IPPool', 'p', { cidr: '10.0.0.0/16' }))

t.test('a resource, an affinity, an endpoint, and their absence', (t) => {
  t.match(decodeChange({ key: poolKey, value: pool, revision: 3 }), {
    ok: true,
    value: { type: 'resource', kind: 'IPPool', name: 'p', resource: { spec: { cidr: '10.0.0.0/16' } } },
  })
  t.match(decodeChange({ key: poolKey, value: undefined, revision: 3 }), {
    value: { kind: 'IPPool', name: 'p', resource: undefined },
  })
  t.match(decodeChange({ key: affinityKey, value: '{"state":"confirmed"}', revision: 3 }), {
    value: { type: 'affinity', block: '10.0.0.0/26', state: 'confirmed' },
  })
  t.match(decodeChange({ key: endpointKey, value: undefined, revision: 9 }), {
    value: { type: 'endpoint', key: endpointKey, endpoint: undefined, revision: 9 },
  })
  t.same(decodeChange({ key: '/drover/v1/resources/unknown/x', value: '{}', revision: 1 }), {
    ok: true,
    value: undefined,
  })
  t.end()
})

t.test('what cannot be read is a fault that names its key, and counts as absent', (t) => {
  for (const [key, value] of [
    [poolKey, 'not json'],
    [poolKey, '{"apiVersion":"drover.network/v1","kind":"IPPool","metadata":{"name":"p"},"spec":{}}'],
    [poolKey, JSON.stringify(resource('Profile', 'p', {}))],
    [endpointKey, '[]'],
  ] as const) {
    const decoded = decodeChange({ key, value, revision: 1 })
    t.match(decoded, { ok: false, error: { fault: { key } } }, value)
  }
  t.match(decodeChange({ key: affinityKey, value: '{"state":"mine"}', revision: 1 }), {
    ok: false,
    error: { event: { type: 'affinity', state: undefined } },
  })
  t.end()
})

t.test('no key and no value makes it throw', (t) => {
  const key = fc.oneof(
    fc.constantFrom(poolKey, affinityKey, endpointKey),
    fc.string().map((tail) => `/drover/v1/${tail}`),
    fc.string(),
  )
  const value = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom('null', '0', '{"spec":null}', '{"__proto__":{}}'),
  )
  fc.assert(
    fc.property(key, value, (k, v) => {
      decodeChange({ key: k, value: v, revision: 1 })
    }),
    { numRuns: 2_000 },
  )
  t.end()
})
