import { interfaceName, macAddress, prefixOrAddress, resourceName } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { type EndpointIdentity, endpointName } from '../endpoint-name.ts'
import { integer, list, object, optional, required, string, text, withDefault } from '../schema.ts'
import { type EndpointPort, endpointPorts } from './endpoint-port.ts'
import { type PortMapping, portMappings, refinePortMappings } from './port-mapping.ts'

/**
 * Annotation of an endpoint whose runtime has not said yet what it is: for policy it is not there, so nothing passes it
 * and no selector finds it.
 */
export const PENDING_ANNOTATION = 'drover.network/pending'

/** Name of the reservation that holds some of the endpoint's addresses, and keeps them when it goes. */
export const RESERVATION_ANNOTATION = 'drover.network/reservation'
/** Those addresses, by commas, without length. */
export const RESERVED_ADDRESSES_ANNOTATION = 'drover.network/reserved-addresses'
/** Why the endpoint goes without the reservation that it was to have: a sentence. */
export const RESERVATION_REFUSED_ANNOTATION = 'drover.network/reservation-refused'

/** One interface of one workload. Its name follows from node, orchestrator, workload and endpoint. */
export interface WorkloadEndpointSpec extends EndpointIdentity {
  /** Where policies of namespaces look for it; without it 'default'. */
  namespace?: string
  serviceAccount?: string
  /** The runtime's id of the container; with the container's interface it identifies an attach. */
  containerID?: string
  /** The host's side: 'drv1a2b3c4d5e6'. */
  interfaceName?: string
  /** The workload's side: 'eth0'. */
  containerInterface?: string
  /** Path of the workload's network namespace when it was attached. */
  netns?: string
  mac?: string
  mtuBytes?: number
  /** The Network that it was attached to. */
  network?: string
  /** The handle under which its addresses are held. */
  handle?: string
  /** Host prefixes: 10.0.0.1/32, fd00::1/128. */
  ipNetworks: string[]
  profiles: string[]
  ports?: EndpointPort[]
  portMappings?: PortMapping[]
  allowSpoofedSourcePrefixes?: string[]
}

const id = string({ minLength: 1, maxLength: 512 })

export const workloadEndpoint = defineKind<WorkloadEndpointSpec>()({
  kind: 'WorkloadEndpoint',
  plural: 'workloadendpoints',
  aliases: ['workloadendpoint', 'wep', 'weps', 'endpoints', 'endpoint'],
  description: 'One interface of one workload; written by the agent that attached it.',
  names: 'derived',
  nameOf: endpointName,
  immutable: ['node', 'orchestrator', 'workload', 'endpoint'],
  spec: object<WorkloadEndpointSpec>({
    node: required(text(resourceName), 'The node that it is on.'),
    orchestrator: required(
      id,
      "Who made it: 'cli' (drover attach), 'docker', 'cni', or another runtime's word.",
    ),
    workload: required(id, "The workload's identity at the orchestrator."),
    endpoint: required(id, 'Which of its endpoints.'),
    namespace: optional(text(resourceName), 'Namespace that policies know it by (default: default).'),
    serviceAccount: optional(text(resourceName), 'Service account that it runs as.'),
    containerID: optional(id, "The runtime's id of the container."),
    interfaceName: optional(text(interfaceName), "The host's side of its interface."),
    containerInterface: optional(text(interfaceName), "The workload's side of its interface."),
    netns: optional(string({ minLength: 1, maxLength: 4096 }), 'Path of its network namespace.'),
    mac: optional(text(macAddress), "The workload's MAC address."),
    mtuBytes: optional(integer(68, 65535), 'MTU of its interface.'),
    network: optional(text(resourceName), 'The Network that it was attached to.'),
    handle: optional(id, 'The handle that holds its addresses.'),
    ipNetworks: withDefault(list(text(prefixOrAddress), { max: 64, distinct: true }), [], 'Its addresses.'),
    profiles: withDefault(
      list(text(resourceName), { max: 64, distinct: true }),
      [],
      'Profiles, in the order in which they are judged.',
    ),
    ports: optional(endpointPorts, 'Ports that rules may name.'),
    portMappings: optional(portMappings, 'Ports of the host that lead to it.'),
    allowSpoofedSourcePrefixes: optional(
      list(text(prefixOrAddress), { max: 64, distinct: true }),
      'Sources other than its own addresses that it may send from.',
    ),
  }),
  refine(spec, report) {
    refinePortMappings(['spec', 'portMappings'], spec.portMappings ?? [], report)
    spec.ipNetworks.forEach((network, index) => {
      if (!network.endsWith(network.includes(':') ? '/128' : '/32')) {
        report(['spec', 'ipNetworks', index], network, 'a single address: /32 or /128')
      }
    })
  },
})
