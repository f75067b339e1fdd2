import t from 'tap'
import { maxMessageLength, plainContext } from '../../src/codec/context.ts'
import { frame } from '../../src/codec/frame.ts'
import { hex, message } from './hex.ts'

const marker = 'ff'.repeat(16)

interface Case {
  readonly name: string
  readonly octets: string
  readonly notification: { code: number; subcode: number; data: Uint8Array }
  readonly maxLength?: number
}

const cases: readonly Case[] = [
  {
    name: 'a wrong marker',
    octets: `${'ff'.repeat(15)}fe 0013 04`,
    notification: { code: 1, subcode: 1, data: hex('') },
  },
  {
    name: 'a wrong marker in its first octet',
    octets: '00',
    notification: { code: 1, subcode: 1, data: hex('') },
  },
  {
    name: 'length 18',
    octets: `${marker} 0012 04`,
    notification: { code: 1, subcode: 2, data: hex('0012') },
  },
  { name: 'length 0', octets: `${marker} 0000 02`, notification: { code: 1, subcode: 2, data: hex('0000') } },
  {
    name: 'length 4,097',
    octets: `${marker} 1001 02`,
    notification: { code: 1, subcode: 2, data: hex('1001') },
  },
  {
    name: 'a long OPEN despite RFC 8654',
    octets: `${marker} 1001 01`,
    notification: { code: 1, subcode: 2, data: hex('1001') },
    maxLength: 65535,
  },
  {
    name: 'a short OPEN',
    octets: `${marker} 001c 01`,
    notification: { code: 1, subcode: 2, data: hex('001c') },
  },
  {
    name: 'a short UPDATE',
    octets: `${marker} 0016 02`,
    notification: { code: 1, subcode: 2, data: hex('0016') },
  },
  {
    name: 'a short NOTIFICATION',
    octets: `${marker} 0014 03`,
    notification: { code: 1, subcode: 2, data: hex('0014') },
  },
  {
    name: 'a long KEEPALIVE',
    octets: `${marker} 0014 04`,
    notification: { code: 1, subcode: 2, data: hex('0014') },
  },
  {
    name: 'a short ROUTE-REFRESH',
    octets: `${marker} 0016 05`,
    notification: { code: 1, subcode: 2, data: hex('0016') },
  },
  { name: 'type 0', octets: `${marker} 0013 00`, notification: { code: 1, subcode: 3, data: hex('00') } },
  { name: 'type 6', octets: `${marker} 0013 06`, notification: { code: 1, subcode: 3, data: hex('06') } },
]

for (const { name, octets, notification, maxLength = 4096 } of cases) {
  t.test(name, (t) => {
    const buffer = hex(octets)
    const fault = frame(buffer, 0, buffer.length, maxLength)
    if (typeof fault === 'number') throw new Error(`gives ${String(fault)}`)
    t.strictSame(fault.notification, notification)
    t.equal(fault.event, 21)
    t.end()
  })
}

t.test('finds messages one behind the other, and what is not there yet', (t) => {
  const first = message(3, '0600')
  const buffer = Uint8Array.of(7, ...first, ...message(4, ''))
  t.equal(frame(buffer, 1, buffer.length, 4096), 21)
  t.equal(frame(buffer, 22, buffer.length, 4096), 19)
  t.equal(frame(buffer, 22, buffer.length - 1, 4096), 0)
  t.equal(frame(buffer, buffer.length, buffer.length, 4096), 0)
  t.end()
})

t.test('RFC 8654 allows an UPDATE of 65,535 octets', (t) => {
  const buffer = new Uint8Array(65535).fill(255)
  buffer[18] = 2
  t.equal(
    frame(buffer, 0, buffer.length, maxMessageLength({ ...plainContext, extendedMessage: true })),
    65535,
  )
  t.match(frame(buffer, 0, buffer.length, maxMessageLength(plainContext)), {
    notification: { code: 1, subcode: 2 },
  })
  t.end()
})
