/**
 * What the managers hear: one change of the model, decoded. Values come from a store that other programs write too,
 * so a value that cannot be understood is a fault to show, never an exception, and counts as absent. Managers keep
 * what they heard and compute their desired state from that alone, so the order of events never matters.
 */
import { type Result, failure, formatPrefix, success } from '@network/net'
import {
  type KindName,
  type ResourceOf,
  affinitiesPrefix,
  parseAffinityKey,
  parseEndpointKey,
  parseResourceKey,
  prefixes,
  validateResource,
} from '@network/datastore/model'

/** A resource under its name appeared, changed, or (`resource` undefined) went. WorkloadEndpoints come as endpoint events. */
export type ResourceEvent = {
  [K in Exclude<KindName, 'WorkloadEndpoint'>]: {
    readonly type: 'resource'
    readonly kind: K
    /** `name`, or `namespace/name` of a namespaced kind. */
    readonly name: string
    readonly resource: ResourceOf<K> | undefined
  }
}[Exclude<KindName, 'WorkloadEndpoint'>]

export type AffinityState = 'pending' | 'confirmed' | 'pendingDeletion'

export interface AffinityEvent {
  readonly type: 'affinity'
  /** '10.0.0.0/26' */
  readonly block: string
  readonly state: AffinityState | undefined
}

export interface EndpointEvent {
  readonly type: 'endpoint'
  /** The key in the store. */
  readonly key: string
  readonly endpoint: ResourceOf<'WorkloadEndpoint'> | undefined
  /** Revision of the value, or of the batch that deleted it. */
  readonly revision: number
}

export type ModelEvent = ResourceEvent | AffinityEvent | EndpointEvent

/** A value of the store that is not what its key promises. */
export interface ModelFault {
  readonly key: string
  /** A sentence. */
  readonly message: string
}

/** A value that cannot be read: the fault, the event of its absence, and what the value says, as JSON or as it is. */
export interface UnreadableValue {
  readonly fault: ModelFault
  readonly event: ModelEvent | undefined
  readonly broken: unknown
}

/** One change as the syncer tells it. */
export interface KeyChange {
  readonly key: string
  /** undefined: deleted. */
  readonly value: string | undefined
  readonly revision: number
}

/** What an agent watches: the resources, all endpoints (policy is about them), and its own node's affinities. */
export function watchedPrefixes(node: string): readonly string[] {
  return [prefixes.resources, prefixes.endpoints, affinitiesPrefix(node)]
}

/** Whether the key of an endpoint stands under this node's name. */
export function isLocalEndpoint(key: string, node: string): boolean {
  return parseEndpointKey(key)?.node === node
}

/**
 * Decodes one change. A key that no manager needs gives undefined. A value that cannot be read gives the event of its
 * absence along with the fault.
 */
export function decodeChange(change: KeyChange): Result<ModelEvent | undefined, UnreadableValue> {
  const affinity = parseAffinityKey(change.key)
  if (affinity !== undefined) return decodeAffinity(change, formatPrefix(affinity.block))
  if (parseEndpointKey(change.key) !== undefined) return decodeEndpoint(change)
  const reference = parseResourceKey(change.key)
  if (reference === undefined || reference.kind === 'WorkloadEndpoint') return success(undefined)
  const name = reference.namespace === undefined ? reference.name : `${reference.namespace}/${reference.name}`
  const eventOf = (resource: unknown): ModelEvent =>
    ({ type: 'resource', kind: reference.kind, name, resource }) as ResourceEvent
  if (change.value === undefined) return success(eventOf(undefined))
  const resource = readResource(change.value, reference.kind)
  if (resource.ok) return success(eventOf(resource.value))
  return failure({
    fault: {
      key: change.key,
      message: `${reference.kind} ${name} in the store is not valid: ${resource.error}`,
    },
    event: eventOf(undefined),
    broken: parseJson(change.value) ?? change.value,
  })
}

function decodeEndpoint(change: KeyChange): Result<ModelEvent, UnreadableValue> {
  const eventOf = (endpoint: ResourceOf<'WorkloadEndpoint'> | undefined): EndpointEvent => ({
    type: 'endpoint',
    key: change.key,
    endpoint,
    revision: change.revision,
  })
  if (change.value === undefined) return success(eventOf(undefined))
  const resource = readResource(change.value, 'WorkloadEndpoint')
  if (resource.ok) return success(eventOf(resource.value as ResourceOf<'WorkloadEndpoint'>))
  return failure({
    fault: { key: change.key, message: `The endpoint at ${change.key} is not valid: ${resource.error}` },
    event: eventOf(undefined),
    broken: parseJson(change.value) ?? change.value,
  })
}

const AFFINITY_STATES: readonly string[] = [
  'pending',
  'confirmed',
  'pendingDeletion',
] satisfies AffinityState[]

function decodeAffinity(change: KeyChange, block: string): Result<ModelEvent, UnreadableValue> {
  if (change.value === undefined) return success({ type: 'affinity', block, state: undefined })
  const state = readAffinityState(change.value)
  if (state !== undefined) return success({ type: 'affinity', block, state })
  return failure({
    fault: {
      key: change.key,
      message: `The affinity at ${change.key} has an unknown state: ${change.value.slice(0, 80)}.`,
    },
    event: { type: 'affinity', block, state: undefined },
    broken: change.value,
  })
}

function readAffinityState(value: string): AffinityState | undefined {
  const parsed = parseJson(value)
  const state = typeof parsed === 'object' && parsed !== null && 'state' in parsed ? parsed.state : parsed
  return typeof state === 'string' && AFFINITY_STATES.includes(state) ? (state as AffinityState) : undefined
}

function readResource(value: string, kind: KindName): Result<unknown, string> {
  const parsed = parseJson(value)
  if (parsed === undefined) return failure('it is not JSON.')
  const resource = validateResource(parsed)
  if (!resource.ok) return failure(resource.error[0]?.message ?? 'it has faults.')
  if (resource.value.kind !== kind) return failure(`it says that it is a ${resource.value.kind}.`)
  return success(resource.value)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
