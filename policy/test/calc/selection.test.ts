import t from 'tap'
import type { PolicyUpdate } from '../../src/index.ts'
import { calculate } from './mirror.ts'
import { host, networkSet, policy, profile, workload } from './updates.ts'

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
