import t from 'tap'
import { createAllocator } from '../../src/allocator/allocator.ts'
import type { Allocator } from '../../src/allocator/requests.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createTestClock, findingsBesidesEndpoints, request, silent, writePool } from './cluster.ts'
import { type Fault, Killed, createFaultyStore } from './faulty-store.ts'

/** Numbers from 0 to 1 that are the same in every run. */
function createDice(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

t.test('50 allocators race for 10,000 addresses and are killed between steps', async (t) => {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  const dice = createDice(7)
  // 10,240 addresses in 160 blocks, while fifty nodes would like four each: in the end they borrow from one another.
  await writePool(store, 'p', '10.0.0.0/19')
  await writePool(store, 'q', '10.1.0.0/21')
  let borrowed = 0
  let kills = 0
  const fate = (kind: 'read' | 'transact'): Fault => {
    const roll = dice()
    if (roll > 0.05) return 'none'
    if (kind === 'transact' && roll < 0.01) return 'answer-lost'
    if (roll < 0.02) return 'request-lost'
    kills++
    return roll < 0.035 ? 'killed-before' : 'killed-after'
  }
  const boot = (node: string): Allocator =>
    createAllocator(
      { store: createFaultyStore(store, fate), clock, random: dice, log: silent },
      { node, deadlineMs: 30_000 },
    )
  const owner = new Map<string, string>()
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const node = `node-${String(index)}`
      let allocator = boot(node)
      let left = Array.from({ length: 200 }, (_, i) =>
        request(node, { handle: `${String(index)}-${String(i)}`, ipv4: 1 }),
      )
      while (left.length > 0) {
        // Some at once, some one by one; who was killed asks again with the same handle.
        const some = left.slice(0, 1 + Math.floor(dice() * 40))
        const results = await Promise.allSettled(some.map((ask) => allocator.assign(ask)))
        let died = false
        for (const result of results) {
          if (result.status === 'rejected') {
            if (!(result.reason instanceof Killed)) throw result.reason
            died = true
            continue
          }
          const { handle, addresses } = result.value
          for (const { address, borrowed: isBorrowed } of addresses) {
            if (isBorrowed) borrowed++
            if ((owner.get(address) ?? handle) !== handle) throw new Error(`${address} was given twice`)
            owner.set(address, handle)
          }
        }
        const failed = new Set(some.filter((_, i) => results[i]?.status === 'rejected'))
        left = left.filter((ask) => failed.has(ask) || !some.includes(ask))
        if (died) allocator = boot(node)
      }
    }),
  )
  t.ok(kills > 20, `${String(kills)} kills`)
  t.ok(borrowed > 500, `${String(borrowed)} borrowed`)
  t.equal(owner.size, 10_000, 'every request has an address of its own')
  const auditor = createAllocator({ store, clock, random: dice, log: silent }, { node: 'auditor' })
  const report = await auditor.audit()
  t.equal(report.checked.addresses, 10_000, 'and nothing else is allocated')
  t.same(findingsBesidesEndpoints(report.findings), [])
  await auditor.repair(report, { immediate: true })
  const after = await auditor.audit()
  t.equal(after.checked.addresses, 0, 'without their workloads the repair frees them all')
  t.same(
    after.findings.filter(({ kind }) => kind !== 'empty-block'),
    [],
  )
})
