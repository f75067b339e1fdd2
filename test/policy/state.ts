/** States of cases as the model has them: validated resources under their names, and the agent's settings. */
import {
  AGENT_DEFAULTS,
  API_VERSION,
  endpointKey,
  validateResource,
  type WorkloadEndpointSpec,
} from '@network/datastore/model'
import type { NodeSettings, PolicyKind, PolicyUpdate, RenderOptions } from '@network/policy'
import { renderOptionsOf } from '../../agent/src/managers/render-options.ts'
import {
  type ActorName,
  actor,
  localWorkloads,
  otherNode,
  pool,
  remoteWorkloads,
  thisNode,
  uplink,
} from './actors.ts'
import { type Draft, type Settings, type State, type Traits, allow } from './case.ts'

/** A change of the model that tells a resource; never a broken one. */
export type Told = Extract<PolicyUpdate, { resource: unknown }>

/** What every state has besides its own. */
const always: readonly Draft[] = [
  { kind: 'Profile', name: 'open', spec: { ingress: [allow], egress: [allow] } },
  { kind: 'IPPool', name: 'ipv4', spec: { cidr: pool.ipv4 } },
  { kind: 'IPPool', name: 'ipv6', spec: { cidr: pool.ipv6 } },
  {
    kind: 'Node',
    name: thisNode,
    spec: { bgp: { ipv4Address: `${actor('host').ipv4}/24`, ipv6Address: `${actor('host').ipv6}/64` } },
  },
  {
    kind: 'Node',
    name: otherNode,
    spec: { bgp: { ipv4Address: `${actor('peer').ipv4}/24`, ipv6Address: `${actor('peer').ipv6}/64` } },
  },
]

function valid(kind: string, metadata: object, spec: object): Told {
  const checked = validateResource({ apiVersion: API_VERSION, kind, metadata, spec })
  if (!checked.ok) throw new Error(checked.error.map(({ message }) => message).join(' '))
  const { name, namespace } = checked.value.metadata
  return {
    kind: kind as PolicyKind,
    name: namespace === undefined ? name : `${namespace}/${name}`,
    resource: checked.value,
  } as Told
}

function told(draft: Draft): Told {
  const { kind, name, namespace, labels, spec } = draft
  return valid(
    kind,
    { name, ...(namespace === undefined ? {} : { namespace }), ...(labels === undefined ? {} : { labels }) },
    spec,
  )
}

export function workloadKey(name: ActorName): string {
  const node = actor(name).node ?? ''
  return endpointKey({ node, orchestrator: 'cli', workload: name, endpoint: 'eth0' })
}

function workload(name: ActorName, traits: Traits): Told {
  const { node, interfaceName, ipv4, ipv6 } = actor(name)
  const { labels, profiles, ...rest } = traits
  const spec: Partial<WorkloadEndpointSpec> = {
    node: node ?? '',
    orchestrator: 'cli',
    workload: name,
    endpoint: 'eth0',
    interfaceName: interfaceName ?? `drv${name}`,
    ipNetworks: [`${ipv4}/32`, `${ipv6}/128`],
    profiles: [...(profiles ?? ['open'])],
    ...(rest as Partial<WorkloadEndpointSpec>),
  }
  const resource = valid('WorkloadEndpoint', { labels: { name, ...labels } }, spec)
  return { ...resource, name: workloadKey(name) }
}

/** Every resource of a state. What the state names twice or with the name of one that is always there: the last. */
export function resourcesOf(state: State): readonly Told[] {
  const all = new Map<string, Told>()
  for (const each of [...always, ...(state.resources ?? [])].map(told))
    all.set(`${each.kind} ${each.name}`, each)
  for (const name of [...localWorkloads, ...remoteWorkloads]) {
    const traits = state.workloads?.[name] ?? {}
    if (traits !== 'gone') all.set(`WorkloadEndpoint ${name}`, workload(name, traits))
  }
  return [...all.values()]
}

/** All that the model has in a state, with what can't be read. */
export function updatesOf(state: State): readonly PolicyUpdate[] {
  const broken = (state.broken ?? []).map(({ kind, name, value }): PolicyUpdate => ({
    kind,
    name,
    broken: value,
  }))
  return [...resourcesOf(state), ...broken]
}

/** What the evaluator is told of the node. */
export function nodeSettings(settings: Settings): NodeSettings {
  const { ipv4, ipv6 } = actor('host')
  return {
    failsafeInbound: settings.failsafeInbound ?? AGENT_DEFAULTS.failsafeInbound,
    failsafeOutbound: settings.failsafeOutbound ?? AGENT_DEFAULTS.failsafeOutbound,
    endpointToHostAction: settings.endpointToHostAction ?? AGENT_DEFAULTS.endpointToHostAction,
    dnsListen: settings.dnsListen ?? AGENT_DEFAULTS.dnsListen,
    interfaces: { [uplink]: [ipv4, ipv6] },
    uplink,
  }
}

/** What rendering is told of the node. */
export function renderOptions(settings: Settings): RenderOptions {
  return renderOptionsOf({ ...AGENT_DEFAULTS, ...settings })
}
