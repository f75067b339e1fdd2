import { anyAddress, interfaceName, resourceName } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { list, object, optional, required, text, withDefault } from '../schema.ts'
import { type EndpointPort, endpointPorts } from './endpoint-port.ts'

/** An interface of a node under policy: from then on only what policy, a profile or a failsafe port allows passes. */
export interface HostEndpointSpec {
  node: string
  /** '*': every interface of the node that is no workload's. */
  interfaceName?: string
  /** Where no interface is named, the one that has one of these addresses. */
  expectedIPs?: string[]
  profiles: string[]
  ports?: EndpointPort[]
}

export const hostEndpoint = defineKind<HostEndpointSpec>()({
  kind: 'HostEndpoint',
  plural: 'hostendpoints',
  aliases: ['hostendpoint', 'hep', 'heps'],
  description: 'An interface of a node under policy.',
  spec: object<HostEndpointSpec>({
    node: required(text(resourceName), 'The node.'),
    interfaceName: optional(
      text(interfaceName),
      "Its interface; '*' means every one that is no workload's. Needed unless expectedIPs finds it.",
    ),
    expectedIPs: optional(
      list(text(anyAddress), { max: 64, distinct: true }),
      'Addresses of the interface: they find it where it is not named, and selectors mean them.',
    ),
    profiles: withDefault(
      list(text(resourceName), { max: 64, distinct: true }),
      [],
      'Profiles, in the order in which they are judged.',
    ),
    ports: optional(endpointPorts, 'Ports that rules may name.'),
  }),
  refine(spec, report) {
    if (spec.interfaceName !== undefined || (spec.expectedIPs?.length ?? 0) > 0) return
    report(['spec', 'interfaceName'], undefined, "the name of an interface, '*', or expectedIPs")
  },
})
