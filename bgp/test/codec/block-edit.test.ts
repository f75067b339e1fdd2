/** Blocks edited as octets beside the same changes made to decoded attributes. */
import { deepStrictEqual, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { prependAs } from '../../src/codec/as-path.ts'
import { checkAttributes, decodeAttributes, encodeAttributes } from '../../src/codec/attribute-block.ts'
import { type BlockEdit, editBlock, editGrowth } from '../../src/codec/block-edit.ts'
import { plainContext } from '../../src/codec/context.ts'
import { AttributeCode } from '../../src/codec/iana.ts'
import { type AsPath, type PathAttributes } from '../../src/codec/path-attributes.ts'
import { asn, attributes, record, u32, u8 } from './arbitraries.ts'

const context = { ...plainContext, peerType: 'internal' } as const

const dropped = {
  multiExitDisc: AttributeCode.multiExitDisc,
  localPref: AttributeCode.localPref,
  originatorId: AttributeCode.originatorId,
  clusterList: AttributeCode.clusterList,
}
const dropNames = Object.keys(dropped) as (keyof typeof dropped)[]

type Change = Omit<BlockEdit, 'drop'> & { readonly names: readonly (keyof typeof dropped)[] }

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

const change: fc.Arbitrary<Change> = record({
  names: fc.subarray(dropNames),
  prepend: maybe(asn),
  localPref: maybe(u32),
  originatorId: maybe(u32),
  onlyToCustomer: maybe(u32),
  clusterId: maybe(u32),
  leavesAs: fc.boolean(),
}).map((given) => ({
  ...given,
  // What an edit gives it doesn't drop.
  names: given.names.filter(
    (name) => given[name === 'clusterList' ? 'clusterId' : (name as 'localPref')] === undefined,
  ),
}))

function edited(block: Uint8Array, { names, ...rest }: Change): Uint8Array | undefined {
  const drop = names.reduce((bits, name) => bits | (1 << dropped[name]), 0)
  // Octets around the block are nobody's business.
  const bytes = new Uint8Array(block.length + 8).fill(0xc0)
  bytes.set(block, 3)
  const into = new Uint8Array(2 + block.length + editGrowth)
  const end = editBlock(bytes, 3, 3 + block.length, { ...rest, drop }, into, 2)
  return end < 0 ? undefined : into.slice(2, end)
}

function reference(block: Uint8Array, change: Change): Uint8Array {
  const { nextHop: _, ...decoded } = decodeAttributes(block, context)
  const kept: PathAttributes = Object.fromEntries(
    Object.entries(decoded).filter(([name]) => !change.names.some((other) => other === name)),
  )
  const own: AsPath = kept.asPath ?? []
  const path = change.leavesAs ? own.filter(({ type }) => type === 'set' || type === 'sequence') : own
  const communities = kept.extendedCommunities
  const { prepend, localPref, originatorId, clusterId, onlyToCustomer } = change
  return encodeAttributes(
    {
      ...kept,
      asPath: prepend === undefined ? path : prependAs(path, prepend),
      ...(change.leavesAs && communities !== undefined
        ? { extendedCommunities: communities.filter(({ high }) => (high & 0x40000000) === 0) }
        : {}),
      ...(localPref === undefined ? {} : { localPref: kept.localPref ?? localPref }),
      ...(originatorId === undefined ? {} : { originatorId: kept.originatorId ?? originatorId }),
      ...(onlyToCustomer === undefined ? {} : { onlyToCustomer: kept.onlyToCustomer ?? onlyToCustomer }),
      ...(clusterId === undefined ? {} : { clusterList: [clusterId, ...(kept.clusterList ?? [])] }),
    },
    context,
  )
}

/** An attribute as a peer may send it: known or not, flags and order as chance has them. */
const anyAttribute = fc
  .tuple(
    fc.constantFrom(0x40, 0x80, 0xc0, 0xe0, 0x50, 0x90, 0xd0),
    fc.oneof(fc.integer({ min: 1, max: 40 }), u8),
    fc.uint8Array({ maxLength: 24 }),
  )
  .map(([flags, code, value]) =>
    (flags & 0x10) === 0 ? [flags, code, value.length, ...value] : [flags, code, 0, value.length, ...value],
  )

t.test('what is edited is what decoding, changing and encoding make of it', (t) => {
  let done = 0
  fc.assert(
    fc.property(attributes, change, (value, change) => {
      const block = encodeAttributes(value, context)
      const result = edited(block, change)
      if (result === undefined) return
      done++
      deepStrictEqual(result, reference(block, change))
    }),
    { numRuns: 1500 },
  )
  ok(done > 80, `${done} of 1500 were edited`)
  t.end()
})

t.test('a plain block is always edited', (t) => {
  const plain = attributes.map(({ opaque: _, extendedCommunities: __, asPath, clusterList, ...rest }) => ({
    ...rest,
    asPath: (asPath ?? [])
      .slice(0, 1)
      .map(({ asns }) => ({ type: 'sequence' as const, asns: asns.slice(0, 50) })),
    ...(clusterList === undefined ? {} : { clusterList: clusterList.slice(0, 60) }),
  }))
  fc.assert(
    fc.property(plain, change, (value, change) => {
      const block = encodeAttributes(value, context)
      deepStrictEqual(edited(block, change), reference(block, change))
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('a block in another form than the canonical one is left alone or comes out canonical', (t) => {
  fc.assert(
    fc.property(
      fc.array(anyAttribute, { maxLength: 4 }),
      attributes,
      fc.nat(3),
      change,
      (parts, value, at, change) => {
        const mixed = parts.map((part) => [...part])
        mixed.splice(at, 0, [...encodeAttributes(value, context)])
        const checked = checkAttributes(Uint8Array.from(mixed.flat()), context)
        if (checked.faults.some(({ action }) => action !== 'discard')) return
        const result = edited(checked.attributes, change)
        if (result !== undefined) deepStrictEqual(result, reference(checked.attributes, change))
      },
    ),
    { numRuns: 3000 },
  )
  t.end()
})

t.test('octets that are no block are read no further than their end', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), change, (bytes, change) => {
      const result = edited(bytes, change)
      ok(result === undefined || result.length <= bytes.length + editGrowth)
    }),
    { numRuns: 1000 },
  )
  t.end()
})
