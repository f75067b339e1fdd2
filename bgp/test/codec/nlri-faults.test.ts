/** RFC 7606 for NLRI and for the attributes that hold them, and the cases where a fault of an attribute has none to withdraw. */
import t from 'tap'
import { type CodecContext, plainContext } from '../../src/codec/context.ts'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { decodeUpdate } from '../../src/codec/update.ts'
import { goodAttributes, update } from './hex.ts'

interface NlriRow {
  readonly name: string
  readonly message: Uint8Array
  readonly outcome: 'reset' | 'treat-as-withdraw' | 'ignore'
  readonly rule: string
  readonly subcode: number
  readonly context?: Partial<CodecContext>
}

const ipv6NextHop = '20010db8000000000000000000000001'
const originAndPath = `${goodAttributes[1] ?? ''}${goodAttributes[2] ?? ''}`
const mpHead = `0002 01 10 ${ipv6NextHop} 00`

/** Faults of NLRI and of the attributes that hold them: RFC 7606 sections 3(j), 5 and 7.11, 7.12. */
const nlriFaults: readonly NlriRow[] = [
  {
    name: 'IPv4 prefix of 33 bits',
    message: update('', '', '21 0a00000000'),
    outcome: 'reset',
    rule: 'RFC 7606 section 5.3',
    subcode: 10,
  },
  {
    name: 'IPv4 prefix that overruns',
    message: update('', '', '18 0a01'),
    outcome: 'reset',
    rule: 'RFC 7606 section 5.3',
    subcode: 10,
  },
  {
    name: 'withdrawn prefix of 33 bits',
    message: update('21 0a00000000', '', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 5.3',
    subcode: 10,
  },
  {
    name: 'withdrawn prefix that overruns',
    message: update('20 0a', '', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 5.3',
    subcode: 10,
  },
  {
    name: 'path identifier cut short',
    message: update('000000', '', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 5.3',
    subcode: 10,
    context: { addPath: new Set([ipv4Unicast]) },
  },
  {
    name: 'path identifier without a prefix',
    message: update('00000001', '', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 5.3',
    subcode: 10,
    context: { addPath: new Set([ipv4Unicast]) },
  },
  {
    name: 'MP_REACH_NLRI of 4 octets',
    message: update('', '800e04 00020100', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.11',
    subcode: 9,
  },
  {
    name: 'MP_REACH_NLRI whose next hop overruns',
    message: update('', '800e05 00020110 00', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.11',
    subcode: 9,
  },
  {
    name: 'IPv6 over a next hop of 4 octets',
    message: update('', '800e09 0002 01 04 0a000001 00', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.11',
    subcode: 9,
  },
  {
    name: 'IPv4 over IPv6 that was not agreed',
    message: update('', `800e15 0001 01 10 ${ipv6NextHop} 00`, ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.11',
    subcode: 9,
  },
  {
    name: 'IPv6 prefix of 129 bits',
    message: update('', `800e27 ${mpHead} 81 ${'20'.repeat(17)}`, ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.11',
    subcode: 9,
  },
  {
    name: 'IPv6 prefix that overruns',
    message: update('', `800e17 ${mpHead} 40 20`, ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.11',
    subcode: 9,
  },
  {
    name: 'MP_UNREACH_NLRI of 2 octets',
    message: update('', '800f02 0002', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.12',
    subcode: 9,
  },
  {
    name: 'withdrawn IPv6 prefix that overruns',
    message: update('', '800f05 0002 01 40 20', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.12',
    subcode: 9,
  },
  {
    name: 'MP_REACH_NLRI twice',
    message: update('', `800e15 ${mpHead} 800e15 ${mpHead}`, ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 3(g)',
    subcode: 1,
  },
  {
    name: 'MP_UNREACH_NLRI twice',
    message: update('', '800f03 000201 800f03 000201', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 3(g)',
    subcode: 1,
  },
  {
    name: 'MP_REACH_NLRI with transitive flag',
    message: update('', `c00e17 ${mpHead} 08 20 ${originAndPath}`, ''),
    outcome: 'treat-as-withdraw',
    rule: 'RFC 7606 section 3(c)',
    subcode: 4,
  },
  {
    name: 'MP_REACH_NLRI over a multicast next hop',
    message: update('', `800e17 0002 01 10 ff${'00'.repeat(14)}01 00 08 20 ${originAndPath}`, ''),
    outcome: 'treat-as-withdraw',
    rule: 'RFC 4271 section 6.3',
    subcode: 8,
  },
  {
    name: 'a family that was not agreed',
    message: update('', `800e09 0019 46 00 00 01020304 ${originAndPath}`, ''),
    outcome: 'ignore',
    rule: 'RFC 4760 section 8',
    subcode: 9,
  },
  {
    name: 'IPv4 where only IPv6 was agreed',
    message: update('', `${originAndPath}${goodAttributes[3] ?? ''}`, '080a'),
    outcome: 'ignore',
    rule: 'RFC 4760 section 8',
    subcode: 9,
    context: { families: new Set([ipv6Unicast]) },
  },
  {
    name: 'an attribute fault without reachable NLRI',
    message: update('080a', 'c00800', ''),
    outcome: 'reset',
    rule: 'RFC 7606 section 7.8',
    subcode: 5,
  },
]

for (const row of nlriFaults) {
  t.test(`${row.name}: ${row.outcome}`, (t) => {
    const decoded = decodeUpdate(row.message, { ...plainContext, ...row.context })
    t.equal(decoded.faults[0]?.rule, row.rule)
    t.equal(decoded.faults[0]?.notification.subcode, row.subcode)
    if (row.outcome === 'reset')
      t.match(decoded, { type: 'fault', event: 28, notification: { code: 3, subcode: row.subcode } })
    if (row.outcome === 'treat-as-withdraw')
      t.match(decoded, { type: 'update', announced: [], withdrawn: [{ afiSafi: ipv6Unicast, count: 1 }] })
    if (row.outcome === 'ignore')
      t.match(decoded, { type: 'update', announced: [], withdrawn: [], endOfRib: undefined })
    t.end()
  })
}

t.test('lengths that reach beyond the message end the session', (t) => {
  for (const [at, name] of [
    [19, 'withdrawn routes'],
    [21, 'path attributes'],
  ] as const) {
    const bytes = update('', '', '')
    bytes[at + 1] = 1
    t.match(decodeUpdate(bytes, plainContext), { type: 'fault', notification: { code: 3, subcode: 1 } }, name)
  }
  t.end()
})

t.test('an attribute fault without reachable NLRI says why it ends the session', (t) => {
  const decoded = decodeUpdate(update('080a', 'c00800', ''), plainContext)
  t.equal(decoded.faults.at(-1)?.rule, 'RFC 7606 section 5.2')
  t.end()
})

t.test('a fault to be discarded without reachable NLRI does not', (t) => {
  t.match(decodeUpdate(update('080a', '40060100', ''), plainContext), {
    type: 'update',
    withdrawn: [{ count: 1 }],
  })
  t.end()
})

t.test('NEXT_HOP does not matter where there are no classic NLRI', (t) => {
  const bytes = update('', `800e17 ${mpHead} 08 20 ${originAndPath} 4003047f000001`, '')
  t.match(decodeUpdate(bytes, plainContext), {
    type: 'update',
    faults: [],
    announced: [{ afiSafi: ipv6Unicast }],
  })
  t.end()
})

t.test('a link-local next hop beside an unspecified global one is one', (t) => {
  const bytes = update(
    '',
    `800e27 0002 01 20 ${'00'.repeat(16)} fe80${'00'.repeat(13)}01 00 08 20 ${originAndPath}`,
    '',
  )
  t.match(decodeUpdate(bytes, plainContext), { type: 'update', faults: [], announced: [{ count: 1 }] })
  t.end()
})

t.test('End-of-RIB of a family that was not agreed is none', (t) => {
  const onlyIpv4 = { ...plainContext, as4: false, families: new Set([ipv4Unicast]) }
  t.match(decodeUpdate(update('', '800f03 000201', ''), onlyIpv4), { type: 'update', endOfRib: undefined })
  const onlyIpv6 = { ...plainContext, as4: false, families: new Set([ipv6Unicast]) }
  t.match(decodeUpdate(update('', '', ''), onlyIpv6), { type: 'update', endOfRib: undefined })
  t.end()
})
