import {
  type KindName,
  type ResourceOf,
  type WorkloadEndpointSpec,
  validateResource,
} from '@network/datastore/model'
import type { EndpointEvent, ResourceEvent } from '../../src/managers/model-event.ts'

/** A valid resource of a kind; faults throw. */
export function resource<K extends KindName>(
  kind: K,
  name: string,
  spec: object,
  labels: Record<string, string> = {},
): ResourceOf<K> {
  const checked = validateResource({
    apiVersion: 'drover.network/v1',
    kind,
    metadata: { name, labels },
    spec,
  })
  if (!checked.ok) throw new Error(checked.error.map(({ message }) => message).join('; '))
  return checked.value as ResourceOf<K>
}

/** Its event. */
export function put(
  kind: Exclude<KindName, 'WorkloadEndpoint'>,
  name: string,
  spec: object,
  labels: Record<string, string> = {},
): ResourceEvent {
  return { type: 'resource', kind, name, resource: resource(kind, name, spec, labels) } as ResourceEvent
}

export function node(name: string, ipv4: string | undefined, more: object = {}, labels = {}): ResourceEvent {
  return put('Node', name, { bgp: { ...(ipv4 === undefined ? {} : { ipv4Address: ipv4 }), ...more } }, labels)
}

export function endpointEvent(
  workload: string,
  ipNetworks: string[],
  more: Partial<WorkloadEndpointSpec> = {},
): EndpointEvent {
  const name = `n1/cli/${workload}/eth0`
  return {
    type: 'endpoint',
    key: `/drover/v1/endpoints/${name}`,
    revision: 1,
    endpoint: resource('WorkloadEndpoint', name, {
      node: 'n1',
      orchestrator: 'cli',
      workload,
      endpoint: 'eth0',
      interfaceName: `drv${workload}`,
      ipNetworks,
      ...more,
    }),
  }
}
