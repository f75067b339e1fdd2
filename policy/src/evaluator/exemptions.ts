/** Packets that go past policy, or past what becomes of all others, at some place. */
import { formatAddress, formatPrefix, prefixContains } from '@network/net'
import { AGENT_DEFAULTS, DNS_PORT, splitAddressAndPort } from '@network/datastore/model'
import { protocolNumber } from '../protocol.ts'
import type { NodeSettings } from './flow.ts'
import { netsOf } from './nets.ts'
import type { Packet } from './packet.ts'
import type { Workload } from './state.ts'
import type { Direction } from './tiers.ts'

/** Listener reports, solicitations and advertisements (RFC 4890, 4.4.1): hosts always take part in them. */
const NEIGHBOUR_MESSAGES: readonly number[] = [130, 131, 132, 133, 134, 135, 136, 143]

export function isNeighbourMessage({ family, protocol, icmp }: Packet): boolean {
  return family === 'ipv6' && protocol === 58 && icmp !== undefined && NEIGHBOUR_MESSAGES.includes(icmp.type)
}

/** DHCP from whoever may send without an address. */
export function asksForLease(
  { spec }: Workload,
  { family, protocol, source, destination, sourcePort, destinationPort }: Packet,
): boolean {
  return (
    family === 'ipv4' &&
    protocol === 17 &&
    sourcePort === 68 &&
    destinationPort === 67 &&
    formatAddress(source) === '0.0.0.0' &&
    formatAddress(destination) === '255.255.255.255' &&
    netsOf(spec.allowSpoofedSourcePrefixes ?? []).some((net) => formatPrefix(net) === '0.0.0.0/32')
  )
}

/** A question for a name to where the node's agent answers. */
export function asksForName(
  { protocol, destination, destinationPort }: Packet,
  { dnsListen = [] }: NodeSettings,
): boolean {
  if (protocol !== protocolNumber('UDP') && protocol !== protocolNumber('TCP')) return false
  return dnsListen.some((text) => {
    const listens = splitAddressAndPort(text)
    return (
      listens.ok &&
      listens.value.address === formatAddress(destination) &&
      (listens.value.port ?? DNS_PORT) === destinationPort
    )
  })
}

/** A packet to a failsafe port, or with `answers` also one that comes from such a port. */
export function isFailsafe(
  packet: Packet,
  direction: Direction,
  settings: NodeSettings,
  { answers }: { readonly answers: boolean },
): boolean {
  const { failsafeInbound, failsafeOutbound } = { ...AGENT_DEFAULTS, ...settings }
  const peer = direction === 'ingress' ? packet.source : packet.destination
  const [own, others] =
    direction === 'ingress' ? [failsafeInbound, failsafeOutbound] : [failsafeOutbound, failsafeInbound]
  const names = (list: readonly string[], port: number | undefined): boolean =>
    list.some((text) => {
      const [head = '', within] = text.split('@')
      const [protocol = '', number] = head.split(':')
      return (
        protocolNumber(protocol) === packet.protocol &&
        Number(number) === port &&
        (within === undefined || netsOf([within]).some((net) => prefixContains(net, peer)))
      )
    })
  return names(own, packet.destinationPort) || (answers && names(others, packet.sourcePort))
}
