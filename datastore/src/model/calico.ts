import { formatPath, showValue } from './field-fault.ts'
import { type FieldFault } from './kind.ts'
import { type KindName } from './kinds/index.ts'

/*
 * projectcalico.org/v3 manifests of the kinds that we have, turned into ours before they are validated. A field that
 * we don't have is dropped with a warning where its value asks for nothing (ipipMode: Never) or where the agent finds
 * it out by itself, and refused with a reason where leaving it out would change what the manifest means.
 */

interface Treatment {
  /** Values that may be dropped; 'any' if all may. */
  readonly harmless: readonly unknown[] | 'any'
  /** Why, as the end of a sentence. */
  readonly because: string
}

interface Translation {
  /** Calico's field → ours, both below spec. */
  readonly renamed?: Readonly<Record<string, string>>
  /** Dotted paths below spec; `*` is every item of a list. */
  readonly foreign: Readonly<Record<string, Treatment>>
  readonly adapt?: (spec: Record<string, unknown>) => void
}

const noOverlay = { harmless: ['Never', '', null], because: 'packets travel without encapsulation here' }
const noServices = { harmless: [[], null], because: 'services are not announced' }
const ownTunnel: Treatment = { harmless: 'any', because: 'there are no tunnels' }
const ofAgent: Treatment = { harmless: 'any', because: 'the agent finds it out by itself' }

const empty = [[], {}, '', null]
const noServiceMatch = {
  harmless: empty,
  because: 'there are no Kubernetes services: match their endpoints by selector, or their addresses by nets',
}
const noDomains = {
  harmless: empty,
  because: 'the kernel sees addresses, not domain names: list the networks in nets or in a network set',
}
/** What rules have that ours have not, for one list of rules below spec. */
function ruleFields(list: 'ingress' | 'egress'): Record<string, Treatment> {
  const sides = ['source', 'destination'].flatMap((side): [string, Treatment][] => [
    [`${list}.*.${side}.services`, noServiceMatch],
    [`${list}.*.${side}.domains`, noDomains],
  ])
  return {
    [`${list}.*.http`]: {
      harmless: empty,
      because: 'the kernel sees packets, not HTTP requests: match the port instead',
    },
    ...Object.fromEntries(sides),
  }
}

const rulesForeign = { ...ruleFields('ingress'), ...ruleFields('egress') }

const policy: Translation = {
  foreign: {
    ...rulesForeign,
    performanceHints: {
      harmless: 'any',
      because: 'a node keeps what its own endpoints need, and is fast at it',
    },
  },
  adapt: dropEmptyLists,
}

const networkSet: Translation = { foreign: { allowedEgressDomains: noDomains } }

const translations: Partial<Record<KindName, Translation>> = {
  IPPool: {
    foreign: {
      ipipMode: noOverlay,
      vxlanMode: noOverlay,
      ipip: { harmless: [null], because: 'packets travel without encapsulation here' },
      namespaceSelector: { harmless: ['all()', '', null], because: 'pools are not chosen by namespace' },
      allowedUses: {
        harmless: [['Workload'], ['Workload', 'Tunnel'], ['Tunnel', 'Workload'], [], null],
        because: 'pools serve workloads only',
      },
      'nat-outgoing': { harmless: [false, null], because: 'it is an old spelling of natOutgoing' },
    },
  },
  Node: {
    foreign: {
      orchRefs: { harmless: 'any', because: 'no other orchestrator is asked' },
      interfaces: ofAgent,
      ipv4VXLANTunnelAddr: ownTunnel,
      ipv6VXLANTunnelAddr: ownTunnel,
      vxlanTunnelMACAddr: ownTunnel,
      vxlanTunnelMACAddrV6: ownTunnel,
      wireguard: ownTunnel,
      'bgp.ipv4IPIPTunnelAddr': ownTunnel,
    },
    adapt(spec) {
      if (!Array.isArray(spec['addresses'])) return
      spec['addresses'] = spec['addresses'].map((item: unknown) =>
        typeof item === 'object' && item !== null && (item as { type?: unknown }).type === 'CalicoNodeIP'
          ? { ...item, type: 'NodeIP' }
          : item,
      )
    },
  },
  BGPConfiguration: {
    foreign: {
      logSeverityScreen: { harmless: 'any', because: 'logLevel of AgentConfiguration says it' },
      serviceClusterIPs: noServices,
      serviceExternalIPs: noServices,
      serviceLoadBalancerIPs: noServices,
      serviceLoadBalancerAggregation: { harmless: 'any', because: 'services are not announced' },
      programClusterRoutes: { harmless: 'any', because: 'routes have one owner, the agent' },
      ignoredInterfaces: { harmless: 'any', because: 'nothing is learned from the networks of interfaces' },
      ipv4NormalRoutePriority: {
        harmless: [1024, null],
        because: 'kernelRouteMetric of AgentConfiguration says it',
      },
      ipv6NormalRoutePriority: {
        harmless: [1024, null],
        because: 'kernelRouteMetric of AgentConfiguration says it',
      },
      localWorkloadPeeringIPV4: { harmless: ['', null], because: 'workloads are not peers' },
      localWorkloadPeeringIPV6: { harmless: ['', null], because: 'workloads are not peers' },
      'nodeMeshPassword.secretKeyRef': {
        harmless: [null],
        because: 'there are no Kubernetes secrets: write nodeMeshPassword as text',
      },
    },
  },
  BGPPeer: {
    foreign: {
      keepOriginalNextHop: { harmless: [false, null], because: 'nextHopMode says it' },
      reversePeering: { harmless: ['Auto', '', null], because: 'both ends are always made' },
      reachableBy: { harmless: ['', null], because: 'routes to peers are left to the node' },
      localWorkloadSelector: { harmless: ['', null], because: 'workloads are not peers' },
      'password.secretKeyRef': {
        harmless: [null],
        because: 'there are no Kubernetes secrets: write password as text',
      },
    },
    adapt(spec) {
      if (spec['keepOriginalNextHop'] !== true || spec['nextHopMode'] !== undefined) return
      spec['nextHopMode'] = 'Keep'
      delete spec['keepOriginalNextHop']
    },
  },
  ClusterInformation: {
    renamed: { clusterGUID: 'clusterID', calicoVersion: 'version' },
    foreign: {
      clusterType: { harmless: 'any', because: 'there is one type' },
      variant: { harmless: 'any', because: 'there is one variant' },
      cnxVersion: { harmless: 'any', because: 'there is one version' },
    },
  },
  Profile: { foreign: rulesForeign, adapt: dropEmptyLists },
  GlobalNetworkPolicy: policy,
  NetworkPolicy: policy,
  StagedGlobalNetworkPolicy: policy,
  StagedNetworkPolicy: policy,
  GlobalNetworkSet: networkSet,
  NetworkSet: networkSet,
  WorkloadEndpoint: {
    renamed: { pod: 'workload', serviceAccountName: 'serviceAccount' },
    foreign: {
      'ports.*.hostPort': {
        harmless: 'any',
        because: 'portMappings says which ports of the host lead to it',
      },
      'ports.*.hostIP': { harmless: 'any', because: 'portMappings says which ports of the host lead to it' },
      ipNATs: { harmless: [[], null], because: 'addresses are not translated between workloads' },
      ipv4Gateway: ofAgent,
      ipv6Gateway: ofAgent,
    },
  },
}

const foreignMetadata = [
  'generation',
  'managedFields',
  'ownerReferences',
  'finalizers',
  'selfLink',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const

export interface Translated {
  readonly value: Readonly<Record<string, unknown>>
  readonly warnings: readonly string[]
  readonly faults: readonly FieldFault[]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Translates a manifest of Calico's; what remains foreign in it, validation finds. */
export function calicoToDrover(kind: KindName, manifest: Readonly<Record<string, unknown>>): Translated {
  const warnings: string[] = []
  const faults: FieldFault[] = []
  const value = { ...manifest }
  if (isRecord(value['metadata'])) {
    const metadata = { ...value['metadata'] }
    for (const field of foreignMetadata) {
      if (Object.hasOwn(metadata, field)) Reflect.deleteProperty(metadata, field)
    }
    if (kind === 'WorkloadEndpoint') {
      delete metadata['name']
      warnings.push('metadata.name is dropped: the name follows from the spec')
      if (metadata['namespace'] !== undefined && isRecord(value['spec'])) {
        value['spec'] = { ...value['spec'], namespace: metadata['namespace'] }
        delete metadata['namespace']
      }
    }
    value['metadata'] = metadata
  }
  const translation = translations[kind]
  if (translation === undefined || !isRecord(value['spec'])) return { value, warnings, faults }
  const spec = { ...value['spec'] }
  value['spec'] = spec
  translation.adapt?.(spec)
  for (const [theirs, ours] of Object.entries(translation.renamed ?? {})) {
    if (!Object.hasOwn(spec, theirs) || Object.hasOwn(spec, ours)) continue
    spec[ours] = spec[theirs]
    Reflect.deleteProperty(spec, theirs)
  }
  for (const [path, treatment] of Object.entries(translation.foreign)) {
    for (const { parent, segments } of openParents(spec, path.split('.'))) {
      const last = String(segments.at(-1))
      const found = parent[last]
      const at = ['spec', ...segments]
      const harmless =
        treatment.harmless === 'any' ||
        treatment.harmless.some((good) => JSON.stringify(good) === JSON.stringify(found))
      Reflect.deleteProperty(parent, last)
      if (harmless) {
        warnings.push(`${formatPath(at)} is dropped: ${treatment.because}`)
        continue
      }
      faults.push({
        code: 'unknown-field',
        path: formatPath(at),
        segments: at,
        value: found,
        expected: 'no such field: Drover has none',
        message: `${formatPath(at)}: ${showValue(found)} is Calico's alone: ${treatment.because}`,
      })
      // 'password.secretKeyRef': what is left of the object around it would be told as a second fault.
      const [first = ''] = segments
      if (segments.length === 2) Reflect.deleteProperty(spec, first)
    }
  }
  return { value, warnings, faults }
}

interface Found {
  readonly parent: Record<string, unknown>
  readonly segments: readonly (string | number)[]
}

/** Where a field stands below spec, each object and list on the way replaced by a copy of our own. */
function openParents(
  parent: Record<string, unknown>,
  path: readonly string[],
  at: readonly (string | number)[] = [],
): Found[] {
  const [name = '', ...rest] = path
  if (!Object.hasOwn(parent, name)) return []
  if (rest.length === 0) return [{ parent, segments: [...at, name] }]
  const next = parent[name]
  if (rest[0] === '*' && Array.isArray(next)) {
    const copy = next.map((item: unknown): unknown => (isRecord(item) ? { ...item } : item))
    parent[name] = copy
    return copy.flatMap((item, index) =>
      isRecord(item) ? openParents(item, rest.slice(1), [...at, name, index]) : [],
    )
  }
  if (!isRecord(next)) return []
  const copy = { ...next }
  parent[name] = copy
  return openParents(copy, rest, [...at, name])
}

/** Calico reads an empty list of a rule as an absent one; ours have items. */
function dropEmptyLists(spec: Record<string, unknown>): void {
  for (const direction of ['ingress', 'egress']) {
    const rules = spec[direction]
    if (!Array.isArray(rules)) continue
    spec[direction] = rules.map((rule: unknown): unknown => {
      if (!isRecord(rule)) return rule
      const sides = ['source', 'destination'].flatMap((side): [string, unknown][] =>
        isRecord(rule[side]) ? [[side, withoutEmptyLists(rule[side])]] : [],
      )
      return { ...rule, ...Object.fromEntries(sides) }
    })
  }
}

function withoutEmptyLists(value: Record<string, unknown>): Record<string, unknown> {
  const kept = Object.entries(value)
    .filter(([, item]) => !Array.isArray(item) || item.length > 0)
    .map(([name, item]): [string, unknown] => [name, isRecord(item) ? withoutEmptyLists(item) : item])
  return Object.fromEntries(kept)
}
