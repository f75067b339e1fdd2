/** RFC 7606 for path attributes: what becomes of an UPDATE with a malformed one, from either kind of peer. */
import t from 'tap'
import { type CodecContext, plainContext } from '../../src/codec/context.ts'
import { ipv4Unicast } from '../../src/codec/iana.ts'
import { decodeUpdate } from '../../src/codec/update.ts'
import { goodAttributes, hex, update } from './hex.ts'

const external: CodecContext = plainContext
const internal: CodecContext = { ...plainContext, peerType: 'internal' }

type Outcome = 'discard' | 'treat-as-withdraw' | 'reset' | 'accept'
const withdraw: Outcome = 'treat-as-withdraw'

interface AttributeRow {
  readonly name: string
  /** The attributes under test; ORIGIN, AS_PATH, NEXT_HOP and LOCAL_PREF are added if `replaces` doesn't name them. */
  readonly attributes: string
  readonly replaces?: number
  /** What becomes of it; `internal`: if it comes from an internal peer, where that differs. */
  readonly outcome: Outcome
  readonly internal?: Outcome
  /** The subcode of the UPDATE Message Error that RFC 4271 alone would send, for the external peer. */
  readonly subcode?: number
  readonly rule?: string
  readonly context?: Partial<CodecContext>
}

/** RFC 7606, attribute by attribute and malformation by malformation, for both kinds of peer. */
const malformations: readonly AttributeRow[] = [
  // Flags: section 3(c).
  ...[
    { code: 1, attributes: 'c0010100' },
    { code: 1, attributes: '00010100' },
    { code: 2, attributes: 'c0020602010000fde8' },
    { code: 2, attributes: '60020602010000fde8' },
    { code: 3, attributes: 'c003040a000001' },
    { code: 4, attributes: 'c0040400000001' },
    { code: 4, attributes: 'a0040400000001' },
    { code: 5, attributes: 'c0050400000064' },
    { code: 6, attributes: 'c00600' },
    { code: 7, attributes: '4007080000fde80a000001' },
    { code: 8, attributes: '800804fc000001' },
    { code: 9, attributes: 'c009040a000001' },
    { code: 10, attributes: 'c00a040a000001' },
    { code: 16, attributes: '8010080002fde800000001' },
    { code: 17, attributes: '801106020100010001' },
    { code: 18, attributes: '801208000100010a000001' },
    { code: 22, attributes: '8016090006000000' + '0a000002' },
    { code: 25, attributes: `801914${'00'.repeat(20)}` },
    { code: 32, attributes: '80200c000000010000000200000003' },
    { code: 35, attributes: '8023040000fde9' },
  ].map(({ code, attributes }) => ({
    name: `attribute ${String(code)} with flags 0x${attributes.slice(0, 2)}`,
    attributes,
    replaces: code,
    outcome: withdraw,
    subcode: 4,
    rule: 'RFC 7606 section 3(c)',
  })),
  // Missing: section 3(d).
  ...[1, 2, 3].map((code) => ({
    name: `attribute ${String(code)} is missing`,
    attributes: '',
    replaces: code,
    outcome: withdraw,
    subcode: 3,
    rule: 'RFC 7606 section 3(d)',
  })),
  { name: 'LOCAL_PREF is missing', attributes: '', replaces: 5, outcome: 'accept', internal: withdraw },
  // Twice: section 3(g).
  {
    name: 'ORIGIN appears twice',
    attributes: '40010101',
    outcome: 'discard',
    subcode: 1,
    rule: 'RFC 7606 section 3(g)',
  },
  { name: 'an unknown attribute appears twice', attributes: 'c0fe00 c0fe00', outcome: 'discard', subcode: 1 },
  // Section 7, in its order.
  {
    name: 'ORIGIN of 0 octets',
    attributes: '400100',
    replaces: 1,
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 7606 section 7.1',
  },
  { name: 'ORIGIN of 2 octets', attributes: '4001020000', replaces: 1, outcome: withdraw, subcode: 5 },
  { name: 'ORIGIN of value 3', attributes: '40010103', replaces: 1, outcome: withdraw, subcode: 6 },
  {
    name: 'AS_PATH segment of type 0',
    attributes: '40020600010000fde8',
    replaces: 2,
    outcome: withdraw,
    subcode: 11,
    rule: 'RFC 7606 section 7.2',
  },
  {
    name: 'AS_PATH segment of type 5',
    attributes: '40020605010000fde8',
    replaces: 2,
    outcome: withdraw,
    subcode: 11,
  },
  {
    name: 'AS_PATH segment without numbers',
    attributes: '4002020200',
    replaces: 2,
    outcome: withdraw,
    subcode: 11,
  },
  {
    name: 'AS_PATH segment that overruns',
    attributes: '40020602020000fde8',
    replaces: 2,
    outcome: withdraw,
    subcode: 11,
  },
  {
    name: 'AS_PATH with one octet too many',
    attributes: '40020702010000fde802',
    replaces: 2,
    outcome: withdraw,
    subcode: 11,
  },
  {
    name: 'AS_PATH with AS number 0 (RFC 7607)',
    attributes: '400206020100000000',
    replaces: 2,
    outcome: withdraw,
    subcode: 11,
  },
  {
    name: 'AS_PATH with a confederation segment',
    attributes: '40020603010000fde8',
    replaces: 2,
    outcome: withdraw,
    internal: 'accept',
    subcode: 11,
  },
  {
    name: 'AS_PATH of two-octet numbers where four were agreed',
    attributes: '4002040201fde8',
    replaces: 2,
    outcome: withdraw,
    subcode: 11,
  },
  {
    name: 'NEXT_HOP of 3 octets',
    attributes: '4003030a0000',
    replaces: 3,
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 7606 section 7.3',
  },
  {
    name: 'NEXT_HOP of 16 octets',
    attributes: `400310${'20'.repeat(16)}`,
    replaces: 3,
    outcome: withdraw,
    subcode: 5,
  },
  { name: 'NEXT_HOP 127.0.0.1', attributes: '4003047f000001', replaces: 3, outcome: withdraw, subcode: 8 },
  { name: 'NEXT_HOP 0.0.0.0', attributes: '40030400000000', replaces: 3, outcome: withdraw, subcode: 8 },
  { name: 'NEXT_HOP 224.0.0.1', attributes: '400304e0000001', replaces: 3, outcome: withdraw, subcode: 8 },
  {
    name: 'MULTI_EXIT_DISC of 3 octets',
    attributes: '800403000001',
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 7606 section 7.4',
  },
  {
    name: 'LOCAL_PREF of 5 octets',
    attributes: '4005050000000064',
    replaces: 5,
    outcome: 'discard',
    internal: withdraw,
    rule: 'RFC 7606 section 7.5',
  },
  {
    name: 'LOCAL_PREF in order',
    attributes: goodAttributes[5] ?? '',
    replaces: 5,
    outcome: 'discard',
    internal: 'accept',
  },
  {
    name: 'ATOMIC_AGGREGATE of 1 octet',
    attributes: '40060100',
    outcome: 'discard',
    subcode: 5,
    rule: 'RFC 7606 section 7.6',
  },
  {
    name: 'AGGREGATOR of 6 octets where 8 were agreed',
    attributes: 'c00706fde80a000001',
    outcome: 'discard',
    subcode: 5,
    rule: 'RFC 7606 section 7.7',
  },
  {
    name: 'AGGREGATOR of AS number 0 (RFC 7607)',
    attributes: 'c00708000000000a000001',
    outcome: 'discard',
    subcode: 9,
  },
  {
    name: 'COMMUNITIES of 0 octets',
    attributes: 'c00800',
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 7606 section 7.8',
  },
  { name: 'COMMUNITIES of 5 octets', attributes: 'c00805fc00000100', outcome: withdraw, subcode: 5 },
  {
    name: 'ORIGINATOR_ID of 3 octets',
    attributes: '8009030a0000',
    outcome: 'discard',
    internal: withdraw,
    rule: 'RFC 7606 section 7.9',
  },
  { name: 'ORIGINATOR_ID in order', attributes: '8009040a000001', outcome: 'discard', internal: 'accept' },
  {
    name: 'CLUSTER_LIST of 0 octets',
    attributes: '800a00',
    outcome: 'discard',
    internal: withdraw,
    rule: 'RFC 7606 section 7.10',
  },
  {
    name: 'CLUSTER_LIST of 5 octets',
    attributes: '800a050a00000100',
    outcome: 'discard',
    internal: withdraw,
  },
  { name: 'CLUSTER_LIST in order', attributes: '800a040a000001', outcome: 'discard', internal: 'accept' },
  {
    name: 'EXTENDED COMMUNITIES of 0 octets',
    attributes: 'c01000',
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 7606 section 7.14',
  },
  {
    name: 'EXTENDED COMMUNITIES of 9 octets',
    attributes: `c01009${'00'.repeat(9)}`,
    outcome: withdraw,
    subcode: 5,
  },
  {
    name: 'EXTENDED COMMUNITIES of an unknown type',
    attributes: 'c01008 7fff000000000001',
    outcome: 'accept',
  },
  {
    name: 'IPV6 EXTENDED COMMUNITIES of 19 octets',
    attributes: `c01913${'00'.repeat(19)}`,
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 7606 section 7.15',
  },
  // Attributes of later documents.
  {
    name: 'AS4_PATH from a new speaker',
    attributes: 'c01106020100010000',
    outcome: 'discard',
    rule: 'RFC 6793 section 3',
  },
  {
    name: 'AS4_AGGREGATOR from a new speaker',
    attributes: 'c01208000100000a000001',
    outcome: 'discard',
    rule: 'RFC 6793 section 3',
  },
  {
    name: 'AS4_PATH of segment type 0',
    attributes: 'c01106000100010000',
    outcome: 'discard',
    rule: 'RFC 6793 section 6',
    context: { as4: false },
    replaces: 2,
  },
  {
    name: 'AS4_PATH that is empty',
    attributes: 'c01100',
    outcome: 'discard',
    rule: 'RFC 6793 section 6',
    context: { as4: false },
    replaces: 2,
  },
  {
    name: 'AS4_PATH that overruns',
    attributes: 'c01106020200010000',
    outcome: 'discard',
    context: { as4: false },
    replaces: 2,
  },
  {
    name: 'AS4_AGGREGATOR of 6 octets',
    attributes: 'c0120600010a000001',
    outcome: 'discard',
    rule: 'RFC 6793 section 6',
    context: { as4: false },
    replaces: 2,
  },
  {
    name: 'LARGE_COMMUNITY of 13 octets',
    attributes: `c0200d${'00'.repeat(13)}`,
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 8092 section 6',
  },
  { name: 'LARGE_COMMUNITY of 0 octets', attributes: 'c02000', outcome: withdraw, subcode: 5 },
  {
    name: 'ONLY_TO_CUSTOMER of 3 octets',
    attributes: 'c02303000001',
    outcome: withdraw,
    subcode: 5,
    rule: 'RFC 9234 section 5',
  },
  { name: 'ONLY_TO_CUSTOMER of AS number 0', attributes: 'c0230400000000', outcome: withdraw, subcode: 9 },
  { name: 'PMSI_TUNNEL of 4 octets', attributes: 'c0160400060000', outcome: withdraw, subcode: 5 },
  { name: 'TUNNEL_ENCAPSULATION cut short', attributes: 'c01703000700', outcome: withdraw, subcode: 9 },
  {
    name: 'PREFIX_SID whose TLV overruns',
    attributes: 'c028060100ff000000',
    outcome: 'discard',
    subcode: 9,
    rule: 'RFC 8669 section 6',
  },
  {
    name: 'an unknown well-known attribute',
    attributes: '40fe00',
    outcome: 'reset',
    subcode: 2,
    rule: 'RFC 4271 section 6.3',
  },
  { name: 'an unknown optional transitive attribute', attributes: 'c0fe0101', outcome: 'accept' },
  { name: 'an unknown optional non-transitive attribute', attributes: '80fe0101', outcome: 'accept' },
  { name: 'AIGP, which is not spoken', attributes: '801a03 010003', outcome: 'accept' },
  // The framing of the attributes: section 4.
  {
    name: 'an attribute that overruns',
    attributes: 'c008ff00',
    outcome: withdraw,
    subcode: 1,
    rule: 'RFC 7606 section 4',
  },
  { name: 'two octets left over', attributes: 'c008', outcome: withdraw, subcode: 1 },
  { name: 'an extended length that overruns', attributes: 'd0080100', outcome: withdraw, subcode: 1 },
  { name: 'the strongest of two faults', attributes: '40060100 c00800 40fe00', outcome: 'reset' },
]

function attributesFor(row: AttributeRow, peer: CodecContext): string {
  const codes = peer.peerType === 'internal' ? [1, 2, 3, 5] : [1, 2, 3]
  const path = peer.as4 ? '' : '4002040201fde8'
  return (
    path +
    codes.map((code) => (code === row.replaces ? '' : (goodAttributes[code] ?? ''))).join('') +
    row.attributes
  )
}

for (const row of malformations) {
  for (const base of [external, internal]) {
    const outcome = base.peerType === 'internal' ? (row.internal ?? row.outcome) : row.outcome
    t.test(`${row.name}, ${base.peerType} peer: ${outcome}`, (t) => {
      const context = { ...base, ...row.context }
      const bytes = update('', attributesFor(row, context), '18 0a0100')
      const decoded = decodeUpdate(bytes, context)
      const first = decoded.faults[0]
      if (outcome === 'accept') t.strictSame(decoded.faults, [])
      if (outcome === 'reset') {
        t.match(decoded, { type: 'fault', event: 28 })
      } else if (decoded.type !== 'update') {
        t.fail(`ends the session: ${decoded.reason}`)
      } else if (outcome === 'treat-as-withdraw') {
        t.strictSame(decoded.announced, [])
        t.equal(decoded.attributes, undefined)
        t.match(decoded.withdrawn, [
          { afiSafi: ipv4Unicast, bytes: hex('180a0100'), count: 1, nextHop: undefined },
        ])
      } else {
        t.match(decoded.announced, [{ count: 1, nextHop: hex('0a000001') }])
        t.strictSame(decoded.withdrawn, [])
        t.ok((decoded.attributes?.length ?? 0) >= 13)
      }
      if (outcome !== 'accept' && outcome !== 'reset') t.equal(first?.action, outcome)
      if (row.subcode !== undefined && outcome === row.outcome)
        t.ok(
          decoded.faults.length === 0 ||
            decoded.faults.some((fault) => fault.notification.subcode === row.subcode),
          `subcode ${String(row.subcode)}`,
        )
      if (row.rule !== undefined && outcome !== 'accept') t.equal(first?.rule, row.rule)
      t.end()
    })
  }
}

const nothingElse: AttributeRow = { name: '', attributes: '', outcome: 'accept' }

t.test('a discarded attribute leaves the others as they were', (t) => {
  const decoded = decodeUpdate(
    update('', `${attributesFor(nothingElse, external)} 40060100 c00804fc000001`, '080a'),
    external,
  )
  if (decoded.type !== 'update') throw new Error(decoded.reason)
  t.strictSame(decoded.attributes, hex('40010100 40020602010000fde8 4003040a000001 c00804fc000001'))
  t.strictSame(decoded.faults[0]?.bytes, hex('40060100'), 'the fault shows the attribute')
  t.strictSame(decoded.faults[0]?.notification, { code: 3, subcode: 5, data: hex('40060100') })
  t.end()
})
