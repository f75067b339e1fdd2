import t from 'tap'
import { prefix as parse } from '@network/net'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { type RibPeer } from '../../src/rib/peer.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { type ExportExplanation, type Rib } from '../../src/rib/rib.ts'
import { FarEnd, type SessionShape, routerId, settle } from './far-end.ts'

const prefix = '10.1.0.0/16'

const newRib = (): Rib => createRib({ asn: 64512, routerId: routerId('10.254.0.1') })

/** A peer outside that announces the prefix, with 65009 behind it. */
function teller(rib: Rib, attributes = {}): FarEnd {
  const path = [{ type: 'sequence', asns: [65001, 65009] }] as const
  const one = new FarEnd(rib, { address: '198.51.100.1', asn: 65001 }).up()
  return one.announce({
    prefixes: [prefix],
    nextHop: '198.51.100.1',
    attributes: { asPath: path, ...attributes },
  })
}

const long = Array.from({ length: 1100 }, (_, i) => i)

/** What is told of one peer, where the rest is usual. The rules of RFCs are in egress.test.ts. */
const cases: readonly {
  readonly name: string
  readonly shape?: Partial<SessionShape>
  readonly peer?: Partial<RibPeer>
  readonly attributes?: object
  readonly down?: boolean
  readonly unread?: boolean
  readonly expected: { readonly sent: boolean; readonly decidedBy: string; readonly why: RegExp }
}[] = [
  { name: 'no filter', expected: { sent: true, decidedBy: 'default', why: /^there is no export filter$/ } },
  {
    name: 'a rule that looks at the prefix refuses it',
    peer: {
      export: {
        name: 'out',
        rules: [{ match: { prefixes: [{ prefix: '10.0.0.0/8', operator: 'In' }] }, then: 'reject' }],
        otherwise: 'accept',
      },
    },
    expected: { sent: false, decidedBy: 'filter', why: /^rule 1 of 'out' refuses it$/ },
  },
  {
    name: 'a rule that looks at the peer accepts it',
    peer: {
      export: { name: 'out', rules: [{ name: 'x', match: { peerType: 'external' }, then: 'accept' }] },
    },
    expected: { sent: true, decidedBy: 'filter', why: /^rule 'x' of 'out' accepts it$/ },
  },
  {
    name: 'no rule fits',
    peer: { export: { name: 'out', rules: [{ match: { origin: 'local' }, then: 'accept' }] } },
    expected: { sent: false, decidedBy: 'filter', why: /^the end of 'out' refuses it$/ },
  },
  {
    name: 'a function refuses it',
    peer: {
      export: function nothingToday() {
        return false
      },
    },
    expected: { sent: false, decidedBy: 'filter', why: /^the policy function 'nothingToday' refuses it$/ },
  },
  {
    name: 'the peer stands in the AS_PATH',
    shape: { asn: 65009 },
    expected: { sent: true, decidedBy: 'default', why: /its AS 65009 is in the AS_PATH/ },
  },
  {
    name: 'as-override takes it out of there',
    shape: { asn: 65009 },
    peer: { asOverride: true },
    expected: { sent: true, decidedBy: 'default', why: /^there is no export filter$/ },
  },
  {
    name: 'attributes too long for a message',
    attributes: { communities: long },
    expected: { sent: false, decidedBy: 'length', why: /RFC 8654/ },
  },
  {
    name: 'a limit of none',
    peer: { maximumOut: { ipv4: 0 } },
    expected: { sent: false, decidedBy: 'limit', why: /limit of 0 prefixes/ },
  },
  { name: 'no session', down: true, expected: { sent: false, decidedBy: 'down', why: /not up/ } },
  {
    name: 'another family alone',
    shape: { families: [ipv6Unicast] },
    expected: { sent: false, decidedBy: 'family', why: /ipv4 is not negotiated/ },
  },
  {
    name: 'nobody has asked for what is new',
    unread: true,
    expected: { sent: false, decidedBy: 'pending', why: /waits to be sent/ },
  },
]

for (const { name, shape = {}, peer = {}, attributes = {}, down, unread, expected } of cases) {
  t.test(name, (t) => {
    const rib = newRib()
    const to = new FarEnd(rib, { address: '192.0.2.1', asn: 65002, ...shape }, peer)
    if (down !== true) to.up()
    const from = teller(rib, attributes)
    settle(rib)
    if (unread !== true) to.pull()
    const explained = rib.explainExports(parse(prefix))
    t.match(
      explained.find(({ peer }) => peer === to.index),
      { ...expected, from: down === true || shape.families !== undefined ? undefined : from.index },
    )
    t.match(
      explained.find(({ peer }) => peer === from.index),
      { sent: false, decidedBy: 'ownRoute' },
      'and the peer that sent it',
    )
    t.end()
  })
}

t.test('ADD-PATH: each path for itself, with the identifier that it is sent with', (t) => {
  const rib = newRib()
  const to = new FarEnd(rib, { address: '192.0.2.1', asn: 65002, addPath: [ipv4Unicast] }).up()
  const path = [{ type: 'sequence', asns: [65003] }] as const
  const other = new FarEnd(rib, { address: '198.51.100.2', asn: 65003, routerId: '10.255.0.2' }).up()
  teller(rib)
  other.announce({ prefixes: [prefix], nextHop: '198.51.100.2', attributes: { asPath: path } })
  settle(rib)
  to.pull()
  const explained = rib.explainExports(parse(prefix)).filter(({ peer }) => peer === to.index)
  t.match(explained, [
    { sent: true, from: other.index },
    { sent: true, from: other.index + 1 },
  ])
  t.same(
    explained.map(({ pathId }: ExportExplanation) => `${prefix}#${String(pathId)}`).sort(),
    [...to.routes.keys()].sort(),
  )
  t.end()
})

t.test('a prefix that nobody has, and one that nothing of is accepted', (t) => {
  const rib = newRib()
  t.same(rib.explainExports(parse(prefix)), [])
  const to = new FarEnd(rib, { address: '192.0.2.1', asn: 65002 }).up()
  teller(rib, { asPath: [{ type: 'sequence', asns: [65001, 64512] }] })
  settle(rib)
  t.match(
    rib.explainExports(parse(prefix)).find(({ peer }) => peer === to.index),
    { sent: false, decidedBy: 'noPath', from: undefined },
  )
  t.end()
})

t.test('looking leaves nothing behind', (t) => {
  const rib = newRib()
  const to = new FarEnd(rib, { address: '192.0.2.1', asn: 65002 }).up()
  teller(rib)
  settle(rib)
  const before = rib.memory().egressSets
  for (let i = 0; i < 10; i++) rib.explainExports(parse(prefix))
  t.equal(rib.memory().egressSets, before)
  to.pull()
  t.equal(to.routes.size, 1)
  t.end()
})
