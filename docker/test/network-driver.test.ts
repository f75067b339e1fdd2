import type { Test } from 'tap'
import t from 'tap'
import { createIpamDriver } from '../src/ipam-driver.ts'
import type { CreateEndpoint, CreateNetwork, Join } from '../src/messages.ts'
import { createNetworkDriver } from '../src/network-driver.ts'
import { createNetworks, dockerNetworkOf } from '../src/networks.ts'
import { createReleasedAddresses } from '../src/released-addresses.ts'
import { reservationOn } from '../src/reservation.ts'
import { type TestNode, addPool, createTestNode } from './node.ts'

const id = 'd48a2259fc6aae7f3db235b8f1d76192'
const name = 'docker-d48a2259fc6a'

function driversOf(node: TestNode, scope: 'local' | 'global' = 'local') {
  const { services, clock } = node
  const released = createReleasedAddresses({ clock })
  const networks = createNetworks(services)
  const asked: string[] = []
  const joined: { call: Join; gateway: boolean }[] = []
  let handles = 0
  const uuid = (): string => `${services.node}-${String(handles++)}`
  const ipam = createIpamDriver({ services, uuid, released }, { scope })
  const driver = createNetworkDriver(
    {
      services,
      networks,
      sandboxes: new Map(),
      released,
      random: () => 0,
      onNetwork: (network) => asked.push(network),
      onJoin: (call, { gateway }) => joined.push({ call, gateway }),
    },
    { scope },
  )
  return { ipam, driver, networks, asked, joined }
}

/** The calls of `docker network create` with a subnet, as far as they matter here. */
async function createWeb(
  { ipam, driver }: ReturnType<typeof driversOf>,
  more: Partial<CreateNetwork> = {},
  networkId = id,
): Promise<string> {
  const { PoolID: poolId } = (await ipam.requestPool({
    family: 'ipv4',
    pool: '10.40.0.0/16',
    subPool: undefined,
    options: more.options?.['network'] === undefined ? {} : { network: more.options['network'] },
  })) as { PoolID: string }
  await driver.createNetwork({
    networkId,
    options: {},
    internal: false,
    ranges: [range('10.40.0.0/16')],
    ...more,
  })
  return poolId
}

function range(pool: string, more: Partial<CreateNetwork['ranges'][number]> = {}) {
  return { addressSpace: 'drover-local', pool, gateway: '169.254.1.1', auxiliary: {}, ...more }
}

async function addEndpoint(
  { ipam, driver }: ReturnType<typeof driversOf>,
  endpointId: string,
  more: Partial<CreateEndpoint> = {},
): Promise<string> {
  const poolId = 'family=ipv4&subnet=10.40.0.0/16'
  const answer = (await ipam.requestAddress({ poolId, address: undefined, isGateway: false })) as {
    Address: string
  }
  const address = answer.Address.replace(/\/.*/, '')
  await driver.createEndpoint({
    networkId: id,
    endpointId,
    addresses: [address],
    mac: undefined,
    ports: [],
    ...more,
  })
  return address
}

function started(t: Test): TestNode {
  const node = createTestNode()
  t.teardown(() => node.end())
  return node
}

t.test('a network', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  await createWeb(drivers)
  const network = await node.resources.get('Network', name)
  t.match(network, {
    metadata: { annotations: { 'docker-id.drover.network/n1': id } },
    spec: { subnets: ['10.40.0.0/16'], profile: name },
  })
  t.match(dockerNetworkOf(network!), { internal: false, ranges: [{ subnet: '10.40.0.0/16' }] })
  t.match((await node.resources.get('Profile', name))?.spec, {
    ingress: [{ action: 'Allow', source: { selector: `drover.network/network == "${name}"` } }],
  })
  t.same(drivers.asked, [id], 'its name is still to be asked')

  await drivers.driver.createNetwork({
    networkId: id,
    options: {},
    internal: false,
    ranges: [range('10.40.0.0/16')],
  })
  t.same(await node.resources.get('Network', name), network, 'created again it is the same')
  t.same(drivers.asked, [id])

  await drivers.driver.deleteNetwork(id)
  for (const kind of ['Network', 'Profile', 'IPPool'] as const)
    t.same((await node.resources.list(kind)).items, [], `no ${kind} is left`)
  t.same(await drivers.driver.deleteNetwork(id), {}, 'deleted again it is gone')
})

t.test('what a network is told', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  await addPool(node, 'blue', '10.66.0.0/16')
  await drivers.driver.createNetwork({
    networkId: id,
    options: { profile: 'mine', mtu: '1400', pool: 'blue' },
    internal: true,
    ranges: [range('0.0.0.0/0')],
  })
  t.match((await node.resources.get('Network', name))?.spec, {
    pools: ['blue'],
    profile: 'mine',
    mtuBytes: 1400,
    defaultRoute: false,
  })
  t.equal(await node.resources.get('Profile', name), undefined, 'no profile of its own')
  await drivers.driver.deleteNetwork(id)
  t.ok(await node.resources.get('IPPool', 'blue'), 'a pool that it did not make stays')

  const cases: [string, Partial<CreateNetwork>, RegExp][] = [
    [
      'addresses of somebody else',
      { ranges: [range('10.1.0.0/16', { addressSpace: 'LocalDefault' })] },
      /would come from another driver \(address space LocalDefault\)/,
    ],
    ['an option that there is not', { options: { profil: 'x' } }, /did you mean 'profile'/],
    ['a Network that there is not', { options: { network: 'nowhere' } }, /no Network 'nowhere'/],
  ]
  for (const [what, more, words] of cases) {
    await t.rejects(
      drivers.driver.createNetwork({ networkId: id, options: {}, internal: false, ranges: [], ...more }),
      words,
      what,
    )
  }
  t.same((await node.resources.list('Network')).items, [], 'and nothing is made')
})

t.test('addresses of a network itself are its own until it is deleted', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  const { PoolID: poolId } = (await drivers.ipam.requestPool({
    family: 'ipv4',
    pool: '10.40.0.0/16',
    subPool: undefined,
    options: {},
  })) as { PoolID: string }
  await drivers.ipam.requestAddress({ poolId, address: '10.40.0.1', isGateway: true })
  await drivers.ipam.requestAddress({ poolId, address: '10.40.0.7', isGateway: false })
  await drivers.driver.createNetwork({
    networkId: id,
    options: {},
    internal: false,
    ranges: [range('10.40.0.0/16', { gateway: '10.40.0.1', auxiliary: { nas: '10.40.0.7' } })],
  })
  t.equal(await node.holder('10.40.0.1'), `network/${name}`)
  t.equal(await node.holder('10.40.0.7'), `network/${name}`)
  // What dockerd sends at `network rm`, before the network itself goes.
  await drivers.ipam.releaseAddress({ poolId, address: '10.40.0.1' })
  t.equal(await node.holder('10.40.0.1'), `network/${name}`)
  await drivers.driver.deleteNetwork(id)
  t.equal(await node.holder('10.40.0.1'), undefined)
  t.equal(await node.holder('10.40.0.7'), undefined)
})

t.test('a network of another host', async (t) => {
  const node = started(t)
  const there = driversOf(node)
  const other = createTestNode('n2', node.store)
  t.teardown(() => other.end())
  const here = driversOf(other)
  await createWeb(there)
  await createWeb(here, { options: { network: name } }, 'abcdef')
  t.match((await node.resources.get('Network', name))?.metadata.annotations, {
    'docker-id.drover.network/n1': id,
    'docker-id.drover.network/n2': 'abcdef',
  })
  t.equal((await other.resources.list('Network')).items.length, 1)
  await addEndpoint(there, 'e1')
  await t.rejects(
    here.driver.createEndpoint({ networkId: id, endpointId: 'e', addresses: [], mac: undefined, ports: [] }),
    {
      code: 'not-found',
      message: /No Network belongs to the Docker network d48a2259fc6a on node n2/,
    },
  )
  await t.rejects(
    here.driver.deleteNetwork('abcdef'),
    { code: 'in-use' },
    'a container of another host uses it',
  )
  await there.driver.deleteEndpoint({ networkId: id, endpointId: 'e1' })
  await here.driver.deleteNetwork('abcdef')
  t.equal((await other.resources.list('Network')).items.length, 0, 'removed here it is removed everywhere')
})

t.test('an endpoint', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  const { driver, ipam, joined } = drivers
  await createWeb(drivers)
  const address = await addEndpoint(drivers, 'e1')
  t.equal(await node.holder(address), 'docker/e1')
  const call = { networkId: id, endpointId: 'e1', addresses: [address], mac: undefined, ports: [] }
  t.match(
    await driver.createEndpoint(call),
    { Interface: { MacAddress: /:/ } },
    'created again it is the same',
  )
  t.equal(node.handover.endpoints.size, 1)

  const join = { networkId: id, endpointId: 'e1', sandbox: '/var/run/docker/netns/1' }
  const answer = {
    InterfaceName: { SrcName: 'ofd1', DstPrefix: 'eth' },
    Gateway: '169.254.1.1',
    StaticRoutes: [{ Destination: '169.254.1.1/32', RouteType: 1, NextHop: '' }],
  }
  t.same(await driver.join(join), answer)
  t.same(await driver.join(join), answer, 'joined again it is still the first of its sandbox')
  t.ok(joined.every(({ gateway }) => gateway))

  await addEndpoint(drivers, 'e2')
  t.same(
    await driver.join({ ...join, endpointId: 'e2' }),
    { InterfaceName: { SrcName: 'ofd1', DstPrefix: 'eth' }, DisableGatewayService: true },
    'a second one of the same sandbox gets no route of dockerd',
  )
  await addEndpoint(drivers, 'e3')
  t.match(await driver.join({ ...join, endpointId: 'e3', sandbox: '/other' }), { Gateway: '169.254.1.1' })

  t.same(driver.leave({ networkId: id, endpointId: 'e1' }), {})
  t.ok(node.handover.leaving.has('e1'), 'nobody repairs what dockerd takes away')
  t.same(await driver.deleteEndpoint({ networkId: id, endpointId: 'e1' }), {})
  t.equal(await node.holder(address), undefined)
  t.same(await driver.deleteEndpoint({ networkId: id, endpointId: 'e1' }), {}, 'deleted again it is gone')
  await ipam.requestAddress({ poolId: 'family=ipv4&subnet=10.40.0.0/16', address, isGateway: false })
  await ipam.releaseAddress({ poolId: 'family=ipv4&subnet=10.40.0.0/16', address })
  t.equal(
    await node.holder(address),
    'docker/waiting-address',
    'the release that follows takes nothing from the next',
  )
})

t.test('an address that is kept on a network by name', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  const { driver, ipam } = drivers
  await createWeb(drivers)
  const networksOf = (endpoint: string) => node.handover.endpoints.get(endpoint)?.spec.ipNetworks ?? []
  const given = await addEndpoint(drivers, 'e1', { reserve: 'shop' })
  const [own, kept] = networksOf('e1')
  t.equal(own, `${given}/32`, "Docker's own is its first")
  t.match(kept, /^10\.40\./, 'the other comes from the subnet too')
  t.match(await node.allocator.reservations(), [{ name: `shop@${name}`, heldBy: 'e1:*:n1' }])

  const waiting = (await ipam.requestAddress({
    poolId: 'family=ipv4&subnet=10.40.0.0/16',
    address: undefined,
    isGateway: false,
  })) as { Address: string }
  const second = {
    ...{ networkId: id, endpointId: 'e2', mac: undefined, ports: [], reserve: 'shop' },
    addresses: [waiting.Address.replace('/32', '')],
  }
  await t.rejects(driver.createEndpoint(second), { code: 'taken', message: /Reservation 'shop@docker-/ })

  await driver.deleteEndpoint({ networkId: id, endpointId: 'e1' })
  t.match(await node.allocator.reservations(), [{ name: `shop@${name}` }], 'it stays')
  await addEndpoint(drivers, 'e3', { reserve: 'shop' })
  t.equal(networksOf('e3')[1], kept)
  await driver.deleteEndpoint({ networkId: id, endpointId: 'e3' })
  const address = kept?.replace('/32', '') ?? ''
  await node.allocator.releaseReservation(`shop@${name}`)
  await ipam.requestAddress({ poolId: 'family=ipv4&subnet=10.40.0.0/16', address, isGateway: false })
  await ipam.releaseAddress({ poolId: 'family=ipv4&subnet=10.40.0.0/16', address })
  t.equal(await node.holder(address), undefined, 'no release of it was still to come')

  await addEndpoint(drivers, 'e4', { reserve: 'other' })
  await driver.deleteEndpoint({ networkId: id, endpointId: 'e4' })
  await driver.deleteNetwork(id)
  t.same(await node.allocator.reservations(), [], 'it ends with its network')
  t.same((await node.resources.list('IPPool')).items, [])
})

t.test('where kept addresses come from', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  await createWeb(drivers)
  const subnet = { name, pools: ['docker-10-40-0-0-16'], within: ['10.40.0.0/16'] }
  const network = await node.resources.get('Network', name)
  t.same(await reservationOn(node.resources, 'shop', network!), { ...subnet, name: `shop@${name}` })
  const ranged = structuredClone(network!)
  ranged.metadata.annotations!['drover.network/docker-network'] = JSON.stringify({
    ranges: [{ family: 'ipv4', subnet: '10.40.0.0/16', range: '10.40.9.0/24' }],
  })
  t.match(await reservationOn(node.resources, 'shop', ranged), { within: ['10.40.9.0/24'] }, '--ip-range')
  const { subnets: _, ...spec } = network!.spec
  t.same(
    await reservationOn(node.resources, 'shop', { ...network!, spec: { ...spec, pools: ['blue'] } }),
    { name: `shop@${name}`, pools: ['blue'] },
    '--ipam-opt pool=',
  )
  t.same(await reservationOn(node.resources, 'shop', { ...network!, spec }), { name: `shop@${name}` })
})

t.test('an endpoint that can not be', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  const { driver } = drivers
  await createWeb(drivers)
  const call = { networkId: id, endpointId: 'e1', addresses: [], mac: undefined, ports: [] }
  await t.rejects(driver.createEndpoint(call), /The endpoint has no address/)
  await t.rejects(driver.createEndpoint({ ...call, addresses: ['10.40.0.99'] }), {
    code: 'not-found',
    message: /10\.40\.0\.99 was not given out by drover/,
  })
  await t.rejects(driver.createEndpoint({ ...call, networkId: 'f'.repeat(32) }), { code: 'not-found' })
  await t.rejects(driver.join({ networkId: id, endpointId: 'e9', sandbox: '/x' }), { code: 'not-found' })
  await t.rejects(driver.join({ networkId: 'ffff', endpointId: 'e9', sandbox: '/x' }), { code: 'not-found' })
  t.same(driver.leave({ networkId: 'ffff', endpointId: 'e9' }), {})
  t.same(await driver.deleteEndpoint({ networkId: 'ffff', endpointId: 'e9' }), {})
  t.same(await driver.deleteNetwork('ffff'), {})

  await addEndpoint(drivers, 'e1')
  await t.rejects(driver.deleteNetwork(id), { code: 'in-use' }, 'a network that an endpoint uses')
})

t.test('published ports and a MAC of its own', async (t) => {
  const node = started(t)
  const drivers = driversOf(node)
  await createWeb(drivers)
  const ports: CreateEndpoint['ports'] = [
    { protocol: 'TCP', port: 80, hostAddress: undefined, hostPort: 8080, hostPortEnd: 8080 },
  ]
  const address = await addEndpoint(drivers, 'e1', { ports, mac: '02:42:ac:11:00:02' })
  t.match(node.handover.endpoints.get('e1')?.spec, {
    mac: '02:42:ac:11:00:02',
    portMappings: [{ protocol: 'TCP', hostPort: 8080, port: 80 }],
    ports: [{ name: 'published', protocol: 'TCP', port: 80 }],
  })
  const again = { networkId: id, endpointId: 'e1', addresses: [address], mac: '02:42:ac:11:00:02', ports }
  t.same(await drivers.driver.createEndpoint(again), { Interface: {} }, 'its own port is not in its way')
  await t.rejects(addEndpoint(drivers, 'e2', { ports }), { code: 'port-taken' })
})

t.test('a swarm has one Network for all of its nodes', async (t) => {
  const node = started(t)
  const other = createTestNode('n2', node.store)
  t.teardown(() => other.end())
  const [first, second] = [driversOf(node, 'global'), driversOf(other, 'global')]
  const call = {
    networkId: 'd835faencnzsawc8ui7lgrwck',
    options: {},
    internal: false,
    ranges: [range('10.40.0.0/16')],
  }
  await first.ipam.requestPool({ family: 'ipv4', pool: '10.40.0.0/16', subPool: undefined, options: {} })
  await first.driver.createNetwork(call)
  await second.driver.createNetwork(call)
  t.equal((await node.resources.list('Network')).items.length, 1)
  t.same(first.asked, [], 'its name is known to the swarm, not to us')
  await first.driver.deleteNetwork(call.networkId)
  t.equal((await node.resources.list('Network')).items.length, 1, 'until the last node has lost it')
  await second.driver.deleteNetwork(call.networkId)
  t.equal((await node.resources.list('Network')).items.length, 0)
})
