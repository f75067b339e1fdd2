/** What host endpoints say of the first packet of a flow, list by list, in the order in which the packet meets them. */
import type { ActiveChanges, ActiveHostEndpoint, ActiveTier } from '../calc/active.ts'
import { type FlowPacket, type FlowRules, addressOf, netContains } from './flow-rules.ts'
import { EVERY_INTERFACE } from './host-endpoint.ts'
import type { Failsafe, RenderOptions } from './options.ts'
import type { Direction } from './tiers.ts'

export type HostFlowOptions = Pick<RenderOptions, 'interfacePrefix' | 'failsafeInbound' | 'failsafeOutbound'>

/** Where a flow comes into the host's hands and leaves them; undefined: not by an interface of the host. */
export interface HostWay {
  readonly interfaceIn: string | undefined
  readonly interfaceOut: string | undefined
  readonly fromHost: boolean
  readonly toHost: boolean
}

export interface HostFlows {
  /** How many host endpoints are in force. */
  readonly size: number
  /** True if a flow that was allowed before may not be any more. */
  update(changes: Pick<ActiveChanges, 'hostEndpoints'>): boolean
  setOptions(options: HostFlowOptions): boolean
  /** @param flow with the destination before translation beside the real one */
  denies(
    flow: FlowPacket & { readonly asked: Pick<FlowPacket, 'destination' | 'destinationPort'> },
    way: HostWay,
  ): boolean
}

export function createHostFlows(modules: { rules: FlowRules }, initial: HostFlowOptions): HostFlows {
  const { rules } = modules
  const endpoints = new Map<string, ActiveHostEndpoint>()
  let options = initial

  /** An interface's own comes before the one of every interface. */
  function endpointAt(interfaceName: string | undefined): ActiveHostEndpoint | undefined {
    if (interfaceName === undefined || interfaceName === 'lo') return undefined
    if (interfaceName.startsWith(options.interfacePrefix)) return undefined
    const all = [...endpoints.values()]
    return (
      all.find((endpoint) => endpoint.interfaceName === interfaceName) ??
      all.find((endpoint) => endpoint.interfaceName === EVERY_INTERFACE)
    )
  }

  function isFailsafe(packet: FlowPacket, direction: Direction, { answers = false } = {}): boolean {
    const peer = addressOf(direction === 'inbound' ? packet.source : packet.destination)
    const among = (failsafes: readonly Failsafe[], port: number | undefined): boolean =>
      failsafes.some(
        (failsafe) =>
          failsafe.protocol === packet.protocol &&
          failsafe.port === port &&
          (failsafe.net === undefined || (peer !== undefined && netContains(failsafe.net, peer))),
      )
    const { failsafeInbound, failsafeOutbound } = options
    const [own, others] =
      direction === 'inbound' ? [failsafeInbound, failsafeOutbound] : [failsafeOutbound, failsafeInbound]
    return among(own, packet.destinationPort) || (answers && among(others, packet.sourcePort))
  }

  /** What a list before policy proper decides; 'Pass': the packet goes on to the next. */
  function early(
    tiers: readonly ActiveTier[],
    direction: Direction,
    packet: FlowPacket,
    answers: boolean,
  ): 'Allow' | 'Deny' | 'Pass' {
    if (isFailsafe(packet, direction, { answers })) return 'Pass'
    return rules.judgeTiers(tiers, direction, packet, { ends: false })
  }

  function normalAllows(endpoint: ActiveHostEndpoint, direction: Direction, packet: FlowPacket): boolean {
    if (isFailsafe(packet, direction)) return true
    const decided = rules.judgeTiers(endpoint.normal, direction, packet)
    if (decided !== 'Pass') return decided === 'Allow'
    return rules.profilesAllow(endpoint.profiles, direction, packet)
  }

  return {
    get size() {
      return endpoints.size
    },
    update({ hostEndpoints }) {
      for (const [name, endpoint] of hostEndpoints) {
        if (endpoint === undefined) endpoints.delete(name)
        else endpoints.set(name, endpoint)
      }
      // One that goes leaves its interface to another one, or to that of every interface.
      return hostEndpoints.size > 0
    },
    setOptions(next) {
      const failsafes = (of: HostFlowOptions): string =>
        JSON.stringify([of.failsafeInbound, of.failsafeOutbound])
      const differ = failsafes(next) !== failsafes(options)
      options = next
      return differ && endpoints.size > 0
    },
    denies(flow, { interfaceIn, interfaceOut, fromHost, toHost }) {
      const arriving = { ...flow, ...flow.asked }
      const before = endpointAt(interfaceIn)
      if (before !== undefined) {
        let decided = early(before.untracked, 'inbound', arriving, true)
        if (decided === 'Pass') decided = early(before.preDNAT, 'inbound', arriving, false)
        if (decided === 'Deny') return true
        if (decided === 'Pass') {
          if (toHost && !normalAllows(before, 'inbound', flow)) return true
          if (!toHost && rules.judgeTiers(before.forward, 'inbound', flow) === 'Deny') return true
        }
      }
      const after = endpointAt(interfaceOut)
      if (after === undefined) return false
      if (!fromHost) return rules.judgeTiers(after.forward, 'outbound', flow) === 'Deny'
      const decided = early(after.untracked, 'outbound', arriving, true)
      return decided === 'Deny' || (decided === 'Pass' && !normalAllows(after, 'outbound', flow))
    },
  }
}
