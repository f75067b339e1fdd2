import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDeadline } from '../../src/endpoint/deadline.ts'
import { createKeyedLock } from '../../src/endpoint/keyed-lock.ts'
import { systemClock } from '@network/net/system'

const within = (ms: number) => createDeadline(systemClock, 'work', ms)

t.test('one after another under a name, beside each other under two', async (t) => {
  const locks = createKeyedLock()
  const events: string[] = []
  const work = (name: string, id: string) =>
    locks.run(name, within(1_000), async () => {
      events.push(`${id} begins`)
      await sleep(20)
      events.push(`${id} ends`)
    })
  await Promise.all([work('a', 'a1'), work('a', 'a2'), work('b', 'b1')])
  t.ok(events.indexOf('a1 ends') < events.indexOf('a2 begins'))
  t.ok(events.indexOf('b1 begins') < events.indexOf('a1 ends'))
  t.equal(locks.held('a'), false)
})

t.test('work that fails lets the next one in', async (t) => {
  const locks = createKeyedLock()
  const failing = locks.run('a', within(1_000), () => Promise.reject(new Error('no')))
  const following = locks.run('a', within(1_000), () => Promise.resolve('yes'))
  await t.rejects(failing, { message: 'no' })
  t.equal(await following, 'yes')
})

t.test('who gives up waiting does not let others past the one that works', async (t) => {
  const locks = createKeyedLock()
  let working = 0
  const long = locks.run('a', within(1_000), async () => {
    working++
    await sleep(80)
    working--
  })
  await t.rejects(
    locks.run('a', within(10), () => Promise.resolve()),
    { code: 'deadline' },
  )
  await locks.run('a', within(1_000), () => {
    t.equal(working, 0)
    return Promise.resolve()
  })
  await long
})
