import fc from 'fast-check'
import t from 'tap'
import {
  type Prefix,
  address,
  addressToBytes,
  formatPrefix,
  prefix as parse,
  prefixCovers,
  prefixEquals,
} from '@network/net'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { PolicyBuilder, accept, firstOf, reject } from '../../src/filter/combinators.ts'
import { type Verdict, compilePolicy, isPrefixVerdict } from '../../src/filter/compile.ts'
import { type PolicySource } from '../../src/filter/policy-question.ts'
import {
  type AnyPolicy,
  type Policy,
  type PolicyMatch,
  type PrefixOperator,
} from '../../src/filter/policy.ts'

const learned: PolicySource = {
  local: false,
  peer: 'tor',
  address: '10.0.0.254',
  peerType: 'external',
  interface: 'eth0',
}
const own: PolicySource = {
  local: true,
  peer: undefined,
  address: undefined,
  peerType: undefined,
  interface: undefined,
}

interface Route {
  readonly prefix?: string
  readonly source?: PolicySource
  readonly nextHop?: string
  readonly attributes?: PathAttributes
}

function ask(policy: AnyPolicy, route: Route): Verdict {
  const prefix = parse(route.prefix ?? '10.1.0.0/16')
  const set = {
    attributes: route.attributes ?? {},
    nextHop: addressToBytes(address(route.nextHop ?? '192.0.2.1')),
  }
  const answer = compilePolicy(policy).evaluate(prefix.address.family, route.source ?? learned, () => set)
  return isPrefixVerdict(answer) ? byPrefix(answer, prefix) : answer
}

function byPrefix(
  answer: Exclude<ReturnType<ReturnType<typeof compilePolicy>['evaluate']>, Verdict>,
  prefix: Prefix,
): Verdict {
  const { w0, w1, w2, w3 } = prefix.address
  const verdict = answer.verdicts[answer.decide(w0, w1, w2, w3, prefix.length)]
  if (verdict === undefined) throw new Error('no verdict')
  return verdict
}

const path = (...asns: number[]): PathAttributes => ({ asPath: [{ type: 'sequence', asns }] })

interface Case {
  readonly match: PolicyMatch
  readonly holds: readonly Route[]
  readonly fails: readonly Route[]
}

const cases: readonly Case[] = [
  { match: {}, holds: [{}, { prefix: '::/0' }, { source: own }], fails: [] },
  { match: { family: 'ipv6' }, holds: [{ prefix: '2001:db8::/32' }], fails: [{}] },
  { match: { origin: 'local' }, holds: [{ source: own }], fails: [{}] },
  { match: { origin: 'remote' }, holds: [{}], fails: [{ source: own }] },
  {
    match: { peerType: 'external' },
    holds: [{}],
    fails: [{ source: { ...learned, peerType: 'internal' } }, { source: own }],
  },
  {
    match: { neighbours: ['tor', '10.0.0.1'] },
    holds: [{}, { source: { ...learned, peer: 'x', address: '10.0.0.1' } }],
    fails: [{ source: own }, { source: { ...learned, peer: 'x' } }],
  },
  {
    match: { interfaces: ['eth*', 'wlan0'] },
    holds: [{}, { source: { ...learned, interface: 'wlan0' } }],
    fails: [{ source: own }, { source: { ...learned, interface: 'wlan01' } }],
  },
  {
    match: { communities: ['64512:1', 'no-export'] },
    holds: [
      { attributes: { communities: [7, ((64512 << 16) >>> 0) | 1].map((c) => c >>> 0) } },
      { attributes: { communities: [0xffffff01] } },
    ],
    fails: [{}, { attributes: { communities: [2] } }],
  },
  {
    match: { largeCommunities: ['1:2:3'] },
    holds: [{ attributes: { largeCommunities: [{ global: 1, local1: 2, local2: 3 }] } }],
    fails: [{}, { attributes: { largeCommunities: [{ global: 1, local1: 2, local2: 4 }] } }],
  },
  {
    match: { asPathPrefix: [65001, 65002] },
    holds: [
      { attributes: path(65001, 65002) },
      { attributes: path(65001, 65002, 7) },
      {
        attributes: {
          asPath: [
            { type: 'sequence', asns: [65001] },
            { type: 'sequence', asns: [65002] },
          ],
        },
      },
    ],
    fails: [{}, { attributes: path(65001) }, { attributes: path(7, 65001, 65002) }],
  },
  {
    match: { asPathContains: [7] },
    holds: [{ attributes: path(1, 7, 2) }, { attributes: { asPath: [{ type: 'set', asns: [7] }] } }],
    fails: [{}, { attributes: path(77) }],
  },
  {
    match: { nextHops: ['192.0.2.0/24', '2001:db8::/32'] },
    holds: [{}, { nextHop: '2001:db8::1' }],
    fails: [{ nextHop: '198.51.100.1' }, { nextHop: '2001:db9::1' }],
  },
  {
    match: { prefixes: [{ prefix: '10.0.0.0/8', minimumLength: 24, maximumLength: 26 }] },
    holds: [{ prefix: '10.1.2.0/24' }, { prefix: '10.1.2.64/26' }],
    fails: [{ prefix: '10.1.0.0/16' }, { prefix: '10.1.2.3/32' }, { prefix: '11.0.0.0/24' }],
  },
  {
    match: { prefixes: [{ prefix: '10.0.0.0/8' }], origin: 'local' },
    holds: [{ source: own }],
    fails: [{}, { source: own, prefix: '11.0.0.0/8' }],
  },
]

for (const { match, holds, fails } of cases) {
  t.test(`match ${JSON.stringify(match)}`, (t) => {
    const policy: Policy = { rules: [{ match, then: 'accept' }] }
    for (const route of holds) t.ok(ask(policy, route).accept, JSON.stringify(route))
    for (const route of fails) t.notOk(ask(policy, route).accept, JSON.stringify(route))
    const copy = structuredClone(policy)
    for (const route of holds) t.ok(ask(copy, route).accept)
    t.end()
  })
}

const anyPrefix = fc
  .tuple(fc.constantFrom('10.0.0.0', '10.128.0.0', '11.0.0.0'), fc.integer({ min: 0, max: 32 }))
  .map(([text, length]) => {
    const { address } = parse(`${text}/32`)
    const w0 = length === 0 ? 0 : (address.w0 & (-1 << (32 - length))) >>> 0
    return { address: { ...address, w0 }, length }
  })

t.test('prefix operators agree with net', (t) => {
  const means: Record<PrefixOperator, (outer: Prefix, inner: Prefix) => boolean> = {
    Equal: prefixEquals,
    NotEqual: (a, b) => !prefixEquals(a, b),
    In: prefixCovers,
    NotIn: (a, b) => !prefixCovers(a, b),
  }
  fc.assert(
    fc.property(
      fc.constantFrom<PrefixOperator>('Equal', 'NotEqual', 'In', 'NotIn'),
      anyPrefix,
      anyPrefix,
      (operator, outer, inner) => {
        const rule = {
          match: { prefixes: [{ prefix: formatPrefix(outer), operator }] },
          then: 'accept' as const,
        }
        return (
          ask({ rules: [rule] }, { prefix: formatPrefix(inner) }).accept === means[operator](outer, inner)
        )
      },
    ),
  )
  t.equal(
    ask(
      { rules: [{ match: { prefixes: [{ prefix: '10.0.0.0/8', operator: 'NotIn' }] }, then: 'accept' }] },
      { prefix: '::/0' },
    ).accept,
    true,
  )
  t.end()
})

t.test('the first rule that matches decides, and says so', (t) => {
  const policy: Policy = {
    name: 'import-tor',
    rules: [
      { match: { prefixes: [{ prefix: '10.9.0.0/16' }] }, then: 'reject' },
      { name: 'ours', match: { prefixes: [{ prefix: '10.0.0.0/8' }] }, then: 'accept', set: { med: 3 } },
      { match: { peerType: 'internal' }, then: 'accept' },
    ],
  }
  t.match(ask(policy, { prefix: '10.9.1.0/24' }), { accept: false, by: "rule 1 of 'import-tor'" })
  t.match(ask(policy, {}), { accept: true, by: "rule 'ours' of 'import-tor'", actions: { med: 3 } })
  t.match(ask(policy, { prefix: '11.0.0.0/8' }), {
    accept: false,
    by: /^the end of 'import-tor'$/,
  })
  t.equal(ask({ rules: [] }, {}).accept, true)
  t.equal(
    ask({ rules: [{ match: { origin: 'local' }, then: 'reject' }], otherwise: 'accept' }, {}).accept,
    true,
  )
  t.end()
})

t.test('attributes are asked for once per set, and only if a rule needs them', (t) => {
  const policy = compilePolicy(firstOf(accept.community('1:2'), accept.within('10.0.0.0/8')))
  let asked = 0
  const set = (): { attributes: PathAttributes; nextHop: Uint8Array } => {
    asked++
    return { attributes: {}, nextHop: new Uint8Array(4) }
  }
  const answer = policy.evaluate('ipv4', learned, set)
  if (!isPrefixVerdict(answer)) throw new Error('the answer depends on the prefix')
  for (let i = 0; i < 100; i++) answer.decide(0x0a000000 + i, 0, 0, 0, 32)
  t.equal(asked, 1)
  t.end()
})

t.test('functions see a lazy route; those that do not look at the prefix answer once', (t) => {
  let calls = 0
  const plain = compilePolicy((route) => {
    calls++
    return route.peer === 'tor' && route.localPreference === 100
  })
  const set = () => ({ attributes: path(65001), nextHop: addressToBytes(address('192.0.2.1')) })
  t.notOk(isPrefixVerdict(plain.evaluate('ipv4', learned, set)))
  t.equal(calls, 1)
  const seen = {
    prefix: '10.1.0.0/16',
    length: 16,
    family: 'ipv4',
    local: false,
    peer: 'tor',
    peerType: 'external',
    interface: 'eth0',
    nextHop: '192.0.2.1',
    origin: 'igp',
    med: undefined,
    communities: [0x10002],
    largeCommunities: [],
  } as const
  ask(
    (route) => {
      for (const [name, value] of Object.entries(seen))
        if (route.prefix === seen.prefix) t.same(Reflect.get(route, name), value, name)
      if (route.prefix === seen.prefix) {
        t.ok(route.community('1:2'))
        t.notOk(route.community('no-export'))
        t.notOk(route.largeCommunity('1:2:3'))
        t.ok(route.within('10.0.0.0/8'))
        t.notOk(route.within('10.1.0.0/17'))
        t.notOk(route.within('::/0'))
      }
      return true
    },
    { attributes: { communities: [0x10002] } },
  )
  t.match(
    ask((route) => (route.within('10.0.0.0/8') ? { med: 1 } : false), {}),
    { accept: true, actions: { med: 1 } },
  )
  t.equal(
    ask((route) => (route.within('10.0.0.0/8') ? { med: 1 } : false), { prefix: '11.0.0.0/8' }).accept,
    false,
  )
  t.match(
    ask(() => ({ nextHop: 'here' }), {}),
    { accept: false, by: /'here' is not a next hop/ },
  )
  t.end()
})

t.test('combinators are data', (t) => {
  const policy = accept.within('10.0.0.0/8', '2001:db8::/32').lengths(24, 64).from('tor').max(1000)
  t.ok(policy instanceof PolicyBuilder)
  const data = structuredClone(policy) as Policy
  t.same(data, JSON.parse(JSON.stringify(policy)))
  t.equal(compilePolicy(data).maximum, 1000)
  t.equal(ask(data, { prefix: '10.1.2.0/24' }).accept, true)
  t.equal(ask(data, { prefix: '10.1.0.0/16' }).accept, false)
  t.equal(ask(data, { prefix: '2001:db8:1::/64' }).accept, true)
  t.equal(ask(data, { prefix: '10.1.2.0/24', source: own }).accept, false)
  t.equal(ask(reject.exactly('10.1.0.0/16'), {}).accept, false)
  t.equal(ask(reject.exactly('10.1.0.0/16'), { prefix: '10.1.0.0/17' }).accept, true)
  t.equal(ask(accept.local, {}).accept, false)
  t.equal(
    ask(accept.remote.community('1:2', '1:2:3'), { attributes: { communities: [0x10002] } }).accept,
    false,
  )
  t.equal(ask(firstOf(reject.within('10.1.0.0/16'), accept.max(5)), {}).accept, false)
  t.equal(compilePolicy(firstOf(accept.max(7), accept.max(5))).maximum, 5)
  t.end()
})

t.test('texts that make no sense are refused when the policy is compiled', (t) => {
  const bad: [Policy, RegExp][] = [
    [{ rules: [{ match: { prefixes: [{ prefix: '10.0.0.1/8' }] }, then: 'accept' }] }, /10\.0\.0\.0\/8/],
    [{ rules: [{ match: { communities: ['70000:1'] }, then: 'accept' }] }, /'70000:1' is not a community/],
    [{ rules: [{ match: { largeCommunities: ['1:2'] }, then: 'accept' }] }, /'1:2' is not a large community/],
    [{ rules: [{ match: { nextHops: ['x'] }, then: 'accept' }] }, /'x' is not a prefix/],
    [{ rules: [{ then: 'accept', set: { addCommunities: ['x'] } }] }, /'x' is not a community/],
    [{ rules: [{ then: 'accept', set: { nextHop: 'x' } }] }, /'x' is not a next hop/],
  ]
  for (const [policy, message] of bad) t.throws(() => compilePolicy(policy), { message })
  t.end()
})
