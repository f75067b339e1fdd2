import t from 'tap'
import { compareFlows, type FlowChange, type PolicyUpdate } from '../../src/index.ts'
import { allow, deny, from, gone, host, networkSet, policy, profile, workload } from '../calc/updates.ts'

const base: readonly PolicyUpdate[] = [
  profile('open', { ingress: [allow], egress: [allow] }),
  ...['web1', 'web2'].map((name, at) =>
    workload(name, {
      labels: { app: 'web', pod: name },
      ipNetworks: [`10.0.0.${String(at + 1)}/32`],
      profiles: ['open'],
    }),
  ),
  workload('db', {
    node: 'there',
    labels: { app: 'db' },
    ipNetworks: ['10.0.1.1/32'],
    profiles: ['open'],
    ports: [{ name: 'sql', protocol: 'TCP', port: 5432 }],
  }),
  networkSet('office', { from: 'office' }, ['198.51.100.0/24']),
]
const web = { is: 'workloads', names: ['web1', 'web2'] }
const db = { is: 'workloads', names: ['db'] }
const everybody = [
  { is: 'workloads', names: ['db', 'web1', 'web2'] },
  { is: 'addresses', nets: [{ net: '0.0.0.0/0', except: [] }] },
]
const strangers = [{ is: 'addresses', nets: [{ net: '0.0.0.0/0', except: [] }] }]

interface CompareCase {
  readonly name: string
  readonly before?: readonly PolicyUpdate[]
  readonly after: readonly PolicyUpdate[]
  readonly expected: readonly Partial<FlowChange>[]
}

const cases: readonly CompareCase[] = [
  { name: 'nothing changes', after: [], expected: [] },
  {
    name: 'the same in other words',
    before: [policy('p', { selector: "app=='db'", ingress: [from("app == 'web'")] })],
    after: [policy('p', { selector: "app in {'db'}", ingress: [from("app in {'web'}")] })],
    expected: [],
  },
  {
    name: 'an endpoint is closed',
    after: [policy('p', { selector: "app == 'db'", ingress: [deny] })],
    expected: [{ change: 'loses', from: [web, ...strangers], to: [db], families: ['ipv4'] }] as never,
  },
  {
    name: 'but for one port',
    after: [
      policy('p', {
        selector: "app == 'db'",
        ingress: [
          {
            action: 'Allow',
            protocol: 'TCP',
            source: { selector: "app == 'web'" },
            destination: { ports: ['sql', '6000:6010'] },
          },
        ],
      }),
    ],
    expected: [
      {
        change: 'loses',
        from: [web],
        to: [db],
        protocol: 6,
        destinationPorts: [
          { from: 0, to: 5431 },
          { from: 5433, to: 5999 },
          { from: 6011, to: 65535 },
        ],
      },
      { change: 'loses', from: [web], to: [db], protocol: 17 },
      { change: 'loses', from: [web], to: [db], protocol: 'other', exceptProtocols: [6, 17] },
      { change: 'loses', from: strangers, to: [db] },
    ] as never,
  },
  {
    name: 'it opens again, for an office and what lies within',
    before: [policy('p', { selector: "app == 'db'", ingress: [deny] })],
    after: [
      policy('p', {
        selector: "app == 'db'",
        ingress: [{ action: 'Deny', source: { nets: ['198.51.100.64/26'] } }, from("from == 'office'")],
      }),
    ],
    expected: [
      {
        change: 'gains',
        from: [{ is: 'addresses', nets: [{ net: '198.51.100.0/24', except: ['198.51.100.64/26'] }] }],
        to: [db],
        families: ['ipv4'],
      },
    ] as never,
  },
  {
    name: 'messages',
    before: [policy('p', { selector: "app == 'db'", ingress: [allow] })],
    after: [
      policy('p', {
        selector: "app == 'db'",
        ingress: [{ action: 'Deny', protocol: 'ICMP', icmp: { type: 8, code: 0 } }, allow],
      }),
    ],
    expected: [{ change: 'loses', to: [db], protocol: 1, icmp: { type: 8, code: 0 } }] as never,
  },
  {
    name: 'a label moves an endpoint under a policy',
    before: [policy('p', { selector: "quarantine == 'yes'", types: ['Ingress', 'Egress'] })],
    after: [
      workload('web2', {
        labels: { app: 'web', quarantine: 'yes' },
        ipNetworks: ['10.0.0.2/32'],
        profiles: ['open'],
      }),
    ],
    expected: [
      {
        change: 'loses',
        from: [{ is: 'workloads', names: ['web2'] }],
        to: [{ is: 'workloads', names: ['db', 'web1'] }, ...strangers],
      },
      {
        change: 'loses',
        from: [{ is: 'workloads', names: ['db', 'web1'] }, ...strangers],
        to: [{ is: 'workloads', names: ['web2'] }],
      },
    ] as never,
  },
  {
    name: 'a profile that goes denies for those who name it',
    after: [gone(profile('open'))],
    expected: [
      { change: 'loses', from: everybody, to: [{ is: 'workloads', names: ['db', 'web1', 'web2'] }] },
      { change: 'loses', from: [{ is: 'workloads', names: ['db', 'web1', 'web2'] }], to: strangers },
    ] as never,
  },
  {
    name: 'a host endpoint is defined: failsafe ports stay',
    before: [
      {
        kind: 'Node',
        name: 'here',
        resource: { metadata: { name: 'here' }, spec: { addresses: [{ address: '192.0.2.1' }] } },
      },
    ],
    after: [host('uplink', { interfaceName: 'eth0' })],
    expected: [
      { change: 'loses', to: [{ is: 'host', node: 'here' }], protocol: 17 },
      { change: 'loses', from: [{ is: 'host', node: 'here' }] },
    ] as never,
  },
]

t.test('what changes for whom', (t) => {
  for (const { name, before = [], after, expected } of cases) {
    const { changes, complete } = compareFlows(
      { resources: [...base, ...before] },
      { resources: [...base, ...before, ...after] },
    )
    t.ok(complete, `${name}: complete`)
    if (expected.length === 0) t.same(changes, [], name)
    for (const one of expected) {
      t.ok(
        changes.some((change) => isLike(change, one)),
        `${name}: ${JSON.stringify(one)}`,
        { changes },
      )
    }
  }
  t.end()
})

/** Whether the change says at least that. */
function isLike(change: FlowChange, expected: Partial<FlowChange>): boolean {
  return Object.entries(expected).every(
    ([field, value]) => JSON.stringify(change[field as keyof FlowChange]) === JSON.stringify(value),
  )
}

t.test('who may ask its host for names stands by itself among the ports of a host that is shut', (t) => {
  const node: PolicyUpdate = {
    kind: 'Node',
    name: 'here',
    resource: { metadata: { name: 'here' }, spec: { addresses: [{ address: '192.0.2.1' }] } },
  }
  const resources = [...base, node, host('uplink', { interfaceName: 'eth0' })]
  const mute = policy('p', { selector: "app == 'web'", types: ['Egress'], egress: [deny] })
  const toHost = (dnsListen: readonly string[]): FlowChange[] =>
    compareFlows(
      { resources, settings: () => ({ dnsListen }) },
      { resources: [...resources, mute], settings: () => ({ dnsListen }) },
    ).changes.filter(({ to }) => to.some((end) => end.is === 'host'))
  t.same(toHost([]), [], 'nobody reached it anyway')
  t.same(
    toHost(['192.0.2.1']).map(({ change, protocol, destinationPorts }) => [
      change,
      protocol,
      destinationPorts,
    ]),
    [6, 17].map((protocol) => ['loses', protocol, [{ from: 53, to: 53 }]]),
  )
  t.end()
})

t.test('what is too much is said to be too much', (t) => {
  const { complete, judged, changes } = compareFlows(
    { resources: base },
    { resources: [...base, policy('p', { ingress: [deny] })] },
    { maxFlows: 3 },
  )
  t.equal(complete, false)
  t.equal(judged, 3)
  t.ok(changes.length > 0)
  t.end()
})
