import * as fc from 'fast-check'
import t from 'tap'
import {
  decodeAddress,
  deleteAddress,
  encodeAddress,
  replaceAddress,
} from '../../src/netlink/codec/address.ts'
import { littleEndian } from '../../src/netlink/codec/attribute.ts'
import { type Link, addLink, decodeLink, encodeLink, setLink } from '../../src/netlink/codec/link.ts'
import {
  type Message,
  type Request,
  decodeDone,
  decodeError,
  decodeMessages,
  encodeMessage,
} from '../../src/netlink/codec/message.ts'
import {
  type Route,
  decodeRoute,
  deleteRoute,
  encodeRoute,
  replaceRoute,
} from '../../src/netlink/codec/route.ts'
import { type Rule, addRule, decodeRule, encodeRule } from '../../src/netlink/codec/rule.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

// The tables are of machines that put the low byte first, as all do that Drover is built for.
t.equal(littleEndian, true)

const requests: [what: string, request: Request, type: number, flags: number, body: string][] = [
  [
    'a veth whose other end is in the namespace of file 7',
    addLink({
      index: 0,
      name: 'drva',
      mtuBytes: 1500,
      kind: 'veth',
      peer: { index: 0, name: 'eth0', mac: '02:00:00:00:00:01', namespaceFile: 7 },
    }),
    16,
    0x600,
    '00000000 00000000 00000000 00000000' +
      '0900 0300 64727661 00000000' +
      '0800 0400 dc050000' +
      '4800 1200 0900 0100 76657468 00000000' +
      '3800 0200 3400 0100 00000000 00000000 00000000 00000000' +
      '0a00 0100 020000000001 0000 0900 0300 65746830 00000000 0800 1c00 07000000',
  ],
  ['up', setLink({ index: 3, up: true }), 19, 0, '00000000 03000000 01000000 01000000'],
  ['down', setLink({ index: 3, up: false }), 19, 0, '00000000 03000000 00000000 01000000'],
  [
    'no address of its own',
    setLink({ index: 3, noOwnAddress: true }),
    19,
    0,
    '00000000 03000000 00000000 00000000 1000 1a00 0c00 0a00 0500 0800 01000000',
  ],
  [
    'an IPv4 address of the host alone',
    replaceAddress({ index: 5, address: '169.254.1.1', length: 32, scope: 254, noDuplicateDetection: false }),
    20,
    0x500,
    '02 20 00 fe 05000000 0800 0200 a9fe0101 0800 0100 a9fe0101',
  ],
  [
    'an IPv6 address that goes',
    deleteAddress({ index: 5, address: 'fd00::5', length: 128, scope: 0, noDuplicateDetection: true }),
    21,
    0,
    '0a 80 02 00 05000000 1400 0200 fd000000000000000000000000000005 1400 0100 fd000000000000000000000000000005',
  ],
  [
    'a default route in a table beyond one byte',
    replaceRoute({
      destination: '0.0.0.0',
      length: 0,
      table: 98_002,
      protocol: 98,
      scope: 0,
      type: 1,
      flags: 4,
      gateway: '169.254.1.1',
      device: 2,
    }),
    24,
    0x500,
    '02 00 00 00 00 62 00 01 04000000 0800 0500 a9fe0101 0800 0400 02000000 0800 0f00 d27e0100',
  ],
  [
    'a route that goes',
    deleteRoute({ destination: '10.0.0.0', length: 8, table: 254, protocol: 98, device: 2 }),
    25,
    0,
    '02 08 00 00 fe 62 ff 00 00000000 0800 0100 0a000000 0800 0400 02000000 0800 0f00 fe000000',
  ],
  [
    'a rule',
    addRule({
      source: '10.1.0.1',
      sourceLength: 32,
      destination: '0.0.0.0',
      destinationLength: 0,
      table: 98_002,
      protocol: 98,
      priority: 9800,
    }),
    32,
    0x600,
    '02 00 20 00 00 00 00 01 00000000 0800 0200 0a010001 0800 0600 48260000 0800 0f00 d27e0100 0500 1500 62000000',
  ],
]

void t.test('requests byte by byte', (t) => {
  for (const [what, request, type, flags, body] of requests) {
    t.equal(request.type, type, `${what}: type`)
    t.equal(request.flags, flags, `${what}: flags`)
    t.equal(hex(request.body), body.replaceAll(' ', ''), what)
  }
  t.end()
})

void t.test('verdicts of the kernel', (t) => {
  const header = '24000000 1800 0500 01000000 00000000'
  const cases: [what: string, flags: number, body: string, expected: object][] = [
    ['done', 0x100, `00000000 ${header}`, { ok: true, value: { errno: 0 } }],
    ['refused', 0x100, `efffffff ${header}`, { ok: true, value: { errno: 17, text: undefined } }],
    [
      'refused in words',
      0x300,
      `eaffffff ${header} 0700 0100 6e6f0000 0800 0200 14000000`,
      { ok: true, value: { errno: 22, text: 'no', offset: 20 } },
    ],
    ['the whole request repeated', 0, `efffffff 14000000 1800 0500 01000000 00000000 aabbccdd`, { ok: true }],
    ['shorter than its header', 0x100, 'efffffff 00', { ok: false, error: { code: 'truncated' } }],
    ['a request cut off', 0, `efffffff ${header}`, { ok: false, error: { code: 'bad-length', offset: 4 } }],
    ['a positive error', 0x100, `11000000 ${header}`, { ok: false, error: { code: 'bad-value' } }],
    [
      'an attribute longer than the rest',
      0x300,
      `eaffffff ${header} ff00 0100`,
      { ok: false, error: { code: 'bad-length' } },
    ],
  ]
  for (const [what, flags, body, expected] of cases) {
    t.match(decodeError({ flags, body: bytes(body) }), expected, what)
  }
  t.match(decodeDone({ flags: 2, body: bytes('00000000') }), { ok: true, value: { errno: 0 } })
  t.match(decodeDone({ flags: 2, body: bytes('fcffffff') }), { ok: true, value: { errno: 4 } })
  t.match(decodeDone({ flags: 2, body: bytes('0000') }), { ok: false, error: { code: 'truncated' } })
  t.end()
})

void t.test('datagrams that lie about their lengths', (t) => {
  const cases: [what: string, datagram: string, offset: number][] = [
    ['a header cut off', '10000000 0300', 0],
    ['a length below the header', '0f000000 0300 0000 01000000 00000000', 0],
    ['a length beyond the end', '14000000 0300 0000 01000000 00000000', 0],
    ['the largest length', 'ffffffff 0300 0000 01000000 00000000', 0],
    ['a second message cut off', '10000000 0300 0000 01000000 00000000 10000000', 16],
  ]
  for (const [what, datagram, offset] of cases) {
    t.match(decodeMessages(bytes(datagram)), { ok: false, error: { offset } }, what)
  }
  t.end()
})

const u32 = fc.integer({ min: 0, max: 0xffffffff })
const octet = fc.integer({ min: 0, max: 255 })
const index = fc.integer({ min: 1, max: 0x7fffffff })
const ipv4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'))
const mac = fc
  .array(octet, { minLength: 6, maxLength: 6 })
  .map((octets) => octets.map((o) => o.toString(16).padStart(2, '0')).join(':'))
const ipv6 = fc
  .array(fc.integer({ min: 1, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'))
const optional = { requiredKeys: ['index', 'up'] as ('index' | 'up')[] }
const links: fc.Arbitrary<Link> = fc.record(
  {
    index,
    up: fc.boolean(),
    name: fc.stringMatching(/^[a-z0-9]{1,15}$/),
    mac,
    mtuBytes: u32,
    group: u32,
    link: u32,
    linkNamespace: fc.integer({ min: -1, max: 0x7fffffff }),
    kind: fc.constantFrom('veth', 'bridge'),
    noOwnAddress: fc.constant(true),
  },
  optional,
)
const addresses = fc
  .tuple(fc.oneof(ipv4, ipv6), index, octet, fc.boolean())
  .chain(([address, index, scope, nodad]) =>
    fc.integer({ min: 0, max: address.includes(':') ? 128 : 32 }).map((length) => ({
      index,
      address,
      length,
      scope,
      noDuplicateDetection: nodad && address.includes(':'),
    })),
  )
const routesOf = (address: fc.Arbitrary<string>, bits: number): fc.Arbitrary<Route> =>
  fc.record(
    {
      destination: address,
      length: fc.integer({ min: 1, max: bits }),
      table: u32,
      protocol: octet,
      scope: octet,
      type: octet,
      flags: u32,
      gateway: address,
      device: index,
      source: address,
      priority: u32,
    },
    { requiredKeys: ['destination', 'length', 'table', 'protocol', 'scope', 'type', 'flags'] },
  )
const rulesOf = (address: fc.Arbitrary<string>, bits: number): fc.Arbitrary<Rule> =>
  fc.record(
    {
      source: address,
      sourceLength: fc.integer({ min: 1, max: bits }),
      destination: address,
      destinationLength: fc.integer({ min: 1, max: bits }),
      table: u32,
      protocol: octet,
      priority: u32,
    },
    { requiredKeys: ['source', 'sourceLength', 'destination', 'destinationLength', 'table', 'protocol'] },
  )

void t.test('what was encoded is decoded again', (t) => {
  const back = <T>(
    arbitrary: fc.Arbitrary<T>,
    encode: (v: T) => Uint8Array,
    decode: (b: Uint8Array) => unknown,
  ) =>
    fc.assert(
      fc.property(arbitrary, (value) => {
        t.same(decode(encode(value)), { ok: true, value: { ...value } })
      }),
      { numRuns: 100 },
    )
  back(links, encodeLink, decodeLink)
  back(addresses, encodeAddress, decodeAddress)
  back(fc.oneof(routesOf(ipv4, 32), routesOf(ipv6, 128)), encodeRoute, decodeRoute)
  back(fc.oneof(rulesOf(ipv4, 32), rulesOf(ipv6, 128)), (rule) => encodeRule(rule), decodeRule)
  const messages = fc.record({
    type: fc.integer({ min: 0, max: 0xffff }),
    flags: fc.integer({ min: 0, max: 0xffff }),
    sequence: u32,
    port: u32,
    body: fc.uint8Array({ maxLength: 40 }),
  })
  fc.assert(
    fc.property(fc.array(messages, { maxLength: 4 }), (list: Message[]) => {
      const decoded = decodeMessages(Buffer.concat(list.map(encodeMessage)))
      t.ok(decoded.ok)
      if (decoded.ok) {
        t.same(
          decoded.value.map((m) => ({ ...m, body: hex(m.body) })),
          list.map((m) => ({ ...m, body: hex(m.body) })),
        )
      }
    }),
    { numRuns: 100 },
  )
  t.end()
})

void t.test('any bytes give a value or a fault within them', (t) => {
  const decoders: ((body: Uint8Array) => { ok: boolean; error?: { offset: number } })[] = [
    decodeMessages,
    (body) => decodeError({ flags: 0x200, body }),
    (body) => decodeError({ flags: 0x300, body }),
    (body) => decodeDone({ flags: 0x200, body }),
    decodeLink,
    decodeAddress,
    decodeRoute,
    decodeRule,
  ]
  const seeds = requests.map(([, request]) => request.body)
  const damaged = fc
    .tuple(fc.constantFrom(...seeds), fc.nat(), octet, fc.nat())
    .map(([seed, at, value, end]) => {
      const copy = seed.slice(0, end % (seed.length + 1))
      if (copy.length > 0) copy[at % copy.length] = value
      return copy
    })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), damaged), (body) => {
      return decoders.every((decode) => {
        const result = decode(body)
        return result.ok || (result.error !== undefined && result.error.offset <= body.length)
      })
    }),
    { numRuns: 5000 },
  )
  t.end()
})
