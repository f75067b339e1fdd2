/**
 * One node's attach and detach over a store in memory, a wire that only remembers, and a journal on disk. What outlives
 * an agent (store, kernel, disk) can be handed to a second one.
 */
import {
  type Store,
  type Transaction,
  StoreError,
  createAllocator,
  createMemoryStore,
} from '@network/datastore'
import { nodeEndpointsPrefix, prefixes } from '@network/datastore/model'
import { DroverError, type Family } from '@network/net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { AttachRequest } from '../../src/client/messages.ts'
import { awaitFile } from '../../src/endpoint/appearance.ts'
import { createAttach } from '../../src/endpoint/attach.ts'
import { planAttach } from '../../src/endpoint/attach-plan.ts'
import { createDeadline } from '../../src/endpoint/deadline.ts'
import { createDetach } from '../../src/endpoint/detach.ts'
import { WAITING_WORKLOAD } from '../../src/client/handover.ts'
import { createHandover } from '../../src/endpoint/handover.ts'
import { type Journal, openJournal } from '../../src/endpoint/journal.ts'
import { createKeyedLock } from '../../src/endpoint/keyed-lock.ts'
import { createLocalEndpoints } from '../../src/endpoint/local-endpoints.ts'
import { createReleases } from '../../src/endpoint/releases.ts'
import { WireError } from '../../src/endpoint/wire-error.ts'
import type { Wire } from '../../src/endpoint/wire.ts'
import { decodeChange } from '../../src/managers/model-event.ts'
import { createAudit } from '../../src/roles/audit.ts'
import type { Life } from '../../src/roles/life.ts'
import { silentLog as log, systemClock as clock } from '@network/net/system'
import { resource } from '../managers/model.ts'

const pools = [
  resource('IPPool', 'four', { cidr: '10.0.0.0/24' }),
  resource('IPPool', 'six', { cidr: 'fd00::/64' }),
]

/** Another namespace than the host's own, so that the path opens: any process has to be asked for one. */
export const netns = await foreignNamespace()

async function foreignNamespace(): Promise<string> {
  const { spawn } = await import('node:child_process')
  const child = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  const file = `/proc/${String(child.pid)}/ns/net`
  const { readlink } = await import('node:fs/promises')
  const own = await readlink('/proc/self/ns/net')
  while ((await readlink(file)) === own) await sleep(5)
  return file
}

/** A wire that only remembers; `refuse` and `delayMs` make it fail or slow. */
function fakeWire() {
  const wired = new Map<string, readonly string[]>()
  /** What the runtime is waited for to bring into the workload. */
  const awaited = new Map<string, readonly string[]>()
  const state = { refuse: false, delayMs: 0 }
  const wire: Wire = {
    async wireWorkload(spec, { agreement } = {}) {
      if (state.delayMs > 0) await sleep(state.delayMs)
      if (state.refuse) throw new WireError('kernel', 'The kernel refuses.')
      const isNew = !wired.has(spec.hostInterfaceName)
      wired.set(spec.hostInterfaceName, agreement === undefined ? spec.addresses : [])
      await agreement?.catch((error: unknown) => {
        if (isNew) wired.delete(spec.hostInterfaceName)
        throw error
      })
      wired.set(spec.hostInterfaceName, spec.addresses)
      return {
        hostInterface: { name: spec.hostInterfaceName, mac: 'ee:ee:ee:ee:ee:ee', index: 1 },
        containerInterface: { name: spec.interfaceName, mac: spec.mac ?? '', mtuBytes: spec.mtuBytes },
        addresses: spec.addresses.map((address) => ({ address, gateway: '169.254.1.1' })),
        routes: [],
        namespace: '',
        changed: true,
        stepsMs: {},
      }
    },
    offer(spec) {
      if (state.refuse) return Promise.reject(new WireError('kernel', 'The kernel refuses.'))
      wired.set(spec.hostInterfaceName, spec.addresses)
      return Promise.resolve({ mac: spec.mac ?? '', changed: true })
    },
    endInside: ({ hostInterfaceName, addresses }) => {
      awaited.set(hostInterfaceName, addresses)
      return Promise.resolve(
        wired.has(hostInterfaceName) ? { name: 'eth0', namespace: 'net:[1]' } : undefined,
      )
    },
    unwire({ hostInterfaceName }) {
      wired.delete(hostInterfaceName)
      return Promise.resolve()
    },
    inspect: () => Promise.resolve([]),
    listOurs: () => Promise.resolve([]),
  }
  return { wire, wired, awaited, state }
}

interface Faults {
  /** Every call fails as if nobody answered. */
  away: boolean
  /** The next transaction is carried out and its answer lost. */
  loseAnswer: boolean
}

function faulty(store: Store, faults: Faults): Store {
  const check = (): void => {
    if (faults.away) throw new StoreError('unreachable', 'Nobody answers.')
  }
  return {
    ...store,
    get: async (...args) => (check(), store.get(...args)),
    list: async (...args) => (check(), store.list(...args)),
    transact: async (transaction: Transaction, options) => {
      check()
      const done = await store.transact(transaction, options)
      if (!faults.loseAnswer) return done
      faults.loseAnswer = false
      throw new StoreError('unknown-outcome', 'The answer was lost.')
    },
    watch: (...args) => store.watch(...args),
    lease: (...args) => store.lease(...args),
    close: () => store.close(),
  }
}

/** What is there after an agent has died. */
export interface Surviving {
  directory: string
  memory: Store
  kernel: ReturnType<typeof fakeWire>
}

/** Ends an agent as kill -9 does, between any two of its steps. */
export interface Death {
  /** How many steps are still carried out. */
  stepsLeft: number
}

/** Each call is one step before it and one after it; once dead, no step is ever over. */
function mortal<T extends object>(target: T, death: Death, methods: readonly (keyof T & string)[]): T {
  const never = new Promise<never>(() => undefined)
  const alive = (): boolean => death.stepsLeft-- > 0
  return new Proxy(target, {
    get(object, name, receiver) {
      const value: unknown = Reflect.get(object, name, receiver)
      if (typeof value !== 'function' || !methods.includes(name as keyof T & string)) return value
      const call = value as (...args: unknown[]) => unknown
      return async (...args: unknown[]) => {
        if (!alive()) return never
        const result = await call.apply(object, args)
        return alive() ? result : never
      }
    },
  })
}

export async function node(
  t: Test,
  {
    earlier,
    death = { stepsLeft: Infinity },
    families = ['ipv4', 'ipv6'],
  }: { earlier?: Surviving; death?: Death; families?: readonly Family[] } = {},
) {
  const directory = earlier?.directory ?? (await mkdtemp(path.join(tmpdir(), 'drover-attach-')))
  const memory = earlier?.memory ?? createMemoryStore({ clock })
  const faults: Faults = { away: false, loseAnswer: false }
  const store = mortal(faulty(memory, faults), death, ['get', 'list', 'transact'])
  for (const pool of pools) {
    await memory.transact({
      when: [],
      then: [{ put: `${prefixes.resources}ippools/${pool.metadata.name}`, value: JSON.stringify(pool) }],
    })
  }
  const allocator = createAllocator({ store, clock, random: Math.random, log }, { node: 'n1' })
  const opened = await openJournal({ log }, { directory })
  const journal: Journal = mortal(opened, death, ['promise', 'settle'])
  const locks = createKeyedLock()
  const endpoints = createLocalEndpoints({
    detached: journal.pending().map(({ handle }) => handle),
    onChange: () => undefined,
  })
  for (const { key, value, modRevision: revision } of (await memory.list(nodeEndpointsPrefix('n1'))).items) {
    const event = decodeChange({ key, value, revision })
    if (event.ok && event.value?.type === 'endpoint') endpoints.fromStore(event.value)
  }
  const deadlineFor = (operation: string, ms: number) => createDeadline(clock, operation, ms)
  const releases = createReleases({
    allocator,
    store,
    journal,
    locks,
    clock,
    log,
    createDeadline: deadlineFor,
  })
  const kernel = earlier?.kernel ?? fakeWire()
  const wire = mortal(kernel.wire, death, ['wireWorkload', 'offer', 'endInside', 'unwire', 'inspect'])
  const programmed = { refuse: false }
  /** Interfaces that attached endpoints have chains for, by their keys; and keys whose chains were taken back. */
  const chains = new Map<string, string | undefined>()
  const unprotected: string[] = []
  /** Endpoints whose policy is in the kernel. */
  const protectedKeys = new Set<string>()
  const options = { node: 'n1', interfacePrefix: 'drv', deadlineMs: () => 5_000 }
  const shared = { endpoints, releases, locks, clock, log, wire, createDeadline: deadlineFor }
  const attach = createAttach(
    {
      ...{ ...shared, allocator, store, journal },
      uuid: () => '00000000-0000-4000-8000-000000000000',
      obstacle: () => undefined,
      plan: (request) =>
        planAttach(request, {
          ...{ node: 'n1', nodeLabels: {}, pools, network: undefined },
          ...{ hasProfile: () => false, mtuBytes: 1500, families },
        }),
      protect: ({ key, endpoint }) => {
        chains.set(key, endpoint.spec.interfaceName)
        return Promise.resolve()
      },
      unprotect: (key) => {
        const local = endpoints.list().find((one) => one.key === key)
        if (local === undefined) chains.delete(key)
        else chains.set(key, local.endpoint.spec.interfaceName)
        unprotected.push(key)
      },
      programmed: () =>
        programmed.refuse ? Promise.reject(new DroverError('kernel', 'No route.')) : Promise.resolve(),
    },
    options,
  )
  const detach = createDetach(
    { ...shared, storeAnswers: () => !faults.away, ignorance: () => undefined },
    options,
  )
  const handover = createHandover(
    {
      ...{ ...shared, allocator, store },
      uuid: () => '00000000-0000-4000-8000-000000000000',
      obstacle: () => undefined,
      storeAnswers: () => !faults.away,
      programmed: () =>
        programmed.refuse ? Promise.reject(new DroverError('kernel', 'No route.')) : Promise.resolve(),
      protect: (local) => {
        protectedKeys.add(local.key)
        return Promise.resolve()
      },
      awaitFile,
    },
    { ...options, mtuBytes: () => 1500 },
  )
  /** An address that waits for its endpoint, as a runtime asks for it; answers the handle. */
  const hold = async (handle: string, family: 'ipv4' | 'ipv6' = 'ipv4'): Promise<string> => {
    const owner = { node: 'n1', orchestrator: 'docker', workload: WAITING_WORKLOAD, endpoint: handle }
    await allocator.assign({ handle, owner, [family]: 1 })
    return handle
  }
  t.teardown(async () => {
    await releases.stop()
    await opened.close()
    if (earlier !== undefined) return
    await memory.close()
    await rm(directory, { recursive: true, force: true })
  })
  /** Keys of everything that an attach may leave: handles, endpoints; and how many addresses blocks say are held. */
  const left = async () => {
    const handles = await memory.list(prefixes.handles)
    const written = await memory.list(prefixes.endpoints)
    const { checked, findings } = await allocator.audit({})
    return {
      handles: handles.items.length,
      endpoints: written.items.length,
      addresses: checked.addresses,
      interfaces: kernel.wired.size,
      visible: endpoints.list().length,
      findings: findings.filter(({ kind }) => kind !== 'empty-block').length,
    }
  }
  const auditFor = (graceMs: number, life: { ended: () => boolean; pause: (ms: number) => Promise<void> }) =>
    createAudit(
      {
        ...{ allocator, endpoints, journal, locks, clock, log },
        interfaces: () => [...kernel.wired.keys()].map((name) => ({ name, index: 1, up: true })) as never,
        life: life as Life,
      },
      { node: 'n1', intervalMs: () => 1, graceMs: () => graceMs, ready: () => true },
    )
  const audit = auditFor(0, { ended: () => false, pause: () => Promise.resolve() })
  /** The audit that runs by itself. */
  const follow = async (given: { looks: number; everyMs: number; graceMs: number }): Promise<void> => {
    let { looks } = given
    const pause = async (): Promise<void> => {
      looks--
      await sleep(given.everyMs)
    }
    await auditFor(given.graceMs, { ended: () => looks < 0, pause }).follow()
  }
  return {
    directory,
    audit,
    follow,
    attach,
    detach,
    handover,
    hold,
    left,
    kernel,
    programmed,
    chains,
    unprotected,
    protectedKeys,
    faults,
    journal,
    releases,
    allocator,
    endpoints,
    memory,
  }
}

export const request = (containerId: string, more: Partial<AttachRequest> = {}): AttachRequest => ({
  netns,
  containerId,
  interfaceName: 'eth0',
  orchestrator: 'cli',
  workload: containerId,
  endpoint: 'eth0',
  ...more,
})
export const nothing = { handles: 0, endpoints: 0, addresses: 0, interfaces: 0, visible: 0, findings: 0 }
