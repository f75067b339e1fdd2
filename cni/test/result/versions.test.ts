import fc from 'fast-check'
import { test } from 'tap'
import { readResult, resultFor, cniVersions } from '../../src/result/versions.ts'
import type { Json } from '../../src/json.ts'
import { type CniResult, joinResults, noResult } from '../../src/result/result.ts'

const text = fc.string({ minLength: 1, maxLength: 8 })
const address = fc.constantFrom('10.0.0.1/32', '10.0.0.2/24', 'fd00::1/128', 'fe80::5/64')
const optional = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value, { nil: undefined }).map((given) => (given === undefined ? {} : { [name]: given }))
const joined = (...parts: fc.Arbitrary<object>[]) =>
  fc.tuple(...parts).map((objects) => Object.assign({}, ...objects) as object)

const result = fc
  .array(
    joined(
      text.map((name) => ({ name })),
      optional('mac', text),
      optional('sandbox', text),
      optional('mtu', fc.nat()),
      optional('pciID', text),
    ),
    { maxLength: 4 },
  )
  .chain((interfaces) =>
    fc.record({
      interfaces: fc.constant(interfaces),
      ips: fc.array(
        joined(
          address.map((each) => ({ address: each })),
          optional('gateway', text),
          interfaces.length === 0
            ? fc.constant({})
            : optional('interface', fc.nat({ max: interfaces.length - 1 })),
        ),
        { maxLength: 4 },
      ),
      routes: fc.array(
        joined(
          text.map((dst) => ({ dst })),
          optional('gw', text),
          optional('table', fc.nat()),
          optional('priority', fc.nat()),
        ),
        { maxLength: 4 },
      ),
      dns: joined(
        optional('domain', text),
        optional('nameservers', fc.array(text, { minLength: 1, maxLength: 3 })),
      ),
    }),
  ) as unknown as fc.Arbitrary<CniResult>

const asJson = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json

test('a result of 1.1.0 is read as it was written', (t) => {
  fc.assert(
    fc.property(result, (given) => {
      t.same(readResult(asJson(resultFor(given, '1.1.0')), 'it', '1.1.0'), given)
    }),
    { numRuns: 200 },
  )
  t.end()
})

test('what a version can say survives reading and writing it', (t) => {
  fc.assert(
    fc.property(result, fc.constantFrom(...cniVersions), (given, version) => {
      const once = resultFor(given, version)
      const again = resultFor(readResult(asJson(once), 'it', version), version)
      t.same(again, once)
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('any JSON is read or refused with a place', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...cniVersions), (value, version) => {
      try {
        readResult(value as Json, 'prevResult', version)
      } catch (error) {
        t.match(error, { cniCode: /^[16]$/, message: /prevResult|cniVersion/ })
      }
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('joining keeps each address with its interface', (t) => {
  fc.assert(
    fc.property(result, result, (before, own) => {
      const both = joinResults(before, own)
      const owner = (of: CniResult, index: number): string | undefined => {
        const at = of.ips[index]?.interface
        return at === undefined ? undefined : of.interfaces[at]?.name
      }
      own.ips.forEach((_, index) => {
        t.equal(owner(both, before.ips.length + index), owner(own, index))
      })
      t.same(joinResults(noResult, own), own)
    }),
    { numRuns: 100 },
  )
  t.end()
})
