import { type Result, DroverError, hostPrefixText } from '@network/net'
import {
  type EndpointIdentity,
  type ResourceOf,
  endpointName,
  validateResource,
} from '@network/datastore/model'
import type { AttachRequest } from '../client/messages.ts'
import type { AttachPlan } from './attach-plan.ts'

/** The inode of the namespace that an endpoint was attached in: a path alone may come to mean another one. */
export const NAMESPACE_ANNOTATION = 'drover.network/namespace'

/** Present if another IPAM assigns the addresses: there is no handle to hold against them. */
export const ASSIGNED_ELSEWHERE_ANNOTATION = 'drover.network/addresses-assigned-elsewhere'

/** Present if the attach said whether it wants the default route: an interface that is made again follows it. */
export const DEFAULT_ROUTE_ANNOTATION = 'drover.network/default-route'

/** The handles that hold the addresses of an endpoint that was handed over, by commas; `spec.handle` is one of them. */
export const HANDLES_ANNOTATION = 'drover.network/handles'

/** Networks, by commas, that are reached by this interface although the default route leads elsewhere. */
export const DESTINATIONS_ANNOTATION = 'drover.network/destinations'

/** The source of whoever asks for an address and has none yet; the kernel takes it for a broadcast's alone. */
export const NO_ADDRESS = '0.0.0.0/32'

export interface EndpointFacts {
  readonly identity: EndpointIdentity
  readonly handle: string
  readonly hostInterface: string
  readonly mac: string
  /** 'net:[4026532281]' */
  readonly namespace: string
  readonly uid: string
  readonly createdAt: number
  /** Without length. */
  readonly addresses: readonly string[]
}

/**
 * The WorkloadEndpoint that an attach writes.
 * @throws DroverError 'invalid-request' if labels, ports or the like are not as the model wants them
 */
export function endpointResource(
  request: AttachRequest,
  plan: AttachPlan,
  facts: EndpointFacts,
): ResourceOf<'WorkloadEndpoint'> {
  const checked: Result<unknown, readonly { message: string }[]> = validateResource({
    apiVersion: 'drover.network/v1',
    kind: 'WorkloadEndpoint',
    metadata: {
      name: endpointName(facts.identity),
      ...(request.labels === undefined ? {} : { labels: request.labels }),
      annotations: {
        [NAMESPACE_ANNOTATION]: facts.namespace,
        ...(request.assignedElsewhere === true ? { [ASSIGNED_ELSEWHERE_ANNOTATION]: 'true' } : {}),
        ...(plan.defaultRoute === undefined ? {} : { [DEFAULT_ROUTE_ANNOTATION]: String(plan.defaultRoute) }),
      },
      uid: facts.uid,
      creationTimestamp: new Date(facts.createdAt).toISOString(),
    },
    spec: {
      ...facts.identity,
      ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
      ...(request.serviceAccount === undefined ? {} : { serviceAccount: request.serviceAccount }),
      containerID: request.containerId,
      interfaceName: facts.hostInterface,
      containerInterface: request.interfaceName,
      netns: request.netns,
      mac: facts.mac,
      mtuBytes: plan.mtuBytes,
      ...(request.network === undefined ? {} : { network: request.network }),
      handle: facts.handle,
      ipNetworks: facts.addresses.map(hostPrefixText),
      ...(request.leased === true ? { allowSpoofedSourcePrefixes: [NO_ADDRESS] } : {}),
      profiles: plan.profiles,
      ...(request.ports === undefined ? {} : { ports: request.ports }),
      ...(request.portMappings === undefined ? {} : { portMappings: request.portMappings }),
    },
  })
  if (!checked.ok) {
    throw new DroverError(
      'invalid-request',
      `The request is not valid: ${checked.error.map(({ message }) => message).join('; ')}.`,
    )
  }
  return checked.value as ResourceOf<'WorkloadEndpoint'>
}

/** The handles that hold an endpoint's addresses. */
export function handlesOf({
  metadata,
  spec,
}: Pick<ResourceOf<'WorkloadEndpoint'>, 'metadata' | 'spec'>): readonly string[] {
  const listed = metadata.annotations?.[HANDLES_ANNOTATION]?.split(',')
  return listed ?? (spec.handle === undefined ? [] : [spec.handle])
}
