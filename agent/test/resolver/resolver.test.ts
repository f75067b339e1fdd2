import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import * as fc from 'fast-check'
import t, { type Test } from 'tap'
import { createNameIndex } from '../../src/names/name-index.ts'
import type { Server } from '../../src/names/nameservers.ts'
import { type Answerer, listenForQuestions } from '../../src/resolver/listener.ts'
import { type QuestionOutcome, createResolver } from '../../src/resolver/resolver.ts'
import { createUpstream } from '../../src/resolver/upstream.ts'
import { silentLog } from '@network/net/system'
import { endpoint } from '../names/endpoints.ts'
import { answerTo, askByTcp, askByUdp, fastClock, freePlace, question, words } from './ask.ts'

const REFUSED = 5
const NO_SUCH_NAME = 3
const FAILURE = 2

let turn = 0
/** Numbers that differ from one to the next. */
const chance = (): number => (turn += 0.37) % 1

/** A server that answers as it is told; undefined is silence. */
async function server(t: Test, answer: (asked: Buffer) => Buffer | undefined) {
  const at = await freePlace()
  const heard: { message: Buffer; transport: string }[] = []
  const listener = await listenForQuestions(at, (message, { transport }) => {
    heard.push({ message: Buffer.from(message), transport })
    return Promise.resolve(answer(message))
  })
  t.teardown(() => listener.close())
  return { ...at, heard }
}

/** A resolver whose askers are on loopback: an endpoint of the network web, unless `asker` says another address. */
async function resolver(
  t: Test,
  servers: readonly Server[],
  options: { asker?: string; isNear?: boolean; complete?: () => boolean } = {},
) {
  const index = createNameIndex()
  index.onUpdate('shop', endpoint({ network: 'web', names: ['shop'], addresses: ['10.0.0.1', 'fd00::1'] }))
  index.onUpdate('me', endpoint({ network: 'web', names: ['me'], addresses: [options.asker ?? '127.0.0.1'] }))
  const outcomes: QuestionOutcome[] = []
  const answer = createResolver(
    {
      index,
      upstream: createUpstream({ clock: fastClock(20), random: chance, servers: () => servers }),
      isNear: () => options.isNear ?? false,
      complete: options.complete ?? (() => true),
      random: Math.random,
      log: silentLog,
    },
    { onOutcome: (outcome) => outcomes.push(outcome) },
  )
  const at = await freePlace()
  const listener = await listenForQuestions(at, answer)
  t.teardown(() => listener.close())
  return { at, answer, outcomes, index }
}

t.test('a name that is known', async (t) => {
  const { at, outcomes, index } = await resolver(t, [])
  t.equal(words(await askByUdp(at, question('shop'))), '0: 10.0.0.1')
  t.equal(words(await askByUdp(at, question('shop.web', 'AAAA'))), '0: fd00::1')
  const both = await askByTcp(at, question('shop'), question('me'))
  t.same(both.map(words).sort(), ['0: 10.0.0.1', '0: 127.0.0.1'])
  t.same(outcomes, ['answered', 'answered', 'answered', 'answered'])
  index.onUpdate('shop', undefined)
  t.equal(words(await askByUdp(at, question('shop'))), `${String(FAILURE)}:`, 'and no longer is')
})

t.test('who may ask', async (t) => {
  const other = await server(t, (asked) => answerTo(asked, { data: '192.0.2.1' }))
  const far = await resolver(t, [other], { asker: '10.0.0.7' })
  for (const name of ['shop', 'shop.web', 'example.net'])
    t.equal(words(await askByUdp(far.at, question(name))), `${String(REFUSED)}:`, name)
  t.same(far.outcomes, ['refused', 'refused', 'refused'])
  t.same(other.heard, [])
  const near = await resolver(t, [other], { asker: '10.0.0.7', isNear: true })
  t.equal(words(await askByUdp(near.at, question('shop.web'))), '0: 10.0.0.1')
  t.equal(words(await askByUdp(near.at, question('shop'))), '0: 192.0.2.1', 'alone it is nobody here')
})

t.test('everything else goes on as it came', async (t) => {
  const other = await server(t, (asked) => answerTo(asked, { data: '192.0.2.1', flags: 0x0280 }))
  const { at, outcomes } = await resolver(t, [other])
  const edns = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 4000,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0x8000,
  } as const
  const asked = question('Example.NET', 'TXT', [
    { ...edns, flag_do: true, options: [{ code: 12, length: 8 }] },
  ])
  const answer = await askByUdp(at, asked)
  t.equal(answer.readUInt16BE(0), 77, 'with the number of the question')
  t.equal(answer.readUInt16BE(2) & 0x0200, 0x0200, 'a cut answer stays cut')
  t.equal(words(answer), '0: 192.0.2.1')
  t.equal(words((await askByTcp(at, asked))[0] ?? Buffer.alloc(12)), '0: 192.0.2.1')
  t.same(
    other.heard.map(({ transport }) => transport),
    ['udp', 'tcp'],
  )
  for (const { message } of other.heard) t.same(message.subarray(2), asked.subarray(2), 'byte by byte')
  t.not(
    other.heard[0]?.message.readUInt16BE(0),
    other.heard[1]?.message.readUInt16BE(0),
    'numbers are by chance',
  )
  t.same(outcomes, ['forwarded', 'forwarded'])
})

t.test('servers that fail', async (t) => {
  const dead = await freePlace()
  const silent = await server(t, () => undefined)
  const failing = await server(t, (asked) => answerTo(asked, { flags: FAILURE }))
  const good = await server(t, (asked) => answerTo(asked, { data: '192.0.2.1' }))
  for (const transport of ['udp', 'tcp'] as const) {
    const { at } = await resolver(t, [dead, failing, silent, good])
    const ask = async (): Promise<string> =>
      words(
        transport === 'udp'
          ? await askByUdp(at, question('example.net'))
          : ((await askByTcp(at, question('example.net')))[0] ?? Buffer.alloc(12)),
      )
    t.equal(await ask(), '0: 192.0.2.1', `${transport}: the one that answers is found`)
    const before = silent.heard.length
    t.equal(await ask(), '0: 192.0.2.1')
    t.equal(silent.heard.length, before, 'and asked first from then on')
  }
  const hopeless = await resolver(t, [dead, silent])
  t.equal(words(await askByUdp(hopeless.at, question('example.net'))), `${String(FAILURE)}:`)
  const nobody = await resolver(t, [])
  t.equal(words(await askByUdp(nobody.at, question('example.net'))), `${String(FAILURE)}:`)
  t.same([...hopeless.outcomes, ...nobody.outcomes], ['unanswered', 'unanswered'])
  const unwilling = await resolver(t, [await server(t, (asked) => answerTo(asked, { flags: REFUSED })), dead])
  t.equal(
    words(await askByUdp(unwilling.at, question('example.net'))),
    `${String(REFUSED)}:`,
    'what one said',
  )
})

t.test('answers of others than the one that was asked', async (t) => {
  const forger = createSocket('udp4')
  forger.bind(0, '127.0.0.1')
  await once(forger, 'listening')
  t.teardown(() => forger.close())
  forger.on('message', (asked, { port, address }) => {
    const forged = answerTo(asked, { data: '203.0.113.66' })
    forged.writeUInt16BE((asked.readUInt16BE(0) + 1) & 0xffff, 0)
    const another = answerTo(question('another.example'), { data: '203.0.113.66' })
    another.writeUInt16BE(asked.readUInt16BE(0), 0)
    const good = answerTo(asked, { data: '192.0.2.1' })
    for (const answer of [Buffer.from('?'), forged, another, asked, good]) forger.send(answer, port, address)
  })
  const { at } = await resolver(t, [{ address: '127.0.0.1', port: forger.address().port }])
  t.equal(words(await askByUdp(at, question('example.net'))), '0: 192.0.2.1')
})

t.test('before all names are known', async (t) => {
  let complete = false
  const other = await server(t, (asked) => answerTo(asked, { flags: NO_SUCH_NAME }))
  const { at, outcomes } = await resolver(t, [other], { complete: () => complete })
  t.equal(
    words(await askByUdp(at, question('soon'))),
    `${String(FAILURE)}:`,
    'nobody knows that there is none',
  )
  complete = true
  t.equal(words(await askByUdp(at, question('soon'))), `${String(NO_SUCH_NAME)}:`)
  t.same(outcomes, ['too-early', 'forwarded'])
})

t.test('questions under way are bounded, those of one asker more tightly', async (t) => {
  const silent = await server(t, () => undefined)
  const { answer, index, outcomes } = await resolver(t, [silent])
  for (const number of [1, 2, 3, 4, 5])
    index.onUpdate(
      `k${String(number)}`,
      endpoint({ network: 'web', addresses: [`10.0.1.${String(number)}`] }),
    )
  const all: ReturnType<Answerer>[] = []
  for (const number of [1, 2, 3, 4, 5]) {
    for (let index = 0; index < 260; index++)
      all.push(answer(question('example.net'), { address: `10.0.1.${String(number)}`, transport: 'udp' }))
  }
  await Promise.all(all)
  t.equal(outcomes.filter((outcome) => outcome === 'unanswered').length, 1024)
  t.equal(outcomes.filter((outcome) => outcome === 'too-many').length, 5 * 260 - 1024)
  await answer(question('example.net'), { address: '10.0.1.5', transport: 'udp' })
  t.equal(outcomes.at(-1), 'unanswered', 'afterwards there is room again')
})

t.test('bytes of any kind end nothing', async (t) => {
  const { at } = await resolver(t, [])
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  for (const bytes of fc.sample(fc.uint8Array({ maxLength: 1400 }), { numRuns: 300, seed: 1 })) {
    socket.send(bytes, at.port, at.address)
    const wire = connect(at.port, at.address)
    wire.on('error', () => undefined)
    wire.end(bytes)
    await once(wire, 'close')
  }
  t.equal(words(await askByUdp(at, question('shop'))), '0: 10.0.0.1')
  t.same((await askByTcp(at, question('shop'))).map(words), ['0: 10.0.0.1'])
})

t.test('one asker does not take all connections', async (t) => {
  const { at } = await resolver(t, [])
  const open = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const wire = connect(at.port, at.address)
      wire.on('error', () => undefined)
      await once(wire, 'connect')
      return wire
    }),
  )
  t.teardown(() => {
    for (const wire of open) wire.destroy()
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.equal(open.filter((wire) => !wire.readable).length, 8, 'those past the bound are closed')
})

t.test('a place that is taken', async (t) => {
  const { at } = await resolver(t, [])
  await t.rejects(
    listenForQuestions(at, () => Promise.resolve(undefined)),
    {
      code: 'port-taken',
      message: new RegExp(`127\\.0\\.0\\.1, port ${String(at.port)} \\(UDP\\).*EADDRINUSE`),
    },
  )
  await t.rejects(
    listenForQuestions({ address: '192.0.2.77', port: at.port }, () => Promise.resolve(undefined)),
    { code: 'port-taken', message: /EADDRNOTAVAIL/ },
  )
})
