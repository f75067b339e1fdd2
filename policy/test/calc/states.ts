/** Named states of the model, each small enough to arrive in every order; together they touch every part of calculation. */
import type { PolicyUpdate } from '../../src/index.ts'
import { allow, deny, from, host, networkSet, policy, pool, profile, tier, workload } from './updates.ts'

const web = workload('web', {
  labels: { app: 'web' },
  ipNetworks: ['10.0.0.1/32', 'fd00::1/128'],
  profiles: ['p'],
})
const far = workload('far', { node: 'there', labels: { app: 'db' }, ipNetworks: ['10.0.1.1/32'] })

export const states: Readonly<Record<string, readonly PolicyUpdate[]>> = {
  nothing: [],
  'an endpoint alone': [web],
  'an endpoint, its profile, a pool': [
    web,
    profile('p', { ingress: [from("app == 'db'")], egress: [allow] }),
    pool('v4', '10.0.0.0/16', true),
  ],
  'a policy that names a remote endpoint': [web, far, policy('a', { ingress: [from("app == 'db'")] })],
  'the same selector in two policies': [
    web,
    far,
    policy('a', { ingress: [from("app=='db'")] }),
    policy('b', { ingress: [from('app == "db"')], order: 1 }),
  ],
  'two endpoints with one address': [
    web,
    far,
    workload('twin', {
      node: 'there',
      labels: { app: 'db', x: '1' },
      ipNetworks: ['10.0.1.1/32', '10.0.1.3/32'],
    }),
    policy('a', { ingress: [from("app == 'db'")] }),
  ],
  'the remote endpoint says something else': [
    web,
    workload('far', { node: 'there', labels: { app: 'db' }, ipNetworks: ['10.0.1.2/32', '10.0.1.1/32'] }),
    policy('a', { ingress: [from("app == 'db'")] }),
  ],
  'labels from a profile': [
    workload('web', { labels: { app: 'web' }, profiles: ['p', 'q'], ipNetworks: ['10.0.0.1/32'] }),
    profile('p', { labelsToApply: { app: 'p', role: 'one' } }),
    profile('q', { labelsToApply: { role: 'two', zone: 'z' } }),
    policy('a', { selector: "role == 'one' && app == 'web'", ingress: [from("zone == 'z'")] }),
  ],
  'other labels from a profile': [
    workload('web', { labels: { app: 'web' }, profiles: ['p', 'q'], ipNetworks: ['10.0.0.1/32'] }),
    profile('p', { labelsToApply: { app: 'p', zone: 'y' } }),
    profile('q', { labelsToApply: { role: 'two', zone: 'z' } }),
    policy('a', { selector: "role == 'one' && app == 'web'", ingress: [from("zone == 'z'")] }),
    policy('b', { selector: "role == 'two'", ingress: [from("zone == 'y'")] }),
  ],
  namespaces: [
    workload('web', { namespace: 'prod', labels: { app: 'web' }, ipNetworks: ['10.0.0.1/32'] }),
    workload('far', { namespace: 'lab', node: 'there', labels: { app: 'web' }, ipNetworks: ['10.0.1.1/32'] }),
    profile('kns.lab', { labelsToApply: { 'pcns.stage': 'test' } }),
    policy('prod/a', {
      ingress: [from("app == 'web'"), { action: 'Allow', source: { namespaceSelector: "stage == 'test'" } }],
    }),
    networkSet('prod/s', { app: 'web' }, ['192.0.2.0/24']),
  ],
  tiers: [
    web,
    tier('first', 1, 'Pass'),
    policy('a', { tier: 'first' }),
    policy('b', { tier: 'lost', order: 2 }),
    policy('c'),
  ],
  'tiers in another order': [
    web,
    tier('first', 2_000_000),
    tier('lost', 1),
    policy('a', { tier: 'first' }),
    policy('b', { tier: 'lost', types: ['Egress'] }),
  ],
  'named ports': [
    workload('web', {
      labels: { app: 'web' },
      ipNetworks: ['10.0.0.1/32', 'fd00::1/128'],
      ports: [
        { name: 'http', protocol: 'TCP', port: 80 },
        { name: 'http', protocol: 'UDP', port: 443 },
      ],
    }),
    workload('far', {
      node: 'there',
      ipNetworks: ['10.0.1.1/32'],
      ports: [{ name: 'http', protocol: 6, port: 8080 }],
    }),
    policy('a', {
      egress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: ['http', 22, '100:200'] } }],
    }),
  ],
  'host endpoints': [
    host('eth0', { interfaceName: 'eth0', expectedIPs: ['192.0.2.1'], labels: { role: 'host' } }),
    host('second', { interfaceName: 'eth0', profiles: ['p'] }),
    policy('a', { selector: "role == 'host'", ingress: [allow], applyOnForward: true }),
    policy('b', {
      selector: "role == 'host'",
      ingress: [deny],
      egress: [deny],
      doNotTrack: true,
      applyOnForward: true,
    }),
    policy('c', { ingress: [deny], preDNAT: true, applyOnForward: true }),
  ],
  'host endpoint elsewhere': [
    host('eth0', {
      node: 'there',
      interfaceName: 'eth0',
      expectedIPs: ['192.0.2.2'],
      labels: { role: 'host' },
    }),
    host('second', { interfaceName: 'eth0', profiles: ['p'] }),
    web,
    policy('a', { ingress: [from("role == 'host'")] }),
  ],
  'overlapping nets': [
    web,
    networkSet('s', { bad: 'yes' }, ['192.0.2.0/24', '198.51.100.7/32']),
    networkSet('t', { bad: 'yes' }, ['192.0.2.0/24', '2001:db8::/32']),
    policy('a', { ingress: [{ action: 'Deny', source: { selector: 'has(bad)' } }, allow] }),
  ],
  'what cannot be read': [
    web,
    {
      kind: 'GlobalNetworkPolicy',
      name: 'a',
      broken: { spec: { selector: "app == 'web'", types: ['Egress'], ingress: 7 } },
    },
    { kind: 'NetworkPolicy', name: 'default/b', broken: 'no JSON' },
    { kind: 'Profile', name: 'p', broken: { spec: { ingress: 'x', labelsToApply: { role: 'r', bad: 7 } } } },
    policy('c', { selector: "role == 'r'", egress: [allow] }),
  ],
  'an interface with two claimants': [
    web,
    workload('aaa', { interfaceName: 'drvweb', labels: { app: 'other' }, ipNetworks: ['10.0.0.9/32'] }),
    policy('a', { selector: "app == 'web'", ingress: [from("app == 'other'")] }),
    policy('b', { selector: "app == 'other'", ingress: [from("app == 'web'")] }),
  ],
}
