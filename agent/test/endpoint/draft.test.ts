/** What an attach begins before the store has answered: when, for what, and that nothing of it stays if the store disagrees. */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { type PlannedEndpoint, createDrafts } from '../../src/endpoint/draft.ts'
import type { Wired } from '../../src/endpoint/wire.ts'
import { resource } from '../managers/model.ts'

function planned(address: string, key = 'k'): PlannedEndpoint {
  const ipNetworks = [address]
  const spec = {
    ...{ node: 'n1', orchestrator: 'cli', workload: 'w', endpoint: 'eth0', interfaceName: 'drv1' },
    ...{ ipNetworks, profiles: [] },
  }
  return { key, endpoint: resource('WorkloadEndpoint', 'n1/cli/w/eth0', spec) }
}

/** A draft, and in order what it made others do. */
function drafting() {
  const said: string[] = []
  const wired = { namespace: 'net:[1]' } as Wired
  const drafts = createDrafts({
    wire: {
      async wireWorkload({ addresses }, { agreement } = {}) {
        said.push(`make for ${addresses.join()}`)
        try {
          await agreement
        } catch (error) {
          said.push(`remove that of ${addresses.join()}`)
          throw error
        }
        said.push(`address ${addresses.join()}`)
        return wired
      },
    },
    protect: ({ endpoint }) => {
      said.push(`protect ${endpoint.spec.ipNetworks.join()}`)
      return Promise.resolve()
    },
    unprotect: (key) => said.push(`unprotect ${key}`),
  })
  return { drafts, draft: drafts.open(), said, wired }
}

t.test('as planned: all but the address is done before the store agrees', async (t) => {
  const { draft, said, wired } = drafting()
  draft.plan(planned('10.0.0.1/32'))
  t.same(said, [], 'the transaction is sent first')
  await turn()
  t.same(said, ['protect 10.0.0.1/32', 'make for 10.0.0.1'])
  draft.plan(planned('10.0.0.1/32'))
  await turn()
  t.equal(said.length, 2, 'planned again, alike: nothing new')
  const { wiring, protecting } = await draft.agreed(planned('10.0.0.1/32'))
  t.equal(await wiring, wired)
  await protecting
  t.same(said.slice(2), ['address 10.0.0.1'])
})

t.test('the store agrees at once: done once', async (t) => {
  const { draft, said } = drafting()
  draft.plan(planned('10.0.0.1/32'))
  await (
    await draft.agreed(planned('10.0.0.1/32'))
  ).wiring
  await turn()
  t.same(said, ['protect 10.0.0.1/32', 'make for 10.0.0.1', 'address 10.0.0.1'])
})

t.test('another address than planned: the first is gone before the second is made', async (t) => {
  const { draft, said } = drafting()
  draft.plan(planned('10.0.0.1/32'))
  await turn()
  draft.plan(planned('10.0.0.2/32'))
  await turn()
  const { wiring } = await draft.agreed(planned('10.0.0.2/32'))
  await wiring
  t.same(said.slice(2), [
    'unprotect k',
    'remove that of 10.0.0.1',
    'protect 10.0.0.2/32',
    'make for 10.0.0.2',
    'address 10.0.0.2',
  ])
})

t.test('dropped: nothing stays, and nothing begins any more', async (t) => {
  const begun = drafting()
  begun.draft.plan(planned('10.0.0.1/32'))
  await turn()
  await begun.draft.drop()
  await begun.draft.drop()
  t.same(begun.said.slice(2), ['unprotect k', 'remove that of 10.0.0.1'])

  const early = drafting()
  early.draft.plan(planned('10.0.0.1/32'))
  await early.draft.drop()
  await turn()
  t.same(early.said, [])
})

t.test(
  'several planned for one transaction: begun in one go, each agreed or dropped by itself',
  async (t) => {
    const { drafts, said } = drafting()
    const [a, b, c] = [drafts.open(), drafts.open(), drafts.open()]
    a.plan(planned('10.0.0.1/32', 'a'))
    b.plan(planned('10.0.0.2/32', 'b'))
    c.plan(planned('10.0.0.3/32', 'c'))
    await b.drop()
    await turn()
    t.same(said, ['protect 10.0.0.1/32', 'make for 10.0.0.1', 'protect 10.0.0.3/32', 'make for 10.0.0.3'])
    await (
      await a.agreed(planned('10.0.0.1/32', 'a'))
    ).wiring
    await c.drop()
    t.same(said.slice(4), ['address 10.0.0.1', 'unprotect c', 'remove that of 10.0.0.3'])
  },
)

t.test('two at once under one key: the second touches nothing of the first until that is over', async (t) => {
  const { drafts, said } = drafting()
  const [first, second] = [drafts.open(), drafts.open()]
  first.plan(planned('10.0.0.1/32'))
  second.plan(planned('10.0.0.2/32'))
  await turn()
  await second.drop()
  second.close()
  t.same(said, ['protect 10.0.0.1/32', 'make for 10.0.0.1'])
  const late = drafts.open()
  late.plan(planned('10.0.0.3/32'))
  await turn()
  t.equal(said.length, 2, 'nor does one that comes when the second has gone')
  await (
    await first.agreed(planned('10.0.0.1/32'))
  ).wiring
  first.close()
  const next = drafts.open()
  next.plan(planned('10.0.0.4/32'))
  await turn()
  t.same(said.slice(3), ['protect 10.0.0.4/32', 'make for 10.0.0.4'])
})
