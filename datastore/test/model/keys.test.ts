import { formatPrefix, prefix } from '@network/net'
import fc from 'fast-check'
import t from 'tap'
import {
  affinitiesPrefix,
  affinityKey,
  blockKey,
  blocksPrefix,
  endpointKey,
  escapeSegment,
  handleKey,
  lockKey,
  nodeEndpointsPrefix,
  parseAffinityKey,
  parseBlockKey,
  parseEndpointKey,
  parseHandleKey,
  parseResourceKey,
  parseStatusKey,
  resourceKey,
  resourcePrefix,
  statusKey,
  statusPrefix,
  unescapeSegment,
} from '../../src/model/index.ts'

t.test('keys as docs/keys.md gives them', (t) => {
  const cases: readonly (readonly [actual: string, expected: string])[] = [
    [resourceKey({ kind: 'IPPool', name: 'blue' }), '/drover/v1/resources/ippools/blue'],
    [
      resourceKey({ kind: 'AgentConfiguration', name: 'node.n1' }),
      '/drover/v1/resources/agentconfigurations/node.n1',
    ],
    [resourcePrefix('Node'), '/drover/v1/resources/nodes/'],
    [
      endpointKey({ node: 'n1', orchestrator: 'docker', workload: 'a/b', endpoint: 'eth0' }),
      '/drover/v1/endpoints/n1/docker/a%2Fb/eth0',
    ],
    [nodeEndpointsPrefix('n1'), '/drover/v1/endpoints/n1/'],
    [blockKey(prefix('10.0.0.64/26')), '/drover/v1/ipam/blocks/ipv4/10.0.0.64-26'],
    [blockKey(prefix('fd00::40/122')), '/drover/v1/ipam/blocks/ipv6/fd00::40-122'],
    [blocksPrefix('ipv6'), '/drover/v1/ipam/blocks/ipv6/'],
    [affinityKey('n1', prefix('10.0.0.64/26')), '/drover/v1/ipam/affinities/n1/ipv4/10.0.0.64-26'],
    [affinitiesPrefix('n1'), '/drover/v1/ipam/affinities/n1/'],
    [affinitiesPrefix('n1', 'ipv4'), '/drover/v1/ipam/affinities/n1/ipv4/'],
    [handleKey('net.0a1b'), '/drover/v1/ipam/handles/net.0a1b'],
    [handleKey('../../resources'), '/drover/v1/ipam/handles/..%2F..%2Fresources'],
    [statusKey('n1', 'heartbeat'), '/drover/v1/status/n1/heartbeat'],
    [statusKey('n1', 'bgp', 'fd00::1'), '/drover/v1/status/n1/bgp/fd00%3A%3A1'],
    [statusPrefix('n1'), '/drover/v1/status/n1/'],
    [lockKey('pools'), '/drover/v1/locks/pools'],
  ]
  for (const [actual, expected] of cases) t.equal(actual, expected)
  t.end()
})

t.test('a name that nobody validated makes no key', (t) => {
  for (const name of ['', '.', '..', 'a/b', '../x', '-a', 'a b', 'ä', 'a\n', '__proto__', 'a'.repeat(254)]) {
    t.throws(() => resourceKey({ kind: 'IPPool', name }), TypeError, JSON.stringify(name))
    t.throws(() => nodeEndpointsPrefix(name), TypeError, JSON.stringify(name))
    t.throws(() => statusKey(name, 'heartbeat'), TypeError, JSON.stringify(name))
  }
  t.throws(() => handleKey('\ud800'), TypeError)
  t.end()
})

t.test('what is no key of ours is not taken apart', (t) => {
  const foreign = [
    '',
    '/',
    '/drover/v1/resources/ippools',
    '/drover/v1/resources/ippools/',
    '/drover/v1/resources/ippools/a/b',
    '/drover/v1/resources/__proto__/a',
    '/drover/v1/resources/workloadendpoints/a',
    '/drover/v1/endpoints/n1/docker/w',
    '/drover/v1/endpoints/n1/docker/w/e/f',
    '/drover/v1/endpoints/n1/docker/%2f/e',
    '/drover/v1/endpoints/n1/docker/%GG/e',
    '/drover/v1/endpoints/n1/docker/a b/e',
    '/drover/v1/endpoints/n1/docker//e',
    '/drover/v1/ipam/blocks/ipv4/10.0.0.1-26',
    '/drover/v1/ipam/blocks/ipv6/10.0.0.0-26',
    '/drover/v1/ipam/blocks/ipv4/10.0.0.0/26',
    '/drover/v1/ipam/blocks/ipv6/FD00::-122',
    '/drover/v1/ipam/affinities/n1/ipv4/10.0.0.0-26/x',
    '/drover/v1/ipam/affinities/../ipv4/10.0.0.0-26',
    '/drover/v1/ipam/handles/a/b',
    '/drover/v1/status/n1',
  ]
  for (const key of foreign) {
    for (const parse of [
      parseResourceKey,
      parseEndpointKey,
      parseBlockKey,
      parseAffinityKey,
      parseHandleKey,
      parseStatusKey,
    ]) {
      t.equal(parse(key), undefined, key)
    }
  }
  t.end()
})

t.test('every key is taken apart into what it was made of, and any id stays one segment', (t) => {
  const id = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('', '.', '..', '...', '%', '%2F', '/', 'a/../b', '\0', '\n', '’'),
  )
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}$/)
  fc.assert(
    fc.property(id, (text) => {
      const segment = escapeSegment(text)
      return (
        /^[A-Za-z0-9_.%-]+$/.test(segment) &&
        segment !== '.' &&
        segment !== '..' &&
        unescapeSegment(segment) === text
      )
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(name, id, id, id, (node, orchestrator, workload, endpoint) => {
      const identity = { node, orchestrator, workload, endpoint }
      const key = endpointKey(identity)
      t.same(parseEndpointKey(key), identity)
      t.same(parseResourceKey(key), {
        kind: 'WorkloadEndpoint',
        name: key.slice('/drover/v1/endpoints/'.length),
      })
      t.same(parseHandleKey(handleKey(workload)), workload)
      t.same(parseStatusKey(statusKey(node, orchestrator, workload)), {
        node,
        path: [orchestrator, workload],
      })
      t.same(parseResourceKey(resourceKey({ kind: 'Profile', name: node })), { kind: 'Profile', name: node })
      return key.startsWith(nodeEndpointsPrefix(node)) && key.split('/').length === 8
    }),
    { numRuns: 200 },
  )
  for (const text of ['10.0.0.0/26', 'fd00::/122', '::/0', '0.0.0.0/0']) {
    const block = parseBlockKey(blockKey(prefix(text)))
    t.equal(block && formatPrefix(block), text)
    const affinity = parseAffinityKey(affinityKey('n1', prefix(text)))
    t.same(affinity && [affinity.node, formatPrefix(affinity.block)], ['n1', text])
  }
  t.end()
})
