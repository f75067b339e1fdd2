/**
 * The model as the evaluator reads it: everything in plain lists, labels written out in full, nothing prepared for
 * speed. It shares no code with calculation but the salvage of what can't be read.
 */
import { formatAddress, type Prefix } from '@network/net'
import {
  DEFAULT_TIER,
  PENDING_ANNOTATION,
  parsePortRange,
  parseSelector,
  policyTypes,
  type HostEndpointSpec,
  type Rule,
  type TierSpec,
  type WorkloadEndpointSpec,
} from '@network/datastore/model'
import {
  type AnyPolicySpec,
  identityOf,
  nodeOf,
  type PolicyKind,
  type PolicyKinds,
  type PolicyResource,
} from '../input.ts'
import { protocolNumber } from '../protocol.ts'
import { DENYING, salvage } from '../salvage.ts'
import { type Condition, endpointCondition } from './conditions.ts'
import type { EvaluatorModel } from './flow.ts'
import { netsOf } from './nets.ts'
import type { LabelMap, Thing } from './thing.ts'

export interface Workload extends Thing {
  readonly spec: WorkloadEndpointSpec
}

export interface HostInterface extends Thing {
  readonly spec: HostEndpointSpec
}

export interface Policy {
  readonly id: string
  readonly name: string
  readonly namespace: string | undefined
  readonly tier: string
  readonly order: number
  readonly spec: AnyPolicySpec
  readonly ingress: readonly Rule[] | undefined
  readonly egress: readonly Rule[] | undefined
  /** Whether it judges this endpoint at all. */
  readonly selects: Condition
}

export interface Tier {
  readonly name: string
  readonly defaultAction: 'Deny' | 'Pass'
  /** In the order in which they are judged. */
  readonly policies: readonly Policy[]
}

export interface ProfileRules {
  readonly ingress: readonly Rule[]
  readonly egress: readonly Rule[]
}

export interface EvaluatorState {
  readonly workloads: ReadonlyMap<string, Workload>
  /** By address: '10.0.0.1'. Of two with one address the first. */
  readonly byAddress: ReadonlyMap<string, Workload>
  readonly hosts: readonly HostInterface[]
  readonly things: readonly Thing[]
  /** In order. */
  readonly tiers: readonly Tier[]
  readonly profiles: ReadonlyMap<string, ProfileRules>
  readonly pools: readonly { readonly net: Prefix; readonly natOutgoing: boolean }[]
  readonly nodeAddresses: ReadonlyMap<string, readonly Prefix[]>
}

type Resources = { [K in PolicyKind]: Map<string, PolicyResource<PolicyKinds[K]>> }

export function readState(model: EvaluatorModel): EvaluatorState {
  const { resources, broken } = collect(model)
  if (model.enforceStaged === true) enforceStaged(resources)
  const profileLabels = new Map(
    [...resources.Profile].map(([name, { spec }]) => [name, spec.labelsToApply ?? {}]),
  )
  const workloads = [...resources.WorkloadEndpoint].map(([name, { metadata, spec: given }]): Workload => {
    const spec = { ...given, node: nodeOf(name, given) }
    const namespace = spec.namespace ?? 'default'
    const implicit = {
      namespace,
      orchestrator: spec.orchestrator,
      ...(spec.serviceAccount === undefined ? {} : { serviceaccount: spec.serviceAccount }),
    }
    return {
      ...thing(
        `WorkloadEndpoint ${name}`,
        name,
        namespace,
        spec.serviceAccount,
        spec.ipNetworks,
        profileLabels,
      ),
      labels: labelsOf(metadata.labels, spec.profiles, implicit, profileLabels),
      ports: spec.ports ?? [],
      profiles: spec.profiles,
      spec,
    }
  })
  const hosts = [...resources.HostEndpoint].map(([name, { metadata, spec }]): HostInterface => ({
    ...thing(`HostEndpoint ${name}`, name, undefined, undefined, spec.expectedIPs ?? [], profileLabels),
    labels: labelsOf(metadata.labels, spec.profiles, {}, profileLabels),
    ports: spec.ports ?? [],
    profiles: spec.profiles,
    spec,
  }))
  const sets = (['GlobalNetworkSet', 'NetworkSet'] as const).flatMap((kind) =>
    [...resources[kind]].map(([name, { metadata, spec }]): Thing => {
      const { namespace } = identityOf(kind, name)
      return {
        ...thing(`${kind} ${name}`, name, namespace, undefined, spec.nets, profileLabels),
        labels: labelsOf(metadata.labels, [], namespace === undefined ? {} : { namespace }, profileLabels),
      }
    }),
  )
  return {
    workloads: new Map(workloads.map((workload) => [workload.name, workload])),
    byAddress: new Map(
      [...workloads]
        .reverse()
        .flatMap((workload) => workload.nets.map(({ address }) => [formatAddress(address), workload])),
    ),
    hosts: hosts.sort((a, b) => (a.name < b.name ? -1 : 1)),
    things: [...workloads, ...hosts, ...sets],
    tiers: tiersOf(resources),
    profiles: new Map(
      [...resources.Profile]
        .filter(([name]) => !broken.has(`Profile/${name}`))
        .map(([name, { spec }]) => [
          name,
          usable({ ingress: spec.ingress ?? [], egress: spec.egress ?? [] }),
        ]),
    ),
    pools: [...resources.IPPool.values()].flatMap(({ spec }) =>
      netsOf([spec.cidr]).map((net) => ({ net, natOutgoing: spec.natOutgoing })),
    ),
    nodeAddresses: new Map([...resources.Node].map(([name, { spec }]) => [name, addressesOfNode(spec)])),
  }
}

function collect(model: EvaluatorModel): { resources: Resources; broken: ReadonlySet<string> } {
  const resources: Resources = {
    IPPool: new Map(),
    Node: new Map(),
    Profile: new Map(),
    Tier: new Map(),
    GlobalNetworkPolicy: new Map(),
    NetworkPolicy: new Map(),
    StagedGlobalNetworkPolicy: new Map(),
    StagedNetworkPolicy: new Map(),
    GlobalNetworkSet: new Map(),
    NetworkSet: new Map(),
    HostEndpoint: new Map(),
    WorkloadEndpoint: new Map(),
  }
  const broken = new Set<string>()
  for (const update of model.resources) {
    const { kind, name } = update
    const id = `${kind}/${name}`
    if ('broken' in update) broken.add(id)
    else broken.delete(id)
    let resource = 'broken' in update ? salvage(kind, name, update.broken) : update.resource
    // Of an endpoint in the making nobody knows yet what it is.
    if (resource?.metadata.annotations?.[PENDING_ANNOTATION] === 'true') resource = undefined
    if (resource !== undefined && kind.endsWith('NetworkPolicy')) {
      const { selector, namespaceSelector, serviceAccountSelector } = resource.spec as AnyPolicySpec
      const texts = [selector, namespaceSelector, serviceAccountSelector]
      if (!texts.every((text) => parseSelector(text ?? '').ok)) resource = salvage(kind, name, resource)
    }
    const ofKind = resources[kind] as Map<string, PolicyResource<unknown>>
    if (resource === undefined) ofKind.delete(name)
    else ofKind.set(name, resource)
  }
  return { resources, broken }
}

function enforceStaged(resources: Resources): void {
  for (const kind of ['GlobalNetworkPolicy', 'NetworkPolicy'] as const) {
    for (const [name, staged] of resources[`Staged${kind}`]) {
      if (staged.spec.stagedAction === 'Ignore') continue
      if (staged.spec.stagedAction === 'Delete') resources[kind].delete(name)
      else resources[kind].set(name, staged)
    }
  }
}

function thing(
  id: string,
  name: string,
  namespace: string | undefined,
  serviceAccount: string | undefined,
  nets: readonly string[],
  profileLabels: ReadonlyMap<string, LabelMap>,
): Thing {
  const inherited = (profile: string, prefix: string, own: string): LabelMap => {
    const labels: Record<string, string> = {}
    for (const [label, value] of Object.entries(profileLabels.get(profile) ?? {})) {
      if (label.startsWith(prefix)) labels[label.slice(prefix.length)] = value
    }
    return { ...labels, 'drover.network/name': own, 'projectcalico.org/name': own }
  }
  return {
    id,
    name,
    labels: {},
    namespace,
    namespaceLabels: namespace === undefined ? {} : inherited(`kns.${namespace}`, 'pcns.', namespace),
    serviceAccount,
    serviceAccountLabels:
      namespace === undefined || serviceAccount === undefined
        ? {}
        : inherited(`ksa.${namespace}.${serviceAccount}`, 'pcsa.', serviceAccount),
    nets: netsOf(nets),
    ports: [],
    profiles: [],
  }
}

const SPELLINGS = ['drover.network', 'projectcalico.org']
const IMPLICIT = ['namespace', 'orchestrator', 'serviceaccount']

/** Own labels over those of profiles, the first profile over the second; nobody writes the implicit ones. */
function labelsOf(
  own: LabelMap | undefined,
  profiles: readonly string[],
  implicit: Readonly<Record<string, string>>,
  profileLabels: ReadonlyMap<string, LabelMap>,
): LabelMap {
  const labels: Record<string, string> = {}
  for (const profile of [...profiles].reverse()) Object.assign(labels, profileLabels.get(profile))
  Object.assign(labels, own)
  for (const spelling of SPELLINGS) {
    for (const name of IMPLICIT) {
      const value = implicit[name]
      if (value === undefined) Reflect.deleteProperty(labels, `${spelling}/${name}`)
      else labels[`${spelling}/${name}`] = value
    }
  }
  return labels
}

function tiersOf(resources: Resources): readonly Tier[] {
  const policies = (['GlobalNetworkPolicy', 'NetworkPolicy'] as const)
    .flatMap((kind) => [...resources[kind]].map(([name, resource]) => policyOf(kind, name, resource)))
    .sort(
      (a, b) =>
        compare(a.order, b.order) || compare(a.name, b.name) || compare(a.namespace ?? '', b.namespace ?? ''),
    )
  return [...new Set(policies.map(({ tier }) => tier))]
    .map((name) => {
      const spec: TierSpec | undefined =
        name === DEFAULT_TIER.name ? DEFAULT_TIER : resources.Tier.get(name)?.spec
      return {
        name,
        order: spec?.order ?? Infinity,
        defaultAction: spec?.defaultAction ?? ('Deny' as const),
        policies: policies.filter(({ tier }) => tier === name),
      }
    })
    .sort((a, b) => compare(a.order, b.order) || compare(a.name, b.name))
}

function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function policyOf(
  kind: 'GlobalNetworkPolicy' | 'NetworkPolicy',
  path: string,
  { spec }: PolicyResource<AnyPolicySpec>,
): Policy {
  const { name, namespace } = identityOf(kind, path)
  const types = policyTypes(spec)
  const rules = usable({ ingress: spec.ingress ?? [], egress: spec.egress ?? [] })
  return {
    id: `${kind}/${path}`,
    name,
    namespace,
    tier: spec.tier,
    order: spec.order ?? Infinity,
    spec,
    ingress: types.includes('Ingress') ? rules.ingress : undefined,
    egress: types.includes('Egress') && spec.preDNAT !== true ? rules.egress : undefined,
    selects: endpointCondition(spec, namespace),
  }
}

/** The rules as they are, or denial if one of them can't be read. */
function usable(rules: ProfileRules): ProfileRules {
  const readable = [...rules.ingress, ...rules.egress].every(isReadable)
  return readable ? rules : { ingress: DENYING, egress: DENYING }
}

function isReadable(rule: Rule): boolean {
  for (const protocol of [rule.protocol, rule.notProtocol]) {
    if (protocol !== undefined && protocolNumber(protocol) === undefined) return false
  }
  for (const side of [rule.source ?? {}, rule.destination ?? {}]) {
    const { selector, notSelector, namespaceSelector, serviceAccounts } = side
    for (const text of [selector, notSelector, namespaceSelector, serviceAccounts?.selector]) {
      if (!parseSelector(text ?? '').ok) return false
    }
    const nets = [...(side.nets ?? []), ...(side.notNets ?? [])]
    if (netsOf(nets).length < nets.length) return false
    for (const port of [...(side.ports ?? []), ...(side.notPorts ?? [])]) {
      if (typeof port === 'number' || parsePortRange(port) !== undefined) continue
      const protocol = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol)
      if (protocol === undefined || ![6, 17, 132, 136].includes(protocol)) return false
    }
  }
  return true
}

function addressesOfNode(spec: PolicyKinds['Node']): readonly Prefix[] {
  const { ipv4Address, ipv6Address } = spec.bgp ?? {}
  const texts = [ipv4Address, ipv6Address, ...(spec.addresses ?? []).map(({ address }) => address)]
  return netsOf(texts.flatMap((text) => (text === undefined ? [] : (text.split('/')[0] ?? []))))
}
