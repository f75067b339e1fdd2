/** What property tests of the codec choose from. */
import { ipv4 } from '@network/net'
import fc from 'fast-check'
import { type AsPath, type PathAttributes } from '../../src/codec/path-attributes.ts'

/** A plain object of these fields. */
export function record<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true })
}

export const u8 = fc.integer({ min: 0, max: 255 })
export const u16 = fc.integer({ min: 0, max: 0xffff })
export const u32 = fc.integer({ min: 0, max: 0xffffffff })
export const asn = fc.oneof(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 1, max: 0xffffffff }))
export const octets = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })
export const segments = (types: readonly AsPath[number]['type'][]): fc.Arbitrary<AsPath> =>
  fc.array(
    record({ type: fc.constantFrom(...types), asns: fc.array(asn, { minLength: 1, maxLength: 255 }) }),
    {
      maxLength: 4,
    },
  )

const list = <T>(entry: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(entry, { minLength: 1, maxLength: 80 })

export const attributes: fc.Arbitrary<PathAttributes> = fc.record(
  {
    origin: fc.constantFrom('igp', 'egp', 'incomplete'),
    asPath: segments(['set', 'sequence', 'confed-sequence', 'confed-set']),
    nextHop: u32.map(ipv4),
    multiExitDisc: u32,
    localPref: u32,
    atomicAggregate: fc.constant(true),
    aggregator: record({ asn, routerId: u32 }),
    communities: list(u32),
    originatorId: u32,
    clusterList: list(u32),
    extendedCommunities: list(record({ high: u32, low: u32 })),
    ipv6ExtendedCommunities: list(fc.uint8Array({ minLength: 20, maxLength: 20 })),
    largeCommunities: list(record({ global: u32, local1: u32, local2: u32 })),
    onlyToCustomer: u32,
    opaque: fc
      .uniqueArray(
        record({
          flags: fc.constant(0xe0),
          code: fc.oneof(fc.integer({ min: 36, max: 39 }), fc.integer({ min: 100, max: 255 })),
          value: octets(600),
        }),
        { minLength: 1, maxLength: 4, selector: ({ code }) => code },
      )
      .map((entries) => entries.sort((a, b) => a.code - b.code)),
  },
  { requiredKeys: [], noNullPrototype: true },
)
