import fc from 'fast-check'
import t from 'tap'
import { DroverError } from '@network/net'
import { createAllocator } from '../../src/allocator/allocator.ts'
import { type AllocationErrorCode } from '../../src/allocator/allocation-error.ts'
import type { Allocator } from '../../src/allocator/requests.ts'
import { decodeBlock } from '../../src/ipam/block-encoding.ts'
import { decodeHandle } from '../../src/ipam/handle.ts'
import { endpointKey, prefixes } from '../../src/model/keys.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { createTestClock, request, silent, writePool, writeResource } from './cluster.ts'
import { type Fault, Killed, createFaultyStore } from './faulty-store.ts'

/** No address is in two handles, and blocks and handles say the same. @returns the addresses by handle */
async function checkStore(store: Store): Promise<Map<string, string[]>> {
  const held = new Map<string, string[]>()
  const owner = new Map<string, string>()
  for (const { value } of (await store.list(prefixes.handles)).items) {
    const handle = decodeHandle(value)
    if (!handle.ok) throw new Error(handle.error)
    held.set(
      handle.value.id,
      handle.value.addresses.map(({ address }) => address),
    )
    for (const { address } of handle.value.addresses) {
      const other = owner.get(address)
      if (other !== undefined) throw new Error(`${address} is held by ${other} and ${handle.value.id}`)
      owner.set(address, handle.value.id)
    }
  }
  let allocated = 0
  for (const { key, value } of (await store.list(prefixes.blocks)).items) {
    const block = decodeBlock(value)
    if (!block.ok) throw new Error(`${key}: ${block.error}`)
    allocated += block.value.allocations.size
  }
  if (allocated !== owner.size)
    throw new Error(`${String(allocated)} allocated, ${String(owner.size)} in handles`)
  return held
}

function alongsideOf(node: string, handle: string) {
  const key = endpointKey({ node, orchestrator: 'test', workload: handle, endpoint: 'eth0' })
  return {
    attach: (addresses: readonly { address: string }[]) => ({
      when: [{ key, is: 'absent' as const }],
      then: [
        {
          put: key,
          value: JSON.stringify({
            spec: { handle, ipNetworks: addresses.map(({ address }) => `${address}/32`) },
          }),
        },
      ],
    }),
    detach: { when: [], then: [{ delete: key }] },
  }
}

const faults: readonly Fault[] = [
  'none',
  'answer-lost',
  'request-lost',
  'unreachable',
  'killed-before',
  'killed-after',
]

t.test('a kill or a lost answer at each call of an attach and a detach, one after the other', async (t) => {
  for (const strict of [false, true]) {
    for (const fault of faults) {
      for (let at = 0; ; at++) {
        const clock = createTestClock()
        const store = createMemoryStore({ clock })
        await writePool(store, 'v4', '10.0.0.0/27', { blockSize: 30 })
        await writePool(store, 'v6', 'fd00::/64')
        await writeResource(store, 'IPAMConfiguration', 'default', { strictAffinity: strict })
        let calls = 0
        const faulty = createFaultyStore(store, () => (calls++ === at ? fault : 'none'))
        const modules = { clock, random: () => 0, log: silent }
        const first = createAllocator({ ...modules, store: faulty }, { node: 'a' })
        const alongside = alongsideOf('a', 'h1')
        const ask = {
          ...request('a', { handle: 'h1', ipv4: 5, ipv6: 1 }),
          alongside: (assignment: { addresses: readonly { address: string }[] }) =>
            alongside.attach(assignment.addresses),
        }
        const process = { died: false }
        const attempt = async (run: () => Promise<unknown>): Promise<void> => {
          try {
            if (!process.died) await run()
          } catch (error) {
            if (!(error instanceof Killed)) throw error
            process.died = true
          }
        }
        await attempt(() => first.assign(ask))
        const held = await checkStore(store)
        const endpoint = (await store.list(prefixes.endpoints)).items.length
        t.equal(endpoint, held.size, `${fault} at ${String(at)}: handle and endpoint stand or fall together`)
        if (!process.died) t.equal(held.get('h1')?.length, 6, `${fault} at ${String(at)}: survived`)
        // After a kill the next process asks again, and gets the same.
        if (process.died) {
          const second = createAllocator({ ...modules, store }, { node: 'a' })
          const before = held.get('h1')
          const again = await second.assign(ask)
          t.equal(again.existing, before !== undefined, `${fault} at ${String(at)}`)
          if (before)
            t.same(
              again.addresses.map(({ address }) => address),
              before,
            )
        }
        const attached = calls
        await attempt(() => first.release({ handle: 'h1', alongside: () => alongside.detach }))
        if (process.died) {
          const second = createAllocator({ ...modules, store }, { node: 'a' })
          await second.release({ handle: 'h1', alongside: () => alongside.detach })
        }
        t.equal((await checkStore(store)).size, 0, `${fault} at ${String(at)}: released`)
        t.equal((await store.list(prefixes.endpoints)).items.length, 0)
        const report = await createAllocator({ ...modules, store }, { node: 'x' }).audit()
        t.same(
          report.findings.filter(({ kind }) => kind !== 'empty-block'),
          [],
          `${fault} at ${String(at)}: the audit finds nothing`,
        )
        if (fault === 'none' || at >= calls || (process.died && at > attached + 20)) break
      }
    }
  }
})

type Act =
  | { do: 'assign'; node: number; ipv4: number; ipv6: number; reservation?: string }
  | { do: 'release'; pick: number }
  | { do: 'restart'; node: number }

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        do: fc.constant('assign' as const),
        node: fc.nat(2),
        ipv4: fc.integer({ min: 1, max: 2 }),
        ipv6: fc.nat(1),
        reservation: fc.constantFrom('db-1', 'db-2'),
      },
      { requiredKeys: ['do', 'node', 'ipv4', 'ipv6'] },
    ),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release' as const), pick: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), node: fc.nat(2) }) },
)

const expected: ReadonlySet<string> = new Set<AllocationErrorCode | 'unreachable' | 'deadline'>([
  'no-address',
  'taken',
  'mismatch',
  'conflict',
  'unknown-outcome',
  'invalid',
  'condition-failed',
  'unreachable',
  'deadline',
])

t.test(
  'under shuffled conflicts, lost answers and kills no address is held twice, and the audit leaves no leak',
  async (t) => {
    const seen = { committed: 0, conflicts: 0, kills: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(act, { minLength: 3, maxLength: 12, size: 'max' }), {
          minLength: 4,
          maxLength: 10,
          size: 'max',
        }),
        fc.constantFrom(28, 30, 32),
        fc.infiniteStream(fc.noBias(fc.nat(599))),
        fc.infiniteStream(fc.noBias(fc.nat(3))),
        async (rounds, blockSize, dice, delays) => {
          const clock = createTestClock()
          const store = createMemoryStore({ clock })
          // With one block for all, every node borrows from the same; with one for each address, all claim.
          await writePool(store, 'v4', '10.0.0.0/28', { blockSize })
          await writePool(store, 'v6', 'fd00::/124', { blockSize: blockSize + 96 })
          let calm = false
          const observed: Store = {
            ...store,
            async transact(transaction, options) {
              const result = await store.transact(transaction, options)
              seen[result.committed ? 'committed' : 'conflicts']++
              return result
            },
          }
          const fate = async (kind: 'read' | 'transact'): Promise<Fault> => {
            // Calls of several processes overtake each other.
            for (let turns = Number(delays.next().value); turns > 0; turns--) await new Promise(setImmediate)
            if (calm) return 'none'
            const roll = Number(dice.next().value)
            if (roll < 3) return 'answer-lost'
            if (roll < 5) return 'request-lost'
            if (roll < 7) return 'unreachable'
            if (roll < 9) return kind === 'transact' ? 'killed-after' : 'killed-before'
            return roll < 11 ? 'killed-before' : 'none'
          }
          const boot = (node: number): Allocator =>
            createAllocator(
              { store: createFaultyStore(observed, fate), clock, random: Math.random, log: silent },
              { node: `n${String(node)}`, deadlineMs: 100 },
            )
          const allocators = [boot(0), boot(1), boot(2)]
          const granted = new Map<string, string[]>()
          const asked: { handle: string; node: number }[] = []
          const perform = async (action: Act): Promise<void> => {
            if (action.do === 'restart') {
              allocators[action.node] = boot(action.node)
              return
            }
            try {
              if (action.do === 'assign') {
                const { node, ipv4, ipv6, reservation } = action
                const name = `n${String(node)}`
                const ask = request(name, { ipv4, ipv6, ...(reservation && { reservation }) })
                asked.push({ handle: ask.handle, node })
                const assignment = await allocators[node]?.assign({
                  ...ask,
                  alongside: (a) => alongsideOf(name, ask.handle).attach(a.addresses),
                })
                granted.set(ask.handle, assignment?.addresses.map(({ address }) => address) ?? [])
              } else {
                const victim = asked[action.pick % Math.max(1, asked.length)]
                if (!victim) return
                granted.delete(victim.handle)
                const released = await allocators[victim.node]?.release({
                  handle: victim.handle,
                  alongside: () => alongsideOf(`n${String(victim.node)}`, victim.handle).detach,
                })
                granted.delete(victim.handle)
                if (released?.outcome === 'stale') throw new Error('no release here is stale')
              }
            } catch (error) {
              if (error instanceof Killed) {
                seen.kills++
                for (const [index] of allocators.entries()) {
                  if (action.do === 'assign' ? index === action.node : true) allocators[index] = boot(index)
                }
                return
              }
              if (!(error instanceof DroverError) || !expected.has(error.code)) throw error
            }
          }
          for (const round of rounds) {
            // What was asked for in this round may be released in it too: only what stands before is compared.
            const before = new Map(granted)
            const released = new Set<string>()
            const count = asked.length
            for (const action of round) {
              if (action.do === 'release') {
                for (const victim of asked.slice(0, count)) released.add(victim.handle)
              }
            }
            await Promise.all(round.map(perform))
            const held = await heldInclReserved(store)
            for (const [handle, addresses] of before) {
              if (released.has(handle)) continue
              if (held.get(handle)?.join() !== addresses.join())
                throw new Error(`${handle} lost ${addresses.join()}`)
            }
          }
          calm = true
          // Everybody leaves without a word: endpoints go, handles stay. One repair must free all.
          await store.transact({ when: [], then: [{ deletePrefix: prefixes.endpoints }] })
          const auditor = createAllocator({ store, clock, random: Math.random, log: silent }, { node: 'x' })
          for (const { name } of await auditor.reservations()) {
            const kept = await auditor.audit()
            await auditor.repair(kept, { immediate: true })
            await auditor.releaseReservation(name)
          }
          await auditor.repair(await auditor.audit(), { immediate: true })
          const report = await auditor.audit()
          if (report.checked.addresses !== 0) throw new Error(`${String(report.checked.addresses)} leaked`)
          const left = report.findings.filter(({ kind }) => kind !== 'empty-block')
          if (left.length > 0) throw new Error(JSON.stringify(left))
        },
      ),
      { numRuns: 60 },
    )
    t.ok(seen.conflicts > 100 && seen.kills > 50, JSON.stringify(seen))
  },
)

/** As checkStore, where reservations hold addresses too. */
async function heldInclReserved(store: Store): Promise<Map<string, string[]>> {
  const report = await createAllocator(
    { store, clock: createTestClock(), random: () => 0, log: silent },
    { node: 'x' },
  ).audit()
  const wrong = report.findings.filter(({ kind }) => kind !== 'empty-block')
  if (wrong.length > 0) throw new Error(`the audit finds ${JSON.stringify(wrong)}`)
  const held = new Map<string, string[]>()
  for (const { value } of (await store.list(prefixes.handles)).items) {
    const handle = decodeHandle(value)
    if (handle.ok)
      held.set(
        handle.value.id,
        handle.value.addresses.map(({ address }) => address),
      )
  }
  return held
}
