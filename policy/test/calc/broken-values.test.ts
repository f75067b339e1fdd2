import t from 'tap'
import type { PolicyUpdate } from '../../src/index.ts'
import { calculate } from './mirror.ts'
import { allow, from, policy, profile, tier, workload } from './updates.ts'

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
