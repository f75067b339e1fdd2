/** Random policies and packets with a fixed seed; `npm run fuzz:policy` runs any other. */
import tap from 'tap'
import { describeDisagreement, fuzzPolicy } from '../fuzz/fuzz.ts'

for (const backend of ['nft', 'legacy'] as const) {
  await tap.test(`evaluator and kernel agree, with ${backend}`, async (t) => {
    const probes = 10_000
    const report = await fuzzPolicy({ probes, seed: 20, backend })
    t.same(report.disagreements.map(describeDisagreement), [])
    t.same(report.faults, [])
    t.equal(report.probes, probes, 'every probe was judged')
    t.ok(
      report.allowed > probes / 5 && report.allowed < (probes * 4) / 5,
      `${String(report.allowed)} were allowed`,
    )
    t.ok(report.restarts >= 3, 'a process without memory took over')
  })
}
