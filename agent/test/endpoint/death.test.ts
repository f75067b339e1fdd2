/** kill -9 between any two steps of an attach and of a detach: what the next agent finds, and makes of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Death, node, nothing, request } from './node.ts'

const attached = { handles: 1, endpoints: 1, addresses: 2, interfaces: 1, visible: 1, findings: 0 }
const MOST_STEPS = 200

/** Lets an agent do `work` until it dies after so many steps; false if it came to its end before. */
async function diesAfter(steps: number, death: Death, work: () => Promise<unknown>): Promise<boolean> {
  death.stepsLeft = steps
  const over = work().then(
    () => false,
    () => false,
  )
  const dead = (async () => {
    for (let i = 0; i < 500 && death.stepsLeft >= 0; i++) await sleep(1)
    return true
  })()
  return Promise.race([over, dead])
}

async function replayed(agent: Awaited<ReturnType<typeof node>>): Promise<void> {
  agent.releases.replay()
  for (let i = 0; agent.journal.pending().length > 0 && i < 200; i++) await sleep(5)
}

/** Kills at every step in turn, and shows `after` what is left. */
async function atEveryStep(
  t: Test,
  prepare: (agent: Awaited<ReturnType<typeof node>>) => Promise<unknown>,
  work: (agent: Awaited<ReturnType<typeof node>>) => Promise<unknown>,
  after: (next: Awaited<ReturnType<typeof node>>, step: number) => Promise<void>,
): Promise<void> {
  let step = 0
  for (; step < MOST_STEPS; step++) {
    const death: Death = { stepsLeft: Infinity }
    const first = await node(t, { death })
    await prepare(first)
    const died = await diesAfter(step, death, () => work(first))
    if (!died) break
    await after(await node(t, { earlier: first }), step)
  }
  t.ok(step > 4 && step < MOST_STEPS, `it was killed at each of ${step} steps`)
}

t.test('killed in an attach: the same attach again makes it whole', async (t) => {
  await atEveryStep(
    t,
    () => Promise.resolve(),
    (agent) => agent.attach(request('c1')),
    async (next, step) => {
      await next.attach(request('c1'))
      await replayed(next)
      t.same(await next.left(), attached, `step ${step}`)
      await next.detach({ containerId: 'c1', interfaceName: 'eth0' })
      t.same(await next.left(), nothing, `step ${step}, detached`)
    },
  )
})

t.test(
  'killed in an attach that nobody repeats: a detach, or the audit, takes back what is there',
  async (t) => {
    await atEveryStep(
      t,
      () => Promise.resolve(),
      (agent) => agent.attach(request('c1')),
      async (next, step) => {
        await replayed(next)
        if (step % 2 === 0) await next.detach({ containerId: 'c1', interfaceName: 'eth0' })
        // The runtime has taken its namespace away, and with it the interface.
        next.kernel.wired.clear()
        await next.audit.run({ fix: true })
        const { visible: _cached, ...stored } = await next.left()
        const { visible: _none, ...clean } = nothing
        t.same(stored, clean, `step ${step}`)
      },
    )
  },
)

t.test('killed in a detach: the detach again, or the journal, ends it', async (t) => {
  await atEveryStep(
    t,
    (agent) => agent.attach(request('c1')),
    (agent) => agent.detach({ containerId: 'c1', interfaceName: 'eth0' }),
    async (next, step) => {
      await replayed(next)
      await next.detach({ containerId: 'c1', interfaceName: 'eth0' })
      t.same(await next.left(), nothing, `step ${step}`)
    },
  )
})

t.test('killed in a detach that was promised to the journal: the promise is kept once', async (t) => {
  await atEveryStep(
    t,
    async (agent) => {
      await agent.attach(request('c1'))
      agent.faults.away = true
    },
    (agent) => agent.detach({ containerId: 'c1', interfaceName: 'eth0' }),
    async (next, step) => {
      await replayed(next)
      await next.attach(request('c1'))
      t.same(await next.left(), attached, `step ${step}: attached anew`)
    },
  )
})

t.test(
  'after a reboot every namespace is gone: what nobody attaches again is given back after its grace',
  async (t) => {
    const first = await node(t)
    await first.attach(request('stays'))
    await first.attach(request('gone'))
    first.kernel.wired.clear()
    const next = await node(t, { earlier: first })
    await next.attach(request('stays'))
    const graceMs = 1_000
    const follow = next.follow({ looks: 4, everyMs: 400, graceMs })
    await sleep(graceMs / 2)
    t.match(await next.left(), { handles: 2, endpoints: 2 }, 'not before its grace is over')
    await follow
    const { visible: _cached, ...stored } = await next.left()
    t.same(stored, { handles: 1, endpoints: 1, addresses: 2, interfaces: 1, findings: 0 })
    t.match((await next.memory.list('/drover/v1/endpoints/')).items, [{ key: /stays/ }])
  },
)
