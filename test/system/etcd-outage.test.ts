import { test } from 'tap'
import { Lab, buildCluster, reaches, startFlow, until } from '../lab/index.ts'

const outageSeconds = 60

test(`etcd is away for ${String(outageSeconds)} s`, async (t) => {
  const lab = new Lab('outage')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab)
  const [one, two] = cluster.nodes
  const a = await one!.attach('a')
  const b = await two!.attach('b')
  const leaving = await one!.attach('leaving')
  await until('a reaches b', () => reaches(a.place, b.addresses[0]!, 1))
  await until('outside reaches a', () => reaches(cluster.outside, a.addresses[0]!, 1))
  const sessionsBefore = await cluster.switch.sessions()
  const learnedBefore = await cluster.switch.learned()

  const flows = [startFlow(a.place, b.addresses[0]!, 50), startFlow(cluster.outside, b.addresses[1]!, 50)]
  await cluster.etcd.stop('SIGKILL')
  const awaySince = performance.now()

  t.test('an attach fails within its deadline, says why, and leaves nothing behind', async (t) => {
    const place = await lab.namespace('nobody')
    const linksBefore = (await one!.place.run('ip', ['-o', 'link'])).stdout
    const began = performance.now()
    const done = await one!.attempt(['attach', '--netns', place.netns, '--id', 'nobody', '--timeout', '4'])
    const seconds = (performance.now() - began) / 1000
    t.not(done.exitCode, 0)
    t.ok(seconds < 8, `it took ${seconds.toFixed(1)} s`)
    t.match(done.stderr, /etcd/, done.stderr)
    t.match(done.stderr, /remedy: /)
    t.equal((await one!.place.run('ip', ['-o', 'link'])).stdout, linksBefore, 'no interface on the host')
    t.equal((await place.attempt('ip', ['link', 'show', 'eth0'])).exitCode, 1, 'no interface inside')
  })

  t.test('a detach works and is journaled', async (t) => {
    const result = await one!.detach('leaving')
    t.equal(result.journaled, true)
    t.equal((await leaving.place.attempt('ip', ['link', 'show', 'eth0'])).exitCode, 1)
  })

  t.test('an agent that is restarted meanwhile keeps what it has', async (t) => {
    two!.agent().signal('SIGKILL')
    await two!.agent().ended
    await two!.startAgent({ ready: false })
    await new Promise((resolve) => setTimeout(resolve, 5000))
    t.ok(two!.agent().running(), 'it waits for etcd instead of ending')
    t.ok(await reaches(a.place, b.addresses[0]!, 1))
  })

  t.test('traffic and BGP are untouched', async (t) => {
    const left = outageSeconds * 1000 - (performance.now() - awaySince)
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, left)))
    for (const flow of flows) {
      const report = await flow.finish()
      t.ok(report.sent > outageSeconds * 10, `${report.sent} packets were sent`)
      t.equal(report.lost, 0)
    }
    t.same(await cluster.switch.learned(), learnedBefore)
    const sessions = await cluster.switch.sessions()
    for (const before of sessionsBefore) {
      if (before.neighbor.endsWith('.2') || before.neighbor.endsWith('::2')) continue
      t.equal(
        sessions.find(({ neighbor }) => neighbor === before.neighbor)?.state,
        'Established',
        before.neighbor,
      )
    }
  })

  t.test('on its return the release is replayed, and no address is doubled or leaked', async (t) => {
    await cluster.etcd.start()
    await until(
      'the address is free',
      async () =>
        /is free|rests/.test((await one!.attempt(['ipam', 'show', '--ip', leaving.addresses[0]!])).stdout),
      { timeoutMs: 60_000, intervalMs: 500 },
    )
    const again = await until('an attach works again', () => one!.attach('later').catch(() => undefined), {
      timeoutMs: 30_000,
      intervalMs: 500,
    })
    t.notOk(again.addresses.some((address) => [...a.addresses, ...b.addresses].includes(address)))
    await until(
      'every agent is ready',
      async () =>
        (await Promise.all(cluster.nodes.map((node) => node.attempt(['node', 'status'])))).every(
          ({ exitCode }) => exitCode === 0,
        ),
      { timeoutMs: 60_000, intervalMs: 500 },
    )
    t.match(await one!.drover('ipam', 'check'), 'nothing is wrong')
  })
})
