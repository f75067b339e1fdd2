import type { RouteItem } from '../drivers/route.ts'

/**
 * One table of several sources, strongest first: where two name the same destination the earlier one has it. A
 * workload's own route comes before its node's blackhole, and both before what others announce.
 */
export function mergeRoutes(
  ...sources: readonly ReadonlyMap<string, RouteItem>[]
): ReadonlyMap<string, RouteItem> {
  const merged = new Map<string, RouteItem>()
  for (const source of sources) {
    for (const [destination, route] of source) if (!merged.has(destination)) merged.set(destination, route)
  }
  return merged
}
