/** In which tables a policy's chains must stand: wherever an endpoint that it judges asks it. */
import type { ActiveEndpoint, ActiveHostEndpoint, ActiveTier, PolicyId } from '../calc/active.ts'
import { tableOf } from './host-endpoint.ts'
import type { Table } from './rendered.ts'

/** The tables of each policy that is asked elsewhere than in filter alone. */
export function policyTables(
  endpoints: ReadonlyMap<string, ActiveEndpoint>,
  hostEndpoints: ReadonlyMap<string, ActiveHostEndpoint>,
): Map<PolicyId, ReadonlySet<Table>> {
  const found = new Map<PolicyId, Set<Table>>()
  for (const endpoint of hostEndpoints.values()) {
    for (const place of ['untracked', 'preDNAT'] as const) {
      for (const id of policiesOf(endpoint[place])) {
        const known = found.get(id)
        if (known === undefined) found.set(id, new Set([tableOf(place)]))
        else known.add(tableOf(place))
      }
    }
  }
  if (found.size === 0) return found
  const inFilter = [
    ...[...endpoints.values()].map(({ tiers }) => tiers),
    ...[...hostEndpoints.values()].flatMap(({ normal, forward }) => [normal, forward]),
  ]
  for (const tiers of inFilter) for (const id of policiesOf(tiers)) found.get(id)?.add('filter')
  return found
}

function* policiesOf(tiers: readonly ActiveTier[]): Generator<PolicyId> {
  for (const { inbound, outbound } of tiers) {
    yield* inbound
    yield* outbound
  }
}
