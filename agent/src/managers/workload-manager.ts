import { type Family, parsePrefix, prefixFamily } from '@network/net'
import { RESERVATION_REFUSED_ANNOTATION, type ResourceOf } from '@network/datastore/model'
import type { RouteItem } from '../drivers/route.ts'

type Endpoint = ResourceOf<'WorkloadEndpoint'>

/** The node's own addresses: what the host itself speaks from when it talks to a workload. */
export type SourceAddresses = Readonly<Partial<Record<Family, string>>>

export interface WorkloadsDesired {
  /** By destination: a host route for each address of each local endpoint. */
  readonly routes: ReadonlyMap<string, RouteItem>
  /** Sentences about endpoints that cannot be served as they stand. */
  readonly problems: readonly string[]
}

/** Turns the endpoints of this node into host routes. */
export interface WorkloadManager {
  /** An endpoint of this node by its key in the store; undefined if it went. */
  onUpdate(key: string, endpoint: Endpoint | undefined): void
  setSources(sources: SourceAddresses): void
  apply(): WorkloadsDesired
}

/**
 * `interfacePrefix` bounds what an endpoint may name: a route is only ever made through an interface of ours,
 * whatever the store says.
 */
export function createWorkloadManager(options: { interfacePrefix: string }): WorkloadManager {
  const endpoints = new Map<string, Endpoint>()
  let sources: SourceAddresses = {}
  let desired: WorkloadsDesired | undefined

  return {
    onUpdate(key, endpoint) {
      if (endpoint === undefined) endpoints.delete(key)
      else endpoints.set(key, endpoint)
      desired = undefined
    },
    setSources(next) {
      if (next.ipv4 === sources.ipv4 && next.ipv6 === sources.ipv6) return
      sources = next
      desired = undefined
    },
    apply() {
      desired ??= workloadRoutes(endpoints, sources, options.interfacePrefix)
      return desired
    },
  }
}

function workloadRoutes(
  endpoints: ReadonlyMap<string, Endpoint>,
  sources: SourceAddresses,
  interfacePrefix: string,
): WorkloadsDesired {
  const routes = new Map<string, RouteItem>()
  const holders = new Map<string, string>()
  const problems: string[] = []
  // In the order of keys, so that a contested address goes to the same endpoint however the events came.
  for (const [key, endpoint] of [...endpoints].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const refused = endpoint.metadata.annotations?.[RESERVATION_REFUSED_ANNOTATION]
    if (refused !== undefined)
      problems.push(`The endpoint at ${key} goes without its reserved address: ${refused}`)
    const device = endpoint.spec.interfaceName
    if (device === undefined) continue
    if (!device.startsWith(interfacePrefix)) {
      problems.push(
        `The endpoint at ${key} names the interface ${device}, which does not begin with ${interfacePrefix}: no route is made.`,
      )
      continue
    }
    for (const destination of endpoint.spec.ipNetworks) {
      const parsed = parsePrefix(destination)
      if (!parsed.ok) continue
      const holder = holders.get(destination)
      if (holder !== undefined) {
        problems.push(
          `The endpoints at ${holder} and ${key} both hold ${destination}: the route goes to the first.`,
        )
        continue
      }
      holders.set(destination, key)
      const source = sources[prefixFamily(parsed.value)]
      routes.set(destination, {
        kind: 'workload',
        destination,
        device,
        ...(source === undefined ? {} : { source }),
      })
    }
  }
  return { routes, problems }
}
