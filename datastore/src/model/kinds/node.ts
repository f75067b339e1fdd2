import { anyAddress, ipv4Address, ipv4InterfaceAddress, ipv6InterfaceAddress } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { asNumber, list, object, oneOf, optional, required, text } from '../schema.ts'

export interface NodeAddress {
  address: string
  type?: 'NodeIP' | 'InternalIP' | 'ExternalIP'
}

export interface NodeBGP {
  asNumber?: number
  /** With the length of the network it is on: 192.168.1.10/24. */
  ipv4Address?: string
  ipv6Address?: string
  /** A node with a cluster id is a route reflector and leaves the mesh. Dotted decimal. */
  routeReflectorClusterID?: string
}

export interface NodeSpec {
  addresses?: NodeAddress[]
  bgp?: NodeBGP
}

export const node = defineKind<NodeSpec>()({
  kind: 'Node',
  plural: 'nodes',
  aliases: ['node'],
  description: 'A machine with an agent; kept by the agent, edited by people.',
  spec: object<NodeSpec>({
    addresses: optional(
      list(
        object<NodeAddress>({
          address: required(text(anyAddress), 'An address of the node.'),
          type: optional(oneOf(['NodeIP', 'InternalIP', 'ExternalIP']), 'What the address is for.'),
        }),
        { max: 64 },
      ),
      'Addresses of the node.',
    ),
    bgp: optional(
      object<NodeBGP>({
        asNumber: optional(asNumber(), "The node's AS number instead of the cluster's."),
        ipv4Address: optional(
          text(ipv4InterfaceAddress),
          'Source of IPv4 sessions and next hop of IPv4 routes, with its network.',
        ),
        ipv6Address: optional(
          text(ipv6InterfaceAddress),
          'Source of IPv6 sessions and next hop of IPv6 routes, with its network.',
        ),
        routeReflectorClusterID: optional(
          text(ipv4Address),
          'Makes the node a route reflector of this cluster (RFC 4456).',
        ),
      }),
      'What the speaker of the node needs.',
    ),
  }),
})
