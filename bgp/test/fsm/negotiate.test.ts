import t from 'tap'
import { Afi, Role, ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { type Capability, type Open } from '../../src/codec/messages.ts'
import {
  type Negotiated,
  type OpenOptions,
  keepaliveInterval,
  localOpen,
  negotiate,
} from '../../src/fsm/negotiate.ts'

const ours: OpenOptions = {
  localAsn: 64512,
  localRouterId: 0x0a000001,
  peerAsn: 65001,
  holdTimeSeconds: 90,
  keepaliveSeconds: undefined,
  families: [ipv4Unicast, ipv6Unicast],
  addPathReceive: true,
  addPathSend: true,
  extendedMessage: true,
  extendedNextHop: true,
  gracefulRestart: {
    restartTimeSeconds: 120,
    notification: true,
    restarting: false,
    forwardingPreserved: false,
    families: [ipv4Unicast, ipv6Unicast],
  },
  role: undefined,
  roleStrict: false,
}

const bothFamilies: readonly Capability[] = [
  { kind: 'multiprotocol', afiSafi: ipv4Unicast },
  { kind: 'multiprotocol', afiSafi: ipv6Unicast },
]

const theirs: Open = {
  type: 'open',
  version: 4,
  myAs: 65001,
  asn: 65001,
  holdTimeSeconds: 30,
  routerId: 0x0a000002,
  capabilities: bothFamilies,
}

const open = (changes: Partial<Open>): Open => ({ ...theirs, ...changes })
const withCapabilities = (...capabilities: readonly Capability[]): Open =>
  open({ capabilities: [...bothFamilies, ...capabilities] })

/** Refusals: RFC 4271 section 6.2 and what extends it; code 2 with the subcode. */
const refusals: readonly {
  name: string
  open: Open
  options?: Partial<OpenOptions>
  subcode: number
  reason: RegExp
  data?: readonly number[]
}[] = [
  { name: 'version 3', open: open({ version: 3 }), subcode: 1, reason: /version 3/, data: [0, 4] },
  {
    name: 'another AS than configured',
    open: open({ asn: 65002 }),
    subcode: 2,
    reason: /AS 65002, not AS 65001/,
  },
  {
    name: 'our AS where an external one is wanted',
    open: open({ asn: 64512 }),
    options: { peerAsn: 'external' },
    subcode: 2,
    reason: /any AS but ours/,
  },
  {
    name: 'an external AS where ours is wanted',
    open: open({}),
    options: { peerAsn: 'internal' },
    subcode: 2,
    reason: /our own AS/,
  },
  { name: 'AS 0', open: open({ asn: 0 }), options: { peerAsn: 'external' }, subcode: 2, reason: /AS 0/ },
  {
    name: 'AS_TRANS as the real number',
    open: open({ asn: 23456 }),
    options: { peerAsn: 'external' },
    subcode: 2,
    reason: /AS 23456/,
  },
  { name: 'identifier 0.0.0.0', open: open({ routerId: 0 }), subcode: 3, reason: /0\.0\.0\.0/ },
  {
    name: 'our identifier from inside (RFC 6286)',
    open: open({ asn: 64512, routerId: 0x0a000001 }),
    options: { peerAsn: 'internal' },
    subcode: 3,
    reason: /10\.0\.0\.1 is our own/,
  },
  { name: 'hold time 1', open: open({ holdTimeSeconds: 1 }), subcode: 6, reason: /1 s/ },
  { name: 'hold time 2', open: open({ holdTimeSeconds: 2 }), subcode: 6, reason: /2 s/ },
  {
    name: 'no family in common (RFC 5492 section 3: what was missed is in the data)',
    open: open({ capabilities: [{ kind: 'multiprotocol', afiSafi: ipv4Unicast }] }),
    options: { families: [ipv6Unicast] },
    subcode: 7,
    reason: /offers ipv4\/unicast/,
    data: [1, 4, 0, 2, 0, 1],
  },
  {
    name: 'roles that do not correspond (RFC 9234)',
    open: withCapabilities({ kind: 'role', role: Role.provider }),
    options: { role: Role.provider },
    subcode: 11,
    reason: /role provider/,
  },
  {
    name: 'several differing roles',
    open: withCapabilities({ kind: 'role', role: Role.customer }, { kind: 'role', role: Role.peer }),
    options: { role: Role.provider },
    subcode: 11,
    reason: /several/,
  },
  {
    name: 'an unknown role',
    open: withCapabilities({ kind: 'role', role: 9 }),
    options: { role: Role.provider },
    subcode: 11,
    reason: /role 9/,
  },
  {
    name: 'no role where one is demanded',
    open: open({}),
    options: { role: Role.provider, roleStrict: true },
    subcode: 11,
    reason: /no role/,
  },
]

for (const { name, open, options, subcode, reason, data = [] } of refusals) {
  t.test(`refused: ${name}`, (t) => {
    const answer = negotiate(open, { ...ours, ...options })
    t.match(answer, { ok: false, error: { notification: { code: 2, subcode }, reason } })
    if (!answer.ok) t.same([...answer.error.notification.data], data)
    t.end()
  })
}

function agreed(open: Open, options: Partial<OpenOptions> = {}): Negotiated {
  const answer = negotiate(open, { ...ours, ...options })
  if (!answer.ok) throw new Error(answer.error.reason)
  return answer.value
}

t.test('the smaller hold time holds, a third of it between keepalives, 0 turns both off', (t) => {
  t.match(agreed(open({})), { holdTimeSeconds: 30, keepaliveSeconds: 10 })
  t.match(agreed(open({}), { holdTimeSeconds: 3 }), { holdTimeSeconds: 3, keepaliveSeconds: 1 })
  t.match(agreed(open({}), { keepaliveSeconds: 4 }), { keepaliveSeconds: 4 })
  t.match(agreed(open({}), { keepaliveSeconds: 29 }), { keepaliveSeconds: 10 })
  t.match(agreed(open({ holdTimeSeconds: 0 })), { holdTimeSeconds: 0, keepaliveSeconds: 0 })
  t.match(agreed(open({}), { holdTimeSeconds: 0 }), { holdTimeSeconds: 0, keepaliveSeconds: 0 })
  t.equal(keepaliveInterval(90, 0), 30)
  t.end()
})

t.test('families: those of both; a peer that names none speaks IPv4 unicast (RFC 4760 section 8)', (t) => {
  t.same(agreed(open({})).families, [ipv4Unicast, ipv6Unicast])
  t.same(agreed(open({ capabilities: [] })).families, [ipv4Unicast])
  t.same(agreed(open({}), { families: [ipv6Unicast] }).families, [ipv6Unicast])
  t.end()
})

t.test('ADD-PATH goes each way for itself (RFC 7911 section 4)', (t) => {
  const both = withCapabilities({
    kind: 'add-path',
    families: [
      { afiSafi: ipv4Unicast, mode: 'send' },
      { afiSafi: ipv6Unicast, mode: 'both' },
    ],
  })
  const { receive, send } = agreed(both)
  t.same([...receive.addPath], [ipv4Unicast, ipv6Unicast], 'what they send and we receive')
  t.same([...send.addPath], [ipv6Unicast], 'what they receive and we send')
  t.same([...agreed(both, { addPathReceive: false }).receive.addPath], [])
  t.same([...agreed(both, { addPathSend: false }).send.addPath], [])
  t.end()
})

t.test('what only one side can do is not done', (t) => {
  const plain = agreed(open({}))
  t.match(plain, {
    receive: { as4: false, extendedMessage: false },
    send: { as4: false, extendedMessage: false },
    routeRefresh: false,
    enhancedRouteRefresh: false,
    gracefulRestart: undefined,
    gracefulNotification: false,
  })
  const able = withCapabilities(
    { kind: 'as4', asn: 65001 },
    { kind: 'extended-message' },
    { kind: 'route-refresh' },
    { kind: 'enhanced-route-refresh' },
    { kind: 'extended-next-hop', entries: [{ afiSafi: ipv4Unicast, nextHopAfi: Afi.ipv6 }] },
    {
      kind: 'graceful-restart',
      restarting: false,
      notification: true,
      restartTimeSeconds: 60,
      families: [{ afiSafi: ipv4Unicast, forwarding: true }],
    },
  )
  const full = agreed(able)
  t.match(full, {
    send: { as4: true, extendedMessage: true },
    routeRefresh: true,
    enhancedRouteRefresh: true,
    gracefulRestart: { restartTimeSeconds: 60 },
    gracefulNotification: true,
  })
  t.same([...full.send.extendedNextHop], [ipv4Unicast])
  const unwilling = agreed(able, {
    gracefulRestart: undefined,
    extendedMessage: false,
    extendedNextHop: false,
  })
  t.match(unwilling, {
    gracefulRestart: undefined,
    gracefulNotification: false,
    send: { extendedMessage: false },
  })
  t.same([...unwilling.send.extendedNextHop], [])
  t.end()
})

t.test('internal and external by the AS numbers, whatever was configured', (t) => {
  t.equal(agreed(open({}), { peerAsn: 'external' }).peerType, 'external')
  t.equal(agreed(open({ asn: 64512 }), { peerAsn: 'internal' }).peerType, 'internal')
  t.equal(agreed(open({ asn: 64512 }), { peerAsn: 64512 }).peerType, 'internal')
  t.equal(agreed(open({ routerId: 0x0a000001 })).peerType, 'external', 'our identifier from outside is fine')
  t.end()
})

t.test('each role with the one that answers it', (t) => {
  for (const [mine, yours] of [
    [Role.provider, Role.customer],
    [Role.customer, Role.provider],
    [Role.routeServer, Role.routeServerClient],
    [Role.routeServerClient, Role.routeServer],
    [Role.peer, Role.peer],
  ] as const) {
    t.equal(agreed(withCapabilities({ kind: 'role', role: yours }), { role: mine }).peerRole, yours)
  }
  t.equal(agreed(open({}), { role: Role.peer }).peerRole, undefined)
  t.end()
})

t.test('our OPEN says all that we can and, for two octets, AS_TRANS', (t) => {
  const made = localOpen({ ...ours, localAsn: 4200000000, role: Role.peer })
  t.match(made, { version: 4, myAs: 23456, asn: 4200000000, holdTimeSeconds: 90, routerId: 0x0a000001 })
  t.same(
    made.capabilities.map((capability) => capability.kind),
    [
      'multiprotocol',
      'multiprotocol',
      'route-refresh',
      'enhanced-route-refresh',
      'as4',
      'extended-message',
      'extended-next-hop',
      'add-path',
      'graceful-restart',
      'role',
    ],
  )
  const receiveOnly = localOpen({ ...ours, addPathSend: false }).capabilities.find(
    (c) => c.kind === 'add-path',
  )
  t.match(receiveOnly, { families: [{ mode: 'receive' }, { mode: 'receive' }] })
  t.end()
})
