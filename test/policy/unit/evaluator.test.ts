/** The evaluator says of every case what was written down by hand; `packets/` asks the kernel the same. */
import tap from 'tap'
import { phasesOf } from '../case.ts'
import { topics } from '../cases/index.ts'
import { createOracle } from '../oracle.ts'
import { expectedOf } from '../shooting.ts'

for (const { topic, cases } of topics) {
  await tap.test(topic, (t) => {
    for (const each of cases) {
      const faults = phasesOf(each).flatMap((phase) => {
        const oracle = createOracle(phase)
        return expectedOf(phase)
          .filter(({ probe, allowed }) => (oracle.allows(probe) ?? allowed) !== allowed)
          .map(
            ({ probe, allowed }) =>
              `${probe.text} should be ${allowed ? 'allowed' : 'denied'}:\n${oracle.explain(probe)}`,
          )
      })
      t.same(faults, [], each.name)
    }
    t.end()
  })
}

await tap.test('the cases are many, and each asks something', (t) => {
  const all = topics.flatMap(({ cases }) => cases)
  t.ok(all.length >= 150, `${String(all.length)} cases`)
  for (const each of all) {
    const asked = phasesOf(each).flatMap((phase) => [
      ...expectedOf(phase),
      ...expectedOf(phase.tracked ?? {}),
    ])
    if (asked.length === 0) t.fail(`'${each.name}' asks nothing`)
  }
  const names = topics.flatMap(({ topic, cases }) => cases.map(({ name }) => `${topic}: ${name}`))
  t.equal(new Set(names).size, names.length, 'no two cases have one name')
  t.end()
})
