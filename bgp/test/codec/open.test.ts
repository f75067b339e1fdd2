import t from 'tap'
import { plainContext } from '../../src/codec/context.ts'
import { decodeMessage } from '../../src/codec/message.ts'
import { encodeOpen, findCapability, makeOpen } from '../../src/codec/open.ts'
import { hex, message } from './hex.ts'

const head = '04 fc00 005a 0a000001'

/** RFC 4271 section 6.2 and the RFCs that add to it. */
const faults: readonly { name: string; body: string; subcode: number; data?: string }[] = [
  { name: 'version 3', body: '03 fc00 005a 0a000001 00', subcode: 1, data: '0004' },
  { name: 'version 5', body: '05 fc00 005a 0a000001 00', subcode: 1, data: '0004' },
  { name: 'AS number 0', body: '04 0000 005a 0a000001 00', subcode: 2 },
  { name: 'AS number 0 in four octets', body: `${head} 08 02 06 41 04 00000000`, subcode: 2 },
  { name: 'BGP identifier 0', body: '04 fc00 005a 00000000 00', subcode: 3 },
  { name: 'an unknown optional parameter', body: `${head} 03 01 01 00`, subcode: 4, data: '01' },
  { name: 'hold time 1', body: '04 fc00 0001 0a000001 00', subcode: 6 },
  { name: 'hold time 2', body: '04 fc00 0002 0a000001 00', subcode: 6 },
  { name: 'parameters that are not there', body: `${head} 02`, subcode: 0 },
  { name: 'octets behind the parameters', body: `${head} 00 00`, subcode: 0 },
  { name: 'a parameter that overruns', body: `${head} 04 02 03 02 00`, subcode: 0 },
  { name: 'a parameter cut short', body: `${head} 01 02`, subcode: 0 },
  { name: 'a capability that overruns', body: `${head} 04 02 02 02 01`, subcode: 0 },
  { name: 'a capability cut short', body: `${head} 03 02 01 02`, subcode: 0 },
  { name: 'an extended length that overruns', body: `${head} ff ff 0006 02 0002 02 00`, subcode: 0 },
  { name: 'an extended length cut short', body: `${head} 01 ff`, subcode: 0 },
]

for (const { name, body, subcode, data = '' } of faults) {
  t.test(name, (t) => {
    t.match(decodeMessage(message(1, body), plainContext), {
      type: 'fault',
      event: 22,
      notification: { code: 2, subcode, data: hex(data) },
    })
    t.end()
  })
}

t.test('hold times 0 and 3 are in order', (t) => {
  for (const holdTimeSeconds of [0, 3]) {
    const open = makeOpen({ asn: 1, holdTimeSeconds, routerId: 1, capabilities: [] })
    t.match(decodeMessage(encodeOpen(open), plainContext), { type: 'open', holdTimeSeconds })
  }
  t.end()
})

t.test('an AS number of four octets is AS_TRANS in the field of two', (t) => {
  const open = makeOpen({
    asn: 4200000000,
    holdTimeSeconds: 90,
    routerId: 1,
    capabilities: [{ kind: 'as4', asn: 4200000000 }],
  })
  t.equal(open.myAs, 23456)
  const decoded = decodeMessage(encodeOpen(open), plainContext)
  t.match(decoded, { type: 'open', myAs: 23456, asn: 4200000000 })
  if (decoded.type === 'open') t.strictSame(findCapability(decoded, 'as4'), { kind: 'as4', asn: 4200000000 })
  t.end()
})

t.test('capabilities of more than 255 octets take the extended form by themselves (RFC 9072)', (t) => {
  const capabilities = Array.from({ length: 5 }, (_, i) => ({
    kind: 'unknown' as const,
    code: 200 + i,
    value: new Uint8Array(100),
  }))
  const decoded = decodeMessage(
    encodeOpen(makeOpen({ asn: 1, holdTimeSeconds: 90, routerId: 1, capabilities })),
    plainContext,
  )
  t.match(decoded, { type: 'open', extendedLength: true, capabilities })
  t.end()
})

t.test('an OPEN of more than 4,096 octets is refused to its maker', (t) => {
  const capabilities = Array.from({ length: 20 }, () => ({
    kind: 'unknown' as const,
    code: 200,
    value: new Uint8Array(250),
  }))
  t.throws(() => encodeOpen(makeOpen({ asn: 1, holdTimeSeconds: 90, routerId: 1, capabilities })), RangeError)
  t.end()
})

t.test('bits without a name keep a capability as it came', (t) => {
  const cases = [
    { name: 'reserved bits of graceful restart', hex: '40 02 3078' },
    { name: 'flags of a family in graceful restart', hex: '40 06 0078 0001 01 81' },
    { name: 'ADD-PATH mode 4', hex: '45 04 0001 01 04' },
    { name: 'a host name that is not UTF-8', hex: '49 04 02 ff fe 00' },
    { name: 'a reserved octet of multiprotocol', hex: '01 04 0001 01 01' },
  ]
  for (const { name, hex: capability } of cases) {
    const length = hex(capability).length
    const u8 = (value: number): string => value.toString(16).padStart(2, '0')
    const octets = message(1, `${head} ${u8(length + 2)} 02 ${u8(length)} ${capability}`)
    const decoded = decodeMessage(octets, plainContext)
    t.match(decoded, { type: 'open', capabilities: [{ kind: 'unknown' }] }, name)
    if (decoded.type === 'open') t.strictSame(encodeOpen(decoded), octets, name)
  }
  t.end()
})
