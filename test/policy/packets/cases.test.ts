/** Every case by real packets, with both backends of iptables and both families. */
import tap from 'tap'
import type { Backend } from '../../../agent/src/drivers/iptables/programs.ts'
import { phasesOf } from '../case.ts'
import { topics } from '../cases/index.ts'
import { createPolicyNode } from '../node.ts'
import { buildRack } from '../rack.ts'
import { expectedOf, shootAll } from '../shooting.ts'

const [wanted] = process.argv.slice(2)

for (const backend of ['nft', 'legacy'] satisfies Backend[]) {
  await tap.test(`with ${backend}`, async (t) => {
    const rack = await buildRack(`pol${backend}`)
    const node = createPolicyNode(rack.exec, backend)
    t.teardown(() => {
      node.close()
      rack.destroy()
    })
    for (const { topic, cases } of topics.filter((each) => wanted === undefined || each.topic === wanted)) {
      await t.test(topic, async (t) => {
        for (const each of cases) {
          await rack.forgetConnections()
          const faults: string[] = []
          for (const phase of phasesOf(each)) {
            const { faults: refused } = await node.become(phase)
            faults.push(...refused.map(({ message }) => message))
            faults.push(...(await shootAll(rack, expectedOf(phase))))
            faults.push(...(await shootAll(rack, expectedOf(phase.tracked ?? {}))))
          }
          t.same(faults, [], each.name)
        }
      })
    }
    await t.test('a process that takes over finds everything as it wants it', async (t) => {
      const { rulesWritten, membersAdded, membersRemoved } = await node.restart()
      t.same(
        { rulesWritten, membersAdded, membersRemoved },
        { rulesWritten: 0, membersAdded: 0, membersRemoved: 0 },
      )
    })
  })
}
