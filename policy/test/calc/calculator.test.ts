import t from 'tap'
import type { PolicyUpdate } from '../../src/index.ts'
import { calculate } from './mirror.ts'
import { allow, from, policy, pool, profile, workload } from './updates.ts'

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
