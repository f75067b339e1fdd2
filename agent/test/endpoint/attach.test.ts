import {
  type Store,
  type Transaction,
  StoreError,
  createAllocator,
  createMemoryStore,
} from '@network/datastore'
import { prefixes } from '@network/datastore/model'
import { DroverError } from '@network/net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { AttachRequest } from '../../src/client/messages.ts'
import { createAttach } from '../../src/endpoint/attach.ts'
import { planAttach } from '../../src/endpoint/attach-plan.ts'
import { createDeadline } from '../../src/endpoint/deadline.ts'
import { createDetach } from '../../src/endpoint/detach.ts'
import { openJournal } from '../../src/endpoint/journal.ts'
import { createKeyedLock } from '../../src/endpoint/keyed-lock.ts'
import { createLocalEndpoints } from '../../src/endpoint/local-endpoints.ts'
import { createReleases } from '../../src/endpoint/releases.ts'
import { WireError } from '../../src/endpoint/wire-error.ts'
import type { Wire } from '../../src/endpoint/wire.ts'
import { systemClock as clock } from '../../src/roles/system-clock.ts'
import { resource } from '../managers/model.ts'
import { silentLog as log } from '../silent-log.ts'

const pools = [
  resource('IPPool', 'four', { cidr: '10.0.0.0/24' }),
  resource('IPPool', 'six', { cidr: 'fd00::/64' }),
]

/** Another namespace than the host's own, so that the path opens: any process has to be asked for one. */
const netns = await foreignNamespace()

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
  const state = { refuse: false, delayMs: 0 }
  const wire: Wire = {
    async wireWorkload(spec) {
      if (state.delayMs > 0) await sleep(state.delayMs)
      if (state.refuse) throw new WireError('kernel', 'The kernel refuses.')
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
    unwire({ hostInterfaceName }) {
      wired.delete(hostInterfaceName)
      return Promise.resolve()
    },
    inspect: () => Promise.resolve([]),
    listOurs: () => Promise.resolve([]),
  }
  return { wire, wired, state }
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

async function node(t: Test) {
  const directory = await mkdtemp(path.join(tmpdir(), 'drover-attach-'))
  const memory = createMemoryStore({ clock })
  const faults: Faults = { away: false, loseAnswer: false }
  const store = faulty(memory, faults)
  for (const pool of pools) {
    await memory.transact({
      when: [],
      then: [{ put: `${prefixes.resources}ippools/${pool.metadata.name}`, value: JSON.stringify(pool) }],
    })
  }
  const allocator = createAllocator({ store, clock, random: Math.random, log }, { node: 'n1' })
  const journal = await openJournal({ log }, { directory })
  const locks = createKeyedLock()
  const endpoints = createLocalEndpoints({ detached: [], onChange: () => undefined })
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
  const kernel = fakeWire()
  const programmed = { refuse: false }
  const options = { node: 'n1', interfacePrefix: 'drv', deadlineMs: () => 5_000 }
  const shared = { endpoints, releases, locks, clock, log, wire: kernel.wire, createDeadline: deadlineFor }
  const attach = createAttach(
    {
      ...{ ...shared, allocator, store, journal },
      uuid: () => '00000000-0000-4000-8000-000000000000',
      obstacle: () => undefined,
      plan: (request) =>
        planAttach(request, { node: 'n1', nodeLabels: {}, pools, network: undefined, mtuBytes: 1500 }),
      programmed: () =>
        programmed.refuse ? Promise.reject(new DroverError('kernel', 'No route.')) : Promise.resolve(),
    },
    options,
  )
  const detach = createDetach(
    { ...shared, storeAnswers: () => !faults.away, ignorance: () => undefined },
    options,
  )
  t.teardown(async () => {
    await releases.stop()
    await journal.close()
    await allocator.close()
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
  return { attach, detach, left, kernel, programmed, faults, journal, releases, endpoints, memory }
}

const request = (containerId: string, more: Partial<AttachRequest> = {}): AttachRequest => ({
  netns,
  containerId,
  interfaceName: 'eth0',
  orchestrator: 'cli',
  workload: containerId,
  endpoint: 'eth0',
  ...more,
})
const nothing = { handles: 0, endpoints: 0, addresses: 0, interfaces: 0, visible: 0, findings: 0 }

t.test('attach, again, detach, again', async (t) => {
  const { attach, detach, left } = await node(t)
  const first = await attach(request('c1'))
  t.match(first, { endpoint: 'cli/c1/eth0', containerInterface: { name: 'eth0', mtuBytes: 1500, netns } })
  t.match(
    first.addresses.map(({ address }) => address),
    [/^10\.0\.0\.\d+\/32$/, /^fd00::.*\/128$/],
  )
  t.same(await attach(request('c1')), first, 'again: the same answer')
  t.same(await left(), { handles: 1, endpoints: 1, addresses: 2, interfaces: 1, visible: 1, findings: 0 })
  t.match(await detach({ containerId: 'c1' }), { endpoints: ['cli/c1/eth0'], journaled: false })
  t.same(await left(), nothing)
  t.match(await detach({ containerId: 'c1', interfaceName: 'eth0' }), { endpoints: [], journaled: false })
})

t.test('fifty at once: fifty addresses of each family', async (t) => {
  const { attach, detach, left } = await node(t)
  const ids = Array.from({ length: 50 }, (_, i) => `c${i}`)
  const results = await Promise.all(ids.map((id) => attach(request(id))))
  const addresses = results.flatMap((result) => result.addresses.map(({ address }) => address))
  t.equal(new Set(addresses).size, 100)
  t.equal((await left()).findings, 0)
  await Promise.all(ids.map((containerId) => detach({ containerId, interfaceName: 'eth0' })))
  t.same(await left(), nothing)
})

t.test('ten times the same at once is one attach', async (t) => {
  const { attach, left } = await node(t)
  const results = await Promise.all(Array.from({ length: 10 }, () => attach(request('c1'))))
  for (const result of results) t.same(result, results[0])
  t.match(await left(), { handles: 1, endpoints: 1, addresses: 2, interfaces: 1 })
})

const failures: {
  name: string
  code: string
  break: (n: Awaited<ReturnType<typeof node>>) => void
  request?: AttachRequest
}[] = [
  { name: 'the interface is refused', code: 'kernel', break: ({ kernel }) => (kernel.state.refuse = true) },
  { name: 'the route is refused', code: 'kernel', break: ({ programmed }) => (programmed.refuse = true) },
  { name: 'the store is away', code: 'unreachable', break: ({ faults }) => (faults.away = true) },
  {
    name: 'no such namespace',
    code: 'namespace-missing',
    break: () => undefined,
    request: request('c1', { netns: '/run/netns/no-such-namespace' }),
  },
  {
    name: 'no such pool',
    code: 'not-in-pool',
    break: () => undefined,
    request: request('c1', { ipv4Pools: ['nowhere'] }),
  },
  {
    name: 'a fixed address outside every pool',
    code: 'not-in-pool',
    break: () => undefined,
    request: request('c1', { addresses: ['192.0.2.1'] }),
  },
  {
    name: 'a port that cannot be',
    code: 'invalid-request',
    break: () => undefined,
    request: request('c1', { ports: [{ name: 'http', protocol: 'carrier-pigeon', port: 80 }] }),
  },
  {
    name: 'time runs out while the interface is made',
    code: 'deadline',
    break: ({ kernel }) => (kernel.state.delayMs = 400),
    request: request('c1', { deadlineMs: 200 }),
  },
]
for (const { name, code, break: breakIt, request: asked } of failures) {
  t.test(`${name}: a clear error, and nothing is left`, async (t) => {
    const parts = await node(t)
    breakIt(parts)
    await t.rejects(parts.attach(asked ?? request('c1')), { code })
    parts.faults.away = false
    t.same(await parts.left(), nothing)
    t.same(parts.journal.pending(), [])
  })
}

t.test('an answer that was lost: what may have been written is taken back', async (t) => {
  const { attach, left, faults, journal, releases } = await node(t)
  faults.loseAnswer = true
  const outcome = await attach(request('c1')).then(
    () => 'attached',
    (error: unknown) => (error as DroverError).code,
  )
  releases.replay()
  for (let i = 0; journal.pending().length > 0 && i < 100; i++) await sleep(20)
  if (outcome === 'attached') t.match(await left(), { handles: 1, endpoints: 1, findings: 0 })
  else t.same(await left(), nothing)
})

t.test('the store goes away in the middle: the undoing is promised and kept', async (t) => {
  const { attach, left, faults, journal, kernel, releases } = await node(t)
  const { wire } = kernel
  const wireWorkload = wire.wireWorkload.bind(wire)
  wire.wireWorkload = async (spec) => {
    await wireWorkload(spec)
    faults.away = true
    throw new WireError('kernel', 'The kernel refuses.')
  }
  await t.rejects(attach(request('c1')), { code: 'kernel' })
  t.match(journal.pending(), [{ containerId: 'c1', interfaceName: 'eth0' }])
  faults.away = false
  releases.replay()
  for (let i = 0; journal.pending().length > 0 && i < 100; i++) await sleep(20)
  t.same(await left(), nothing)
})

t.test(
  'detach while the store is away: gone at once, released later, and a new attach never loses to the old release',
  async (t) => {
    const { attach, detach, left, faults, journal, kernel, endpoints, releases } = await node(t)
    await attach(request('c1'))
    faults.away = true
    t.match(await detach({ containerId: 'c1', interfaceName: 'eth0' }), {
      endpoints: ['cli/c1/eth0'],
      journaled: true,
    })
    t.equal(kernel.wired.size, 0)
    t.equal(endpoints.list().length, 0)
    t.equal(journal.pending().length, 1)
    faults.away = false
    const again = await attach(request('c1'))
    t.same(journal.pending(), [], 'settled before the address was given anew')
    releases.replay()
    await sleep(50)
    t.match(await left(), { handles: 1, endpoints: 1, addresses: 2, interfaces: 1, findings: 0 })
    t.equal(again.addresses.length, 2)
  },
)

t.test('who holds a name is told to the next one', async (t) => {
  const { attach, left } = await node(t)
  await attach(request('c1', { workload: 'web' }))
  await t.rejects(attach(request('c2', { workload: 'web' })), { code: 'taken', message: /web/ })
  await t.rejects(attach(request('c1', { workload: 'other' })), { code: 'taken', message: /web/ })
  t.match(await left(), { handles: 1, endpoints: 1, findings: 0 })
})

t.test('families and fixed addresses', async (t) => {
  const { attach } = await node(t)
  const given = async (id: string, more: Partial<AttachRequest>) =>
    (await attach(request(id, more))).addresses.map(({ address }) => address)
  t.match(await given('one', { families: ['ipv6'] }), [/^fd00/])
  t.match(await given('two', { addresses: ['10.0.0.77'] }), ['10.0.0.77/32', /^fd00/])
  t.same(await given('three', { addresses: ['10.0.0.78'], families: ['ipv4'] }), ['10.0.0.78/32'])
  await t.rejects(attach(request('four', { addresses: ['10.0.0.77'] })), { code: 'taken' })
  await t.rejects(attach(request('five', { addresses: ['10.0.0.79'], families: ['ipv6'] })), {
    code: 'invalid-request',
  })
  t.match(await given('six', { ipv4Pools: ['10.0.0.0/24'] }), [/^10\./])
})
