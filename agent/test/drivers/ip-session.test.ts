import { change, createIpSession, show } from '../../src/drivers/ip-session.ts'
import { createExec } from '../../src/exec.ts'
import { systemClock } from '@network/net/system'
import { inOwnNetwork } from '../own-network.ts'

await inOwnNetwork(import.meta.url, async (t) => {
  const exec = createExec()
  const session = createIpSession({ exec, clock: systemClock })
  t.teardown(() => session.close())

  await t.test('each command has its answer', async (t) => {
    const answers = await session.run([
      change('link add drvdp-a type veth peer name drvdp-b'),
      show('addr show dev drvdp-a'),
      change('link set dev drvdp-absent up'),
      show('addr show dev drvdp-absent'),
      change('addr add 10.0.0.1/32 dev drvdp-a'),
      change('addr add 10.0.0.1/32 dev drvdp-a'),
      show('addr show dev drvdp-a'),
      show('route show table all proto 98'),
    ])
    t.same(
      answers.map((answer) => answer.ok),
      [true, true, false, false, true, false, true, true],
    )
    t.match(answers[1]?.output, [{ ifname: 'drvdp-a', addr_info: [] }])
    t.match(answers[2]?.error, 'Cannot find device "drvdp-absent"')
    t.match(answers[3]?.error, 'does not exist')
    t.match(answers[5]?.error, /File exists|already assigned/)
    t.match(answers[6]?.output, [{ addr_info: [{ local: '10.0.0.1' }] }], 'a later show is whole')
    t.same(answers[7]?.output, [])
    t.same(await session.run([]), [])
  })

  await t.test('groups that overlap in time keep their answers', async (t) => {
    const groups = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        session.run(
          i % 2 === 0
            ? [show('addr show dev drvdp-a')]
            : [change(`link set dev drvdp-no${String(i)} up`), show('addr show dev drvdp-b')],
        ),
      ),
    )
    for (const [i, answers] of groups.entries()) {
      if (i % 2 === 0) t.match(answers[0]?.output, [{ ifname: 'drvdp-a' }])
      else {
        t.match(answers[0]?.error, `drvdp-no${String(i)}`)
        t.match(answers[1]?.output, [{ ifname: 'drvdp-b' }])
      }
    }
  })

  await t.test('a line that could be read as more than a line never leaves', async (t) => {
    for (const line of ['a\nb', 'a # b', "a 'b'", 'a "b"', 'a \\', 'a\0b', 'link show']) {
      await t.rejects(session.run([change(line)]), TypeError, JSON.stringify(line))
    }
  })

  await t.test('it starts again after ip gave up', async (t) => {
    await t.rejects(session.run([change('link nonsense')]), { code: 'ip-ended', message: /nonsense/ })
    const [answer] = await session.run([show('addr show dev lo')])
    t.match(answer?.output, [{ ifname: 'lo' }])
    const monitor = createIpSession({ exec, clock: systemClock })
    const late = monitor.run([change('monitor link')], { timeoutMs: 200 })
    await t.rejects(late, { code: 'ip-timeout' })
    t.match((await monitor.run([show('addr show dev lo')]))[0]?.ok, true)
    const pending = monitor.run([change('monitor link')])
    setTimeout(() => monitor.close(), 50)
    await t.rejects(pending, { code: 'ip-ended' }, 'closing settles what waits')
  })
})
