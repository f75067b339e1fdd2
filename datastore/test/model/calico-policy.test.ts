import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { formatResource, parseResources, policyTypes, type PolicySpec } from '../../src/model/index.ts'

const folder = path.join(import.meta.dirname, 'calico')

/** Every manifest of the folder, by kind and name, and the warnings about all of them. */
function readManifests(): { specs: Map<string, unknown>; warnings: string[]; faults: string[] } {
  const specs = new Map<string, unknown>()
  const warnings: string[] = []
  const faults: string[] = []
  for (const name of readdirSync(folder).sort()) {
    const parsed = parseResources(readFileSync(path.join(folder, name), 'utf8'), { source: name })
    if (!parsed.ok) {
      faults.push(...parsed.error.map(({ message }) => message))
      continue
    }
    warnings.push(...parsed.value.warnings)
    for (const { resource } of parsed.value.resources) {
      const { namespace, name: own } = resource.metadata
      specs.set(
        [resource.kind, ...(namespace === undefined ? [] : [namespace]), own].join('/'),
        resource.spec,
      )
      const again = parseResources(formatResource(resource, { format: 'yaml' }), { source: 'again' })
      t.same(
        again.ok ? again.value.resources.map((item) => item.resource) : again.error,
        [resource],
        `${own} is printed as what can be read again`,
      )
    }
  }
  return { specs, warnings, faults }
}

t.test("Calico's manifests of policy mean here what they mean there", (t) => {
  const { specs, warnings, faults } = readManifests()
  t.same(faults, [])
  t.same([...specs.keys()].sort(), [
    'GlobalNetworkPolicy/node-ports',
    'GlobalNetworkPolicy/security.block-metadata',
    'GlobalNetworkPolicy/shield',
    'GlobalNetworkSet/partners',
    'HostEndpoint/rack1-a-eth0',
    'HostEndpoint/rack1-b-all',
    'NetworkPolicy/production/default.allow-tcp-6379',
    'NetworkPolicy/staging/deny-all',
    'NetworkSet/production/legacy-databases',
    'Profile/kns.production',
    'Profile/ksa.production.gateway',
    'StagedGlobalNetworkPolicy/security.block-metadata',
    'StagedNetworkPolicy/production/default.allow-tcp-6379',
    'Tier/default',
    'Tier/security',
    'WorkloadEndpoint/rack1-a/k8s/web-1/eth0',
  ])
  t.strictSame(specs.get('GlobalNetworkPolicy/security.block-metadata'), {
    tier: 'security',
    order: 10.5,
    selector: 'all()',
    namespaceSelector: 'has(projectcalico.org/name)',
    types: ['Egress'],
    egress: [
      {
        action: 'Deny',
        protocol: 'TCP',
        destination: { nets: ['169.254.169.254/32'], ports: [80] },
      },
      { action: 'Pass' },
    ],
    doNotTrack: false,
    preDNAT: false,
    applyOnForward: false,
  })
  t.strictSame(specs.get('NetworkPolicy/production/default.allow-tcp-6379'), {
    tier: 'default',
    selector: 'role == "database"',
    serviceAccountSelector: 'role in {"cache", "storage"}',
    types: ['Ingress', 'Egress'],
    ingress: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: {
          selector: 'role == "frontend" && !has(quarantine)',
          namespaceSelector: 'name in {"production", "staging"}',
        },
        destination: { ports: [6379, 'redis', '7000:7005', 7100] },
        metadata: { annotations: { from: 'frontend', to: 'database' } },
      },
      { action: 'Log', protocol: 'TCP' },
      {
        action: 'Allow',
        ipVersion: 6,
        protocol: 'ICMPv6',
        icmp: { type: 128, code: 0 },
        source: { notNets: ['fd00:dead::/32'] },
      },
      {
        action: 'Deny',
        notProtocol: 132,
        source: {
          notSelector: 'has(trusted)',
          serviceAccounts: { names: ['gateway'], selector: 'team == "edge"' },
        },
      },
    ],
    egress: [{ action: 'Allow' }],
  })
  t.same(specs.get('GlobalNetworkSet/partners'), {
    nets: ['198.51.100.0/28', '203.0.113.7/32', '2001:db8:0:1::/64'],
  })
  t.match(specs.get('WorkloadEndpoint/rack1-a/k8s/web-1/eth0'), {
    namespace: 'production',
    serviceAccount: 'gateway',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  })
  t.same(policyTypes(specs.get('GlobalNetworkPolicy/shield') as PolicySpec), ['Ingress'])
  t.equal(warnings.length, 3, warnings.join('\n'))
  t.match(warnings[0], /^hosts.yaml:\d+: .*metadata.name is dropped/)
  t.match(warnings[1], /spec.ports\[0\].hostPort is dropped: portMappings says/)
  t.match(warnings[2], /^tiers-and-policies.yaml:\d+: .*spec.performanceHints is dropped/)
  t.end()
})

const manifest = (spec: object, kind = 'GlobalNetworkPolicy', name = 'p'): string =>
  JSON.stringify({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec })

/** What a Calico manifest may hold that would mean something else, or nothing, here. */
const refused: readonly (readonly [text: string, fault: RegExp])[] = [
  [
    manifest({ ingress: [{ action: 'Allow' }, { action: 'Allow', http: { methods: ['GET'] } }] }),
    /spec.ingress\[1\].http: .* is Calico's alone: the kernel sees packets, not HTTP requests: match the port instead$/,
  ],
  [
    manifest({ egress: [{ action: 'Allow', destination: { services: { name: 'web', namespace: 'a' } } }] }),
    /spec.egress\[0\].destination.services: .* there are no Kubernetes services/,
  ],
  [
    manifest({ egress: [{ action: 'Allow', destination: { domains: ['*.example.com'] } }] }),
    /spec.egress\[0\].destination.domains: .* the kernel sees addresses, not domain names/,
  ],
  [
    manifest({ ingress: [{ action: 'Allow', http: { paths: [{ exact: '/' }] } }] }, 'Profile'),
    /spec.ingress\[0\].http/,
  ],
  [
    manifest({ nets: [], allowedEgressDomains: ['a.example'] }, 'GlobalNetworkSet'),
    /spec.allowedEgressDomains: .* not domain names/,
  ],
  [
    manifest({ stagedAction: 'Learn' }, 'StagedGlobalNetworkPolicy'),
    /spec.stagedAction: 'Learn'; expected Set, Delete or Ignore/,
  ],
]

t.test('what can mean nothing here is refused with the reason', (t) => {
  for (const [text, fault] of refused) {
    const parsed = parseResources(text, { source: 'f' })
    t.equal(parsed.ok ? undefined : parsed.error.length, 1, text)
    if (!parsed.ok) t.match(parsed.error[0]?.message, fault)
  }
  t.end()
})
