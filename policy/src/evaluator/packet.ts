/** The packet that opens a flow: numbers and addresses instead of names. */
import { type Address, type Family, parseAddress } from '@network/net'
import { protocolNumber } from '../protocol.ts'
import type { Flow, Party } from './flow.ts'
import { addressOf } from './nets.ts'
import type { EvaluatorState } from './state.ts'

export interface Packet {
  readonly family: Family
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly sourcePort: number | undefined
  readonly destinationPort: number | undefined
  readonly icmp: { readonly type: number; readonly code: number } | undefined
}

/** The packet, or the end of a sentence that says why there can't be one. */
export function packetOf(flow: Flow, state: EvaluatorState): Packet | string {
  const source = addressOfParty(flow.from, flow.family, state)
  if (typeof source === 'string') return source
  const destination = addressOfParty(flow.to, flow.family, state)
  if (typeof destination === 'string') return destination
  const protocol = protocolNumber(flow.protocol)
  if (protocol === undefined) return `${String(flow.protocol)} is no protocol`
  const { family, sourcePort, destinationPort, icmp } = flow
  return { family, source, destination, protocol, sourcePort, destinationPort, icmp }
}

function addressOfParty(party: Party, family: Family, state: EvaluatorState): Address | string {
  const nets =
    party.is === 'workload'
      ? state.workloads.get(party.name)?.nets
      : party.is === 'host'
        ? state.nodeAddresses.get(party.node)
        : []
  const who =
    party.is === 'workload' ? `endpoint ${party.name}` : party.is === 'host' ? `node ${party.node}` : ''
  if (party.is === 'workload' && nets === undefined) return `there is no ${who}`
  const text = party.address ?? addressOf(nets ?? [], family)
  if (text === undefined) return `${who} has no ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address`
  const parsed = parseAddress(text)
  if (!parsed.ok) return `'${text}' is no address`
  return parsed.value.family === family ? parsed.value : `${text} is not an address of ${family}`
}
