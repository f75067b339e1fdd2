/** The model's events in the words of policy calculation. */
import type { PolicyKind, PolicyUpdate } from '@network/policy'
import type { EndpointEvent, ModelEvent, ResourceEvent } from './model-event.ts'

const kinds: Readonly<Record<PolicyKind, true>> = {
  IPPool: true,
  Node: true,
  Profile: true,
  Tier: true,
  GlobalNetworkPolicy: true,
  NetworkPolicy: true,
  StagedGlobalNetworkPolicy: true,
  StagedNetworkPolicy: true,
  GlobalNetworkSet: true,
  NetworkSet: true,
  HostEndpoint: true,
  WorkloadEndpoint: true,
}

function isPolicyKind(kind: string): kind is PolicyKind {
  return Object.hasOwn(kinds, kind)
}

/** Undefined: the event doesn't bear on policy. */
export function policyUpdateOf(event: ModelEvent): PolicyUpdate | undefined {
  if (event.type === 'endpoint') return endpointUpdate(event.key, event.endpoint)
  if (event.type !== 'resource' || !isPolicyKind(event.kind)) return undefined
  return { kind: event.kind, name: event.name, resource: event.resource } as PolicyUpdate
}

/** An endpoint under its key in the store appeared, changed, or (undefined) went. */
export function endpointUpdate(key: string, endpoint: EndpointEvent['endpoint']): PolicyUpdate {
  return { kind: 'WorkloadEndpoint', name: key, resource: endpoint }
}

/** A value that can't be read, in the place of the event of its absence. */
export function brokenUpdateOf(event: ModelEvent, broken: unknown): PolicyUpdate | undefined {
  const at: { kind: ResourceEvent['kind'] | 'WorkloadEndpoint'; name: string } | undefined =
    event.type === 'endpoint'
      ? { kind: 'WorkloadEndpoint', name: event.key }
      : event.type === 'resource'
        ? event
        : undefined
  if (at === undefined || !isPolicyKind(at.kind)) return undefined
  return { kind: at.kind, name: at.name, broken }
}
