import t from 'tap'
import { DroverError } from '@network/net'
import {
  readBody,
  readCreateEndpoint,
  readCreateNetwork,
  readJoin,
  readReleaseAddress,
  readRequestAddress,
  readRequestPool,
} from '../src/messages.ts'

const body = (value: unknown) => readBody(Buffer.from(JSON.stringify(value)))
const id = 'd48a2259fc6aae7f3db235b8f1d76192'

t.test('calls as dockerd sends them', (t) => {
  t.same(readBody(Buffer.alloc(0)), {}, 'some calls have no body')
  t.same(readRequestPool(body({ AddressSpace: 'x', Pool: '', SubPool: '', Options: null, V6: false })), {
    family: 'ipv4',
    pool: undefined,
    subPool: undefined,
    options: {},
  })
  t.match(
    readRequestPool(body({ Pool: 'fd00::/64', SubPool: 'fd00::/80', Options: { pool: 'six' }, V6: true })),
    {
      family: 'ipv6',
      pool: 'fd00::/64',
      subPool: 'fd00::/80',
      options: { pool: 'six' },
    },
  )
  t.same(readRequestAddress(body({ PoolID: 'p', Address: '', Options: null })), {
    poolId: 'p',
    address: undefined,
    isGateway: false,
  })
  t.ok(
    readRequestAddress(
      body({ PoolID: 'p', Address: '', Options: { RequestAddressType: 'com.docker.network.gateway' } }),
    ).isGateway,
  )
  t.same(
    readCreateNetwork(
      body({
        NetworkID: id,
        Options: {
          'com.docker.network.enable_ipv6': false,
          'com.docker.network.internal': true,
          'com.docker.network.generic': { mtu: '1400', flag: true },
        },
        IPv4Data: [
          {
            AddressSpace: 's',
            Gateway: '169.254.1.1/32',
            Pool: '10.99.0.0/16',
            AuxAddresses: { nas: '10.99.0.7/16' },
          },
        ],
        IPv6Data: null,
      }),
    ),
    {
      networkId: id,
      options: { mtu: '1400', flag: 'true' },
      internal: true,
      ranges: [
        { addressSpace: 's', pool: '10.99.0.0/16', gateway: '169.254.1.1', auxiliary: { nas: '10.99.0.7' } },
      ],
    },
  )
  t.same(
    readCreateEndpoint(
      body({
        NetworkID: id,
        EndpointID: 'e7d1',
        Interface: { Address: '10.99.0.3/32', AddressIPv6: '', MacAddress: '02:42:AC:11:00:02' },
        Options: {
          'com.docker.network.endpoint.exposedports': [{ Proto: 6, Port: 80 }],
          'com.docker.network.portmap': [
            { Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 },
            { Proto: 17, Port: 53, HostIP: '0.0.0.0', HostPort: 0, HostPortEnd: 0 },
            { Proto: 132, Port: 9, HostIP: '192.0.2.1', HostPort: 9000, HostPortEnd: 9005 },
          ],
        },
      }),
    ),
    {
      networkId: id,
      endpointId: 'e7d1',
      addresses: ['10.99.0.3'],
      mac: '02:42:ac:11:00:02',
      ports: [
        { protocol: 'TCP', port: 80, hostAddress: undefined, hostPort: 8080, hostPortEnd: 8080 },
        { protocol: 'UDP', port: 53, hostAddress: undefined, hostPort: 0, hostPortEnd: 0 },
        { protocol: 'SCTP', port: 9, hostAddress: '192.0.2.1', hostPort: 9000, hostPortEnd: 9005 },
      ],
    },
  )
  t.equal(
    readJoin(body({ NetworkID: id, EndpointID: 'e', SandboxKey: '/var/run/docker/netns/1' })).sandbox,
    '/var/run/docker/netns/1',
  )
  t.end()
})

t.test('calls that can not be', (t) => {
  const cases: [string, () => unknown, RegExp][] = [
    ['no JSON', () => readBody(Buffer.from('{')), /not JSON/],
    ['no pool', () => readRequestAddress(body({})), /PoolID is missing/],
    [
      'an address that is none',
      () => readRequestAddress(body({ PoolID: 'p', Address: '10.0.0' })),
      /Address '10\.0\.0'/,
    ],
    [
      'nothing to release',
      () => readReleaseAddress(body({ PoolID: 'p', Address: '' })),
      /Address is missing/,
    ],
    ['a subnet that is none', () => readRequestPool(body({ Pool: '10.0.0.1/33' })), /Pool '10\.0\.0\.1\/33'/],
    ['an id with a path', () => readCreateNetwork(body({ NetworkID: '../x' })), /'\.\.\/x' is not an id/],
    [
      'an endpoint with a newline',
      () => readCreateEndpoint(body({ NetworkID: id, EndpointID: 'a\nb' })),
      /not an id/,
    ],
    ['no sandbox', () => readJoin(body({ NetworkID: id, EndpointID: 'e' })), /SandboxKey is missing/],
    [
      'a protocol without ports',
      () =>
        readCreateEndpoint(
          body({
            NetworkID: id,
            EndpointID: 'e',
            Options: { 'com.docker.network.portmap': [{ Proto: 1, Port: 1 }] },
          }),
        ),
      /portmap\[0\]\.Proto 1/,
    ],
    [
      'a port that is none',
      () =>
        readCreateEndpoint(
          body({
            NetworkID: id,
            EndpointID: 'e',
            Options: { 'com.docker.network.portmap': [{ Proto: 6, Port: 80, HostPort: 70000 }] },
          }),
        ),
      /HostPort 70000/,
    ],
  ]
  for (const [name, call, words] of cases) {
    t.throws(call, words, name)
    try {
      call()
    } catch (error) {
      t.ok(error instanceof DroverError, `${name} is refused, not a bug`)
    }
  }
  for (const value of [null, 7, 'x', [], [[]], { Options: 7 }, { Interface: [] }]) {
    try {
      readCreateEndpoint(body(value))
      t.fail('an endpoint without an id')
    } catch (error) {
      t.ok(error instanceof DroverError)
    }
  }
  t.end()
})

t.test('options of a container on a network', (t) => {
  const call = { NetworkID: id, EndpointID: 'e7d1', Interface: { Address: '10.99.0.3/32' } }
  const read = (options: object) => readCreateEndpoint(body({ ...call, Options: options }))
  t.equal(read({ 'com.docker.network.portmap': [], 'drover.reserve': 'shop' }).reserve, 'shop')
  t.notOk('reserve' in read({ 'com.docker.network.portmap': [], 'another.plugin': 'x' }))
  const refused: [object, RegExp][] = [
    [{ 'drover.reserved': 'shop' }, /no option 'drover.reserved' .* did you mean 'drover.reserve'/],
    [{ 'drover.x': {} }, /no option 'drover.x' of a container on a drover network\./],
    [{ 'drover.reserve': '' }, /names no reservation/],
    [{ 'drover.reserve': 7 }, /names no reservation/],
  ]
  for (const [options, words] of refused)
    t.throws(() => read(options), { code: 'invalid-request', message: words })
  t.end()
})
