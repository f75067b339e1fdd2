/** Address translation at a node, as a packet that it tracks meets it. */
import { type Address, parseAddress, prefixContains } from '@network/net'
import { protocolNumber } from '../protocol.ts'
import { addressOf, netsOf } from './nets.ts'
import type { Packet } from './packet.ts'
import type { EvaluatorState } from './state.ts'

/** Where a port of the host leads, if it leads to one of the node's workloads. */
export function mappedDestination(
  state: EvaluatorState,
  node: string,
  packet: Packet,
): (Pick<Packet, 'destination'> & { readonly destinationPort: number }) | undefined {
  const { family, protocol, destination, destinationPort } = packet
  const addresses = state.nodeAddresses.get(node) ?? []
  if (!addresses.some((net) => prefixContains(net, destination))) return undefined
  for (const { spec, nets } of state.workloads.values()) {
    if (spec.node !== node) continue
    const mapping = (spec.portMappings ?? []).find(
      (one) =>
        protocolNumber(one.protocol) === protocol &&
        one.hostPort === destinationPort &&
        (one.hostIP === undefined || netsOf([one.hostIP]).some((net) => prefixContains(net, destination))),
    )
    const own = addressOf(nets, family)
    const parsed = own === undefined ? undefined : parseAddress(own)
    if (mapping === undefined || parsed?.ok !== true) continue
    return { destination: parsed.value, destinationPort: mapping.port }
  }
  return undefined
}

/** The source instead of its own of a packet that leaves a node, if a pool asks for that. */
export function outgoingSource(state: EvaluatorState, node: string, packet: Packet): Address | undefined {
  const { pools } = state
  const asks = pools.some(({ net, natOutgoing }) => natOutgoing && prefixContains(net, packet.source))
  if (!asks || pools.some(({ net }) => prefixContains(net, packet.destination))) return undefined
  const own = addressOf(state.nodeAddresses.get(node) ?? [], packet.family)
  const parsed = own === undefined ? undefined : parseAddress(own)
  return parsed?.ok === true ? parsed.value : undefined
}
