import type { DesiredState } from '@network/bgp'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createSpeakerStock } from '../../src/roles/speaker-stock.ts'
import { createSpeakerThread } from '../../src/roles/speaker-thread.ts'
import { systemClock as clock } from '@network/net/system'
import { recordingLog } from '../recording-log.ts'

const real = new URL('../../src/roles/speaker-worker.ts', import.meta.url)
const fake = new URL('./fake-speaker-worker.ts', import.meta.url)
const state = (...names: string[]): DesiredState => ({
  peers: names.map((name, i) => ({ name, address: `192.0.2.${i + 1}`, asn: 65001 })),
  routes: [{ prefix: '10.0.0.0/26' }],
})

function thread(t: Test, entry: URL, listen: string[] = []) {
  const log = recordingLog()
  const batches: string[] = []
  const stock = createSpeakerStock(entry)
  let starts = 0
  const made = createSpeakerThread(
    { clock, log },
    {
      openWorker: () => stock.take(),
      speaker: { asn: 64512, routerId: '192.0.2.9', listen },
      onBest: (batch) => {
        batches.push(
          `${batch.family}: ${batch.changes.map(({ prefix }) => prefix).join(' ')}${batch.converged ? ' converged' : ''}`,
        )
        return Promise.resolve()
      },
      onStart: () => starts++,
    },
  )
  t.teardown(() => made.stop({ graceful: true }))
  return { thread: made, log, batches, starts: () => starts }
}

async function until(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const end = Date.now() + withinMs
  while (!condition()) {
    if (Date.now() > end) throw new Error('not in time')
    await sleep(20)
  }
}

t.test('the real speaker on its thread: state in, best routes and live state out', async (t) => {
  const { thread: speaker, batches } = thread(t, real)
  await speaker.start()
  t.match(await speaker.apply(state('a')), { added: ['a'], originated: 1 })
  t.match(await speaker.peers(), [{ name: 'a', address: '192.0.2.1' }])
  // State is taken at once; the decision is of the next turn.
  await until(() => batches.some((line) => line.includes('10.0.0.0/26')))
  t.match(await speaker.routes({ family: 'ipv4' }), [{ prefix: '10.0.0.0/26', local: true, best: true }])
  await t.rejects(speaker.apply({ peers: [{ name: 'x', address: 'nonsense', asn: 1 }], routes: [] }), {
    code: 'invalid-options',
    message: /nonsense/,
  })
  t.match(await speaker.peers(), [{ name: 'a' }], 'nothing has changed')
})

t.test('a thread that was opened ahead is taken once; one that died by then is opened anew', async (t) => {
  const stock = createSpeakerStock(fake)
  stock.prepare()
  const [first, second] = [stock.take(), stock.take()]
  t.not(first, second)
  await Promise.all([first.terminate(), second.terminate()])
  stock.prepare()
  await stock.close()

  const absent = createSpeakerStock(new URL('./absent.mjs', import.meta.url))
  absent.prepare()
  await sleep(300)
  const opened = absent.take()
  const why = await new Promise<Error>((resolve) => opened.once('error', resolve))
  t.match(why.message, /absent/, 'it is told to whoever needs the thread')
})

t.test('an address that it cannot listen on is its start that fails', async (t) => {
  const { thread: speaker } = thread(t, real, ['203.0.113.77:1790'])
  await t.rejects(speaker.start(), { message: /203\.0\.113\.77/ })
})

t.test('a thread that dies comes back with what was desired, as a restarting speaker', async (t) => {
  const { thread: speaker, log, starts } = thread(t, fake)
  await speaker.start()
  await t.rejects(speaker.apply(state('crash')), { code: 'not-ready' })
  await until(() => speaker.restarts === 1 && speaker.running)
  t.equal(starts(), 2)
  t.same(await speaker.peers(), [])
  t.ok(
    log.lines.some(({ level, data }) => level === 'error' && JSON.stringify(data).includes('asked to crash')),
  )
})
