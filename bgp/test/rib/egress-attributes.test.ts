/** A block edited on its way out beside the attributes that are sent when it is decoded. */
import { deepStrictEqual, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { decodeAttributes, encodeAttributes } from '../../src/codec/attribute-block.ts'
import { editBlock, editGrowth } from '../../src/codec/block-edit.ts'
import { plainContext } from '../../src/codec/context.ts'
import { Role } from '../../src/codec/iana.ts'
import { type EgressWay, egressAttributes, egressEdit } from '../../src/rib/egress-attributes.ts'
import { type RibPeer } from '../../src/rib/peer.ts'
import { asn, attributes, record, u32 } from '../codec/arbitraries.ts'
import { sessionOf } from './far-end.ts'

const canonical = { ...plainContext, peerType: 'internal' } as const

const peer: fc.Arbitrary<RibPeer> = fc.record(
  {
    name: fc.constant('10.0.0.1'),
    routeServerClient: fc.boolean(),
    localAsn: asn,
    localAsnKeepsOwn: fc.boolean(),
    asOverride: fc.constant(true),
    removePrivateAs: fc.constantFrom('remove', 'replace'),
    role: fc.constantFrom(...Object.values(Role)),
    gracefulShutdown: fc.boolean(),
  },
  { requiredKeys: ['name'] },
)

const way: fc.Arbitrary<EgressWay> = record({
  source: fc.constantFrom('local', 'internal', 'external'),
  sourceRouterId: u32,
  peer,
  session: fc
    .tuple(asn, fc.boolean(), fc.integer({ min: 0, max: 5 }))
    .map(([asn, inside, old]) =>
      sessionOf({ address: '10.0.0.1', as4: old > 0, ...(inside ? {} : { asn }) }),
    ),
  identity: record({ asn, routerId: u32, clusterId: u32 }),
})

t.test('an edit makes of a block what is made of its attributes', (t) => {
  let done = 0
  fc.assert(
    fc.property(attributes, fc.boolean(), way, ({ opaque, ...rest }, carries, way) => {
      const edit = egressEdit(way)
      if (edit === undefined) return
      const value = carries && opaque !== undefined ? { ...rest, opaque } : rest
      const block = encodeAttributes(value, canonical)
      const into = new Uint8Array(block.length + editGrowth)
      const end = editBlock(block, 0, block.length, edit, into, 0)
      if (end < 0) return
      done++
      const { nextHop: _, ...received } = decodeAttributes(block, canonical)
      const sent = encodeAttributes(egressAttributes(received, way), way.session.send)
      deepStrictEqual(into.slice(0, end), sent)
    }),
    { numRuns: 3000 },
  )
  ok(done > 200, `${String(done)} of 3000 were edited`)
  t.end()
})
