import fc from 'fast-check'
import t, { type Test } from 'tap'
import { DroverError } from '@network/net'
import type { FaceServices } from '@network/agent/client'
import { createDockerFace } from '../src/index.ts'
import { addPool, createTestNode, pluginSocket } from './node.ts'

const network = 'd48a2259fc6aae7f3db235b8f1d76192'

/** A face that is listening; `ask` sends a call and reads its answer. */
async function listening(t: Test, change: (services: FaceServices) => FaceServices = (services) => services) {
  const node = createTestNode()
  t.teardown(() => node.end())
  await addPool(node, 'open', '10.65.0.0/16')
  await createDockerFace().start(change(node.services))
  const send = async (path: string, body: Buffer, method = 'POST', socket = pluginSocket) => {
    const answer = node.served.get(socket)
    if (answer === undefined) throw new Error(`nothing listens at ${socket}`)
    return answer({ method, path, query: new URLSearchParams(), headers: {}, body })
  }
  const ask = async (call: string, body?: unknown): Promise<Record<string, unknown>> => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const answer = await send(`/${call}`, Buffer.from(text))
    t.equal(answer.status, 200, call)
    return JSON.parse(String(answer.body)) as Record<string, unknown>
  }
  return { node, send, ask }
}

t.test('who we are', async (t) => {
  const { node, send, ask } = await listening(t)
  t.same(await ask('Plugin.Activate'), { Implements: ['NetworkDriver', 'IpamDriver'] })
  t.same(await ask('NetworkDriver.GetCapabilities'), { Scope: 'local', ConnectivityScope: 'global' })
  t.same(await ask('IpamDriver.GetCapabilities'), {
    RequiresMACAddress: false,
    RequiresRequestReplay: false,
  })
  t.same(await ask('IpamDriver.GetDefaultAddressSpaces'), {
    LocalDefaultAddressSpace: 'drover-local',
    GlobalDefaultAddressSpace: 'drover-global',
  })
  t.equal(node.served.size, 2, 'one socket for dockerd, one for the managed plugin')
  const managed = [...node.served.keys()].find((socket) => socket !== pluginSocket)
  const answer = await send('/NetworkDriver.GetCapabilities', Buffer.alloc(0), 'POST', managed)
  t.match(JSON.parse(String(answer.body)), { Scope: 'global' })
})

t.test('calls that there are not', async (t) => {
  const { send } = await listening(t)
  for (const path of [
    '/',
    '/NetworkDriver.Nothing',
    '/NetworkDriver.constructor',
    '/NetworkDriver.__proto__',
    '/constructor.name',
    '/__proto__.toString',
    '/IpamDriver.CreateNetwork',
    '/IpamDriver',
    '/x.y.z',
  ]) {
    t.equal((await send(path, Buffer.from('{}'))).status, 404, path)
  }
  t.equal((await send('/Plugin.Activate', Buffer.alloc(0), 'GET')).status, 404, 'another method')
})

t.test('the life of a network, each call twice', async (t) => {
  const { node, ask } = await listening(t)
  const twice = async (call: string, body: unknown): Promise<Record<string, unknown>> => {
    const first = await ask(call, body)
    t.same(await ask(call, body), first, `${call} again`)
    t.notOk('Err' in first || 'Error' in first, call)
    return first
  }
  const { PoolID } = await twice('IpamDriver.RequestPool', {
    AddressSpace: 'drover-local',
    Pool: '10.40.0.0/16',
    SubPool: '',
    Options: {},
    V6: false,
  })
  await twice('NetworkDriver.CreateNetwork', {
    NetworkID: network,
    Options: { 'com.docker.network.generic': {} },
    IPv4Data: [{ AddressSpace: 'drover-local', Gateway: '169.254.1.1/32', Pool: '10.40.0.0/16' }],
    IPv6Data: [],
  })
  const { Address } = await ask('IpamDriver.RequestAddress', { PoolID, Address: '', Options: null })
  const endpoint = { NetworkID: network, EndpointID: 'e1' }
  t.match(Address, /^10\.40\.\d+\.\d+\/32$/)
  await twice('NetworkDriver.CreateEndpoint', {
    ...endpoint,
    Interface: { Address, AddressIPv6: '', MacAddress: '' },
    Options: {},
  })
  await twice('NetworkDriver.Join', { ...endpoint, SandboxKey: '/run/docker/netns/1', Options: {} })
  t.same(await twice('NetworkDriver.ProgramExternalConnectivity', { ...endpoint, Options: {} }), {})
  t.same(await ask('NetworkDriver.EndpointOperInfo', endpoint), { Value: {} })
  for (const call of ['RevokeExternalConnectivity', 'Leave', 'DeleteEndpoint'])
    t.same(await twice(`NetworkDriver.${call}`, endpoint), {})
  const address = String(Address).replace('/32', '')
  t.same(await twice('IpamDriver.ReleaseAddress', { PoolID, Address: address }), {})
  t.same(await twice('IpamDriver.ReleasePool', { PoolID }), {})
  t.same(await twice('NetworkDriver.DeleteNetwork', { NetworkID: network }), {})
  t.same((await node.resources.list('Network')).items, [])
  t.equal(await node.holder(address), undefined)
})

t.test('a refusal stands in the field that its protocol reads, with its remedy', async (t) => {
  const { ask } = await listening(t)
  t.match(await ask('IpamDriver.RequestAddress', { PoolID: 'x' }), {
    Error: /^PoolID 'x' is not one of ours\. Create the network with --ipam-driver drover\.$/,
  })
  t.match(await ask('NetworkDriver.Join', { NetworkID: network, EndpointID: 'e', SandboxKey: '/x' }), {
    Err: /^No Network belongs to the Docker network d48a2259fc6a on node n1\. /,
  })
})

t.test('without a store each call says what is waited for', async (t) => {
  const away = (): never => {
    throw new DroverError('not-ready', 'etcd does not answer yet.')
  }
  const { ask } = await listening(t, (services) => ({
    ...services,
    resources: away,
    allocator: away,
    handover: away,
    model: away,
  }))
  t.same(await ask('Plugin.Activate'), { Implements: ['NetworkDriver', 'IpamDriver'] })
  t.same(await ask('IpamDriver.RequestPool', {}), { Error: 'etcd does not answer yet.' })
  t.same(await ask('NetworkDriver.DeleteNetwork', { NetworkID: network }), {
    Err: 'etcd does not answer yet.',
  })
})

t.test('a call that comes while the agent starts waits for it', async (t) => {
  const { node, ask } = await listening(t, (services) => ({
    ...services,
    clock: { ...services.clock, setTimeout: () => ({ cancel: () => undefined }) },
  }))
  t.same(await ask('NetworkDriver.GetCapabilities'), { Scope: 'local', ConnectivityScope: 'global' })
  let answered = false
  const answer = ask('IpamDriver.RequestPool', {}).finally(() => {
    answered = true
  })
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.notOk(answered)
  node.becomeReady()
  t.match(await answer, { PoolID: 'family=ipv4' })
})

t.test('a bug is an answer too, and its details stay in the log', async (t) => {
  const { node, ask } = await listening(t, (services) => ({
    ...services,
    resources: () => {
      throw new TypeError('secret')
    },
  }))
  t.match(await ask('IpamDriver.RequestPool', {}), { Error: /^The agent failed in a way/ })
  t.ok(node.log.said.some((line) => line.startsWith('error')))
})

t.test('whatever a body says, the answer is one', async (t) => {
  const { node, send } = await listening(t)
  const words = fc.constantFrom(
    network,
    'e1',
    '10.40.0.0/16',
    '10.65.0.7',
    '0.0.0.0/0',
    'family=ipv4',
    'family=ipv4&pool=../../x',
    'family=ipv4&subnet=10.65.0.0/24&range=10.65.0.0/33',
    '../../etc/passwd',
    '--help',
    '$(reboot)',
    '\u0000',
    '',
  )
  const value: fc.Arbitrary<unknown> = fc.oneof(words, fc.jsonValue({ maxDepth: 3 }))
  const fields = fc.record(
    {
      NetworkID: value,
      EndpointID: value,
      SandboxKey: value,
      PoolID: value,
      Address: value,
      AddressSpace: value,
      Pool: value,
      SubPool: value,
      V6: value,
      Interface: fc.oneof(value, fc.record({ Address: value, AddressIPv6: value, MacAddress: value })),
      Options: fc.oneof(
        value,
        fc.record({
          RequestAddressType: value,
          'com.docker.network.generic': value,
          'com.docker.network.portmap': fc.oneof(
            value,
            fc.array(fc.record({ Proto: value, Port: value, HostPort: value, HostIP: value })),
          ),
        }),
      ),
      IPv4Data: fc.oneof(
        value,
        fc.array(fc.record({ Pool: value, Gateway: value, AddressSpace: value, AuxAddresses: value })),
      ),
    },
    { requiredKeys: [] },
  )
  const calls = fc.constantFrom(
    ...['RequestPool', 'ReleasePool', 'RequestAddress', 'ReleaseAddress'].map((name) => `IpamDriver.${name}`),
    ...[
      'CreateNetwork',
      'DeleteNetwork',
      'CreateEndpoint',
      'EndpointOperInfo',
      'DeleteEndpoint',
      'Join',
      'Leave',
      'ProgramExternalConnectivity',
      'DiscoverNew',
      'AllocateNetwork',
      'FreeNetwork',
    ].map((name) => `NetworkDriver.${name}`),
  )
  await fc.assert(
    fc.asyncProperty(calls, fc.oneof(fields, fc.jsonValue()), async (call, body) => {
      const { status, body: text } = await send(`/${call}`, Buffer.from(JSON.stringify(body)))
      if (status !== 200) return false
      const answer = JSON.parse(String(text)) as Record<string, unknown>
      const wrong = call.startsWith('Ipam') ? 'Err' : 'Error'
      return typeof answer === 'object' && !(wrong in answer)
    }),
    { numRuns: 600 },
  )
  t.same(
    node.log.said.filter((line) => line.startsWith('error')),
    [],
    'and none of them met a bug',
  )
  for (const body of ['{', '\u0000', 'null', '[]', '"x"', '7', Buffer.from([0xff, 0xfe]), '{"a":'])
    t.equal((await send('/NetworkDriver.CreateEndpoint', Buffer.from(body))).status, 200)
})
