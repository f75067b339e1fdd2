/** What the endpoint of a handover is at each of its steps. Pure. */
import { DroverError, hostPrefixText } from '@network/net'
import {
  PENDING_ANNOTATION,
  RESERVATION_ANNOTATION,
  RESERVATION_REFUSED_ANNOTATION,
  RESERVED_ADDRESSES_ANNOTATION,
  type EndpointIdentity,
  type ResourceOf,
  endpointName,
  validateResource,
} from '@network/datastore/model'
import type { HandoverIdentity, HandoverRequest } from '../client/handover.ts'
import {
  DEFAULT_ROUTE_ANNOTATION,
  DESTINATIONS_ANNOTATION,
  HANDLES_ANNOTATION,
  handlesOf,
} from './endpoint-resource.ts'
import { handleOf } from './handle.ts'
import { ANY_INTERFACE } from './releases.ts'

type Endpoint = ResourceOf<'WorkloadEndpoint'>

/** The handle that holds what a reservation gives to an endpoint: found without memory by the runtime's id. */
export function reservedHandle(id: string, node: string): string {
  return handleOf(id, ANY_INTERFACE, node)
}

/** What a reservation gave: addresses without length. */
export interface Reserved {
  readonly name: string
  readonly handle: string
  readonly addresses: readonly string[]
}

/** The endpoint with a reservation's addresses behind its own; one that has them is left as it is. */
export function withReserved(endpoint: Endpoint, { name, handle, addresses }: Reserved): Endpoint {
  const { [RESERVATION_REFUSED_ANNOTATION]: _, ...annotations } = endpoint.metadata.annotations ?? {}
  if (annotations[RESERVATION_ANNOTATION] !== undefined) return endpoint
  return {
    ...endpoint,
    metadata: {
      ...endpoint.metadata,
      annotations: {
        ...annotations,
        [RESERVATION_ANNOTATION]: name,
        [RESERVED_ADDRESSES_ANNOTATION]: addresses.join(','),
        [HANDLES_ANNOTATION]: [...handlesOf(endpoint), handle].join(','),
      },
    },
    spec: { ...endpoint.spec, ipNetworks: [...endpoint.spec.ipNetworks, ...addresses.map(hostPrefixText)] },
  }
}

/** Who holds the endpoint's addresses: the reservation's handle first. */
export function holdersOf(endpoint: Endpoint): readonly { handle: string; addresses: readonly string[] }[] {
  const reserved = endpoint.metadata.annotations?.[RESERVED_ADDRESSES_ANNOTATION]?.split(',') ?? []
  const given = endpoint.spec.ipNetworks
    .map((network) => network.replace(/\/.*/, ''))
    .filter((address) => !reserved.includes(address))
  const handles = handlesOf(endpoint)
  const own = reserved.length === 0 ? handles : handles.slice(0, -1)
  const last = handles.at(-1)
  return [
    ...(reserved.length === 0 || last === undefined ? [] : [{ handle: last, addresses: reserved }]),
    ...own.map((handle, index) => ({ handle, addresses: given.slice(index, index + 1) })),
  ]
}

/** The endpoint with what the runtime says of it. @throws DroverError 'invalid-request' */
export function identified(
  endpoint: Endpoint,
  { labels, annotations = {}, profiles }: HandoverIdentity,
): Endpoint {
  const {
    [PENDING_ANNOTATION]: _,
    [RESERVATION_REFUSED_ANNOTATION]: __,
    ...kept
  } = endpoint.metadata.annotations ?? {}
  return valid(
    {
      ...endpoint,
      metadata: { ...endpoint.metadata, labels: { ...labels }, annotations: { ...kept, ...annotations } },
      spec: { ...endpoint.spec, profiles: [...profiles] },
    },
    'What the runtime says of the endpoint is not valid',
  )
}

/** The endpoint with the reason why it goes without the reservation that it was to have. */
export function withoutReservation(endpoint: Endpoint, reason: string): Endpoint {
  return {
    ...endpoint,
    metadata: {
      ...endpoint.metadata,
      annotations: { ...endpoint.metadata.annotations, [RESERVATION_REFUSED_ANNOTATION]: reason },
    },
  }
}

/** The endpoint as it is written first. @throws DroverError 'invalid-request' */
export function pendingEndpoint(
  request: HandoverRequest,
  facts: {
    identity: EndpointIdentity
    mac: string
    uid: string
    hostInterface: string
    mtuBytes: number
    createdAt: number
    addresses: readonly string[]
  },
): Endpoint {
  return valid(
    {
      apiVersion: 'drover.network/v1',
      kind: 'WorkloadEndpoint',
      metadata: {
        name: endpointName(facts.identity),
        annotations: {
          [PENDING_ANNOTATION]: 'true',
          [HANDLES_ANNOTATION]: request.handles.join(','),
          ...(request.defaultRoute === undefined
            ? {}
            : { [DEFAULT_ROUTE_ANNOTATION]: String(request.defaultRoute) }),
          ...(request.destinations === undefined || request.destinations.length === 0
            ? {}
            : { [DESTINATIONS_ANNOTATION]: request.destinations.join(',') }),
        },
        uid: facts.uid,
        creationTimestamp: new Date(facts.createdAt).toISOString(),
      },
      spec: {
        ...facts.identity,
        containerID: request.id,
        interfaceName: facts.hostInterface,
        mac: facts.mac,
        mtuBytes: facts.mtuBytes,
        network: request.network,
        handle: request.handles[0],
        ipNetworks: facts.addresses.map(hostPrefixText),
        profiles: [],
        ...(request.ports === undefined ? {} : { ports: request.ports }),
        ...(request.portMappings === undefined ? {} : { portMappings: request.portMappings }),
      },
    },
    'The request is not valid',
  )
}

function valid(resource: unknown, otherwise: string): Endpoint {
  const checked = validateResource(resource)
  if (checked.ok) return checked.value as Endpoint
  throw new DroverError(
    'invalid-request',
    `${otherwise}: ${checked.error.map(({ message }) => message).join('; ')}.`,
  )
}
