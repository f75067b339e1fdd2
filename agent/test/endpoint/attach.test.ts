import type { AttachRequest } from '../../src/client/messages.ts'
import { endpointKey } from '@network/datastore/model'
import { type DroverError } from '@network/net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { WireError } from '../../src/endpoint/wire-error.ts'
import { netns, node, nothing, request } from './node.ts'

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

t.test(
  'a name that another container has: that one keeps its chains and its interface all the while',
  async (t) => {
    const { attach, chains, unprotected, kernel, left } = await node(t)
    await attach(request('c1', { workload: 'w' }))
    const before = [...chains]
    const wired = [...kernel.wired]
    await t.rejects(attach(request('c2', { workload: 'w' })), { code: 'taken' })
    t.same([...chains], before)
    t.same(unprotected, [])
    t.same([...kernel.wired], wired)
    t.match(await left(), { handles: 1, endpoints: 1, addresses: 2, interfaces: 1 })
  },
)

t.test('two containers of one name at once: one is attached, and has its chains', async (t) => {
  const { attach, chains, kernel, left } = await node(t)
  const outcomes = await Promise.allSettled(['c1', 'c2'].map((id) => attach(request(id, { workload: 'w' }))))
  const attached = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as DroverError] : []))
  t.match([attached.length, refused.map(({ code }) => code)], [1, ['taken']])
  const name = attached[0]?.hostInterface.name
  t.same([...chains.values()], [name])
  t.same([...kernel.wired.keys()], [name])
  t.match(await left(), { handles: 1, endpoints: 1, addresses: 2, interfaces: 1 })
})

t.test('the store refuses what was begun for a plan: interface and chains go', async (t) => {
  const { attach, chains, kernel, left, memory } = await node(t)
  const other = { apiVersion: 'drover.network/v1', kind: 'WorkloadEndpoint' }
  // Written by somebody else a moment ago: this agent has not heard of it.
  await memory.transact({
    when: [],
    then: [
      {
        put: endpointKey({ node: 'n1', orchestrator: 'cli', workload: 'w', endpoint: 'eth0' }),
        value: JSON.stringify(other),
      },
    ],
  })
  await t.rejects(attach(request('c2', { workload: 'w' })), { code: 'taken' })
  t.same([...chains], [])
  t.same([...kernel.wired], [])
  t.match(await left(), { handles: 0, endpoints: 1, addresses: 0, interfaces: 0 })
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

t.test('a node without IPv6 gives addresses of IPv4, and says why it gives no others', async (t) => {
  const { attach } = await node(t, { families: ['ipv4'] })
  const { addresses } = await attach(request('one'))
  t.match(
    addresses.map(({ address }) => address),
    [/^10\./],
  )
  t.equal(addresses.length, 1)
  const ofBoth: Partial<AttachRequest>[] = [{ families: ['ipv4', 'ipv6'] }, { addresses: ['fd00::77'] }]
  for (const asked of ofBoth)
    await t.rejects(attach(request('two', asked)), {
      code: 'family',
      message: /kernel of the node n1 has no ipv6/,
      remedy: /another node/,
    })
})
