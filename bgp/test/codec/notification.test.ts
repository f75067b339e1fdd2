import t from 'tap'
import {
  administrativeCease,
  encodeNotification,
  formatNotification,
  hardReset,
  shutdownCommunication,
  unwrapHardReset,
} from '../../src/codec/notification.ts'
import { hex } from './hex.ts'

t.test('a shutdown communication goes and comes (RFC 9003)', (t) => {
  const notification = administrativeCease(2, 'upgrade at 14:00 · zürich')
  t.equal(shutdownCommunication(notification), 'upgrade at 14:00 · zürich')
  t.equal(
    formatNotification(notification),
    'Cease: Administrative Shutdown (6/2): "upgrade at 14:00 · zürich"',
  )
  t.equal(administrativeCease(4).data.length, 0)
  t.end()
})

t.test('a text that is too long is cut between characters', (t) => {
  const text = shutdownCommunication(administrativeCease(2, 'ü'.repeat(200)))
  t.equal(text, 'ü'.repeat(127))
  t.end()
})

const communications: readonly { data: string; text: string | undefined; name: string }[] = [
  { name: 'none', data: '', text: undefined },
  { name: 'an empty one', data: '00', text: undefined },
  { name: 'one longer than the data', data: '05 6869', text: undefined },
  { name: 'octets behind it', data: '02 6869 21', text: 'hi' },
  { name: 'octets that are not UTF-8', data: '02 68ff', text: 'h\ufffd' },
  { name: 'control characters', data: '05 1b5b6d0a41', text: ' [m A' },
]
for (const { name, data, text } of communications) {
  t.test(`a shutdown communication: ${name}`, (t) => {
    t.equal(shutdownCommunication({ code: 6, subcode: 2, data: hex(data) }), text)
    t.end()
  })
}

t.test('only shutdown and reset have a text', (t) => {
  const data = hex('026869')
  t.equal(shutdownCommunication({ code: 6, subcode: 4, data }), 'hi')
  t.equal(shutdownCommunication({ code: 6, subcode: 3, data }), undefined)
  t.equal(shutdownCommunication({ code: 3, subcode: 2, data }), undefined)
  t.end()
})

t.test('a hard reset wraps what it stands for (RFC 8538)', (t) => {
  const inner = administrativeCease(2, 'bye')
  const outer = hardReset(inner)
  t.match(outer, { code: 6, subcode: 9 })
  t.strictSame(unwrapHardReset(outer), inner)
  t.equal(formatNotification(outer), 'Hard Reset (6/9): Cease: Administrative Shutdown (6/2): "bye"')
  t.equal(unwrapHardReset(inner), undefined)
  t.strictSame(unwrapHardReset({ code: 6, subcode: 9, data: hex('') }), {
    code: 6,
    subcode: 0,
    data: hex(''),
  })
  t.end()
})

t.test('codes without a name are told by number', (t) => {
  t.equal(formatNotification({ code: 200, subcode: 7, data: hex('') }), 'Unknown Error (200/7)')
  t.equal(formatNotification({ code: 4, subcode: 0, data: hex('') }), 'Hold Timer Expired (4/0)')
  t.end()
})

t.test('data that does not fit is cut', (t) => {
  t.equal(encodeNotification({ code: 3, subcode: 5, data: new Uint8Array(9000) }).length, 4096)
  t.end()
})
