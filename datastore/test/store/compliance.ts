/*
 * What every Store must do, as a list of cases that memory.test.ts and etcd.test.ts run.
 */
import type { Test } from 'tap'
import type { StoreUnderTest } from './compliance-case.ts'
import { keyCases } from './key-cases.ts'
import { watchCases } from './watch-cases.ts'

/** Runs every case as a subtest. */
export async function runCompliance(t: Test, { store, compact }: StoreUnderTest): Promise<void> {
  let number = 0
  for (const [name, run] of Object.entries({ ...keyCases, ...watchCases })) {
    number += 1
    const prefix = `/compliance/${number}/`
    await t.test(name, (t) => run({ t, store, compact, prefix }))
  }
}
