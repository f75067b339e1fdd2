import { RESERVED_ADDRESSES_ANNOTATION } from '@network/datastore/model'
import { DEFAULT_ROUTE_ANNOTATION, DESTINATIONS_ANNOTATION, NO_ADDRESS } from './endpoint-resource.ts'
import type { Endpoint } from './local-endpoints.ts'
import type { WireSpec } from './wire.ts'

/** The interface that a committed endpoint stands for: everything about it is in the endpoint. */
export function wireSpec({ metadata, spec }: Endpoint): WireSpec {
  const defaultRoute = metadata.annotations?.[DEFAULT_ROUTE_ANNOTATION]
  const destinations = metadata.annotations?.[DESTINATIONS_ANNOTATION]
  const reserved = metadata.annotations?.[RESERVED_ADDRESSES_ANNOTATION]
  return {
    netns: spec.netns ?? '',
    interfaceName: spec.containerInterface ?? 'eth0',
    hostInterfaceName: spec.interfaceName ?? '',
    addresses: spec.ipNetworks.map((network) => network.slice(0, network.indexOf('/'))),
    ...(reserved === undefined ? {} : { sources: reserved.split(',') }),
    mtuBytes: spec.mtuBytes ?? 1500,
    ...(spec.mac === undefined ? {} : { mac: spec.mac }),
    ...(defaultRoute === undefined ? {} : { defaultRoute: defaultRoute === 'true' }),
    ...(destinations === undefined ? {} : { destinations: destinations.split(',') }),
    fromLoopback: (spec.portMappings ?? []).length > 0,
    foreignSources: (spec.allowSpoofedSourcePrefixes ?? []).some((source) => source !== NO_ADDRESS),
  }
}
