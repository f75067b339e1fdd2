import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { DroverError } from '@network/net'
import { createNetworkSync } from '../src/network-sync.ts'
import { createNetworks, dockerNetworkOf } from '../src/networks.ts'
import { addPool, createTestNode } from './node.ts'

function setting(t: Test, nodeName = 'n1', store?: ReturnType<typeof createTestNode>['store']) {
  const node = createTestNode(nodeName, store)
  t.teardown(() => node.end())
  const { services, docker, clock, log } = node
  const networks = createNetworks(services)
  const sync = createNetworkSync({ services, docker, networks, clock, log }, { driver: 'drover' })
  /** A Network as `docker network create` on a host leaves it. */
  const make = (name: string, host: string, id: string, described: object | string): Promise<unknown> =>
    node.resources.apply([
      {
        apiVersion: 'drover.network/v1',
        kind: 'Network',
        metadata: {
          name,
          annotations: {
            [`docker-id.drover.network/${host}`]: id,
            'drover.network/docker-network':
              typeof described === 'string' ? described : JSON.stringify(described),
          },
        },
        spec: {},
      } as never,
    ])
  return { node, networks, sync, make }
}
const plain = { internal: false, options: {}, ranges: [{ family: 'ipv4' }] }

t.test('a network of another host becomes one of this', async (t) => {
  const { node, sync, make } = setting(t)
  await addPool(node, 'open', '10.40.0.0/16')
  await make('docker-bbbb', 'n2', 'bbbb', {
    name: 'web',
    labels: { team: 'shop' },
    internal: true,
    options: { pool: 'blue', mtu: '1400' },
    ranges: [
      {
        family: 'ipv4',
        subnet: '10.40.0.0/16',
        range: '10.40.8.0/24',
        gateway: '10.40.0.1',
        auxiliary: { a: '10.40.0.2' },
      },
      { family: 'ipv6' },
    ],
  })
  await sync.compare()
  t.match(node.docker.created, [
    {
      name: 'web',
      driver: 'drover',
      internal: true,
      ipv6: true,
      labels: { team: 'shop' },
      options: { network: 'docker-bbbb' },
      ipamOptions: { network: 'docker-bbbb', pool: 'blue' },
      ranges: [
        {
          subnet: '10.40.0.0/16',
          range: '10.40.8.0/24',
          gateway: '10.40.0.1',
          auxiliary: { a: '10.40.0.2' },
        },
      ],
    },
  ])
  node.docker.has('aaaa', 'web')
  await sync.compare()
  t.equal(node.docker.created.length, 1, 'a network by its name is not made twice')
})

t.test('what is refused does not keep the others waiting', async (t) => {
  const { node, sync, make } = setting(t)
  await make('docker-bbbb', 'n2', 'bbbb', { ...plain, name: 'web' })
  await make('docker-cccc', 'n2', 'cccc', { ...plain, name: 'db' })
  node.docker.refusal = new DroverError('refused', 'dockerd refuses.')
  await sync.compare()
  t.equal(node.log.said.filter((line) => line.startsWith('warn')).length, 2)
  node.docker.refusal = undefined
  await sync.compare()
  t.same(
    node.docker.created.map(({ name }) => name),
    ['web', 'db'],
    'and is tried again',
  )
  node.docker.away = true
  await t.rejects(sync.compare(), { code: 'unreachable' })
})

t.test('a network without a name yet, or with a description that is none, is left', async (t) => {
  const { node, sync, make } = setting(t)
  await make('docker-bbbb', 'n2', 'bbbb', plain)
  const broken = ['{', 'null', '[]', '7', '{"ranges":7}', '{"name":"x"}', '{"name":["x"],"ranges":[null,7]}']
  for (const [index, text] of ['', ...broken].entries())
    await make(`broken${String(index)}`, 'n2', `b${String(index)}`, text)
  await sync.compare()
  t.same(node.docker.created, [])
  await make('odd', 'n2', 'odd', '{"name":"odd","labels":7,"options":{"a":1},"ranges":[null,{"subnet":{}}]}')
  await sync.compare()
  t.match(node.docker.created, [{ name: 'odd', labels: {}, ranges: [] }], 'what is odd in it is left out')
})

t.test('a network that was removed elsewhere is removed here, at the second look', async (t) => {
  const { node, sync, make } = setting(t)
  node.docker.has('aaaa', 'web')
  await sync.compare()
  t.same(node.docker.deleted, [], 'it may be in the making')
  await make('docker-aaaa', 'n1', 'aaaa', { ...plain, name: 'web' })
  await sync.compare()
  t.same(node.docker.deleted, [], 'it was')
  await node.resources.delete([{ kind: 'Network', name: 'docker-aaaa' }])
  await sync.compare()
  await sync.compare()
  t.same(node.docker.deleted, ['aaaa'])
})

t.test('what a network is called is learned from dockerd', async (t) => {
  const { node, networks, sync, make } = setting(t)
  await make('docker-aaaa', 'n1', 'aaaa', {
    ...plain,
    ranges: [{ family: 'ipv4', subnet: '10.40.0.0/16' }],
  })
  sync.onNetwork('aaaa')
  sync.onNetwork('nobody knows it')
  await sleep(10)
  node.docker.reports.set('aaaa', {
    id: 'aaaa',
    name: 'web',
    driver: 'drover',
    internal: false,
    labels: { team: 'shop' },
    options: {},
    ranges: [{ subnet: '10.40.0.0/16', range: '10.40.8.0/24' }],
    containers: new Map(),
  })
  const described = async () => dockerNetworkOf((await networks.byName('docker-aaaa'))!)
  for (let looks = 0; looks < 200 && (await described())?.name === undefined; looks++) await sleep(5)
  const learned = {
    name: 'web',
    labels: { team: 'shop' },
    ranges: [{ family: 'ipv4', subnet: '10.40.0.0/16', range: '10.40.8.0/24' }],
  }
  t.match(await described(), learned)
  await sync.compare()
  t.match(await described(), learned, 'once')
})

t.test('which Docker network is which Network', async (t) => {
  const { node, networks, make } = setting(t)
  await make('docker-aaaa', 'n1', 'aaaa', plain)
  await make('docker-bbbb', 'n2', 'bbbb', plain)
  t.equal((await networks.find('aaaa'))?.metadata.name, 'docker-aaaa')
  t.equal(await networks.find('bbbb'), undefined, 'an id of another host says nothing here')
  await t.rejects(networks.require('bbbb'), { code: 'not-found', message: /on node n1/ })
  t.same(
    networks.here().map(({ metadata }) => metadata.name),
    ['docker-aaaa'],
  )
  const unheard = createNetworks({
    ...node.services,
    model: () => {
      throw new DroverError('not-ready', 'not complete')
    },
  })
  t.equal((await unheard.find('aaaa'))?.metadata.name, 'docker-aaaa', 'before the agent has heard of it')

  const label = (text: string) => (network: NonNullable<Awaited<ReturnType<typeof networks.byName>>>) => ({
    ...network,
    metadata: { ...network.metadata, labels: { ...network.metadata.labels, [text]: 'yes' } },
  })
  await Promise.all(['a', 'b', 'c', 'd'].map((text) => networks.change('docker-aaaa', label(text))))
  t.same((await networks.byName('docker-aaaa'))?.metadata.labels, { a: 'yes', b: 'yes', c: 'yes', d: 'yes' })
  t.equal(await networks.change('nowhere', label('a')), undefined)
})
