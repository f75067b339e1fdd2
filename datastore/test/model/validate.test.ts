import t from 'tap'
import { type KindName, validateResource } from '../../src/model/index.ts'
import { badSpecs } from './bad-specs.ts'

const named = (kind: KindName, name: string, spec: unknown, metadata: object = {}): unknown => ({
  apiVersion: 'drover.network/v1',
  kind,
  metadata: { name, ...metadata },
  spec,
})

const goodNames: Partial<Record<KindName, string>> = {
  IPAMConfiguration: 'default',
  ClusterInformation: 'default',
  BGPConfiguration: 'default',
  AgentConfiguration: 'default',
}

t.test('every fault names its place, the value and what was expected', (t) => {
  for (const [kind, spec, faults] of badSpecs) {
    const result = validateResource(named(kind, goodNames[kind] ?? 'a', spec))
    const title = `${kind} ${JSON.stringify(spec).slice(0, 60)}`
    t.same(
      result.ok ? [] : result.error.map((fault) => fault.message),
      faults.map(([path, message]) => `${path}: ${message}`),
      title,
    )
    t.same(
      result.ok ? [] : result.error.map((fault) => fault.path),
      faults.map(([path]) => path),
      title,
    )
  }
  t.end()
})

const badResources: readonly (readonly [title: string, value: unknown, message: RegExp])[] = [
  ['no map', 'x', /^'x'; expected a resource/],
  ['null', null, /^null; expected a resource/],
  [
    'no version',
    { kind: 'IPPool' },
    /^apiVersion: missing; expected drover.network\/v1 or projectcalico.org\/v3$/,
  ],
  ['other version', { apiVersion: 'v1', kind: 'Pod' }, /^apiVersion: 'v1'; expected/],
  ['unknown kind', named('IPool' as KindName, 'a', {}), /^kind: 'IPool': did you mean 'IPPool'\?; expected/],
  ['kind from the prototype', named('constructor' as KindName, 'a', {}), /^kind: 'constructor'; expected/],
  [
    'no name',
    { ...(named('Profile', 'a', {}) as object), metadata: {} },
    /^metadata.name: missing; expected text/,
  ],
  ['bad name', named('Profile', 'a/b', {}), /^metadata.name: 'a\/b'; expected a name of 1 to 253/],
  [
    'namespace',
    named('Profile', 'a', {}, { namespace: 'n' }),
    /^metadata.namespace: 'n': a Profile belongs to the whole cluster/,
  ],
  [
    'a second IPAMConfiguration',
    named('IPAMConfiguration', 'x', {}),
    /^metadata.name: 'x': there is one IPAMConfiguration; expected 'default'$/,
  ],
  [
    'configuration of no node',
    named('AgentConfiguration', 'n1', {}),
    /expected 'default', or 'node.' and the name of a node$/,
  ],
  [
    'configuration of a bad node',
    named('BGPConfiguration', 'node.', {}),
    /expected 'default', or 'node.' and the name of a node$/,
  ],
  [
    'mesh in a node’s configuration',
    named('BGPConfiguration', 'node.n1', { nodeToNodeMeshEnabled: false }),
    /^spec.nodeToNodeMeshEnabled: false: it holds for the whole cluster/,
  ],
  [
    'misspelt metadata',
    named('Profile', 'a', {}, { label: {} }),
    /^metadata.label: unknown field, did you mean 'labels'/,
  ],
  [
    'stray field',
    { ...(named('Profile', 'a', {}) as object), specs: {} },
    /^specs: unknown field, did you mean 'spec'/,
  ],
  [
    'status of a kind without',
    { ...(named('Profile', 'a', {}) as object), status: {} },
    /^status: unknown field/,
  ],
  [
    'resourceVersion',
    named('Profile', 'a', {}, { resourceVersion: '1x' }),
    /^metadata.resourceVersion: '1x'; expected a revision/,
  ],
  [
    'name of another endpoint',
    named('WorkloadEndpoint', 'n2/docker/w/e', {
      node: 'n1',
      orchestrator: 'docker',
      workload: 'w',
      endpoint: 'e',
    }),
    /^metadata.name: 'n2\/docker\/w\/e'; expected 'n1\/docker\/w\/e', as the spec says, or no name$/,
  ],
  [
    'lone surrogate in an id',
    named('WorkloadEndpoint', 'x', { node: 'n1', orchestrator: 'docker', workload: '\ud800', endpoint: 'e' }),
    /^spec.workload: .*; expected text without NUL and lone surrogates$/,
  ],
  [
    'prototype',
    JSON.parse(
      '{"apiVersion":"drover.network/v1","kind":"Profile","metadata":{"name":"a"},"spec":{"__proto__":{"ingress":[]}}}',
    ),
    /^spec.__proto__: unknown field/,
  ],
]

t.test('what is wrong outside the spec', (t) => {
  for (const [title, value, message] of badResources) {
    const result = validateResource(value)
    t.equal(result.ok, false, title)
    if (!result.ok) t.match(result.error[0]?.message, message, title)
  }
  t.equal(({} as Record<string, unknown>)['ingress'], undefined)
  t.end()
})

/** kind, spec as written, spec as validated. */
const normal: readonly (readonly [KindName, string, unknown, unknown])[] = [
  [
    'IPPool',
    'a',
    { cidr: '10.0.0.0/16', nodeSelector: "rack=='a'" },
    {
      cidr: '10.0.0.0/16',
      blockSize: 26,
      natOutgoing: false,
      disabled: false,
      disableBGPExport: false,
      nodeSelector: 'rack == "a"',
      assignmentMode: 'Automatic',
    },
  ],
  [
    'IPPool',
    'a',
    { cidr: 'FD00:0::/64', blockSize: null },
    {
      cidr: 'fd00::/64',
      blockSize: 122,
      natOutgoing: false,
      disabled: false,
      disableBGPExport: false,
      nodeSelector: 'all()',
      assignmentMode: 'Automatic',
    },
  ],
  [
    'IPReservation',
    'a',
    { reservedCIDRs: ['10.0.0.1', 'fd00::1'] },
    { reservedCIDRs: ['10.0.0.1/32', 'fd00::1/128'] },
  ],
  [
    'Node',
    'n1',
    { bgp: { asNumber: '1.10', ipv4Address: '192.168.1.10' } },
    { bgp: { asNumber: 65546, ipv4Address: '192.168.1.10/32' } },
  ],
  [
    'BGPConfiguration',
    'default',
    { holdTime: '1m30s', keepaliveTime: 30 },
    { holdTime: '90s', keepaliveTime: '30s' },
  ],
  [
    'BGPPeer',
    'tor',
    { peerIP: '[FD00::1]:1179', asNumber: '65001', filters: ['a'] },
    {
      peerIP: '[fd00::1]:1179',
      asNumber: 65001,
      nextHopMode: 'Auto',
      sourceAddress: 'UseNodeIP',
      filters: ['a'],
      addPath: 'Disabled',
      passive: false,
    },
  ],
  [
    'AgentConfiguration',
    'node.n1',
    { iptablesMarkMask: '0xFF0000', routeRefreshInterval: 0 },
    { iptablesMarkMask: '0x00ff0000', routeRefreshInterval: '0s' },
  ],
  ['ClusterInformation', 'default', {}, { datastoreReady: true }],
]

t.test('fills in defaults and writes texts in canonical form; a second time changes nothing', (t) => {
  for (const [kind, name, spec, expected] of normal) {
    const result = validateResource(named(kind, name, spec))
    t.same(result.ok ? result.value.spec : result.error, expected, kind)
    if (result.ok) t.same(validateResource(structuredClone(result.value)), result, `${kind} again`)
  }
  t.end()
})

t.test('a workload endpoint gets its name from its identity', (t) => {
  const spec = { node: 'n1', orchestrator: 'docker', workload: '../x', endpoint: 'eth0' }
  const result = validateResource({ apiVersion: 'drover.network/v1', kind: 'WorkloadEndpoint', spec })
  t.equal(result.ok && result.value.metadata.name, 'n1/docker/..%2Fx/eth0')
  t.end()
})
