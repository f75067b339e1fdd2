import t from 'tap'
import { createBgpManager } from '../../src/managers/bgp-manager.ts'
import type { ResourceEvent } from '../../src/managers/model-event.ts'
import { node, put } from './model.ts'
import { orders } from './orders.ts'

function desired(self: string, events: readonly ResourceEvent[], announced: readonly string[] = []) {
  const manager = createBgpManager({ node: self })
  for (const event of events) manager.onUpdate(event)
  manager.setAnnounced(announced)
  return manager.apply()
}

const pool = put('IPPool', 'p', { cidr: '10.0.0.0/16' })
const hidden = put('IPPool', 'hidden', { cidr: '10.1.0.0/16', disableBGPExport: true })
const three = [node('n1', '192.0.2.1/24'), node('n2', '192.0.2.2/24'), node('n3', '192.0.2.3/24')]

t.test('the mesh', (t) => {
  for (const { name, steps } of orders([...three, pool])) {
    const manager = createBgpManager({ node: 'n2' })
    for (const step of steps) {
      if (step === 'apply') manager.apply()
      else manager.onUpdate(step)
    }
    const { options, state, origins } = manager.apply()
    t.match(options, { asn: 64512, routerId: '192.0.2.2', listen: ['0.0.0.0:179'] }, name)
    t.match(
      state.peers,
      [
        {
          name: 'mesh-n1-ipv4',
          address: '192.0.2.1',
          port: 179,
          asn: 64512,
          passive: false,
          families: ['ipv4'],
        },
        { name: 'mesh-n3-ipv4', address: '192.0.2.3', passive: true, sourceAddress: '192.0.2.2' },
      ],
      name,
    )
    t.same([...origins.values()], ['node mesh', 'node mesh'], name)
  }
  t.end()
})

t.test('of two nodes exactly one dials', (t) => {
  for (const [a, b] of [
    ['n1', 'n2'],
    ['n2', 'n3'],
    ['n1', 'n3'],
  ] as const) {
    const side = (self: string, other: string) =>
      desired(self, three).state.peers.find(({ name }) => name === `mesh-${other}-ipv4`)?.passive
    t.not(side(a, b), side(b, a), `${a} and ${b}`)
  }
  t.end()
})

t.test('addresses compare as numbers, not as text', (t) => {
  const nodes = [node('n1', '10.0.0.9/24'), node('n2', '10.0.0.10/24')]
  t.equal(desired('n2', nodes).state.peers[0]?.passive, false, 'the greater dials')
  t.end()
})

t.test('without an own Node, or an address, nothing is spoken', (t) => {
  t.equal(desired('n9', three).options, undefined)
  t.equal(desired('n1', [node('n1', undefined), ...three.slice(1)]).options, undefined)
  t.end()
})

t.test('one session per family that both have; a node without IPv4 still has an id', (t) => {
  const nodes = [
    node('n1', '192.0.2.1/24', { ipv6Address: 'fd00::1/64' }),
    node('n2', undefined, { ipv6Address: 'fd00::2/64' }),
  ]
  t.match(desired('n1', nodes).state.peers, [
    { name: 'mesh-n2-ipv6', families: ['ipv6'], sourceAddress: 'fd00::1' },
  ])
  t.equal(desired('n1', nodes).state.peers.length, 1)
  const six = desired('n2', nodes).options
  t.match(six, { listen: ['[::]:179'], routerId: /^\d+\.\d+\.\d+\.\d+$/ })
  t.not(six?.routerId, '0.0.0.0')
  t.end()
})

t.test('configuration: default under node.<name>, times, password, limits', (t) => {
  const events = [
    ...three,
    put('BGPConfiguration', 'default', {
      asNumber: 65000,
      holdTime: '9s',
      nodeMeshPassword: 'secret',
      nodeMeshMaxRestartTime: '300s',
      importPrefixLimit: { ipv4: 500 },
    }),
    put('BGPConfiguration', 'node.n1', { listenPort: 1179, bindMode: 'NodeIP' }),
  ]
  const { options, state } = desired('n1', events)
  t.match(options, { asn: 65000, listen: ['192.0.2.1:1179'] })
  t.match(state.peers[0], {
    asn: 65000,
    port: 179,
    password: 'secret',
    timers: { holdTimeSeconds: 9 },
    gracefulRestart: { restartTimeSeconds: 300 },
    prefixLimit: { in: { ipv4: 500, action: 'ignore' } },
  })
  t.equal(state.peers[0]?.timers?.keepaliveSeconds, undefined, 'a third of the hold time')
  t.equal(desired('n2', events).state.peers[0]?.port, 1179, "the other's port")
  t.end()
})

t.test('no mesh when it is off', (t) => {
  const off = put('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false })
  t.same(desired('n1', [...three, off]).state.peers, [])
  t.end()
})

t.test('a reflector leaves the mesh; its peers are clients, and both ends have the session', (t) => {
  const events = [
    node('n1', '192.0.2.1/24'),
    node('n2', '192.0.2.2/24'),
    node('rr', '192.0.2.9/24', { routeReflectorClusterID: '1.1.1.1' }, { role: 'rr' }),
    put('BGPPeer', 'to-rr', { peerSelector: "role == 'rr'" }),
  ]
  const client = desired('n1', events)
  t.same(client.state.peers.map(({ name }) => name).sort(), ['mesh-n2-ipv4', 'to-rr-rr-ipv4'])
  t.equal(client.state.peers.find(({ name }) => name === 'to-rr-rr-ipv4')?.routeReflectorClient, undefined)
  const reflector = desired('rr', events)
  t.equal(reflector.options?.clusterId, '1.1.1.1')
  t.match(reflector.state.peers, [
    { name: 'to-rr-n1-ipv4', routeReflectorClient: true },
    { name: 'to-rr-n2-ipv4', routeReflectorClient: true },
  ])
  t.end()
})

t.test('a router: for the nodes that are meant, with its options', (t) => {
  const tor = put('BGPPeer', 'tor', {
    nodeSelector: "rack == 'a'",
    peerIP: '192.0.2.254:1179',
    asNumber: 65001,
    password: 'p',
    nextHopMode: 'Self',
    ttlSecurity: 1,
    addPath: 'Both',
    maxRestartTime: '60s',
  })
  const inRack = node('n1', '192.0.2.1/24', {}, { rack: 'a' })
  const { state, origins } = desired('n1', [inRack, tor])
  t.match(state.peers, [
    {
      name: 'tor',
      address: '192.0.2.254',
      port: 1179,
      asn: 65001,
      password: 'p',
      nextHop: 'self',
      ttlSecurityHops: 1,
      sourceAddress: '192.0.2.1',
      addPath: { receive: true, send: 4 },
      gracefulRestart: { restartTimeSeconds: 60 },
    },
  ])
  t.equal(origins.get('tor'), 'BGPPeer tor')
  t.same(desired('n2', [node('n2', '192.0.2.2/24'), tor]).state.peers, [])
  t.end()
})

t.test('what two peers both lead to is one session, and that is told', (t) => {
  const peers = ['a', 'b'].map((name) => put('BGPPeer', name, { peerIP: '192.0.2.254', asNumber: 65001 }))
  const { state, problems } = desired('n1', [node('n1', '192.0.2.1/24'), ...peers])
  t.match(state.peers, [{ name: 'a' }])
  t.equal(state.peers.length, 1)
  t.match(problems, [/BGPPeer a and BGPPeer b/])
  t.end()
})

t.test('two nodes with one address have no session, and that is told', (t) => {
  const { state, problems } = desired('n1', [node('n1', '192.0.2.1/24'), node('n2', '192.0.2.1/24')])
  t.same(state.peers, [])
  t.match(problems, [/n1 and n2.*192\.0\.2\.1/])
  t.end()
})

t.test(
  'bounds: imports inside our pools, exports of exported pools; transit for internal peers only',
  (t) => {
    const tor = put('BGPPeer', 'tor', { peerIP: '192.0.2.254', asNumber: 65001 })
    const { state } = desired('n1', [...three, pool, hidden, tor])
    const policies = (name: string) => {
      const peer = state.peers.find((each) => each.name === name)
      return { import: peer?.import, export: peer?.export }
    }
    t.match(policies('tor'), {
      import: {
        rules: [
          { match: { prefixes: [{ prefix: '10.0.0.0/16' }, { prefix: '10.1.0.0/16' }] }, then: 'accept' },
        ],
        otherwise: 'reject',
      },
      export: {
        rules: [
          {
            match: { prefixes: [{ prefix: '10.0.0.0/16', operator: 'In' }], origin: 'local' },
            then: 'accept',
          },
        ],
        otherwise: 'reject',
      },
    })
    t.same(policies('mesh-n2-ipv4').export, {
      rules: [
        {
          name: 'our pools',
          match: { prefixes: [{ prefix: '10.0.0.0/16', operator: 'In' }] },
          then: 'accept',
        },
      ],
      otherwise: 'reject',
    })
    t.end()
  },
)

t.test('without pools nothing is taken and nothing told', (t) => {
  const { state } = desired('n1', three)
  t.same(state.peers[0]?.import, { rules: [], otherwise: 'reject' })
  t.same(state.peers[0]?.export, { rules: [], otherwise: 'reject' })
  t.end()
})

t.test('filters come first, rule by rule; one that does not exist is told', (t) => {
  const filter = put('BGPFilter', 'f', {
    importV4: [
      { action: 'Accept', cidr: '203.0.113.0/24', matchOperator: 'In', prefixLength: { max: 28 } },
      { action: 'Reject', peerType: 'eBGP', source: 'RemotePeers', asPathPrefix: [65001] },
    ],
    exportV6: [
      {
        action: 'Accept',
        communities: { values: ['64512:1'] },
        operations: [
          { addCommunity: { value: '64512:2:3' } },
          { prependASPath: { prefix: [64512, 64512] } },
          { setLocalPreference: { value: 50 } },
        ],
      },
    ],
  })
  const tor = put('BGPPeer', 'tor', { peerIP: '192.0.2.254', asNumber: 65001, filters: ['f', 'absent'] })
  const { state, problems } = desired('n1', [node('n1', '192.0.2.1/24'), pool, filter, tor])
  const [peer] = state.peers
  t.match(peer?.import, {
    rules: [
      {
        match: {
          family: 'ipv4',
          prefixes: [{ prefix: '203.0.113.0/24', operator: 'In', maximumLength: 28 }],
        },
        then: 'accept',
      },
      {
        match: { family: 'ipv4', peerType: 'external', origin: 'remote', asPathPrefix: [65001] },
        then: 'reject',
      },
      { then: 'accept' },
    ],
  })
  t.match(peer?.export, {
    rules: [
      {
        match: { family: 'ipv6', communities: ['64512:1'] },
        set: { addLargeCommunities: ['64512:2:3'], prependAsPath: [64512, 64512], localPreference: 50 },
      },
      { match: { origin: 'local' } },
    ],
  })
  t.match(problems, [/BGPFilter absent/])
  t.end()
})

t.test('announced prefixes carry the communities of what covers them', (t) => {
  const configuration = put('BGPConfiguration', 'default', {
    communities: [{ name: 'blue', value: '64512:7' }],
    prefixAdvertisements: [
      { cidr: '10.0.0.0/16', communities: ['blue', '64512:1:2'] },
      { cidr: '10.9.0.0/16', communities: ['64512:9'] },
    ],
  })
  const { state } = desired('n1', [...three, configuration], ['10.0.0.0/26', '10.5.0.0/26'])
  t.same(state.routes, [
    { prefix: '10.0.0.0/26', attributes: { communities: ['64512:7'], largeCommunities: ['64512:1:2'] } },
    { prefix: '10.5.0.0/26', attributes: {} },
  ])
  t.end()
})

t.test('what is desired survives the way to another thread', (t) => {
  const { state, options } = desired('n1', [...three, pool], ['10.0.0.0/26'])
  t.same(structuredClone({ state, options }), { state, options })
  t.end()
})

t.test('the same state is the same object', (t) => {
  const manager = createBgpManager({ node: 'n1' })
  for (const event of three) manager.onUpdate(event)
  manager.setAnnounced(['10.0.0.0/26'])
  const before = manager.apply()
  manager.setAnnounced(['10.0.0.0/26'])
  t.equal(manager.apply(), before)
  t.end()
})
