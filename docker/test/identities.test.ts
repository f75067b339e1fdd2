import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDockerAudit } from '../src/audit.ts'
import { createCompletions } from '../src/completions.ts'
import { createIdentities } from '../src/identities.ts'
import { createNetworks } from '../src/networks.ts'
import { FakeDocker, type TestNode, createTestNode } from './node.ts'

const name = 'docker-aaaa'

/** A node whose dockerd has one network, `aaaa`, and endpoints of it. */
async function setting(t: Test, ...endpoints: string[]) {
  const node = createTestNode()
  t.teardown(() => node.end())
  await node.resources.apply([
    {
      apiVersion: 'drover.network/v1',
      kind: 'IPPool',
      metadata: { name: 'open' },
      spec: { cidr: '10.65.0.0/16' },
    } as never,
    {
      apiVersion: 'drover.network/v1',
      kind: 'Network',
      metadata: { name, annotations: { 'docker-id.drover.network/n1': 'aaaa' } },
      spec: { profile: 'shared' },
    } as never,
  ])
  for (const id of endpoints) await addEndpoint(node, id)
  const { services, docker, clock, log } = node
  const networks = createNetworks(services)
  return {
    node,
    networks,
    identities: createIdentities({ services, docker, networks, clock, log }),
    audit: createDockerAudit({ services, docker, networks, log }),
  }
}

async function addEndpoint(node: TestNode, id: string): Promise<void> {
  const handle = `handle-${id}`
  const owner = { node: 'n1', orchestrator: 'docker', workload: 'waiting-address', endpoint: handle }
  await node.allocator.assign({ handle, owner, ipv4: 1 })
  await node.handover.create({
    id,
    orchestrator: 'docker',
    workload: id,
    endpoint: name,
    handles: [handle],
    network: name,
  })
}

async function until(probe: () => boolean): Promise<void> {
  const end = performance.now() + 5_000
  while (!probe()) {
    if (performance.now() > end) throw new Error('waited in vain')
    await sleep(2)
  }
}

t.test('whose an endpoint is', async (t) => {
  const { node, identities } = await setting(t, 'e1')
  const labelsOf = (id: string) => node.handover.endpoints.get(id)?.metadata.labels
  identities.learn({ networkId: 'aaaa', endpointId: 'e1' })
  identities.learn({ networkId: 'aaaa', endpointId: 'e1' })
  await sleep(20)
  t.equal(labelsOf('e1'), undefined, 'dockerd does not know the network yet')
  node.docker.has('aaaa', 'web')
  await sleep(20)
  t.equal(labelsOf('e1'), undefined, 'nor the endpoint')
  node.docker.has('aaaa', 'web', { e1: 'c1' })
  await sleep(20)
  t.equal(labelsOf('e1'), undefined, 'nor its container')
  node.docker.away = true
  await sleep(20)
  node.docker.away = false
  node.docker.known.set('c1', {
    id: 'c1',
    name: 'shop',
    labels: { tier: 'front', 'with space': 'no', long: 'x'.repeat(300), 'drover.network/network': 'another' },
  })
  await until(() => labelsOf('e1') !== undefined)
  t.same(labelsOf('e1'), {
    tier: 'front',
    'drover.network/container': 'shop',
    'drover.network/network': name,
  })
  t.match(node.handover.endpoints.get('e1'), {
    metadata: { annotations: { 'drover.network/container-id': 'c1' } },
    spec: { profiles: ['shared'] },
  })
  await identities.known('e1', 60_000)
  t.pass('nobody waits for what is known')
})

t.test('what an earlier life did not get to', async (t) => {
  const { node, identities } = await setting(t, 'e1', 'e2')
  node.docker.has('aaaa', 'web', { e1: 'c1', e2: 'c2' })
  for (const id of ['c1', 'c2']) node.docker.known.set(id, { id, name: id, labels: {} })
  await identities.learnPending()
  await until(() => node.handover.list().every(({ metadata }) => metadata.labels !== undefined))
  const before = node.handover.list()
  await identities.learnPending()
  await sleep(20)
  t.same(node.handover.list(), before)
})

t.test('an endpoint that goes is not asked for any more', async (t) => {
  const { node, identities } = await setting(t, 'e1')
  identities.learn({ networkId: 'aaaa', endpointId: 'e1' })
  await node.handover.remove('e1')
  await identities.known('e1', 60_000)
  t.notOk(node.log.said.some((line) => line.startsWith('error')))
})

t.test('a start is held up while dockerd answers, not while it is silent', async (t) => {
  const { node, identities } = await setting(t, 'e1', 'e2')
  let waited = 0
  const silent = new FakeDocker()
  silent.network = () => new Promise(() => undefined)
  const patient = createIdentities({
    services: node.services,
    docker: silent,
    networks: createNetworks(node.services),
    clock: {
      ...node.clock,
      setTimeout: (call, ms) => {
        if (ms === 1_000) waited++
        return node.clock.setTimeout(call, ms)
      },
    },
    log: node.log,
  })
  for (const endpointId of ['e1', 'e2']) patient.learn({ networkId: 'aaaa', endpointId })
  await sleep(20)
  await patient.known('e1', 1_000)
  t.equal(waited, 1)
  await patient.known('e1', 1_000)
  await patient.known('e2', 1_000)
  t.equal(waited, 1, 'after one wait in vain nobody waits')
  await identities.known('e9', 60_000)
  t.pass('nor for an endpoint of somebody else')
})

t.test('a label that names a reservation', async (t) => {
  const { node, identities } = await setting(t, 'e1', 'e2')
  node.docker.has('aaaa', 'web', { e1: 'c1', e2: 'c2' })
  for (const id of ['c1', 'c2'])
    node.docker.known.set(id, { id, name: id, labels: { 'drover.reserve': 'shop' } })
  const annotation = (id: string, what: string) =>
    node.handover.endpoints.get(id)?.metadata.annotations?.[`drover.network/${what}`]
  identities.learn({ networkId: 'aaaa', endpointId: 'e1' })
  await until(() => annotation('e1', 'reservation') !== undefined)
  t.equal(annotation('e1', 'reservation'), `shop@${name}`)
  identities.learn({ networkId: 'aaaa', endpointId: 'e2' })
  await until(() => annotation('e2', 'reservation-refused') !== undefined)
  await identities.known('e2', 60_000)
  t.equal(annotation('e2', 'reservation'), undefined, 'two can not have it at once')
  await node.handover.remove('e1')
  await identities.learnPending()
  await identities.known('e2', 60_000)
  t.type(annotation('e2', 'reservation-refused'), 'string')
  await identities.learnRefused()
  await until(() => annotation('e2', 'reservation') !== undefined)
  t.equal(annotation('e2', 'reservation-refused'), undefined, 'the second gets it when the first is gone')
})

t.test('an interface that its agent did not follow to its end', async (t) => {
  const { node, identities } = await setting(t, 'e1', 'e2')
  const completions = createCompletions({ ...node, services: node.services })
  node.docker.has('aaaa', 'web', { e1: 'c1', e2: 'c2' })
  for (const id of ['c1', 'c2']) node.docker.known.set(id, { id, name: id, labels: {} })
  node.docker.sandboxes.set('c1', '/var/run/docker/netns/1')
  const netns = (id: string) => node.handover.endpoints.get(id)?.spec.netns
  await completions.resume()
  t.equal(netns('e1'), undefined, 'it is not known yet whose it is')
  for (const endpointId of ['e1', 'e2']) identities.learn({ networkId: 'aaaa', endpointId })
  for (const endpointId of ['e1', 'e2']) await identities.known(endpointId, 60_000)
  await completions.resume()
  await until(() => netns('e1') !== undefined)
  t.equal(netns('e1'), '/var/run/docker/netns/1')
  t.equal(netns('e2'), undefined, 'a container that does not run has no sandbox')
  completions.begin('e2', { netns: '/2', makesDefaultRoute: true })
  await until(() => netns('e2') !== undefined)
  t.equal(netns('e2'), '/2')
})

t.test("Docker's endpoints against ours", async (t) => {
  const { node, audit } = await setting(t, 'e1', 'e2')
  node.docker.has('aaaa', 'web', { e1: 'c1', lost: 'c9' })
  t.same(await audit.look(), { removed: [] }, 'an endpoint may be in the making')
  node.docker.has('aaaa', 'web', { e1: 'c1', e2: 'c2', lost: 'c9' })
  t.same(await audit.look(), { removed: [] }, 'it was')
  t.match(node.log.said.join('\n'), /Docker has an endpoint that etcd has lost/)
  node.docker.has('aaaa', 'web', { e1: 'c1' })
  t.same(await audit.look(), { removed: [] })
  node.docker.away = true
  await t.rejects(
    audit.look(),
    { code: 'unreachable' },
    'what nobody has said is no reason to remove anything',
  )
  node.docker.away = false
  t.same(await audit.look(), { removed: ['e2'] }, 'missing at two looks')
  t.same([...node.handover.endpoints.keys()], ['e1'])
  t.same(await audit.look(), { removed: [] })
})
