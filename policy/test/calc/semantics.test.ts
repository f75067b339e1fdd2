import t from 'tap'
import { type Calculator, createCalculator, type PolicyUpdate } from '../../src/index.ts'
import { apply, emptyMirror, type Mirror } from './mirror.ts'
import { allow, deny, from, host, networkSet, policy, pool, profile, tier, workload } from './updates.ts'

function calculate(updates: readonly PolicyUpdate[]): { mirror: Mirror; calculator: Calculator } {
  const calculator = createCalculator({ node: 'here' })
  for (const update of updates) calculator.onUpdate(update)
  const mirror = emptyMirror()
  apply(mirror, calculator.drain())
  return { mirror, calculator }
}

/** Whose addresses a rule's source means, for one policy of endpoint 'me'. */
interface MeaningCase {
  readonly name: string
  readonly policy?: string
  readonly source: object
  readonly means: readonly string[]
  readonly notMeans?: readonly string[]
}

const cast: readonly PolicyUpdate[] = [
  workload('me', { namespace: 'prod', labels: { app: 'me' }, ipNetworks: ['10.0.0.1/32'] }),
  workload('prod-web', {
    namespace: 'prod',
    labels: { app: 'web', tier: 'front' },
    serviceAccount: 'frontend',
    ipNetworks: ['10.0.0.2/32', 'fd00::2/128'],
    profiles: ['inherit'],
  }),
  workload('lab-web', {
    node: 'there',
    namespace: 'lab',
    labels: { app: 'web', 'drover.network/namespace': 'prod', 'pcns.stage': 'production' },
    serviceAccount: 'frontend',
    ipNetworks: ['10.0.1.2/32'],
  }),
  workload('default-web', { node: 'there', labels: { app: 'web' }, ipNetworks: ['10.0.1.3/32'] }),
  host('uplink', { interfaceName: 'eth0', expectedIPs: ['192.0.2.1'], labels: { app: 'web' } }),
  networkSet('partners', { app: 'web', kind: 'set' }, ['198.51.100.0/24', '198.51.100.0/24', '203.0.113.7']),
  networkSet('lab/partners', { kind: 'set' }, ['203.0.113.128/25']),
  profile('inherit', { labelsToApply: { tier: 'of the profile', color: 'blue' } }),
  profile('kns.prod', { labelsToApply: { 'pcns.stage': 'production', other: 'x' } }),
  profile('kns.lab', { labelsToApply: { 'pcns.stage': 'test' } }),
  profile('ksa.prod.frontend', { labelsToApply: { 'pcsa.trust': 'high' } }),
]
const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  me: ['10.0.0.1/32'],
  'prod-web': ['10.0.0.2/32', 'fd00::2/128'],
  'lab-web': ['10.0.1.2/32'],
  'default-web': ['10.0.1.3/32'],
  uplink: ['192.0.2.1/32'],
  partners: ['198.51.100.0/24', '203.0.113.7/32'],
  'lab/partners': ['203.0.113.128/25'],
}

const meanings: readonly MeaningCase[] = [
  {
    name: 'a selector of a global policy means the whole cluster, sets and host endpoints too',
    source: { selector: "app == 'web'" },
    means: ['prod-web', 'lab-web', 'default-web', 'uplink', 'partners'],
  },
  {
    name: 'an own label wins over the profile',
    source: { selector: "tier == 'front'" },
    means: ['prod-web'],
  },
  {
    name: 'nobody has the label that was beaten',
    source: { selector: "tier == 'of the profile'" },
    means: [],
  },
  { name: 'a label of the profile', source: { selector: "color == 'blue'" }, means: ['prod-web'] },
  {
    name: 'the namespace is not what somebody writes',
    source: { selector: "drover.network/namespace == 'prod'" },
    means: ['me', 'prod-web'],
  },
  {
    name: "the namespace in Calico's spelling; an endpoint without one is in default",
    source: { selector: "projectcalico.org/namespace == 'default'" },
    means: ['default-web'],
  },
  {
    name: 'the orchestrator: endpoints have one',
    source: { selector: "projectcalico.org/orchestrator == 'cni'" },
    means: ['me', 'prod-web', 'lab-web', 'default-web'],
  },
  {
    name: 'the service account',
    source: { selector: "drover.network/serviceaccount == 'frontend'" },
    means: ['prod-web', 'lab-web'],
  },
  {
    name: 'a selector of a namespaced policy means its own namespace',
    policy: 'prod/p',
    source: { selector: "app == 'web'" },
    means: ['prod-web'],
  },
  {
    name: 'unless there is a namespaceSelector',
    policy: 'prod/p',
    source: { selector: "app == 'web'", namespaceSelector: "stage == 'test'" },
    means: ['lab-web'],
  },
  {
    name: "a namespace's labels are its profile's, not what an endpoint claims",
    source: { namespaceSelector: "stage == 'production'" },
    means: ['me', 'prod-web'],
  },
  {
    name: 'a namespace by its name',
    source: { namespaceSelector: "projectcalico.org/name == 'lab'" },
    means: ['lab-web', 'lab/partners'],
  },
  {
    name: 'a profile gives its namespace only what begins with pcns.',
    source: { namespaceSelector: 'has(other)' },
    means: [],
  },
  {
    name: 'every namespace',
    policy: 'prod/p',
    source: { namespaceSelector: 'all()' },
    means: ['me', 'prod-web', 'lab-web', 'default-web', 'lab/partners'],
  },
  {
    name: 'no namespace',
    policy: 'prod/p',
    source: { namespaceSelector: 'global()' },
    means: ['uplink', 'partners'],
  },
  {
    name: 'no namespace or that one',
    source: { namespaceSelector: "global() || stage == 'test'", selector: "app == 'web'" },
    means: ['uplink', 'partners', 'lab-web'],
  },
  {
    name: 'a namespace without a label is not the same as no namespace',
    source: { namespaceSelector: '!has(stage)' },
    means: ['default-web'],
  },
  {
    name: 'a service account by name',
    source: { serviceAccounts: { names: ['frontend', 'backend'] } },
    means: ['prod-web', 'lab-web'],
  },
  {
    name: 'a service account by name, in the namespace of the policy',
    policy: 'lab/p',
    source: { serviceAccounts: { names: ['frontend'] } },
    means: ['lab-web'],
  },
  {
    name: "a service account by its profile's labels",
    source: { serviceAccounts: { selector: "trust == 'high'" } },
    means: ['prod-web'],
  },
  {
    name: 'an account without a label is not the same as no account',
    source: { serviceAccounts: { selector: "trust != 'high'" } },
    means: ['lab-web'],
  },
  {
    name: 'global(): what has no namespace',
    source: { selector: 'global()' },
    means: ['uplink', 'partners'],
  },
  {
    name: 'absence of a label means things of ours',
    source: { selector: '!has(app)' },
    means: ['lab/partners'],
  },
  {
    name: 'notSelector is a set of those who are not meant',
    source: { notSelector: "app == 'web'" },
    means: [],
    notMeans: ['prod-web', 'lab-web', 'default-web', 'uplink', 'partners'],
  },
  {
    name: 'notSelector is not confined to a namespace',
    policy: 'prod/p',
    source: { selector: 'has(app)', notSelector: "app == 'web'" },
    means: ['me', 'prod-web'],
    notMeans: ['prod-web', 'lab-web', 'default-web', 'uplink', 'partners'],
  },
]

t.test('whom a side of a rule means', (t) => {
  for (const { name, policy: path = 'p', source, means, notMeans } of meanings) {
    const mine = workload('judged', {
      namespace: path.split('/').at(-2) ?? 'x',
      ipNetworks: [],
      profiles: [],
    })
    const { mirror, calculator } = calculate([
      ...cast,
      mine,
      policy(path, { ingress: [{ action: 'Allow', source }] }),
    ])
    const kind = path.includes('/') ? 'NetworkPolicy' : 'GlobalNetworkPolicy'
    const side = mirror.policies.get(`${kind}/${path}`)?.inbound[0]?.source
    const members = (sets: readonly string[] | undefined): string[] =>
      (sets ?? []).flatMap((id) => calculator.members(id)).sort()
    const addresses = (who: readonly string[]): string[] => who.flatMap((one) => ADDRESSES[one] ?? []).sort()
    t.same(members(side?.sets), addresses(means), name)
    t.same(members(side?.notSets), addresses(notMeans ?? []), `${name}: not`)
    t.ok(side !== undefined, `${name}: the policy is active`)
  }
  t.end()
})

t.test('what policies select', (t) => {
  const cases: readonly { name: string; path: string; spec: object; selected: boolean }[] = [
    { name: 'own namespace', path: 'prod/p', spec: { selector: "app == 'me'" }, selected: true },
    { name: 'another namespace', path: 'lab/p', spec: { selector: "app == 'me'" }, selected: false },
    {
      name: 'namespaceSelector',
      path: 'p',
      spec: { namespaceSelector: "stage == 'production'" },
      selected: true,
    },
    {
      name: 'another namespaceSelector',
      path: 'p',
      spec: { namespaceSelector: "stage == 'test'" },
      selected: false,
    },
    { name: 'global()', path: 'p', spec: { namespaceSelector: 'global()' }, selected: false },
    { name: 'service account', path: 'p', spec: { serviceAccountSelector: 'all()' }, selected: false },
    {
      name: 'doNotTrack is for hosts',
      path: 'p',
      spec: { doNotTrack: true, applyOnForward: true },
      selected: false,
    },
    {
      name: 'preDNAT is for hosts',
      path: 'p',
      spec: { preDNAT: true, applyOnForward: true },
      selected: false,
    },
    { name: 'applyOnForward is for both', path: 'p', spec: { applyOnForward: true }, selected: true },
  ]
  for (const { name, path, spec, selected } of cases) {
    const { mirror } = calculate([
      ...cast.filter(({ kind }) => kind !== 'HostEndpoint'),
      policy(path, { selector: "app == 'me'", ...spec }),
    ])
    t.equal(mirror.policies.size, selected ? 1 : 0, name)
    t.equal(mirror.endpoints.get('me')?.tiers.length, selected ? 1 : 0, name)
  }
  t.end()
})

t.test('the order of tiers and policies', (t) => {
  const { mirror, calculator } = calculate([
    workload('me'),
    tier('b', 5, 'Pass'),
    tier('a', 5),
    tier('z', 2_000_000),
    tier('default', 3, 'Pass'),
    policy('1', { tier: 'b', types: ['Egress'] }),
    policy('2', { tier: 'a', order: 10 }),
    policy('10', { tier: 'a', order: 10, egress: [allow] }),
    policy('first', { tier: 'a', order: -1, ingress: [allow], egress: [allow] }),
    policy('unordered', { tier: 'a' }),
    policy('default/10', { tier: 'a', order: 10 }),
    policy('of default', { egress: [deny] }),
    policy('last', { tier: 'z' }),
    policy('lost', { tier: 'nobody defined it' }),
  ])
  t.same(mirror.endpoints.get('me')?.tiers, [
    {
      name: 'a',
      defaultAction: 'Deny',
      inbound: ['first', '10', '2', 'unordered']
        .map((name) => `GlobalNetworkPolicy/${name}`)
        .toSpliced(1, 1, 'NetworkPolicy/default/10'),
      outbound: ['GlobalNetworkPolicy/first', 'GlobalNetworkPolicy/10'],
    },
    { name: 'b', defaultAction: 'Pass', inbound: [], outbound: ['GlobalNetworkPolicy/1'] },
    { name: 'default', defaultAction: 'Deny', inbound: [], outbound: ['GlobalNetworkPolicy/of default'] },
    { name: 'z', defaultAction: 'Deny', inbound: ['GlobalNetworkPolicy/last'], outbound: [] },
    { name: 'nobody defined it', defaultAction: 'Deny', inbound: ['GlobalNetworkPolicy/lost'], outbound: [] },
  ])
  t.match(calculator.problems().join('\n'), /Tier\/nobody defined it is named by policies and not defined/)
  t.end()
})

t.test('a rule is told in numbers and canonical prefixes', (t) => {
  const { mirror } = calculate([
    workload('me'),
    policy('p', {
      ingress: [
        {
          action: 'Log',
          ipVersion: 4,
          protocol: 'SCTP',
          notProtocol: 17,
          source: { nets: ['10.0.0.0/8', '192.0.2.1'], notNets: ['10.1.0.0/16'], notPorts: [22, '100:200'] },
          destination: { ports: ['1:5', 7] },
        },
        { action: 'Pass', protocol: 'ICMPv6', icmp: { type: 128, code: 0 }, notICMP: { type: 1 } },
      ],
    }),
  ])
  t.same(mirror.policies.get('GlobalNetworkPolicy/p')?.inbound, [
    {
      position: 0,
      action: 'Log',
      ipVersion: 4,
      protocol: 132,
      notProtocol: 17,
      source: {
        nets: ['10.0.0.0/8', '192.0.2.1/32'],
        notNets: ['10.1.0.0/16'],
        notPorts: [
          { from: 22, to: 22 },
          { from: 100, to: 200 },
        ],
      },
      destination: {
        ports: [
          { from: 1, to: 5 },
          { from: 7, to: 7 },
        ],
      },
    },
    {
      position: 1,
      action: 'Pass',
      protocol: 58,
      icmp: { type: 128, code: 0 },
      notICMP: { type: 1 },
      source: {},
      destination: {},
    },
  ])
  t.end()
})

t.test('named ports', (t) => {
  const ports = [
    { name: 'http', protocol: 'TCP' as const, port: 80 },
    { name: 'http', protocol: 6, port: 8080 },
    { name: 'http', protocol: 'UDP' as const, port: 443 },
    { name: 'ssh', protocol: 'TCP' as const, port: 22 },
  ]
  const { mirror, calculator } = calculate([
    workload('me', { labels: { app: 'me' }, ports, ipNetworks: ['10.0.0.1/32', 'fd00::1/128'] }),
    workload('far', { node: 'there', labels: { app: 'far' }, ports, ipNetworks: ['10.0.1.1/32'] }),
    host('eth0', { node: 'there', interfaceName: 'eth0', expectedIPs: ['192.0.2.1'], ports }),
    policy('p', {
      ingress: [
        { action: 'Allow', protocol: 'TCP', destination: { ports: ['http'] } },
        { action: 'Allow', protocol: 17, destination: { selector: "app == 'far'", notPorts: ['http'] } },
      ],
    }),
  ])
  const rules = mirror.policies.get('GlobalNetworkPolicy/p')?.inbound
  t.same([...calculator.members(rules?.[0]?.destination.portSets?.[0] ?? '')].sort(), [
    '10.0.0.1,tcp:80',
    '10.0.0.1,tcp:8080',
    '10.0.1.1,tcp:80',
    '10.0.1.1,tcp:8080',
    '192.0.2.1,tcp:80',
    '192.0.2.1,tcp:8080',
    'fd00::1,tcp:80',
    'fd00::1,tcp:8080',
  ])
  t.equal(rules?.[0]?.destination.sets, undefined)
  t.same(calculator.members(rules?.[1]?.destination.notPortSets?.[0] ?? ''), ['10.0.1.1,udp:443'])
  t.same(calculator.members(rules?.[1]?.destination.sets?.[0] ?? ''), ['10.0.1.1/32'])
  t.end()
})

t.test('host endpoints: four lists, one owner of an interface', (t) => {
  const { mirror, calculator } = calculate([
    host('a', { interfaceName: 'eth0' }),
    host('b', { interfaceName: 'eth0' }),
    host('c', { interfaceName: '*', profiles: ['p'] }),
    host('d', { expectedIPs: ['192.0.2.7'] }),
    host('e', { node: 'there', interfaceName: 'eth0' }),
    policy('normal', { ingress: [allow], egress: [allow] }),
    policy('forward', { applyOnForward: true, ingress: [allow] }),
    policy('untracked', { doNotTrack: true, applyOnForward: true, types: ['Ingress', 'Egress'] }),
    policy('early', { preDNAT: true, applyOnForward: true, ingress: [deny] }),
  ])
  t.same([...mirror.hostEndpoints.keys()].sort(), ['a', 'c'])
  const ids = (
    tiers: readonly { inbound: readonly string[]; outbound: readonly string[] }[] | undefined,
  ): unknown =>
    tiers?.map(({ inbound, outbound }) => [inbound, outbound].map((list) => list.map((id) => id.slice(20))))
  const one = mirror.hostEndpoints.get('a')
  t.equal(one?.interfaceName, 'eth0')
  t.same(ids(one?.normal), [[['forward', 'normal'], ['normal']]])
  t.same(ids(one?.forward), [[['forward'], []]])
  t.same(ids(one?.untracked), [[['untracked'], ['untracked']]])
  t.same(ids(one?.preDNAT), [[['early'], []]])
  t.match(
    calculator.problems().join('\n'),
    /HostEndpoint\/b is not in force: another one has its interface 'eth0'/,
  )
  t.match(calculator.problems().join('\n'), /HostEndpoint\/d is not in force: no interface/)

  calculator.setInterfaces(
    new Map([
      ['lo', ['127.0.0.1']],
      ['eth7', ['192.0.2.7', 'fe80::1']],
    ]),
  )
  apply(mirror, calculator.drain())
  t.equal(mirror.hostEndpoints.get('d')?.interfaceName, 'eth7')
  calculator.setInterfaces(new Map([['eth0', ['192.0.2.7']]]))
  apply(mirror, calculator.drain())
  t.same([...mirror.hostEndpoints.keys()].sort(), ['a', 'c'], 'eth0 has an owner')
  t.end()
})

t.test('only what local endpoints use is active', (t) => {
  const { mirror } = calculate([
    workload('me', { labels: { app: 'me' }, profiles: ['used'] }),
    workload('far', {
      node: 'there',
      labels: { app: 'far' },
      profiles: ['unused'],
      ipNetworks: ['10.0.1.1/32'],
    }),
    workload('no interface', { labels: { app: 'bare' }, profiles: ['bare'] }),
    profile('used', { ingress: [from('has(x)')] }),
    profile('unused', { ingress: [from('has(y)')] }),
    profile('bare'),
    policy('far', { selector: "app == 'far'", ingress: [from('has(z)')] }),
    policy('none', { selector: "app == 'me'", types: ['Ingress'], egress: [from('has(z)')] }),
  ])
  t.same([...mirror.policies.keys()], ['GlobalNetworkPolicy/none'])
  t.same([...mirror.profiles.keys()].sort(), ['bare', 'used'])
  t.equal(mirror.sets.size, 2)
  t.end()
})

t.test('pools', (t) => {
  const { mirror, calculator } = calculate([pool('b', '10.0.0.0/16', true), pool('a', 'fd00::/64')])
  t.same(mirror.pools, [
    { cidr: '10.0.0.0/16', natOutgoing: true },
    { cidr: 'fd00::/64', natOutgoing: false },
  ])
  calculator.onUpdate({
    kind: 'IPPool',
    name: 'b',
    broken: { spec: { cidr: '10.0.0.0/16', nodeSelector: '((' } },
  })
  t.same(calculator.drain().pools?.[0], { cidr: '10.0.0.0/16', natOutgoing: false })
  t.end()
})

t.test('what cannot be read protects as far as it is understood', (t) => {
  const me = workload('me', { namespace: 'prod', labels: { app: 'me' }, profiles: ['p'] })
  const denies = { position: 0, action: 'Deny', source: {}, destination: {} }
  const cases: readonly {
    name: string
    kind: 'GlobalNetworkPolicy' | 'NetworkPolicy'
    path: string
    broken: unknown
    inbound: boolean
    outbound: boolean
    tier?: string
  }[] = [
    {
      name: 'nothing is known',
      kind: 'GlobalNetworkPolicy',
      path: 'x',
      broken: '{',
      inbound: true,
      outbound: true,
    },
    {
      name: 'nothing but the namespace',
      kind: 'NetworkPolicy',
      path: 'prod/x',
      broken: 7,
      inbound: true,
      outbound: true,
    },
    {
      name: 'another namespace',
      kind: 'NetworkPolicy',
      path: 'lab/x',
      broken: 7,
      inbound: false,
      outbound: false,
    },
    {
      name: 'the selector selects others',
      kind: 'GlobalNetworkPolicy',
      path: 'x',
      broken: { spec: { selector: "app == 'x'", ingress: 1 } },
      inbound: false,
      outbound: false,
    },
    {
      name: 'the selector is broken',
      kind: 'GlobalNetworkPolicy',
      path: 'x',
      broken: { spec: { selector: 'a b', types: ['Ingress'] } },
      inbound: true,
      outbound: false,
    },
    {
      name: 'types by rules',
      kind: 'GlobalNetworkPolicy',
      path: 'x',
      broken: { spec: { egress: [{ action: 'Alow' }] } },
      inbound: false,
      outbound: true,
    },
    {
      name: 'types broken',
      kind: 'GlobalNetworkPolicy',
      path: 'x',
      broken: { spec: { types: ['Ingress', 'Up'], egress: [] } },
      inbound: true,
      outbound: true,
    },
    {
      name: 'its tier',
      kind: 'GlobalNetworkPolicy',
      path: 'x',
      broken: { spec: { tier: 'first', types: ['Ingress'] } },
      inbound: true,
      outbound: false,
      tier: 'first',
    },
  ]
  for (const { name, kind, path, broken, inbound, outbound, tier: inTier = 'default' } of cases) {
    const { mirror, calculator } = calculate([
      me,
      tier('first', 1),
      profile('p', { ingress: [allow], egress: [allow] }),
      { kind, name: path, broken },
    ])
    const id = `${kind}/${path}`
    t.same(
      mirror.endpoints.get('me')?.tiers,
      inbound || outbound
        ? [
            {
              name: inTier,
              defaultAction: 'Deny',
              inbound: inbound ? [id] : [],
              outbound: outbound ? [id] : [],
            },
          ]
        : [],
      name,
    )
    t.same(
      mirror.policies.get(id),
      inbound || outbound
        ? { inbound: inbound ? [denies] : [], outbound: outbound ? [denies] : [] }
        : undefined,
      name,
    )
    t.match(calculator.problems().join('\n'), new RegExp(`${path} can't be read; it denies`), name)
    calculator.onUpdate({ kind, name: path, resource: undefined } as PolicyUpdate)
    t.notMatch(calculator.problems().join('\n'), /can't be read/, `${name}: gone`)
  }
  t.end()
})

t.test('values that were not checked deny instead of failing', (t) => {
  const bad: readonly PolicyUpdate[] = [
    policy('selector', { selector: '((', ingress: [allow] }),
    policy('rule', { ingress: [from('((')] }),
    policy('net', { ingress: [{ action: 'Allow', source: { nets: ['10.0.0.1/8'] } }] }),
    policy('port', { ingress: [{ action: 'Allow', destination: { ports: ['http'] } }] }),
    policy('protocol', { ingress: [{ action: 'Allow', protocol: 'GRE' as 'TCP' }] }),
  ]
  for (const update of bad) {
    const { mirror, calculator } = calculate([workload('me'), update])
    t.same(
      [...mirror.policies.values()][0]?.inbound,
      [{ position: 0, action: 'Deny', source: {}, destination: {} }],
      update.name,
    )
    t.equal(calculator.problems().length, 1, update.name)
  }
  const { mirror } = calculate([
    workload('me', { profiles: ['p'] }),
    { kind: 'Profile', name: 'p', broken: {} },
  ])
  t.equal(mirror.profiles.get('p'), 'missing')
  t.end()
})

t.test("an endpoint's own facts", (t) => {
  const { mirror, calculator } = calculate([
    workload('me', {
      ipNetworks: ['10.0.0.1/32'],
      allowSpoofedSourcePrefixes: ['192.0.2.0/24', 'nonsense'],
      portMappings: [
        { protocol: 'TCP', hostPort: 8080, port: 80 },
        { protocol: 'SCTP', hostPort: 1, port: 2, hostIP: '192.0.2.1' },
      ],
    }),
  ])
  t.same(mirror.endpoints.get('me'), {
    interfaceName: 'drvme',
    addresses: ['10.0.0.1/32'],
    allowedSources: ['192.0.2.0/24'],
    portMappings: [
      { protocol: 6, hostPort: 8080, port: 80 },
      { protocol: 132, hostAddress: '192.0.2.1', hostPort: 1, port: 2 },
    ],
    tiers: [],
    profiles: [],
  })
  calculator.onUpdate({ kind: 'WorkloadEndpoint', name: 'me', broken: '{' })
  t.equal(calculator.drain().endpoints.get('me'), undefined)
  t.ok(calculator.problems()[0])
  t.end()
})

t.test('who a resource is, its place in the store says', (t) => {
  const elsewhere = { kind: 'WorkloadEndpoint', name: '/drover/v1/endpoints/there/cni/w/eth0' } as const
  const foreign = workload('x', { node: 'here', labels: { app: 'web' }, ipNetworks: ['10.0.0.9/32'] })
  const claimed = policy('lab/p', { ingress: [allow] })
  const { mirror } = calculate([
    { ...foreign, ...elsewhere } as PolicyUpdate,
    workload('me', { namespace: 'prod' }),
    { ...claimed, name: 'prod/p' },
  ])
  t.same([...mirror.endpoints.keys()], ['me'], 'nobody makes endpoints for another node')
  t.same([...mirror.policies.keys()], ['NetworkPolicy/prod/p'])
  t.end()
})
