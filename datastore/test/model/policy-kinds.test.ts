import t from 'tap'
import {
  DEFAULT_TIER,
  endpointName,
  type KindName,
  policyTypes,
  type PolicyType,
  type Rule,
  validateResource,
} from '../../src/model/index.ts'

const resource = (kind: KindName, spec: unknown, metadata: object = {}): unknown => ({
  apiVersion: 'drover.network/v1',
  kind,
  metadata: { name: 'x', ...metadata },
  spec,
})

const rule = (fields: object): object => ({ ingress: [{ action: 'Allow', ...fields }] })

/** kind, spec, then every fault in order, and of a resource that isn't called x its name. */
const bad: readonly (readonly [kind: KindName, spec: unknown, faults: readonly string[], name?: string])[] = [
  [
    'Tier',
    { order: 'first' },
    ["spec.order: 'first'; expected a number from -1000000000000 to 1000000000000"],
  ],
  ['Tier', { defaultAction: 'Allow' }, ["spec.defaultAction: 'Allow'; expected Deny or Pass"]],
  [
    'Tier',
    { order: 5, defaultAction: 'Pass' },
    [
      "spec.order: 5: the tier 'default' is the same in every cluster: make another tier; expected 1000000",
      "spec.defaultAction: 'Pass': the tier 'default' is the same in every cluster: make another tier; expected Deny",
    ],
    'default',
  ],
  [
    'GlobalNetworkPolicy',
    { selector: 'role = "web"' },
    [
      `spec.selector: 'role = "web"': '=' has no meaning here, '==' was meant (at column 6); expected a selector such as rack == 'a' && has(role)`,
    ],
  ],
  [
    'GlobalNetworkPolicy',
    { doNotTrack: true, preDNAT: true, applyOnForward: true },
    ['spec.preDNAT: true: a policy has one of the two places; expected false, because doNotTrack is true'],
  ],
  [
    'GlobalNetworkPolicy',
    { doNotTrack: true },
    [
      'spec.applyOnForward: false: that early nobody knows yet whether a packet is forwarded; expected true, because doNotTrack is true',
    ],
  ],
  [
    'GlobalNetworkPolicy',
    { preDNAT: true, applyOnForward: true, types: ['Ingress', 'Egress'], egress: [{ action: 'Deny' }] },
    [
      'spec.egress: [{"action":"Deny"}]: it is judged on the way in; expected no egress rules, because preDNAT is true',
      'spec.types: ["Ingress","Egress"]; expected Ingress alone, because preDNAT is true',
    ],
  ],
  [
    'GlobalNetworkPolicy',
    { types: ['ingress'] },
    ["spec.types[0]: 'ingress': did you mean 'Ingress'?; expected Ingress or Egress"],
  ],
  [
    'GlobalNetworkPolicy',
    { types: ['Ingress', 'Ingress'] },
    ["spec.types[1]: 'Ingress': it is the same as item [0]; expected each item once"],
  ],
  [
    'NetworkPolicy',
    { preDNAT: true },
    [
      'spec.preDNAT: unknown field; expected one of tier, order, selector, serviceAccountSelector, types, ingress, egress',
    ],
  ],
  [
    'StagedNetworkPolicy',
    { stagedAction: 'Delete', ingress: [{ action: 'Allow' }] },
    ['spec.ingress: [{"action":"Allow"}]; expected no rules, because stagedAction is Delete'],
  ],
  [
    'NetworkPolicy',
    rule({ destination: { ports: [80] } }),
    [
      'spec.ingress[0].protocol: missing; expected TCP, UDP, SCTP or UDPLite, because the rule has destination.ports',
    ],
  ],
  [
    'NetworkPolicy',
    rule({ protocol: 'TCP', destination: { ports: ['90:80', 70000, 'a b', ''] } }),
    [0, 1, 2, 3].map(
      (place) =>
        `spec.ingress[0].destination.ports[${String(place)}]: ${["'90:80'", '70000', "'a b'", "''"][place] ?? ''}; expected a port 1-65535, a range such as 8000:8080, or the name of a port`,
    ),
  ],
  [
    'NetworkPolicy',
    rule({ protocol: 'HTTP' }),
    [
      "spec.ingress[0].protocol: 'HTTP'; expected TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a protocol number 1-255",
    ],
  ],
  [
    'NetworkPolicy',
    rule({ protocol: 'ICMP', icmp: { code: 1 } }),
    ['spec.ingress[0].icmp.type: missing; expected a type beside the code'],
  ],
  [
    'NetworkPolicy',
    rule({ source: { nets: [] } }),
    ['spec.ingress[0].source.nets: []: it has 0; expected a list of 1 to 256 items'],
  ],
  ['NetworkPolicy', { ingress: Array.from({ length: 1025 }, () => ({ action: 'Allow' })) }, ['spec.ingress']],
  ['GlobalNetworkSet', { nets: ['10.0.0.1/8'] }, ['spec.nets[0]: ']],
  [
    'HostEndpoint',
    { node: 'a' },
    ["spec.interfaceName: missing; expected the name of an interface, '*', or expectedIPs"],
  ],
  ['HostEndpoint', { node: 'a', interfaceName: 'eth0:1' }, ["spec.interfaceName: 'eth0:1'"]],
]

t.test('faults of policy kinds name place, value and what was expected', (t) => {
  for (const [kind, spec, faults, name = 'x'] of bad) {
    const validated = validateResource(resource(kind, spec, { name }))
    const messages = validated.ok ? [] : validated.error.map(({ message }) => message)
    t.equal(messages.length, faults.length, `${kind}: ${messages.join('\n')}`)
    faults.forEach((fault, index) => {
      t.equal(messages[index]?.slice(0, fault.length), fault)
    })
  }
  t.end()
})

/** Written one way, kept another. */
const normalised: readonly (readonly [kind: KindName, spec: unknown, kept: unknown])[] = [
  ['Tier', {}, { defaultAction: 'Deny' }],
  ['NetworkPolicy', {}, { tier: 'default', selector: 'all()' }],
  [
    'GlobalNetworkPolicy',
    { selector: '', namespaceSelector: '', serviceAccountSelector: ' ', types: [] },
    { tier: 'default', selector: 'all()', doNotTrack: false, preDNAT: false, applyOnForward: false },
  ],
  // An empty selector in a rule asks for nothing; all() asks for an endpoint or network set of ours.
  [
    'NetworkPolicy',
    rule({
      source: { selector: '', notSelector: '', namespaceSelector: '', serviceAccounts: { selector: '' } },
      destination: { selector: 'all( )' },
    }),
    {
      tier: 'default',
      selector: 'all()',
      ingress: [{ action: 'Allow', destination: { selector: 'all()' } }],
    },
  ],
  [
    'NetworkPolicy',
    rule({ protocol: 'udplite', source: { ports: ['080', '80:80', '1:65535'], notPorts: ['0'] } }),
    {
      tier: 'default',
      selector: 'all()',
      ingress: [
        { action: 'Allow', protocol: 'UDPLite', source: { ports: [80, 80, '1:65535'], notPorts: [0] } },
      ],
    },
  ],
  ['StagedNetworkPolicy', { tier: 'a' }, { stagedAction: 'Set', tier: 'a', selector: 'all()' }],
  [
    'Profile',
    rule({ protocol: 'ICMP', icmp: {}, source: {}, destination: { serviceAccounts: {} }, metadata: {} }),
    { ingress: [{ action: 'Allow', protocol: 'ICMP' }] },
  ],
  ['NetworkSet', {}, { nets: [] }],
  [
    'HostEndpoint',
    { node: 'a', expectedIPs: ['FD00::1'] },
    { node: 'a', expectedIPs: ['fd00::1'], profiles: [] },
  ],
]

t.test('what may be written in two ways is kept in one, and stays as it is', (t) => {
  for (const [kind, spec, kept] of normalised) {
    const once = validateResource(resource(kind, spec))
    t.strictSame(once.ok ? once.value.spec : once.error, kept, kind)
    if (once.ok) t.strictSame(validateResource(once.value), once, `${kind} again`)
  }
  const stored = validateResource(resource('Tier', {}, { name: 'default' }))
  t.match(stored.ok ? stored.value.spec : undefined, {
    order: DEFAULT_TIER.order,
    defaultAction: DEFAULT_TIER.defaultAction,
  })
  t.end()
})

t.test('namespaced kinds live in a namespace, the others in none', (t) => {
  for (const kind of ['NetworkPolicy', 'StagedNetworkPolicy', 'NetworkSet'] as const) {
    const validated = validateResource(resource(kind, {}))
    t.equal(validated.ok && validated.value.metadata.namespace, 'default', kind)
  }
  for (const kind of [
    'Tier',
    'GlobalNetworkPolicy',
    'StagedGlobalNetworkPolicy',
    'GlobalNetworkSet',
  ] as const) {
    const validated = validateResource(resource(kind, {}, { namespace: 'web' }))
    t.match(validated.ok ? '' : validated.error[0]?.message, /a \w+ belongs to the whole cluster/, kind)
  }
  t.end()
})

const allow: Rule[] = [{ action: 'Allow' }]
const typesOf: readonly (readonly [
  spec: { types?: PolicyType[]; ingress?: Rule[]; egress?: Rule[] },
  types: readonly PolicyType[],
])[] = [
  [{}, ['Ingress']],
  [{ ingress: allow }, ['Ingress']],
  [{ egress: allow }, ['Egress']],
  [{ ingress: [], egress: allow }, ['Egress']],
  [{ ingress: allow, egress: allow }, ['Ingress', 'Egress']],
  [{ types: ['Ingress'], egress: allow }, ['Ingress']],
  [{ types: ['Ingress', 'Egress'], ingress: allow }, ['Ingress', 'Egress']],
  [{ types: [], egress: allow }, ['Egress']],
]

t.test('the directions of a policy', (t) => {
  for (const [spec, types] of typesOf) t.same(policyTypes(spec), types, JSON.stringify(spec))
  t.end()
})

const mappings: readonly (readonly [list: readonly object[], faults: readonly string[]])[] = [
  [
    [
      { protocol: 'TCP', hostPort: 80, port: 8080 },
      { protocol: 'UDP', hostPort: 80, port: 8080 },
    ],
    [],
  ],
  [
    [
      { protocol: 'TCP', hostPort: 80, port: 1, hostIP: '192.0.2.1' },
      { protocol: 'TCP', hostPort: 80, port: 1, hostIP: '192.0.2.2' },
    ],
    [],
  ],
  [
    [
      { protocol: 'TCP', hostPort: 80, port: 1, hostIP: '192.0.2.1' },
      { protocol: 'TCP', hostPort: 80, port: 2 },
    ],
    [
      'spec.portMappings[1].hostPort: 80: TCP port 80 is taken by item [0]; expected a port of the host that no other mapping takes',
    ],
  ],
  [
    [{ protocol: 'TCP', hostPort: 0, port: 65536 }],
    [
      'spec.portMappings[0].hostPort: 0; expected a whole number from 1 to 65535',
      'spec.portMappings[0].port: 65536; expected a whole number from 1 to 65535',
    ],
  ],
  [
    [{ protocol: 'ICMP', hostPort: 1, port: 1 }],
    ["spec.portMappings[0].protocol: 'ICMP'; expected TCP, UDP or SCTP"],
  ],
]

t.test('port mappings of an endpoint', (t) => {
  const identity = { node: 'a', orchestrator: 'cli', workload: 'w', endpoint: 'eth0' }
  for (const [portMappings, faults] of mappings) {
    const validated = validateResource({
      apiVersion: 'drover.network/v1',
      kind: 'WorkloadEndpoint',
      metadata: { name: endpointName(identity) },
      spec: { ...identity, portMappings },
    })
    t.same(validated.ok ? [] : validated.error.map(({ message }) => message), faults)
  }
  t.end()
})
