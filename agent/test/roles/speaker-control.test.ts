import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createSpeakerControl } from '../../src/roles/speaker-control.ts'
import { createSpeakerStock } from '../../src/roles/speaker-stock.ts'
import { silentLog, systemClock as clock } from '@network/net/system'

t.test('a peer is shut down over what is desired, and comes back', async (t) => {
  const stock = createSpeakerStock(new URL('../../src/roles/speaker-worker.ts', import.meta.url))
  const control = createSpeakerControl(
    { clock, log: silentLog, stock },
    { restarting: () => false, onBest: () => Promise.resolve(), onStart: () => undefined },
  )
  t.teardown(() => control.stop('the test is over'))
  const state = {
    peers: [
      { name: 'tor1', address: '127.0.0.9', asn: 65001, port: 17909, timers: { connectRetrySeconds: 0.1 } },
    ],
    routes: [],
  }
  const options = { asn: 64512, routerId: '192.0.2.9', listen: [] }
  control.setDesired({ options, state, origins: new Map(), problems: [] })
  await control.settled()
  const peer = async () => (await control.thread?.peers())?.[0]
  const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < 100; tries++) {
      if (await holds()) return
      await sleep(50)
    }
    throw new Error(`waited in vain until ${what}`)
  }
  await until('it dials', async () => ((await peer())?.counters.connectAttempts ?? 0) > 0)

  await control.shutDown(new Map([['tor1', 'moved']]))
  t.equal((await peer())?.state, 'Idle')
  t.same([...control.shutdowns], [['tor1', 'moved']])
  control.setDesired({
    options,
    state: { ...state, routes: [{ prefix: '10.0.0.0/26' }] },
    origins: new Map(),
    problems: [],
  })
  await control.settled()
  t.equal((await peer())?.state, 'Idle', 'what is desired anew does not wake it')

  await control.shutDown(new Map())
  await until('it dials again', async () => (await peer())?.state !== 'Idle')
  t.equal(await control.thread?.refresh('tor1', undefined), false, 'nobody is there to ask')
  await t.rejects(async () => control.thread?.refresh('nobody', undefined), {
    code: 'unknown-peer',
    remedy: /tor1/,
  })
})
