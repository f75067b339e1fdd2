import t from 'tap'
import { AllocationError } from '../../src/allocator/allocation-error.ts'
import type { AssignRequest } from '../../src/allocator/requests.ts'
import { createMemoryStore } from '../../src/store/memory.ts'
import {
  createCluster,
  createTestClock,
  findingsBesidesEndpoints,
  request,
  writePool,
  writeResource,
} from './cluster.ts'

interface Step {
  node: string
  ask: Partial<AssignRequest>
  /** How many addresses come; how many of them from blocks of other nodes; why not more. */
  expect: { given: number; borrowed?: number; code?: string; reason?: string }
}

interface Case {
  name: string
  pools: { cidr: string; [field: string]: unknown }[]
  configuration?: object
  reservations?: string[]
  labels?: Record<string, Record<string, string>>
  steps: Step[]
}

const p = { cidr: '192.168.1.0/24' }
const partial = true

const cases: Case[] = [
  { name: '256 of a /24', pools: [p], steps: [{ node: 'a', ask: { ipv4: 256 }, expect: { given: 256 } }] },
  {
    name: '257 of a /24: 256 and no addresses left',
    pools: [p],
    steps: [
      {
        node: 'a',
        ask: { ipv4: 257, partial },
        expect: { given: 256, code: 'no-address', reason: 'exhausted' },
      },
    ],
  },
  {
    name: '257 of a /24, all or nothing',
    pools: [p],
    steps: [
      { node: 'a', ask: { ipv4: 257 }, expect: { given: 0, code: 'no-address', reason: 'exhausted' } },
      { node: 'a', ask: { ipv4: 256 }, expect: { given: 256 } },
    ],
  },
  {
    name: 'a limit of one block',
    pools: [p],
    configuration: { maxBlocksPerHost: 1, strictAffinity: true },
    steps: [
      {
        node: 'a',
        ask: { ipv4: 256, partial },
        expect: { given: 64, code: 'no-address', reason: 'block-limit' },
      },
    ],
  },
  {
    name: 'a limit of two blocks',
    pools: [p],
    configuration: { maxBlocksPerHost: 2, strictAffinity: true },
    steps: [
      {
        node: 'a',
        ask: { ipv4: 256, partial },
        expect: { given: 128, code: 'no-address', reason: 'block-limit' },
      },
    ],
  },
  {
    name: 'no limit that nobody has set: 25 blocks on one node',
    pools: [{ cidr: '10.0.0.0/16' }],
    steps: Array.from({ length: 25 }, () => ({ node: 'a', ask: { ipv4: 64 }, expect: { given: 64 } })),
  },
  {
    name: 'two blocks, two nodes: 63 of its own and one borrowed',
    pools: [{ cidr: '10.0.0.0/25' }],
    steps: [
      { node: 'a', ask: { ipv4: 1 }, expect: { given: 1 } },
      { node: 'b', ask: { ipv4: 1 }, expect: { given: 1 } },
      { node: 'a', ask: { ipv4: 64 }, expect: { given: 64, borrowed: 1 } },
    ],
  },
  {
    name: 'the same under strict affinity: 63 and an error',
    pools: [{ cidr: '10.0.0.0/25' }],
    configuration: { strictAffinity: true },
    steps: [
      { node: 'a', ask: { ipv4: 1 }, expect: { given: 1 } },
      { node: 'b', ask: { ipv4: 1 }, expect: { given: 1 } },
      {
        node: 'a',
        ask: { ipv4: 64, partial },
        expect: { given: 63, code: 'no-address', reason: 'strict-affinity' },
      },
    ],
  },
  {
    name: 'strict affinity with one free block',
    pools: [{ cidr: '10.0.0.0/26' }],
    configuration: { strictAffinity: true },
    steps: [
      {
        node: 'a',
        ask: { ipv4: 65, partial },
        expect: { given: 64, code: 'no-address', reason: 'exhausted' },
      },
    ],
  },
  {
    name: 'without autoAllocateBlocks a node claims none',
    pools: [p],
    configuration: { strictAffinity: true, autoAllocateBlocks: false },
    steps: [
      {
        node: 'a',
        ask: { ipv4: 1 },
        expect: { given: 0, code: 'no-address', reason: 'auto-allocate-blocks' },
      },
    ],
  },
  {
    name: 'no pool',
    pools: [],
    steps: [{ node: 'a', ask: { ipv4: 1 }, expect: { given: 0, code: 'no-address', reason: 'no-pool' } }],
  },
  {
    name: 'a disabled pool',
    pools: [{ ...p, disabled: true }],
    steps: [
      { node: 'a', ask: { ipv4: 1 }, expect: { given: 0, code: 'no-address', reason: 'no-pool' } },
      { node: 'a', ask: { ipv4: 1, pools: ['pool-0'] }, expect: { given: 0, code: 'pool-disabled' } },
      { node: 'a', ask: { addresses: ['192.168.1.1'] }, expect: { given: 0, code: 'pool-disabled' } },
    ],
  },
  {
    name: 'a Manual pool serves who names it',
    pools: [{ ...p, assignmentMode: 'Manual' }],
    steps: [
      { node: 'a', ask: { ipv4: 1 }, expect: { given: 0, code: 'no-address', reason: 'no-pool' } },
      { node: 'a', ask: { ipv4: 1, pools: ['pool-0'] }, expect: { given: 1 } },
      { node: 'a', ask: { addresses: ['192.168.1.200'] }, expect: { given: 1 } },
    ],
  },
  {
    name: 'a node selector',
    pools: [{ ...p, nodeSelector: 'rack == "b"' }],
    labels: { b: { rack: 'b' } },
    steps: [
      { node: 'a', ask: { ipv4: 1 }, expect: { given: 0, code: 'no-address', reason: 'no-pool' } },
      { node: 'b', ask: { ipv4: 1 }, expect: { given: 1 } },
      { node: 'a', ask: { addresses: ['192.168.1.9'] }, expect: { given: 1, borrowed: 1 } },
    ],
  },
  {
    name: 'reservations are left out, and refused',
    pools: [p],
    reservations: ['192.168.1.0/26', '192.168.1.64/27', '192.168.1.100'],
    steps: [
      {
        node: 'a',
        ask: { ipv4: 256, partial },
        expect: { given: 159, code: 'no-address', reason: 'exhausted' },
      },
      { node: 'a', ask: { addresses: ['192.168.1.5'] }, expect: { given: 0, code: 'reserved' } },
    ],
  },
  {
    name: 'fixed addresses',
    pools: [p],
    steps: [
      { node: 'a', ask: { addresses: ['192.168.1.0', '192.168.1.255'] }, expect: { given: 2 } },
      { node: 'a', ask: { addresses: ['192.168.1.0'] }, expect: { given: 0, code: 'taken' } },
      { node: 'b', ask: { addresses: ['192.168.1.255'] }, expect: { given: 0, code: 'taken' } },
      { node: 'b', ask: { addresses: ['192.168.1.254'] }, expect: { given: 1, borrowed: 1 } },
      { node: 'a', ask: { addresses: ['10.9.9.9'] }, expect: { given: 0, code: 'not-in-pool' } },
      { node: 'a', ask: { addresses: ['192.168.1.300'] }, expect: { given: 0, code: 'invalid' } },
      {
        node: 'a',
        ask: { addresses: ['192.168.1.7', '192.168.1.7'] },
        expect: { given: 0, code: 'invalid' },
      },
      { node: 'a', ask: { ipv4: 3, addresses: ['192.168.1.8'] }, expect: { given: 3 } },
    ],
  },
  {
    name: "strict affinity forbids a fixed address of another node's block",
    pools: [p],
    configuration: { strictAffinity: true },
    steps: [
      { node: 'a', ask: { addresses: ['192.168.1.1'] }, expect: { given: 1 } },
      { node: 'b', ask: { addresses: ['192.168.1.2'] }, expect: { given: 0, code: 'strict-affinity' } },
      { node: 'b', ask: { addresses: ['192.168.1.70'] }, expect: { given: 1 } },
    ],
  },
  {
    name: 'both families or neither',
    pools: [{ cidr: '10.0.0.0/31', blockSize: 32 }, { cidr: 'fd00::/64' }],
    steps: [
      { node: 'a', ask: { ipv4: 1, ipv6: 1 }, expect: { given: 2 } },
      { node: 'a', ask: { ipv4: 2, ipv6: 1 }, expect: { given: 0, code: 'no-address', reason: 'exhausted' } },
      { node: 'a', ask: { ipv4: 1, ipv6: 64 }, expect: { given: 65 } },
      { node: 'a', ask: { ipv4: 1, ipv6: 1 }, expect: { given: 0, code: 'no-address', reason: 'exhausted' } },
      { node: 'a', ask: { ipv6: 1, pools: ['pool-0'] }, expect: { given: 0, code: 'family' } },
      { node: 'a', ask: { addresses: ['fd00::1:2'] }, expect: { given: 1 } },
    ],
  },
  {
    name: 'nothing asked for',
    pools: [p],
    steps: [
      { node: 'a', ask: {}, expect: { given: 0, code: 'invalid' } },
      { node: 'a', ask: { ipv4: -1 }, expect: { given: 0, code: 'invalid' } },
      { node: 'a', ask: { ipv4: 1, pools: ['nope'] }, expect: { given: 0, code: 'not-in-pool' } },
    ],
  },
  {
    name: 'a pool is filled by many nodes to the last address',
    pools: [{ cidr: '10.0.0.0/28', blockSize: 30 }],
    steps: [
      ...Array.from({ length: 16 }, (_, i) => ({
        node: `n${String(i)}`,
        ask: { ipv4: 1 },
        // Four of them claim the blocks, the others borrow.
        expect: { given: 1, borrowed: i < 4 ? 0 : 1 },
      })),
      { node: 'n0', ask: { ipv4: 1 }, expect: { given: 0, code: 'no-address', reason: 'exhausted' } },
    ],
  },
]

for (const { name, pools, configuration, reservations, labels = {}, steps } of cases) {
  t.test(name, async (t) => {
    const clock = createTestClock()
    const store = createMemoryStore({ clock })
    const cluster = createCluster(store, clock)
    for (const [index, { cidr, ...rest }] of pools.entries())
      await writePool(store, `pool-${String(index)}`, cidr, rest)
    if (configuration) await writeResource(store, 'IPAMConfiguration', 'default', configuration)
    if (reservations) await writeResource(store, 'IPReservation', 'r', { reservedCIDRs: reservations })
    for (const [node, own] of Object.entries(labels)) await writeResource(store, 'Node', node, {}, own)
    const allocators = new Map<string, ReturnType<typeof cluster.allocator>>()
    const seen = new Set<string>()
    for (const [index, { node, ask, expect }] of steps.entries()) {
      const allocator = allocators.get(node) ?? cluster.allocator(node)
      allocators.set(node, allocator)
      const what = `step ${String(index + 1)}`
      let error: unknown
      let addresses: readonly { address: string; borrowed: boolean }[] = []
      const before = store.revision
      try {
        const assignment = await allocator.assign(request(node, ask))
        addresses = assignment.addresses
        error = Object.values(assignment.shortfall)[0]
        t.equal(store.revision, before + 1, `${what}: one transaction`)
      } catch (thrown) {
        error = thrown
        t.equal(store.revision, before, `${what}: nothing written`)
      }
      if (error !== undefined && !(error instanceof AllocationError)) {
        throw new Error(`${what} failed`, { cause: error })
      }
      t.equal(addresses.length, expect.given, `${what}: addresses`)
      t.equal(addresses.filter(({ borrowed }) => borrowed).length, expect.borrowed ?? 0, `${what}: borrowed`)
      t.equal(error?.code, expect.code, `${what}: ${error?.message ?? 'no error'}`)
      t.equal(error?.details['reason'], expect.reason, `${what}: reason`)
      for (const { address } of addresses) {
        t.notOk(seen.has(address), `${what}: ${address} is given once`)
        seen.add(address)
      }
    }
    const report = await cluster.allocator('auditor').audit()
    t.same(findingsBesidesEndpoints(report.findings), [], 'the audit finds nothing')
    t.equal(report.checked.addresses, seen.size)
  })
}
