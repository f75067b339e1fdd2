import t from 'tap'
import {
  formatResource,
  formatResources,
  maskSecrets,
  parseResources,
  restoreSecrets,
} from '../../src/model/index.ts'

const pool = (name: string, cidr: string): string => `apiVersion: drover.network/v1
kind: IPPool
metadata:
  name: ${name}
spec:
  cidr: ${cidr}
`

t.test('several documents, lists, JSON, and documents that hold nothing', (t) => {
  const list = JSON.stringify({
    apiVersion: 'drover.network/v1',
    kind: 'List',
    items: [{ apiVersion: 'drover.network/v1', kind: 'Profile', metadata: { name: 'c' }, spec: {} }],
  })
  const text = `# pools\n---\n${pool('a', '10.0.0.0/16')}---\n---\n${pool('b', '10.1.0.0/16')}---\n${list}\n`
  const parsed = parseResources(text, { source: 'f.yaml' })
  t.same(
    parsed.ok
      ? parsed.value.resources.map(({ resource, origin }) => [
          resource.kind,
          resource.metadata.name,
          origin.document,
          origin.line,
        ])
      : parsed.error,
    [
      ['IPPool', 'a', 1, 3],
      ['IPPool', 'b', 3, 11],
      ['Profile', 'c', 4, 18],
    ],
  )
  t.end()
})

const bomb = `a: &a [x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]
e: [*d,*d,*d,*d,*d,*d,*d,*d,*d]
`

const bad: readonly (readonly [title: string, text: string, faults: readonly RegExp[]])[] = [
  ['nothing', '', [/^f.yaml:1: there is no resource in it$/]],
  ['only comments', '# a\n---\n# b\n', [/^f.yaml:1: there is no resource in it$/]],
  ['text', 'hello', [/^f.yaml:1: resource: 'hello'; expected a resource/]],
  ['an open bracket', 'kind: [IPPool', [/^f.yaml:1: column \d+: /]],
  ['a tab', 'kind: IPPool\n\tspec: {}\n', [/^f.yaml:2: column 1: /]],
  [
    'a key twice',
    `${pool('a', '10.0.0.0/16')}  cidr: 10.1.0.0/16\n`,
    [/^f.yaml:7: column 3: Map keys must be unique/],
  ],
  ['an unknown tag', 'kind: !!js/function x', [/^f.yaml:1: column 7: Unresolved tag/]],
  ['aliases that multiply', bomb, [/^f.yaml:1: document 1: Excessive alias count/]],
  ['an alias of nothing', 'kind: *x', [/^f.yaml:1: .*[Uu]nresolved alias/]],
  ['brackets without end', '['.repeat(50_000), [/^f.yaml:1: nested deeper than 100 levels$/]],
  ['dashes without end', '- '.repeat(50_000), [/^f.yaml:1: nested deeper than 100 levels$/]],
  [
    'too much',
    ' '.repeat(4 * 1024 * 1024 + 1),
    [/^f.yaml:1: the text is longer than 4194304 characters; split it$/],
  ],
  [
    'faults in two documents, each with its own line',
    `${pool('a', '10.0.0.1/16')}---\n${pool('b', '10.1.0.0/16')}  blokSize: 26\n  natOutgoing:\n    maybe\n`,
    [
      /^f.yaml:6: IPPool a: spec.cidr: '10.0.0.1\/16': it has host bits set/,
      /^f.yaml:14: IPPool b: spec.blokSize: unknown field, did you mean 'blockSize'/,
      /^f.yaml:15: IPPool b: spec.natOutgoing: 'maybe'; expected true or false$/,
    ],
  ],
  [
    'a field that is missing is looked for where it belongs',
    'apiVersion: drover.network/v1\nkind: IPPool\nmetadata: {name: a}\nspec:\n  natOutgoing: true\n',
    [/^f.yaml:4: IPPool a: spec.cidr: missing/],
  ],
  [
    'deep in a list',
    `apiVersion: drover.network/v1
kind: ProfileList
items:
- apiVersion: drover.network/v1
  kind: Profile
  metadata:
    name: web
  spec:
    ingress:
    - action: Allow
    - action: Allow
      protocol: TCP
      destination:
        ports:
        - 80
        - 70000
`,
    [/^f.yaml:16: Profile web: spec.ingress\[1\].destination.ports\[1\]: 70000; expected a port 1-65535/],
  ],
  [
    'a list that is none',
    'kind: List\nitems: {}\n',
    [/^f.yaml:2: items: \{\}; expected a list of resources$/],
  ],
  [
    'keys of the prototype',
    'apiVersion: drover.network/v1\nkind: Profile\nmetadata: {name: a}\n__proto__: {spec: {ingress: []}}\nspec: {constructor: 1}\n',
    [
      /^f.yaml:4: Profile a: __proto__: unknown field/,
      /^f.yaml:5: Profile a: spec.constructor: unknown field/,
    ],
  ],
  [
    'Calico’s own fields that change the meaning',
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: a}\nspec:\n  cidr: 10.0.0.0/16\n  ipipMode: Always\n  vxlanMode: CrossSubnet\n  colour: 1\n',
    [
      /^f.yaml:6: IPPool a: spec.ipipMode: 'Always' is Calico's alone: packets travel without encapsulation here$/,
      /^f.yaml:7: IPPool a: spec.vxlanMode: 'CrossSubnet' is Calico's alone/,
      /^f.yaml:8: IPPool a: spec.colour: unknown field/,
    ],
  ],
  [
    'a password in a Kubernetes secret',
    'apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: a}\nspec:\n  peerIP: 10.0.0.1\n  asNumber: 1\n  password:\n    secretKeyRef: {name: x, key: y}\n',
    [
      /^f.yaml:8: BGPPeer a: spec.password.secretKeyRef: .* there are no Kubernetes secrets: write password as text$/,
    ],
  ],
]

t.test('says what is wrong and on which line', (t) => {
  for (const [title, text, faults] of bad) {
    const parsed = parseResources(text, { source: 'f.yaml' })
    const messages = parsed.ok ? [] : parsed.error.map(({ message }) => message)
    t.equal(messages.length, faults.length, `${title}: ${messages.join('\n')}`)
    faults.forEach((fault, index) => t.match(messages[index], fault, title))
  }
  t.equal(({} as Record<string, unknown>)['spec'], undefined)
  t.end()
})

t.test('Calico’s manifests, with what was dropped', (t) => {
  const text = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: default-ipv4-ippool
  generation: 3
  creationTimestamp: null
spec:
  allowedUses: [Workload, Tunnel]
  blockSize: 26
  cidr: 10.244.0.0/16
  ipipMode: Never
  natOutgoing: true
  nodeSelector: all()
  vxlanMode: Never
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: tor}
spec:
  peerIP: 192.168.1.254
  asNumber: 65001
  keepOriginalNextHop: true
---
apiVersion: projectcalico.org/v3
kind: ClusterInformation
metadata: {name: default}
spec: {clusterGUID: abc, calicoVersion: v3.30.0, clusterType: 'k8s,bgp', datastoreReady: true}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1}
spec:
  addresses: [{address: 192.168.1.1/24, type: CalicoNodeIP}]
`
  const parsed = parseResources(text.replace('192.168.1.1/24, ', '192.168.1.1, '), { source: 'calico.yaml' })
  t.ok(parsed.ok, JSON.stringify(parsed))
  if (parsed.ok) {
    t.same(
      parsed.value.resources.map(({ resource }) => [resource.apiVersion, resource.spec]),
      [
        [
          'drover.network/v1',
          {
            cidr: '10.244.0.0/16',
            blockSize: 26,
            natOutgoing: true,
            disabled: false,
            disableBGPExport: false,
            nodeSelector: 'all()',
            assignmentMode: 'Automatic',
          },
        ],
        [
          'drover.network/v1',
          {
            peerIP: '192.168.1.254',
            asNumber: 65001,
            nextHopMode: 'Keep',
            sourceAddress: 'UseNodeIP',
            addPath: 'Disabled',
            passive: false,
          },
        ],
        ['drover.network/v1', { clusterID: 'abc', version: 'v3.30.0', datastoreReady: true }],
        ['drover.network/v1', { addresses: [{ address: '192.168.1.1', type: 'NodeIP' }] }],
      ],
    )
    t.same(parsed.value.warnings, [
      'calico.yaml:1: IPPool default-ipv4-ippool: spec.ipipMode is dropped: packets travel without encapsulation here',
      'calico.yaml:1: IPPool default-ipv4-ippool: spec.vxlanMode is dropped: packets travel without encapsulation here',
      'calico.yaml:1: IPPool default-ipv4-ippool: spec.allowedUses is dropped: pools serve workloads only',
      'calico.yaml:24: ClusterInformation default: spec.clusterType is dropped: there is one type',
    ])
  }
  t.end()
})

t.test('what is printed can be read again, in a stable order and without secrets', (t) => {
  const text = `kind: BGPPeer
spec: {passive: true, password: hunter2, asNumber: 65001, peerIP: 10.0.0.1}
metadata: {labels: {z: '1', a: 'on'}, name: tor}
apiVersion: drover.network/v1
`
  const parsed = parseResources(text, { source: 'f' })
  const resource = parsed.ok ? parsed.value.resources[0]?.resource : undefined
  if (resource === undefined) throw new Error(JSON.stringify(parsed))
  t.equal(
    formatResource(resource, { format: 'yaml' }),
    `apiVersion: drover.network/v1
kind: BGPPeer
metadata:
  name: tor
  labels:
    a: on
    z: "1"
spec:
  peerIP: 10.0.0.1
  asNumber: 65001
  nextHopMode: Auto
  password: "********"
  sourceAddress: UseNodeIP
  addPath: Disabled
  passive: true
`,
  )
  t.notMatch(formatResource(resource, { format: 'json' }), /hunter2/)
  t.match(formatResource(resource, { format: 'json', showSecrets: true }), /"password": "hunter2"/)
  for (const format of ['yaml', 'json'] as const) {
    const again = parseResources(formatResources([resource, resource], { format, showSecrets: true }), {
      source: 'f',
    })
    t.same(again.ok && again.value.resources.map((item) => item.resource), [resource, resource], format)
  }
  const masked = maskSecrets(resource)
  t.same(
    restoreSecrets(masked, resource),
    { resource, unknown: [] },
    'a mask stands for the secret that is there',
  )
  t.same(restoreSecrets(masked, undefined).unknown, [['spec', 'password']])
  t.end()
})
