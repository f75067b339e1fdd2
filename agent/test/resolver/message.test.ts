import { type Answer, decode, encode } from 'dns-packet'
import * as fc from 'fast-check'
import t from 'tap'
import {
  ResponseCode,
  answersTo,
  readQuestion,
  responseCode,
  writeAnswer,
  writeFailure,
} from '../../src/resolver/message.ts'
import { MessageReader, framed } from '../../src/resolver/framing.ts'

const edns = (more: Partial<Extract<Answer, { type: 'OPT' }>> = {}): Answer => ({
  type: 'OPT',
  name: '.',
  udpPayloadSize: 4096,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
  ...more,
})
const question = (name: string, additionals: Answer[] = []): Buffer =>
  encode({ type: 'query', id: 7, flags: 0x0110, questions: [{ type: 'A', name }], additionals })

function read(bytes: Buffer) {
  const result = readQuestion(bytes)
  if (!result.ok) throw new Error('it is no question')
  return result.value
}

t.test('a question', (t) => {
  t.match(read(question('Shop.web')), {
    ...{ id: 7, flags: 0x0110, name: 'Shop.web', type: 'A', class: 'IN' },
    ...{ exact: true, ednsBytes: undefined, ednsVersion: 0 },
  })
  t.match(read(question('shop', [edns()])), { ednsBytes: 4096 })
  const header = question('x').subarray(0, 12)
  const labels = (...parts: (string | number[])[]): Buffer =>
    Buffer.concat([
      header,
      ...parts.map((part) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part as string)])),
      Buffer.from([0, 0, 1, 0, 1]),
    ])
  t.match(read(labels('shop', 'web')), { name: 'shop.web', exact: true })
  t.match(read(labels('shop.web')), { name: 'shop.web', exact: false }, 'a dot in a label')
  t.match(read(labels('.')), { exact: false })
  t.match(read(labels([0xff, 0xfe])), { exact: false }, 'bytes that are no text')
  t.match(read(Buffer.concat([header, Buffer.from([0, 0, 1, 0, 1])])), { name: '.' }, 'the root')
  t.end()
})

const header = (flags: number, ...counts: number[]): Buffer => {
  const bytes = Buffer.alloc(12)
  ;[7, flags, ...counts].forEach((value, index) => bytes.writeUInt16BE(value, index * 2))
  return bytes
}
const faults: readonly [name: string, bytes: Buffer, code: number | undefined][] = [
  ['nothing', Buffer.alloc(0), undefined],
  ['half a header', Buffer.alloc(11), undefined],
  ['an answer', header(0x8000, 1), undefined],
  ['an update', header(0x2800, 1), ResponseCode.notImplemented],
  ['no question', header(0x0100, 0), ResponseCode.formatError],
  ['two questions', header(0x0100, 2), ResponseCode.formatError],
  ['a question that is not there', header(0x0100, 1), ResponseCode.formatError],
  ['answers with it', header(0x0100, 1, 1), ResponseCode.formatError],
  ['more additions than there are', header(0x0100, 1, 0, 0, 0xffff), ResponseCode.formatError],
  [
    'a name that points at itself',
    Buffer.concat([header(0x0100, 1), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
    ResponseCode.formatError,
  ],
  ['a name without end', Buffer.concat([header(0x0100, 1), Buffer.alloc(300, 1)]), ResponseCode.formatError],
  ['an addition that is cut', question('shop', [edns()]).subarray(0, -3), ResponseCode.formatError],
]
for (const [name, bytes, code] of faults) {
  t.test(`no question: ${name}`, (t) => {
    const result = readQuestion(bytes)
    const answer = result.ok ? undefined : result.error.answer
    t.equal(result.ok, false)
    t.equal(answer === undefined ? undefined : responseCode(answer), code)
    if (answer !== undefined) {
      t.ok(answer.length <= bytes.length, 'never longer than what came')
      t.match(decode(answer), { type: 'response', id: bytes.readUInt16BE(0) })
    }
    t.end()
  })
}

t.test('an answer', (t) => {
  const asked = read(question('SHOP', [edns()]))
  const records = [
    { type: 'A', data: '10.0.0.1' },
    { type: 'A', data: '10.0.0.2' },
  ] as const
  t.match(decode(writeAnswer(asked, records, 'udp')), {
    ...{
      type: 'response',
      id: 7,
      flag_aa: true,
      flag_ra: true,
      flag_rd: true,
      flag_cd: true,
      flag_tc: false,
    },
    questions: [{ name: 'SHOP', type: 'A' }],
    answers: records.map((record) => ({ ...record, name: 'SHOP', ttl: 5 })),
    additionals: [{ type: 'OPT', udpPayloadSize: 1232 }],
  })
  t.match(decode(writeAnswer(read(question('shop')), [], 'udp')), { answers: [], additionals: [] })
  t.match(decode(writeAnswer(read(question('shop')), [{ type: 'AAAA', data: 'fd00::1' }], 'udp')).answers, [
    { type: 'AAAA', data: 'fd00::1' },
  ])
  t.match(decode(writeAnswer(read(question('shop')), [{ type: 'PTR', data: 'shop.web' }], 'udp')).answers, [
    { type: 'PTR', data: 'shop.web' },
  ])
  t.equal(responseCode(writeFailure(asked, ResponseCode.refused)), ResponseCode.refused)
  const versioned = decode(writeAnswer(read(question('shop', [edns({ ednsVersion: 1 })])), records, 'udp'))
  t.match(versioned, { answers: [], additionals: [{ extendedRcode: 1, ednsVersion: 0 }] })
  t.end()
})

t.test('an answer that does not fit is cut, and says so', (t) => {
  const records = Array.from({ length: 200 }, (_, index) => ({
    type: 'A' as const,
    data: `10.0.0.${String(index)}`,
  }))
  for (const [size, most] of [
    [undefined, 512],
    [100, 512],
    [800, 800],
    [65_535, 1232],
  ] as const) {
    const asked = read(question('shop', size === undefined ? [] : [edns({ udpPayloadSize: size })]))
    const bytes = writeAnswer(asked, records, 'udp')
    const { flag_tc, answers = [] } = decode(bytes)
    t.ok(bytes.length <= most && bytes.length > most - 40, `${String(bytes.length)} of ${String(most)} bytes`)
    t.equal(flag_tc, true)
    t.ok(answers.length > 10)
    const whole = decode(writeAnswer(asked, records, 'tcp'))
    t.equal(whole.flag_tc, false)
    t.equal(whole.answers?.length, 200)
  }
  t.end()
})

t.test('whether something answers a question', (t) => {
  const asked = question('Shop.example.net', [edns()])
  const answer = (name: string, id = 7): Buffer =>
    encode({ type: 'response', id, questions: [{ type: 'A', name }], answers: [] })
  t.ok(answersTo(answer('Shop.example.net'), asked))
  t.ok(answersTo(answer('shop.EXAMPLE.net'), asked), 'in any case')
  t.notOk(answersTo(answer('Shop.example.org'), asked))
  t.notOk(answersTo(answer('Shop.example.net', 8), asked), 'of another number')
  t.notOk(answersTo(asked, asked), 'a question')
  t.notOk(answersTo(header(0x8000, 0), asked), 'no words, and nothing is wrong')
  t.ok(answersTo(header(0x8005, 0), asked), 'no words, but refused')
  t.notOk(answersTo(Buffer.alloc(3), asked))
  t.end()
})

t.test('bytes of any kind', (t) => {
  const some = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    // What begins as a question should.
    fc.uint8Array({ maxLength: 80 }).map((tail) => Buffer.concat([header(0x0100, 1, 0, 0, 1), tail])),
    // A good question with some bytes changed.
    fc
      .tuple(fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }), fc.nat(60))
      .map(([changes, end]) => {
        const bytes = Buffer.from(question('shop.web.example', [edns()]))
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
        return bytes.subarray(0, end)
      }),
  )
  fc.assert(
    fc.property(some, some, (first, second) => {
      const bytes = Buffer.from(first)
      const result = readQuestion(bytes)
      if (!result.ok) {
        const { answer } = result.error
        return answer === undefined || answer.length <= bytes.length
      }
      const failed = writeFailure(result.value, ResponseCode.serverFailure)
      const answered = writeAnswer(result.value, [{ type: 'A', data: '10.0.0.1' }], 'udp')
      answersTo(Buffer.from(second), bytes)
      return answersTo(failed, bytes) && answered.length <= 1232
    }),
    { numRuns: 5_000 },
  )
  t.end()
})

t.test('messages of a connection, however it is cut', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
      fc.array(fc.nat(200), { maxLength: 8 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map((message) => framed(Buffer.from(message))))
        const places = [0, ...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length]
        const reader = new MessageReader()
        const got = places.slice(1).flatMap((end, index) => reader.read(stream.subarray(places[index], end)))
        t.strictSame(
          got.map((message) => message.toString('hex')),
          messages.map((message) => Buffer.from(message).toString('hex')),
        )
      },
    ),
    { numRuns: 200 },
  )
  t.end()
})
