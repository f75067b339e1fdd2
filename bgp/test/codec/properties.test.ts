import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import { type Prefix, ipv4, ipv6, prefixOf } from '@network/net'
import fc from 'fast-check'
import t from 'tap'
import { asPathLength } from '../../src/codec/as-path.ts'
import { decodeAttributes, encodeAttributes } from '../../src/codec/attribute-block.ts'
import { type CodecContext, plainContext } from '../../src/codec/context.ts'
import { frame } from '../../src/codec/frame.ts'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { decodeMessage, encodeMessage } from '../../src/codec/message.ts'
import { type Capability, type Message } from '../../src/codec/messages.ts'
import { nlriPrefixes, nlriRun } from '../../src/codec/nlri.ts'
import { type AsPath } from '../../src/codec/path-attributes.ts'
import { putU16 } from '../../src/codec/writer.ts'
import { asn, attributes, octets, record, segments, u16, u32, u8 } from './arbitraries.ts'
import { attributeCases, messageCases } from './cases.ts'

const families = [ipv4Unicast, ipv6Unicast]
const family = fc.constantFrom(...families)

const context: fc.Arbitrary<CodecContext> = record({
  peerType: fc.constantFrom('internal', 'external'),
  as4: fc.boolean(),
  addPath: fc.subarray(families).map((list) => new Set(list)),
  extendedNextHop: fc.subarray([ipv4Unicast]).map((list) => new Set(list)),
  extendedMessage: fc.boolean(),
  families: fc.subarray(families).map((list) => new Set(list)),
})

const capability: fc.Arbitrary<Capability> = fc.oneof(
  record({ kind: fc.constant('multiprotocol' as const), afiSafi: family }),
  fc.constant({ kind: 'route-refresh' as const }),
  record({
    kind: fc.constant('extended-next-hop' as const),
    entries: fc.array(record({ afiSafi: family, nextHopAfi: u16 }), { maxLength: 5 }),
  }),
  fc.constant({ kind: 'extended-message' as const }),
  record({ kind: fc.constant('role' as const), role: u8 }),
  record({
    kind: fc.constant('graceful-restart' as const),
    restarting: fc.boolean(),
    notification: fc.boolean(),
    restartTimeSeconds: fc.integer({ min: 0, max: 4095 }),
    families: fc.array(record({ afiSafi: family, forwarding: fc.boolean() }), { maxLength: 5 }),
  }),
  record({ kind: fc.constant('as4' as const), asn }),
  record({
    kind: fc.constant('add-path' as const),
    families: fc.array(
      record({
        afiSafi: family,
        mode: fc.constantFrom('receive' as const, 'send' as const, 'both' as const),
      }),
      { maxLength: 5 },
    ),
  }),
  fc.constant({ kind: 'enhanced-route-refresh' as const }),
  record({
    kind: fc.constant('long-lived-graceful-restart' as const),
    families: fc.array(
      record({
        afiSafi: family,
        forwarding: fc.boolean(),
        staleTimeSeconds: fc.integer({ min: 0, max: 0xffffff }),
      }),
      { maxLength: 5 },
    ),
  }),
  record({
    kind: fc.constant('fqdn' as const),
    host: fc.string({ maxLength: 30, unit: 'binary' }),
    domain: fc.string({ maxLength: 30, unit: 'binary' }),
  }),
  record({
    kind: fc.constant('unknown' as const),
    code: fc.integer({ min: 200, max: 255 }),
    value: octets(255),
  }),
)

const open: fc.Arbitrary<Message> = record({
  myAs: fc.integer({ min: 1, max: 0xffff }),
  holdTimeSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 0xffff })),
  routerId: fc.integer({ min: 1, max: 0xffffffff }),
  groups: fc.array(fc.array(capability, { minLength: 1, maxLength: 4 }), { maxLength: 4 }),
}).map(({ myAs, holdTimeSeconds, routerId, groups }) => {
  const capabilities = groups.flat()
  const as4 = capabilities.find((entry) => entry.kind === 'as4')
  const size = (entry: Capability): number => encodedSize(entry)
  const parameters = groups.map((group) => group.reduce((sum, entry) => sum + size(entry), 0))
  const total = parameters.reduce((sum, length) => sum + 2 + length, 0)
  return {
    type: 'open' as const,
    version: 4,
    myAs,
    asn: as4?.asn ?? myAs,
    holdTimeSeconds,
    routerId,
    capabilities,
    capabilitiesPerParameter: groups.map(({ length }) => length),
    extendedLength: total > 255 || parameters.some((length) => length > 255),
  }
})

/** Octets of a capability, taken from the OPEN that holds it alone in extended form. */
function encodedSize(entry: Capability): number {
  const alone = encodeMessage(
    {
      type: 'open',
      version: 4,
      myAs: 1,
      asn: 1,
      holdTimeSeconds: 0,
      routerId: 1,
      capabilities: [entry],
      extendedLength: true,
    },
    plainContext,
  )
  return alone.length - 19 - 10 - 3 - 3
}

const prefix = (afiSafi: number): fc.Arbitrary<Prefix> =>
  afiSafi === ipv4Unicast
    ? fc.tuple(u32, fc.integer({ min: 0, max: 32 })).map(([word, length]) => prefixOf(ipv4(word), length))
    : fc
        .tuple(u32, u32, u32, u32, fc.integer({ min: 0, max: 128 }))
        .map(([a, b, c, d, length]) => prefixOf(ipv6(a, b, c, d), length))

t.test('attributes survive encoding, with four-octet AS numbers', (t) => {
  fc.assert(
    fc.property(attributes, (value) => {
      deepStrictEqual(decodeAttributes(encodeAttributes(value, plainContext), plainContext), value)
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('attributes survive encoding for an old speaker, less the place of confederation segments', (t) => {
  const old = { ...plainContext, as4: false }
  const flat = (path: AsPath | undefined): unknown =>
    path?.flatMap(({ type, asns }) => asns.map((as) => [type, as]))
  fc.assert(
    fc.property(attributes, segments(['sequence', 'set']), (given, asPath) => {
      const { aggregator, ...others } = given
      const value = { ...others, asPath }
      const decoded = decodeAttributes(encodeAttributes(value, old), old)
      deepStrictEqual(flat(decoded.asPath), flat(asPath))
      equal(asPathLength(decoded.asPath ?? []), asPathLength(asPath))
      deepStrictEqual({ ...decoded, asPath }, value)
      const alone = aggregator && decodeAttributes(encodeAttributes({ aggregator }, old), old)
      deepStrictEqual(alone?.aggregator, aggregator)
    }),
    { numRuns: 150 },
  )
  t.end()
})

t.test('encoding is canonical: what was decoded and encoded once changes no more', (t) => {
  fc.assert(
    fc.property(attributes, context, (value, context) => {
      const again = (block: Uint8Array): Uint8Array =>
        encodeAttributes(decodeAttributes(block, context), context)
      const block = again(encodeAttributes(value, context))
      deepStrictEqual(again(block), block)
    }),
    { numRuns: 150 },
  )
  t.end()
})

t.test('an OPEN survives encoding', (t) => {
  fc.assert(
    fc.property(open, (value) => {
      deepStrictEqual(decodeMessage(encodeMessage(value, plainContext), plainContext), value)
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('prefixes survive encoding', (t) => {
  fc.assert(
    fc.property(
      family.chain((afiSafi) =>
        fc.tuple(
          fc.constant(afiSafi),
          fc.boolean().chain((addPath) =>
            fc.array(record({ prefix: prefix(afiSafi), pathId: addPath ? u32 : fc.constant(undefined) }), {
              maxLength: 40,
            }),
          ),
        ),
      ),
      ([afiSafi, entries]) => {
        const run = nlriRun(afiSafi, entries)
        equal(run.count, entries.length)
        deepStrictEqual([...nlriPrefixes(run)], entries)
      },
    ),
    { numRuns: 300 },
  )
  t.end()
})

/** Whatever is decoded can be looked at as a person would, and encoded again. */
function use(bytes: Uint8Array, context: CodecContext): void {
  const decoded = decodeMessage(bytes, context)
  if (decoded.type === 'update') {
    for (const run of [...decoded.announced, ...decoded.withdrawn]) {
      let count = 0
      for (const { prefix } of nlriPrefixes(run)) count += prefix.length >= 0 ? 1 : 0
      equal(count, run.count)
    }
    if (decoded.attributes !== undefined)
      encodeAttributes(decodeAttributes(decoded.attributes, context), context)
  } else if (decoded.type !== 'fault') {
    ok(encodeMessage(decoded, context))
  }
}

t.test('any octets give a message or a fault', (t) => {
  fc.assert(
    fc.property(octets(200), fc.integer({ min: 0, max: 6 }), context, (body, type, context) => {
      const bytes = new Uint8Array(19 + body.length).fill(255, 0, 16)
      putU16(bytes, 16, bytes.length)
      bytes[18] = type
      bytes.set(body, 19)
      use(bytes, context)
      use(body, context)
      frame(body, 0, body.length, 4096)
      decodeAttributes(body, context)
    }),
    { numRuns: 2000 },
  )
  t.end()
})

t.test('messages with some octets changed give a message or a fault', (t) => {
  const seeds = messageCases.map(({ octets }) => octets)
  const changes = fc.array(fc.tuple(fc.nat(300), u8), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.constantFrom(...seeds), changes, context, (seed, changes, context) => {
      const bytes = seed.slice()
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      use(bytes, context)
    }),
    { numRuns: 3000 },
  )
  t.end()
})

t.test('the case lists name every message type and every attribute with a form', (t) => {
  deepStrictEqual([...new Set(messageCases.map(({ value }) => value.type))].sort(), [
    'keepalive',
    'notification',
    'open',
    'route-refresh',
    'update',
  ])
  const keys = new Set(attributeCases.flatMap(({ value }) => Object.keys(value)))
  equal(keys.size, 16)
  t.end()
})
