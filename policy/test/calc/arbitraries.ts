/** Random clusters from few words, so that what is random still meets: labels, names and addresses come up again. */
import fc from 'fast-check'
import type { EntityRule, Rule } from '@network/datastore/model'
import type { PolicyUpdate } from '../../src/index.ts'
import { gone, host, networkSet, policy, profile, tier, workload } from './updates.ts'

const NAMESPACES = ['prod', 'lab']
export const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.1', 'fd00::1', 'fd00::2', '192.0.2.9']
const NETS = ['10.0.0.0/24', '10.0.0.2/31', '0.0.0.0/0', 'fd00::/64', '192.0.2.0/24', '10.0.1.1/32']
export const WORKLOADS = ['a', 'b', 'c', 'd']
const PORT_NAMES = ['http', 'dns']
export const PORTS = [80, 53, 443, 8080]

const labelName = fc.constantFrom('app', 'role', 'pcns.stage')
const labelValue = fc.constantFrom('web', 'db', 'x')
const labels = fc.dictionary(labelName, labelValue, { maxKeys: 2, noNullPrototype: true })

const term = fc.oneof(
  fc
    .tuple(labelName, fc.constantFrom('==', '!=', 'contains', 'starts with'), labelValue)
    .map(([l, o, v]) => `${l} ${o} '${v}'`),
  fc
    .tuple(labelName, fc.constantFrom('in', 'not in'), fc.uniqueArray(labelValue, { maxLength: 2 }))
    .map(([l, o, vs]) => `${l} ${o} {${vs.map((v) => `'${v}'`).join(', ')}}`),
  labelName.map((l) => `has(${l})`),
  fc.constantFrom(
    'all()',
    'global()',
    "drover.network/namespace == 'prod'",
    "projectcalico.org/orchestrator == 'cni'",
  ),
)
export const selector = fc.oneof(
  { weight: 4, arbitrary: term },
  { weight: 1, arbitrary: term.map((one) => `!(${one})`) },
  { weight: 2, arbitrary: fc.tuple(term, fc.constantFrom('&&', '||'), term).map((parts) => parts.join(' ')) },
  { weight: 1, arbitrary: fc.tuple(term, term, term).map(([a, b, c]) => `(${a} || ${b}) && !(${c})`) },
)
const namespaceSelector = fc.constantFrom(
  'all()',
  'global()',
  "stage == 'web'",
  "stage != 'web'",
  '!has(stage)',
  "global() || stage == 'db'",
  "projectcalico.org/name == 'lab'",
)

const port = fc.oneof(
  fc.constantFrom(...PORTS),
  fc.constantFrom('50:100', '443:9000'),
  fc.constantFrom(...PORT_NAMES),
)
const sometimes = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })

function present<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}

const side = (withPorts: boolean): fc.Arbitrary<EntityRule> =>
  fc
    .record({
      selector: sometimes(selector),
      notSelector: sometimes(selector),
      namespaceSelector: sometimes(namespaceSelector),
      serviceAccounts: sometimes(
        fc.constantFrom({ names: ['robot'] }, { selector: "trust == 'x'" }, { selector: "trust != 'x'" }),
      ),
      nets: sometimes(fc.uniqueArray(fc.constantFrom(...NETS), { minLength: 1, maxLength: 2 })),
      notNets: sometimes(fc.uniqueArray(fc.constantFrom(...NETS), { minLength: 1, maxLength: 1 })),
      ports: withPorts ? sometimes(fc.array(port, { minLength: 1, maxLength: 2 })) : fc.constant(undefined),
      notPorts: withPorts
        ? sometimes(fc.array(port, { minLength: 1, maxLength: 2 }))
        : fc.constant(undefined),
    })
    .map((fields) => present(fields) as EntityRule)

const action = fc.constantFrom<Rule['action']>('Allow', 'Allow', 'Allow', 'Deny', 'Pass', 'Log')
const rule: fc.Arbitrary<Rule> = fc.oneof(
  fc
    .record({
      action,
      protocol: fc.constantFrom<Rule['protocol'] & (string | number)>('TCP', 'UDP', 132),
      source: sometimes(side(true)),
      destination: sometimes(side(true)),
      ipVersion: sometimes(fc.constantFrom<4 | 6>(4, 6)),
    })
    .map((fields) => present(fields) as Rule),
  fc
    .record({
      action,
      notProtocol: sometimes(fc.constantFrom<Rule['protocol'] & (string | number)>('TCP', 'ICMP')),
      source: sometimes(side(false)),
      destination: sometimes(side(false)),
    })
    .map((fields) => present(fields) as Rule),
  fc
    .record({
      action,
      protocol: fc.constant<'ICMP'>('ICMP'),
      icmp: sometimes(fc.constantFrom({ type: 8 }, { type: 8, code: 0 })),
      notICMP: sometimes(fc.constantFrom({ type: 8 }, { type: 3, code: 1 })),
    })
    .map((fields) => present(fields) as Rule),
)
const rules = fc.array(rule, { maxLength: 3 })

const someWorkload = fc
  .record({
    name: fc.constantFrom(...WORKLOADS),
    node: fc.constantFrom('here', 'here', 'there'),
    namespace: fc.constantFrom(...NAMESPACES),
    labels,
    ipNetworks: fc.uniqueArray(
      fc.constantFrom(...ADDRESSES.map((one) => `${one}/${one.includes(':') ? '128' : '32'}`)),
      { minLength: 1, maxLength: 2 },
    ),
    profiles: fc.uniqueArray(fc.constantFrom('p', 'q'), { maxLength: 2 }),
    serviceAccount: sometimes(fc.constant('robot')),
    ports: fc.array(
      fc.record({
        name: fc.constantFrom(...PORT_NAMES),
        protocol: fc.constantFrom<'TCP' | 'UDP'>('TCP', 'UDP'),
        port: fc.constantFrom(...PORTS),
      }),
      { maxLength: 2 },
    ),
  })
  .map(({ name, serviceAccount, ...spec }) =>
    workload(name, { ...spec, ...(serviceAccount === undefined ? {} : { serviceAccount }) }),
  )

const somePolicy = fc
  .record({
    name: fc.constantFrom('one', 'two', 'prod/one', 'lab/two'),
    tier: fc.constantFrom('default', 'first', 'lost'),
    order: sometimes(fc.constantFrom(1, 2)),
    selector,
    types: fc.constantFrom<('Ingress' | 'Egress')[]>(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: rules,
    egress: rules,
    place: fc.constantFrom<object>(
      {},
      {},
      {},
      { applyOnForward: true },
      { doNotTrack: true, applyOnForward: true },
      { preDNAT: true, applyOnForward: true },
    ),
  })
  .map(({ name, order, place, ...spec }) =>
    policy(name, {
      ...spec,
      ...(order === undefined ? {} : { order }),
      ...(name.includes('/') ? {} : place),
    }),
  )

const someProfile = fc
  .record({
    name: fc.constantFrom('p', 'q', 'kns.prod', 'kns.lab', 'ksa.prod.robot'),
    ingress: rules,
    egress: rules,
    labelsToApply: fc.dictionary(fc.constantFrom('app', 'role', 'pcns.stage', 'pcsa.trust'), labelValue, {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  })
  .map(({ name, ...spec }) => profile(name, spec))

export const someHost = fc
  .record({
    name: fc.constantFrom('uplink', 'all'),
    node: fc.constantFrom('here', 'here', 'there'),
    labels,
    profiles: fc.uniqueArray(fc.constantFrom('p', 'q'), { maxLength: 2 }),
    expectedIPs: fc.uniqueArray(fc.constantFrom(...ADDRESSES), { maxLength: 1 }),
  })
  .map(({ name, ...spec }) => host(name, { ...spec, interfaceName: name === 'all' ? '*' : 'eth0' }))

const broken = fc
  .record({
    kind: fc.constantFrom<PolicyUpdate['kind']>('GlobalNetworkPolicy', 'Profile', 'GlobalNetworkSet'),
    spec: fc.record({ selector: fc.constantFrom('((', "app == 'web'"), nets: fc.constant(['10.0.0.1', 7]) }),
  })
  .map(({ kind, spec }): PolicyUpdate => ({ kind, name: kind === 'Profile' ? 'p' : 'one', broken: { spec } }))

const something: fc.Arbitrary<PolicyUpdate> = fc.oneof(
  { weight: 6, arbitrary: someWorkload },
  { weight: 6, arbitrary: somePolicy },
  { weight: 3, arbitrary: someProfile },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('first'),
        fc.constantFrom(1, 2_000_000),
        fc.constantFrom<'Deny' | 'Pass'>('Deny', 'Pass'),
      )
      .map(([name, order, end]) => tier(name, order, end)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('one', 'prod/one'),
        labels,
        fc.uniqueArray(fc.constantFrom(...NETS), { maxLength: 2 }),
      )
      .map(([name, own, nets]) => networkSet(name, own, nets)),
  },
  { weight: 1, arbitrary: someHost },
  { weight: 1, arbitrary: broken },
)

/** News in which the same names come up again, sometimes to go. */
export const news: fc.Arbitrary<PolicyUpdate[]> = fc
  .array(fc.tuple(something, fc.integer({ min: 0, max: 5 })), { minLength: 5, maxLength: 40 })
  .map((updates) => updates.map(([update, chance]) => (chance === 0 ? gone(update) : update)))

export const probes = fc.array(
  fc.record({
    source: fc.constantFrom(...ADDRESSES),
    destination: fc.constantFrom(...ADDRESSES),
    protocol: fc.constantFrom(6, 17, 132, 1, 47),
    sourcePort: fc.constantFrom(...PORTS),
    destinationPort: fc.constantFrom(...PORTS),
    icmp: fc.constantFrom({ type: 8, code: 0 }, { type: 3, code: 1 }, { type: 8, code: 1 }),
  }),
  { minLength: 20, maxLength: 20 },
)
