/**
 * Whether the rules that rendering writes would let the first packet of a flow pass. The kernel asks them for a flow's
 * first packet only; when policy turns against flows that live, this tells which of them to forget. It goes the way of a
 * packet through the node: the interface of the host that it came in by, the workloads at its ends, the interface that it
 * leaves by.
 */
import type { Family } from '@network/net'
import type { ActiveChanges, ActiveEndpoint, SetId } from '../calc/active.ts'
import { type FlowPacket, addressOf, createFlowRules } from './flow-rules.ts'
import { type HostFlows, type HostFlowOptions, createHostFlows } from './host-flows.ts'

/** A flow as connection tracking knows it: who began it, and where it really went. */
export interface TrackedFlow extends FlowPacket {
  /** The destination that its sender wrote, before translation. */
  readonly asked: { readonly destination: string; readonly destinationPort: number | undefined }
}

/** A way to an address that is no workload's, and of which host address packets on it are; undefined: it passes through. */
export interface FlowPath {
  readonly family: Family
  readonly to: string
  readonly from: string | undefined
}

/** Where routing sends what goes that way; `isLocal`: the address is the host's, or means it among others. */
export interface FlowRoute {
  readonly interfaceName: string
  readonly isLocal: boolean
}

export interface FlowJudge {
  /** Takes a change of active policy. True if a flow that was allowed before may not be any more. */
  update(changes: ActiveChanges): boolean
  /** Takes other settings. True if a flow that was allowed before may not be any more. */
  setOptions(options: HostFlowOptions): boolean
  /** Flows that the host itself begins reach its workloads whatever policy says. */
  setHostAddresses(addresses: ReadonlySet<string>): void
  /** Whether a workload of this node has this address. */
  isLocal(address: string): boolean
  /** Ways of which `denies` must know the interface; none unless interfaces of the host are under policy. */
  pathsOf(flow: TrackedFlow): readonly FlowPath[]
  /**
   * True if the policy of a workload of this node, or of an interface of the host on the flow's way, does not allow it.
   * Where `routeOf` knows nothing, no interface of the host is asked.
   */
  denies(flow: TrackedFlow, routeOf?: (path: FlowPath) => FlowRoute | undefined): boolean
}

export function createFlowJudge(
  modules: { members: (set: SetId) => readonly string[] },
  options: HostFlowOptions,
): FlowJudge {
  const rules = createFlowRules(modules)
  const hosts: HostFlows = createHostFlows({ rules }, options)
  const endpoints = new Map<string, ActiveEndpoint>()
  /** Keys of the endpoints that have an address; one, unless somebody made a mistake. */
  const byAddress = new Map<string, Set<string>>()
  let hostAddresses: ReadonlySet<string> = new Set()

  function allows(endpoint: ActiveEndpoint, direction: 'inbound' | 'outbound', flow: TrackedFlow): boolean {
    const decided = rules.judgeTiers(endpoint.tiers, direction, flow)
    if (decided !== 'Pass') return decided === 'Allow'
    return rules.profilesAllow(endpoint.profiles, direction, flow)
  }

  function holder(address: string): ActiveEndpoint | undefined {
    const keys = byAddress.get(address)
    if (keys === undefined) return undefined
    const [first] = keys.size > 1 ? [...keys].sort() : keys
    return first === undefined ? undefined : endpoints.get(first)
  }

  /** The ways of a flow that don't end at a workload: where it came from, and where it went. */
  function ways(flow: TrackedFlow): { in: FlowPath | undefined; out: FlowPath | undefined } {
    const { family, source, destination } = flow
    const [fromHost, toHost] = [hostAddresses.has(source), hostAddresses.has(destination)]
    const path = (to: string, from: string | undefined): FlowPath | undefined =>
      byAddress.has(to) || isLinkLocal(to) || addressOf(to) === undefined ? undefined : { family, to, from }
    return {
      in: fromHost ? undefined : path(source, toHost ? destination : undefined),
      out: toHost ? undefined : path(destination, fromHost ? source : undefined),
    }
  }

  return {
    update(changes) {
      let against = rules.update(changes)
      if (hosts.update(changes)) against = true
      for (const [key, endpoint] of changes.endpoints) {
        const before = endpoints.get(key)
        for (const address of before?.addresses ?? []) {
          const keys = byAddress.get(withoutLength(address))
          keys?.delete(key)
          against ||= keys !== undefined && keys.size > 0
          if (keys?.size === 0) byAddress.delete(withoutLength(address))
        }
        if (endpoint === undefined) endpoints.delete(key)
        else endpoints.set(key, endpoint)
        for (const prefix of endpoint?.addresses ?? []) {
          const address = withoutLength(prefix)
          const keys = byAddress.get(address) ?? new Set<string>()
          against ||= keys.size > 0
          byAddress.set(address, keys.add(key))
        }
        // The flows of one that is gone die with it.
        against ||= before !== undefined && endpoint !== undefined
      }
      return against
    },
    setOptions: (next) => hosts.setOptions(next),
    setHostAddresses(addresses) {
      hostAddresses = addresses
    },
    isLocal: (address) => byAddress.has(address),
    pathsOf(flow) {
      if (hosts.size === 0) return []
      const { in: before, out: after } = ways(flow)
      return [before, after].filter((path) => path !== undefined)
    },
    denies(flow, routeOf) {
      const from = holder(flow.source)
      if (from !== undefined && !allows(from, 'outbound', flow)) return true
      const to = holder(flow.destination)
      const isOwn = hostAddresses.has(flow.source)
      if (to !== undefined && !isOwn && !allows(to, 'inbound', flow)) return true
      if (hosts.size === 0 || routeOf === undefined) return false
      const path = ways(flow)
      const [before, after] = [path.in, path.out].map((way) => (way === undefined ? undefined : routeOf(way)))
      // The host may have got an address a moment ago; and a broadcast or a group that comes in is for it too.
      const fromHost = isOwn || before?.isLocal === true
      const toHost = hostAddresses.has(flow.destination) || (!fromHost && after?.isLocal === true)
      return hosts.denies(flow, {
        interfaceIn: fromHost ? undefined : before?.interfaceName,
        interfaceOut: toHost ? undefined : after?.interfaceName,
        ...{ fromHost, toHost },
      })
    },
  }
}

function withoutLength(prefix: string): string {
  return prefix.slice(0, prefix.indexOf('/'))
}

/** Such an address means another neighbour at each interface, and tracking doesn't say which. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address)
}
