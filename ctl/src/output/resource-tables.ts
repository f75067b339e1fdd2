import {
  type GlobalPolicySpec,
  type KindName,
  type PolicySpec,
  type PolicyType,
  policyTypes,
  type Resource,
  type ResourceOf,
  type Rule,
} from '@network/datastore/model'
import { type Column, renderTable } from './table.ts'

type Columns<Kind extends KindName> = {
  /** What a person looks for first. */
  short: readonly Column<ResourceOf<Kind>>[]
  /** Further columns of `-o wide`. */
  wide: readonly Column<ResourceOf<Kind>>[]
}

const name = <R extends Resource>(): Column<R> => ({
  heading: 'NAME',
  cell: (resource) => resource.metadata.name,
})
const dash = (value: string | number | undefined): string =>
  value === undefined || value === '' ? '-' : String(value)
const list = (values: readonly string[] | undefined): string => dash(values?.join(','))
const yesNo = (value: boolean | undefined): string => (value === true ? 'yes' : 'no')
const count = (values: readonly unknown[] | undefined): string => String(values?.length ?? 0)

function labels<R extends Resource>(): Column<R> {
  return {
    heading: 'LABELS',
    cell: (resource) =>
      list(Object.entries(resource.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`)),
    shrink: true,
  }
}

const namespace = <R extends Resource>(): Column<R> => ({
  heading: 'NAMESPACE',
  cell: (resource) => dash(resource.metadata.namespace),
})

/** How many rules of a direction; a dash where the policy doesn't judge it. */
const ruleCount = (spec: PolicySpec, type: PolicyType, rules: readonly Rule[] | undefined): string =>
  policyTypes(spec).includes(type) ? count(rules) : '-'

function policyColumns<R extends Resource<PolicySpec>>(): Column<R>[] {
  return [
    { heading: 'TIER', cell: (r) => r.spec.tier },
    { heading: 'ORDER', cell: (r) => dash(r.spec.order), align: 'right' },
    { heading: 'SELECTOR', cell: (r) => r.spec.selector, shrink: true },
    { heading: 'INGRESS', cell: (r) => ruleCount(r.spec, 'Ingress', r.spec.ingress), align: 'right' },
    { heading: 'EGRESS', cell: (r) => ruleCount(r.spec, 'Egress', r.spec.egress), align: 'right' },
  ]
}

/** At which places of a packet's way a policy is judged on host endpoints. */
function hostColumn<R extends Resource<GlobalPolicySpec>>(): Column<R> {
  return {
    heading: 'ON HOSTS',
    cell: ({ spec }) =>
      spec.doNotTrack ? 'untracked' : spec.preDNAT ? 'pre-DNAT' : spec.applyOnForward ? 'forward' : 'normal',
  }
}

const tables: { readonly [Kind in KindName]: Columns<Kind> } = {
  ClusterInformation: {
    short: [
      name(),
      { heading: 'CLUSTER ID', cell: (r) => dash(r.spec.clusterID) },
      { heading: 'VERSION', cell: (r) => dash(r.spec.version) },
      { heading: 'DATASTORE READY', cell: (r) => yesNo(r.spec.datastoreReady) },
    ],
    wide: [],
  },
  AgentConfiguration: {
    short: [
      name(),
      {
        heading: 'SETTINGS',
        cell: (r) =>
          list(
            Object.entries(r.spec).map(
              ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
            ),
          ),
        shrink: true,
      },
    ],
    wide: [],
  },
  IPAMConfiguration: {
    short: [
      name(),
      { heading: 'STRICT AFFINITY', cell: (r) => yesNo(r.spec.strictAffinity) },
      { heading: 'AUTO BLOCKS', cell: (r) => yesNo(r.spec.autoAllocateBlocks) },
      { heading: 'MAX BLOCKS', cell: (r) => dash(r.spec.maxBlocksPerHost), align: 'right' },
      { heading: 'COOLDOWN', cell: (r) => `${r.spec.ipCooldownSeconds}s`, align: 'right' },
    ],
    wide: [],
  },
  IPPool: {
    short: [
      name(),
      { heading: 'CIDR', cell: (r) => r.spec.cidr },
      { heading: 'BLOCK', cell: (r) => `/${r.spec.blockSize ?? '-'}` },
      { heading: 'NAT', cell: (r) => yesNo(r.spec.natOutgoing) },
      { heading: 'DISABLED', cell: (r) => yesNo(r.spec.disabled) },
      { heading: 'NODES', cell: (r) => r.spec.nodeSelector, shrink: true },
    ],
    wide: [
      { heading: 'MODE', cell: (r) => r.spec.assignmentMode },
      { heading: 'BGP EXPORT', cell: (r) => yesNo(!r.spec.disableBGPExport) },
    ],
  },
  IPReservation: {
    short: [name(), { heading: 'RESERVED', cell: (r) => list(r.spec.reservedCIDRs), shrink: true }],
    wide: [],
  },
  Node: {
    short: [
      name(),
      { heading: 'AS', cell: (r) => dash(r.spec.bgp?.asNumber ?? '(default)'), align: 'right' },
      { heading: 'IPV4', cell: (r) => dash(r.spec.bgp?.ipv4Address) },
      { heading: 'IPV6', cell: (r) => dash(r.spec.bgp?.ipv6Address) },
    ],
    wide: [{ heading: 'REFLECTOR', cell: (r) => dash(r.spec.bgp?.routeReflectorClusterID) }, labels()],
  },
  BGPConfiguration: {
    short: [
      name(),
      {
        heading: 'MESH',
        cell: (r) =>
          dash(r.spec.nodeToNodeMeshEnabled === undefined ? undefined : yesNo(r.spec.nodeToNodeMeshEnabled)),
      },
      { heading: 'AS', cell: (r) => dash(r.spec.asNumber), align: 'right' },
      { heading: 'PORT', cell: (r) => dash(r.spec.listenPort), align: 'right' },
    ],
    wide: [],
  },
  BGPFilter: {
    short: [
      name(),
      { heading: 'IMPORT V4', cell: (r) => count(r.spec.importV4), align: 'right' },
      { heading: 'EXPORT V4', cell: (r) => count(r.spec.exportV4), align: 'right' },
      { heading: 'IMPORT V6', cell: (r) => count(r.spec.importV6), align: 'right' },
      { heading: 'EXPORT V6', cell: (r) => count(r.spec.exportV6), align: 'right' },
    ],
    wide: [],
  },
  BGPPeer: {
    short: [
      name(),
      {
        heading: 'PEER',
        cell: (r) => dash(r.spec.peerIP ?? r.spec.interface ?? r.spec.peerSelector),
        shrink: true,
      },
      { heading: 'AS', cell: (r) => dash(r.spec.asNumber), align: 'right' },
      { heading: 'NODES', cell: (r) => r.spec.node ?? r.spec.nodeSelector ?? 'all()', shrink: true },
    ],
    wide: [
      { heading: 'FILTERS', cell: (r) => list(r.spec.filters), shrink: true },
      { heading: 'NEXT HOP', cell: (r) => r.spec.nextHopMode },
      { heading: 'PASSWORD', cell: (r) => yesNo(r.spec.password !== undefined) },
    ],
  },
  Profile: {
    short: [
      name(),
      { heading: 'INGRESS', cell: (r) => count(r.spec.ingress), align: 'right' },
      { heading: 'EGRESS', cell: (r) => count(r.spec.egress), align: 'right' },
      {
        heading: 'LABELS TO APPLY',
        cell: (r) =>
          list(Object.entries(r.spec.labelsToApply ?? {}).map(([key, value]) => `${key}=${value}`)),
        shrink: true,
      },
    ],
    wide: [],
  },
  Tier: {
    short: [
      name(),
      { heading: 'ORDER', cell: (r) => dash(r.spec.order), align: 'right' },
      { heading: 'DEFAULT ACTION', cell: (r) => r.spec.defaultAction },
    ],
    wide: [],
  },
  GlobalNetworkSet: {
    short: [name(), { heading: 'NETS', cell: (r) => count(r.spec.nets), align: 'right' }, labels()],
    wide: [{ heading: 'NETWORKS', cell: (r) => list(r.spec.nets), shrink: true }],
  },
  NetworkSet: {
    short: [
      namespace(),
      name(),
      { heading: 'NETS', cell: (r) => count(r.spec.nets), align: 'right' },
      labels(),
    ],
    wide: [{ heading: 'NETWORKS', cell: (r) => list(r.spec.nets), shrink: true }],
  },
  GlobalNetworkPolicy: { short: [name(), ...policyColumns()], wide: [hostColumn()] },
  NetworkPolicy: { short: [namespace(), name(), ...policyColumns()], wide: [] },
  StagedGlobalNetworkPolicy: {
    short: [name(), { heading: 'STAGED', cell: (r) => r.spec.stagedAction }, ...policyColumns()],
    wide: [hostColumn()],
  },
  StagedNetworkPolicy: {
    short: [namespace(), name(), { heading: 'STAGED', cell: (r) => r.spec.stagedAction }, ...policyColumns()],
    wide: [],
  },
  HostEndpoint: {
    short: [
      name(),
      { heading: 'NODE', cell: (r) => r.spec.node },
      { heading: 'INTERFACE', cell: (r) => dash(r.spec.interfaceName) },
      { heading: 'ADDRESSES', cell: (r) => list(r.spec.expectedIPs) },
      { heading: 'PROFILES', cell: (r) => list(r.spec.profiles), shrink: true },
    ],
    wide: [labels()],
  },
  Network: {
    short: [
      name(),
      { heading: 'ADDRESSES FROM', cell: (r) => list(r.spec.pools ?? r.spec.subnets), shrink: true },
      { heading: 'PROFILE', cell: (r) => dash(r.spec.profile) },
      { heading: 'MTU', cell: (r) => dash(r.spec.mtuBytes), align: 'right' },
    ],
    wide: [],
  },
  WorkloadEndpoint: {
    short: [
      { heading: 'NODE', cell: (r) => r.spec.node },
      { heading: 'WORKLOAD', cell: (r) => r.spec.workload, shrink: true },
      { heading: 'ENDPOINT', cell: (r) => r.spec.endpoint },
      { heading: 'INTERFACE', cell: (r) => dash(r.spec.interfaceName) },
      { heading: 'ADDRESSES', cell: (r) => list(r.spec.ipNetworks) },
    ],
    wide: [
      { heading: 'NAMESPACE', cell: (r) => r.spec.namespace ?? 'default' },
      { heading: 'ORCHESTRATOR', cell: (r) => r.spec.orchestrator },
      { heading: 'PROFILES', cell: (r) => list(r.spec.profiles), shrink: true },
      labels(),
    ],
  },
}

/** The resources of one kind as a table. */
export function resourceTable(
  kind: KindName,
  resources: readonly Resource[],
  options: { wide: boolean; width: number | undefined },
): string {
  // Each kind's columns take that kind's spec; that the rows are of the kind is what the caller has asked etcd for.
  const columns = tables[kind] as unknown as Columns<KindName>
  return renderTable(
    resources as readonly ResourceOf<KindName>[],
    [...columns.short, ...(options.wide ? columns.wide : [])] as Column<ResourceOf<KindName>>[],
    {
      width: options.width,
      empty: `There is no ${kind}.`,
    },
  )
}
