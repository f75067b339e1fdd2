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
  const wishes = new Map<string, Wish>()
  let sources: SourceAddresses = {}
  let desired: WorkloadsDesired | undefined

  return {
    onUpdate(key, endpoint) {
      if (endpoint === undefined) wishes.delete(key)
      else wishes.set(key, wishOf(key, endpoint, sources, options.interfacePrefix))
      desired = undefined
    },
    setSources(next) {
      if (next.ipv4 === sources.ipv4 && next.ipv6 === sources.ipv6) return
      sources = next
      for (const [key, { endpoint }] of wishes)
        wishes.set(key, wishOf(key, endpoint, sources, options.interfacePrefix))
      desired = undefined
    },
    apply() {
      desired ??= merged(wishes)
      return desired
    },
  }
}

/** What one endpoint wants. A route stays the same object while it does, so that the driver knows it again at a glance. */
interface Wish {
  readonly endpoint: Endpoint
  readonly routes: readonly RouteItem[]
  readonly problems: readonly string[]
}

function wishOf(key: string, endpoint: Endpoint, sources: SourceAddresses, interfacePrefix: string): Wish {
  const problems: string[] = []
  const refused = endpoint.metadata.annotations?.[RESERVATION_REFUSED_ANNOTATION]
  if (refused !== undefined)
    problems.push(`The endpoint at ${key} goes without its reserved address: ${refused}`)
  const device = endpoint.spec.interfaceName
  if (device === undefined) return { endpoint, routes: [], problems }
  if (!device.startsWith(interfacePrefix)) {
    problems.push(
      `The endpoint at ${key} names the interface ${device}, which does not begin with ${interfacePrefix}: no route is made.`,
    )
    return { endpoint, routes: [], problems }
  }
  const routes = endpoint.spec.ipNetworks.flatMap((destination): RouteItem[] => {
    const parsed = parsePrefix(destination)
    if (!parsed.ok) return []
    const source = sources[prefixFamily(parsed.value)]
    return [{ kind: 'workload', destination, device, ...(source === undefined ? {} : { source }) }]
  })
  return { endpoint, routes, problems }
}

/** In the order of keys, so that a contested address goes to the same endpoint however the events came. */
function merged(wishes: ReadonlyMap<string, Wish>): WorkloadsDesired {
  const routes = new Map<string, RouteItem>()
  const holders = new Map<string, string>()
  const problems: string[] = []
  for (const [key, wish] of [...wishes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    problems.push(...wish.problems)
    for (const route of wish.routes) {
      const { destination } = route
      const holder = holders.get(destination)
      if (holder !== undefined) {
        problems.push(
          `The endpoints at ${holder} and ${key} both hold ${destination}: the route goes to the first.`,
        )
        continue
      }
      holders.set(destination, key)
      routes.set(destination, route)
    }
  }
  return { routes, problems }
}
