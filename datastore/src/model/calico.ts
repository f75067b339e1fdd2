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
  /** Dotted paths below spec. */
  readonly foreign: Readonly<Record<string, Treatment>>
  readonly adapt?: (spec: Record<string, unknown>) => void
}

const noOverlay = { harmless: ['Never', '', null], because: 'packets travel without encapsulation here' }
const noServices = { harmless: [[], null], because: 'services are not announced' }
const ownTunnel: Treatment = { harmless: 'any', because: 'there are no tunnels' }
const ofAgent: Treatment = { harmless: 'any', because: 'the agent finds it out by itself' }

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
  WorkloadEndpoint: {
    renamed: { pod: 'workload' },
    foreign: {
      serviceAccountName: { harmless: ['', null], because: 'service accounts are labels here' },
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
      delete metadata['namespace']
      warnings.push('metadata.name and metadata.namespace are dropped: the name follows from the spec')
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
    const names = path.split('.')
    const last = names.pop() ?? path
    const parent = openParent(spec, names)
    if (parent === undefined || !Object.hasOwn(parent, last)) continue
    const found = parent[last]
    const segments = ['spec', ...names, last]
    const harmless =
      treatment.harmless === 'any' ||
      treatment.harmless.some((good) => JSON.stringify(good) === JSON.stringify(found))
    Reflect.deleteProperty(parent, last)
    if (harmless) {
      warnings.push(`${formatPath(segments)} is dropped: ${treatment.because}`)
    } else {
      const expected = 'no such field: Drover has none'
      faults.push({
        code: 'unknown-field',
        path: formatPath(segments),
        segments,
        value: found,
        expected,
        message: `${formatPath(segments)}: ${showValue(found)} is Calico's alone: ${treatment.because}`,
      })
      if (names.length > 0) Reflect.deleteProperty(spec, names[0] ?? '')
    }
  }
  return { value, warnings, faults }
}

/** The object at the end of a path below spec, each object on the way replaced by a copy of our own. */
function openParent(
  spec: Record<string, unknown>,
  names: readonly string[],
): Record<string, unknown> | undefined {
  let parent = spec
  for (const name of names) {
    const next = Object.hasOwn(parent, name) ? parent[name] : undefined
    if (!isRecord(next)) return undefined
    const copy = { ...next }
    parent[name] = copy
    parent = copy
  }
  return parent
}
