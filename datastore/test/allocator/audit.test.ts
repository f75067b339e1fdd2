import t from 'tap'
import { prefix } from '@network/net'
import { createAllocator } from '../../src/allocator/allocator.ts'
import type { Allocator } from '../../src/allocator/requests.ts'
import { type AffinityState, encodeAffinity } from '../../src/ipam/affinity.ts'
import type { AuditFinding } from '../../src/ipam/audit-report.ts'
import { affinityKey, blockKey, endpointKey, handleKey } from '../../src/model/keys.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { type TestClock, createTestClock, request, silent, writePool } from './cluster.ts'
import { Killed, createFaultyStore } from './faulty-store.ts'

interface Setting {
  store: Store
  clock: TestClock
  a: Allocator
}

const block = prefix('10.0.0.0/30')

function endpointOf(handle: string, node = 'a'): string {
  return endpointKey({ node, orchestrator: 'test', workload: handle, endpoint: 'eth0' })
}

async function write(store: Store, key: string, value: string | undefined): Promise<void> {
  await store.transact({ when: [], then: [value === undefined ? { delete: key } : { put: key, value }] })
}

function endpointValue(handle: string, address: string): string {
  return JSON.stringify({ spec: { handle, ipNetworks: [`${address}/32`] } })
}

/** A workload with its endpoint, as an agent makes it. */
function attach({ a }: Setting, handle: string, address: string, node = 'a') {
  return a.assign(
    request(node, {
      handle,
      addresses: [address],
      alongside: () => ({
        when: [],
        then: [{ put: endpointOf(handle, node), value: endpointValue(handle, address) }],
      }),
    }),
  )
}

function affinity(store: Store, node: string, cidr: string, state: AffinityState | undefined): Promise<void> {
  return write(store, affinityKey(node, prefix(cidr)), state && encodeAffinity(state))
}

/** Every way in which the store can be wrong, and what a repair makes of it. */
const cases: {
  name: string
  spoil: (setting: Setting) => Promise<unknown>
  actual?: { node: string; addresses: string[] }[]
  kinds: AuditFinding['kind'][]
  unrepairable?: boolean
}[] = [
  { name: 'nothing wrong', spoil: (s) => attach(s, 'h', '10.0.0.1'), kinds: [] },
  {
    name: 'an address whose handle is gone',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await write(s.store, handleKey('h'), undefined)
      await write(s.store, endpointOf('h'), undefined)
    },
    kinds: ['leaked-address'],
  },
  {
    name: 'a handle whose endpoint is gone',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await write(s.store, endpointOf('h'), undefined)
    },
    kinds: ['leaked-handle'],
  },
  {
    name: 'an endpoint that its node does not have',
    spoil: (s) => attach(s, 'h', '10.0.0.1'),
    actual: [{ node: 'a', addresses: [] }],
    kinds: ['leaked-handle'],
  },
  {
    name: 'a node that has not been asked is believed',
    spoil: (s) => attach(s, 'h', '10.0.0.1'),
    actual: [{ node: 'b', addresses: [] }],
    kinds: [],
  },
  {
    name: 'a handle whose block forgot the address',
    spoil: async (s) => {
      const key = blockKey(block)
      await attach(s, 'g', '10.0.0.2')
      const before = (await s.store.get(key))?.value
      await attach(s, 'h', '10.0.0.1')
      await write(s.store, key, before)
    },
    kinds: ['handle-without-address', 'endpoint-without-address'],
  },
  {
    name: 'a handle whose block is gone',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await write(s.store, blockKey(block), undefined)
    },
    kinds: ['handle-without-address', 'endpoint-without-address', 'affinity-without-block'],
  },
  {
    name: 'an endpoint whose address nobody allocated',
    spoil: (s) => write(s.store, endpointOf('h'), endpointValue('h', '10.0.0.1')),
    kinds: ['endpoint-without-address'],
  },
  {
    name: 'an interface whose address nobody allocated',
    spoil: async () => {},
    actual: [{ node: 'a', addresses: ['10.0.0.1'] }],
    kinds: ['endpoint-without-address'],
    unrepairable: true,
  },
  {
    name: 'two endpoints with one address',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await attach(s, 'g', '10.0.0.2')
      await write(s.store, endpointOf('g'), endpointValue('g', '10.0.0.1'))
    },
    kinds: ['address-twice'],
    unrepairable: true,
  },
  {
    name: 'an address on two nodes',
    spoil: (s) => attach(s, 'h', '10.0.0.1'),
    actual: [
      { node: 'a', addresses: ['10.0.0.1'] },
      { node: 'b', addresses: ['10.0.0.1'] },
    ],
    kinds: ['address-twice'],
    unrepairable: true,
  },
  {
    name: 'two handles with one address',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      const value = (await s.store.get(handleKey('h')))?.value ?? ''
      await write(s.store, handleKey('i'), value.replace('"id":"h"', '"id":"i"'))
    },
    kinds: ['handle-without-address'],
  },
  {
    name: 'a block whose node has no affinity',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await affinity(s.store, 'a', '10.0.0.0/30', undefined)
    },
    kinds: ['block-without-affinity'],
  },
  {
    name: 'an affinity without a block',
    spoil: (s) => affinity(s.store, 'a', '10.0.0.4/30', 'confirmed'),
    kinds: ['affinity-without-block'],
  },
  {
    name: "an affinity for another node's block",
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await affinity(s.store, 'b', '10.0.0.0/30', 'confirmed')
    },
    kinds: ['affinity-without-block'],
  },
  {
    name: 'a claim that stopped before its block was made',
    spoil: (s) => affinity(s.store, 'a', '10.0.0.4/30', 'pending'),
    kinds: ['stale-affinity'],
  },
  {
    name: 'a claim that stopped before it was confirmed',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await affinity(s.store, 'a', '10.0.0.0/30', 'pending')
    },
    kinds: ['stale-affinity'],
  },
  {
    name: 'a block on its way out',
    spoil: async (s) => {
      await attach(s, 'h', '10.0.0.1')
      await affinity(s.store, 'a', '10.0.0.0/30', 'pendingDeletion')
    },
    kinds: ['stale-affinity'],
  },
  {
    name: 'an empty block, one of two',
    spoil: async (s) => {
      await s.a.claimAffinity('10.0.0.4/30')
      await attach(s, 'h', '10.0.0.1')
    },
    kinds: ['empty-block'],
  },
  {
    name: 'three empty blocks: the last stays',
    spoil: (s) => s.a.claimAffinity('10.0.0.0/29').then(() => s.a.claimAffinity('10.0.0.8/30')),
    kinds: ['empty-block', 'empty-block'],
  },
  {
    name: 'an unreadable handle',
    spoil: (s) => write(s.store, handleKey('h'), '{'),
    kinds: ['unreadable'],
    unrepairable: true,
  },
]

async function setUp(): Promise<Setting> {
  const clock = createTestClock()
  const store = createMemoryStore({ clock })
  await writePool(store, 'p', '10.0.0.0/28', { blockSize: 30 })
  const a = createAllocator({ store, clock, random: Math.random, log: silent }, { node: 'a' })
  return { store, clock, a }
}

for (const { name, spoil, actual = [], kinds, unrepairable = false } of cases) {
  t.test(name, async (t) => {
    const setting = await setUp()
    await spoil(setting)
    const auditor = createAllocator({ ...setting, random: Math.random, log: silent }, { node: 'x' })
    const report = await auditor.audit({ actual })
    t.same(report.findings.map(({ kind }) => kind).sort(), [...kinds].sort())
    t.equal(new Set(report.findings.map(({ id }) => id)).size, kinds.length, 'ids are distinct')

    const first = await auditor.repair(report)
    t.ok(
      first.outcomes.every(({ outcome }) => outcome === 'waiting'),
      'one look is not enough',
    )
    setting.clock.advance(899_000)
    const early = await auditor.repair(await auditor.audit({ actual }))
    t.ok(
      early.outcomes.every(({ outcome }) => outcome === 'waiting'),
      'nor is the grace period over',
    )
    setting.clock.advance(2_000)
    const second = await auditor.repair(await auditor.audit({ actual }))
    const isUnrepairable = second.outcomes.every(({ outcome }) => outcome === 'unrepairable')
    t.equal(isUnrepairable && kinds.length > 0, unrepairable, JSON.stringify(second.outcomes))
    if (unrepairable) return
    const after = await auditor.audit({ actual })
    t.same(after.findings, [])
    t.ok(kinds.length === 0 || second.outcomes.some(({ outcome }) => outcome === 'repaired'))
  })

  t.test(`${name}, --fix`, async (t) => {
    const setting = await setUp()
    await spoil(setting)
    await setting.a.repair(await setting.a.audit({ actual }), { immediate: true })
    const { findings } = await setting.a.audit({ actual })
    t.same(findings.length > 0, unrepairable)
  })

  t.test(`${name}, killed before each call of the repair`, async (t) => {
    for (let at = 0; at < 12; at++) {
      const setting = await setUp()
      await spoil(setting)
      let calls = -1000
      const store = createFaultyStore(setting.store, () => (calls++ === at ? 'killed-before' : 'none'))
      const doomed = createAllocator({ ...setting, store, random: Math.random, log: silent }, { node: 'x' })
      const report = await doomed.audit({ actual })
      calls = 0
      const died = await doomed.repair(report, { immediate: true }).then(
        () => false,
        (error: unknown) => {
          if (!(error instanceof Killed)) throw error
          return true
        },
      )
      await setting.a.repair(await setting.a.audit({ actual }), { immediate: true })
      const { findings } = await setting.a.audit({ actual })
      t.equal(findings.length > 0, unrepairable, `killed before call ${String(at + 1)}`)
      if (!died) break
    }
  })
}

t.test('a finding that is gone and comes again begins its wait anew', async (t) => {
  const setting = await setUp()
  const { a, store, clock } = setting
  await attach(setting, 'h', '10.0.0.1')
  await write(store, endpointOf('h'), undefined)
  await a.repair(await a.audit())
  clock.advance(1_000_000)
  await a.release({ handle: 'h' })
  await attach(setting, 'h', '10.0.0.1')
  await write(store, endpointOf('h'), undefined)
  const { outcomes } = await a.repair(await a.audit())
  t.same(
    outcomes.map(({ outcome }) => outcome),
    ['waiting'],
  )
})

t.test('what has changed since the report is left alone', async (t) => {
  const setting = await setUp()
  const { a, store } = setting
  await attach(setting, 'h', '10.0.0.1')
  const value = (await store.get(endpointOf('h')))?.value
  await write(store, endpointOf('h'), undefined)
  const report = await a.audit()
  await write(store, endpointOf('h'), value)
  const { outcomes } = await a.repair(report, { immediate: true })
  t.same(
    outcomes.map(({ outcome }) => outcome),
    ['changed'],
  )
  t.equal((await a.get('h'))?.addresses.length, 1)
})

t.test('an address that the block gave to somebody else is struck from the older handle', async (t) => {
  const setting = await setUp()
  const { a, store } = setting
  await attach(setting, 'g', '10.0.0.2')
  const before = (await store.get(blockKey(block)))?.value
  await attach(setting, 'h', '10.0.0.1')
  await write(store, endpointOf('h'), undefined)
  await write(store, blockKey(block), before)
  const fresh = createAllocator({ ...setting, random: Math.random, log: silent }, { node: 'a' })
  await attach({ ...setting, a: fresh }, 'i', '10.0.0.1')
  await fresh.repair(await fresh.audit(), { immediate: true })
  t.equal(await a.get('h'), undefined)
  t.equal((await a.get('i'))?.addresses[0]?.address, '10.0.0.1')
  t.same((await a.audit()).findings, [])
})

t.test('a report about one node', async (t) => {
  const { a, store } = await setUp()
  await affinity(store, 'a', '10.0.0.4/30', 'pending')
  await affinity(store, 'b', '10.0.0.8/30', 'pending')
  t.same(
    (await a.audit({ node: 'b' })).findings.map(({ node }) => node),
    ['b'],
  )
})
