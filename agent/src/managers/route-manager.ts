import type { BestBatch } from '@network/bgp'
import type { Family } from '@network/net'
import type { NextHop, RouteItem } from '../drivers/route.ts'
import type { SourceAddresses } from './workload-manager.ts'

/** Turns the speaker's best routes into routes of the kernel. */
export interface RouteManager {
  onBest(batch: BestBatch): void
  /** The speaker begins anew: what it does not name again by the time it has converged goes. */
  onSpeakerStart(): void
  setSources(sources: SourceAddresses): void
  apply(): { readonly routes: ReadonlyMap<string, RouteItem>; readonly converged: boolean }
}

/** `families`: those that the speaker speaks; convergence means all of them. */
export function createRouteManager(families: readonly Family[] = ['ipv4', 'ipv6']): RouteManager {
  const tables = new Map(families.map((family) => [family, createTable()]))
  let sources: SourceAddresses = {}
  let routes: ReadonlyMap<string, RouteItem> | undefined

  return {
    onBest(batch) {
      const table = tables.get(batch.family)
      if (table === undefined) return
      for (const { prefix, nextHops, local, priority } of batch.changes) {
        table.stale.delete(prefix)
        if (local || nextHops.length === 0) table.best.delete(prefix)
        else {
          const more = { source: sources[batch.family], metric: priority }
          table.best.set(prefix, remoteRoute(prefix, nextHops.map(toNextHop), more))
        }
      }
      if (batch.converged) {
        table.converged = true
        for (const prefix of table.stale) table.best.delete(prefix)
        table.stale.clear()
      }
      routes = undefined
    },
    onSpeakerStart() {
      for (const table of tables.values()) {
        table.converged = false
        table.stale = new Set(table.best.keys())
      }
    },
    setSources(next) {
      if (next.ipv4 === sources.ipv4 && next.ipv6 === sources.ipv6) return
      sources = next
      for (const [family, { best }] of tables) {
        for (const [prefix, route] of best)
          best.set(
            prefix,
            remoteRoute(prefix, route.nextHops, { source: sources[family], metric: route.metric }),
          )
      }
      routes = undefined
    },
    apply() {
      routes ??= new Map([...tables.values()].flatMap(({ best }) => [...best]))
      return { routes, converged: [...tables.values()].every((table) => table.converged) }
    },
  }
}

type RemoteRoute = Extract<RouteItem, { kind: 'remote' }>

interface Table {
  /** An item stays the same object while its route does, so that the driver knows it again at a glance. */
  best: Map<string, RemoteRoute>
  stale: Set<string>
  converged: boolean
}

function createTable(): Table {
  return { best: new Map(), stale: new Set(), converged: false }
}

function toNextHop(hop: { address: string; interface: string | undefined }): NextHop {
  return { gateway: hop.address, ...(hop.interface === undefined ? {} : { device: hop.interface }) }
}

function remoteRoute(
  destination: string,
  nextHops: readonly NextHop[],
  { source, metric }: { source: string | undefined; metric: number | undefined },
): RemoteRoute {
  return {
    ...{ kind: 'remote', destination, nextHops },
    ...(source === undefined ? {} : { source }),
    ...(metric === undefined ? {} : { metric }),
  }
}
