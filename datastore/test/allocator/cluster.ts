import type { Clock } from '@network/net'
import { silentLog as silent } from '@network/net/system'
import { AllocationError } from '../../src/allocator/allocation-error.ts'
import { createAllocator } from '../../src/allocator/allocator.ts'
import type { Allocator, AssignRequest } from '../../src/allocator/requests.ts'
import type { AuditFinding } from '../../src/ipam/audit-report.ts'
import { resourceKey } from '../../src/model/keys.ts'
import type { KindName } from '../../src/model/kinds/index.ts'
import { type Store, StoreError } from '../../src/store/store.ts'

/*
 * What tests of the allocator share: resources written straight into a store, allocators on it, a clock whose
 * calendar can be turned while its timers are real.
 */

export { silent }

export interface TestClock extends Clock {
  advance(ms: number): void
}

export function createTestClock(): TestClock {
  let offset = 0
  return {
    now: () => 1_700_000_000_000 + offset + Math.round(performance.now()),
    monotonic: () => performance.now() + offset,
    setTimeout(call, ms) {
      const timer = setTimeout(call, ms)
      return { cancel: () => clearTimeout(timer) }
    },
    advance(ms) {
      offset += ms
    },
  }
}

export async function writeResource(
  store: Store,
  kind: KindName,
  name: string,
  spec: object,
  labels: Record<string, string> = {},
): Promise<void> {
  const value = JSON.stringify({ apiVersion: 'drover.network/v1', kind, metadata: { name, labels }, spec })
  await store.transact({ when: [], then: [{ put: resourceKey({ kind, name }), value }] })
}

export function writePool(store: Store, name: string, cidr: string, rest: object = {}): Promise<void> {
  return writeResource(store, 'IPPool', name, { cidr, ...rest })
}

export interface Cluster {
  readonly store: Store
  readonly clock: TestClock
  readonly allocator: (node: string) => Allocator
}

export function createCluster(store: Store, clock: TestClock = createTestClock()): Cluster {
  return {
    store,
    clock,
    allocator: (node) =>
      createAllocator({ store, clock, random: Math.random, log: silent }, { node, settingsMaxAgeMs: 0 }),
  }
}

let handles = 0

export function request(node: string, rest: Partial<AssignRequest> = {}): AssignRequest {
  const handle = rest.handle ?? `c${String(handles++).padStart(6, '0')}.eth0`
  return { handle, owner: { node, orchestrator: 'test', workload: handle, endpoint: 'eth0' }, ...rest }
}

/** The code that a call fails with. */
export async function codeOf(run: Promise<unknown>): Promise<string> {
  try {
    await run
    return 'no error'
  } catch (error) {
    if (error instanceof AllocationError || error instanceof StoreError) return error.code
    throw error
  }
}

/** Kinds of findings, except that the workloads of these tests have no endpoints. */
export function findingsBesidesEndpoints(findings: readonly AuditFinding[]): AuditFinding[] {
  return findings.filter((finding) => finding.kind !== 'leaked-handle' || finding.reason !== 'no-endpoint')
}
