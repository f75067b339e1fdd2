import t from 'tap'
import { apply, calculate } from './mirror.ts'
import { allow, deny, host, policy, tier, workload } from './updates.ts'

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
