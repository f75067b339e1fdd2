import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { readEndpointNames } from '@network/datastore/model'
import { createDockerApi } from '../src/docker-api.ts'
import { createNames } from '../src/names.ts'
import { type TestNode, addPool, createTestNode } from './node.ts'

async function addEndpoint(node: TestNode, id: string): Promise<void> {
  const handle = `handle-${id}`
  const owner = { node: 'n1', orchestrator: 'docker', workload: 'waiting-address', endpoint: handle }
  await node.allocator.assign({ handle, owner, ipv4: 1 })
  const rest = { orchestrator: 'docker', workload: id, endpoint: 'docker-aaaa', network: 'docker-aaaa' }
  await node.handover.create({ id, ...rest, handles: [handle] })
}

async function setting(t: Test) {
  const node = createTestNode()
  t.teardown(() => node.end())
  await addPool(node, 'open', '10.65.0.0/16')
  await addEndpoint(node, 'e1')
  const { services, docker, clock, log } = node
  const namesOf = (id: string) => {
    const endpoint = node.handover.endpoints.get(id)
    return endpoint === undefined ? undefined : readEndpointNames(endpoint.metadata)
  }
  const identify = () =>
    node.handover.identify('e1', {
      labels: {},
      annotations: { 'drover.network/container-id': 'c1' },
      profiles: [],
    })
  return { node, names: createNames({ services, docker, clock, log }), namesOf, identify }
}

async function until(probe: () => boolean): Promise<void> {
  const end = performance.now() + 5_000
  while (!probe()) {
    if (performance.now() > end) throw new Error('waited in vain')
    await sleep(2)
  }
}

t.test('what a container is called', async (t) => {
  const { node, names, namesOf, identify } = await setting(t)
  names.learn('e1')
  names.learn('e1')
  await sleep(20)
  t.equal(namesOf('e1'), undefined, 'it is not known whose the endpoint is')
  await identify()
  await sleep(20)
  t.equal(namesOf('e1'), undefined, 'the container is just being started')
  node.docker.away = true
  await sleep(20)
  node.docker.away = false
  node.docker.named.set('e1', {
    network: 'web',
    names: ['Shop', 'front', 'shop', 'bad..name', '', 'x'.repeat(64)],
  })
  await until(() => namesOf('e1') !== undefined)
  t.same(namesOf('e1'), { container: 'c1', network: 'web', names: ['shop', 'front'] })
  t.equal(
    node.log.said.filter((line) => line.startsWith('warn')).length,
    1,
    'a dockerd that is away is said once',
  )
})

t.test('what an earlier life did not get to', async (t) => {
  const { node, names, namesOf, identify } = await setting(t)
  await identify()
  node.docker.named.set('e1', { network: 'web', names: ['shop'] })
  names.learnMissing()
  await until(() => namesOf('e1') !== undefined)
  node.docker.named.set('e1', { network: 'web', names: ['another'] })
  names.learnMissing()
  await sleep(20)
  t.same(namesOf('e1')?.names, ['shop'], 'what is known is not asked again')
})

t.test('a container that is renamed', async (t) => {
  const { node, names, namesOf, identify } = await setting(t)
  await identify()
  node.docker.known.set('c1', { id: 'c1', name: 'Shop', labels: {} })
  node.docker.named.set('e1', { network: 'web', names: ['Shop'] })
  await names.learnRenamed()
  await sleep(20)
  t.equal(namesOf('e1'), undefined, 'what has no names yet is not renamed')
  names.learnMissing()
  await until(() => namesOf('e1') !== undefined)
  node.docker.named.set('e1', { network: 'web', names: ['store', 'front'] })
  await names.learnRenamed()
  await sleep(20)
  t.same(namesOf('e1')?.names, ['shop'])
  node.docker.known.set('c1', { id: 'c1', name: 'store', labels: {} })
  await names.learnRenamed()
  await until(() => namesOf('e1')?.names[0] === 'store')
  t.same(namesOf('e1')?.names, ['store', 'front'])
  node.docker.known.clear()
  await names.learnRenamed()
  await sleep(20)
  t.same(namesOf('e1')?.names, ['store', 'front'], 'one that does not run has not got another name')
})

t.test('an endpoint that goes is not asked for any more', async (t) => {
  const { node, names } = await setting(t)
  names.learn('e1')
  await node.handover.remove('e1')
  await sleep(20)
  t.notOk(node.log.said.some((line) => line.startsWith('error')))
})

const inspections: readonly [name: string, answer: unknown, found: unknown][] = [
  [
    'the engine of Debian 12',
    {
      Name: '/shop',
      NetworkSettings: {
        Networks: {
          db: { EndpointID: 'e2', Aliases: ['0123456789ab'] },
          web: { EndpointID: 'e1', Aliases: ['front', '0123456789ab'] },
        },
      },
    },
    { network: 'web', names: ['shop', 'front', '0123456789ab'] },
  ],
  [
    'a later engine, which says itself what it answers to',
    {
      Name: '/shop',
      NetworkSettings: {
        Networks: { web: { EndpointID: 'e1', Aliases: ['a'], DNSNames: ['shop', 'a', 'host'] } },
      },
    },
    { network: 'web', names: ['shop', 'shop', 'a', 'host'] },
  ],
  [
    'no aliases',
    { Name: '/shop', NetworkSettings: { Networks: { web: { EndpointID: 'e1', Aliases: null } } } },
    { network: 'web', names: ['shop'] },
  ],
  [
    'a container that has stopped',
    { Name: '/shop', NetworkSettings: { Networks: { web: { EndpointID: '' } } } },
    undefined,
  ],
  ['something else', { NetworkSettings: [{ web: 1 }] }, undefined],
  ['nothing', 404, undefined],
]
t.test('what dockerd tells of a container', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-docker-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const socketPath = path.join(folder, 'docker.sock')
  let answer: unknown
  const asked: (string | undefined)[] = []
  const server = createServer(({ url }, response) => {
    asked.push(url)
    response.writeHead(answer === 404 ? 404 : 200).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  t.teardown(() => server.close())
  const docker = createDockerApi({ socketPath, signal: new AbortController().signal })
  for (const [name, told, found] of inspections) {
    answer = told
    t.same(await docker.names('c 1', 'e1'), found, name)
  }
  t.equal(asked[0], '/containers/c%201/json')
  answer = [{ Id: 'c1', Names: ['/shop', '/other/alias'] }, { Id: '0123456789abcdef' }, 'strange']
  t.same(
    [...(await docker.running())],
    [
      ['c1', 'shop'],
      ['0123456789abcdef', '0123456789ab'],
    ],
  )
  answer = { message: 'no list' }
  t.same([...(await docker.running())], [])
})
