import t from 'tap'
import { plainContext } from '../../src/codec/context.ts'
import { frame } from '../../src/codec/frame.ts'
import { decodeMessage, encodeMessage } from '../../src/codec/message.ts'
import { putU16 } from '../../src/codec/writer.ts'
import { messageCases } from './cases.ts'
import { hex, message, update } from './hex.ts'

for (const { name, octets, value, context = plainContext } of messageCases) {
  t.test(name, (t) => {
    t.strictSame(decodeMessage(octets, context), value, 'decodes')
    t.strictSame(encodeMessage(value, context), octets, 'encodes')
    t.equal(frame(octets, 0, octets.length, 4096), octets.length, 'is framed')
    for (let length = 0; length < octets.length; length++) {
      const part = octets.slice(0, length)
      if (frame(part, 0, length, 4096) !== 0)
        t.fail(`${String(length)} octets are not recognised as incomplete`)
      if (decodeMessage(part, context).type !== 'fault') t.fail(`${String(length)} octets give a message`)
    }
    t.end()
  })

  t.test(`${name}, cut short with a header that says so`, (t) => {
    for (let length = 19; length < octets.length; length++) {
      const part = octets.slice(0, length)
      putU16(part, 16, length)
      const decoded = decodeMessage(part, context)
      // NOTIFICATION data, and NLRI cut between prefixes, are in order at any length.
      const open = value.type === 'notification' || value.type === 'update'
      if (!open && decoded.type !== 'fault') t.fail(`${String(length)} octets give ${decoded.type}`)
      if (open && decoded.type !== 'fault' && decoded.type !== value.type) t.fail(`gives ${decoded.type}`)
    }
    t.end()
  })
}

t.test('a ROUTE-REFRESH that demarcates a refresh has exactly 23 octets', (t) => {
  const fault = decodeMessage(message(5, '0001 02 01 00'), plainContext)
  t.match(fault, { type: 'fault', notification: { code: 7, subcode: 1 }, event: 28 })
  t.match(decodeMessage(message(5, '0001 00 01 00'), plainContext), { type: 'route-refresh', subtype: 0 })
  t.match(decodeMessage(message(5, '0001 09 01'), plainContext), { type: 'route-refresh', subtype: 9 })
  t.end()
})

t.test('octets behind the message are a fault of its length', (t) => {
  const decoded = decodeMessage(Uint8Array.of(...message(4, ''), 0), plainContext)
  t.match(decoded, {
    type: 'fault',
    notification: { code: 1, subcode: 2, data: Uint8Array.of(0, 19) },
    event: 21,
  })
  t.end()
})

t.test('what is kept of a message is a copy, also if the message is a Buffer', (t) => {
  const cases = messageCases.filter(({ value }) => value.type === 'open' || value.type === 'notification')
  for (const { name, octets, value } of cases) {
    const buffer = Buffer.from(octets)
    const decoded = decodeMessage(buffer, plainContext)
    buffer.fill(0)
    t.strictSame(decoded, value, name)
  }
  const faulty = Buffer.from(update('', '400101 07', '080a'))
  const decoded = decodeMessage(faulty, plainContext)
  faulty.fill(0)
  const fault =
    decoded.type === 'update' ? decoded.faults.find(({ attribute }) => attribute === 1) : undefined
  t.match(fault, { bytes: hex('40010107'), notification: { data: hex('40010107') } })
  t.end()
})
