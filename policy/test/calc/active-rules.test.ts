import t from 'tap'
import { calculate } from './mirror.ts'
import { host, policy, workload } from './updates.ts'

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
