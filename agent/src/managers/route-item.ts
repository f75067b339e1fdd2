/** One next hop of a remote route. `gateway` may be IPv6 for an IPv4 destination (RFC 8950), then `device` is needed. */
export interface NextHop {
  readonly gateway: string
  /** Needed if the gateway is link-local. */
  readonly device?: string
}

/** A route that managers want in the kernel's main table. Destinations are canonical prefixes. */
export type RouteItem =
  /** To a workload of this node, through its interface. */
  | {
      readonly kind: 'workload'
      readonly destination: string
      readonly device: string
      readonly source?: string
    }
  /** To another node's block or workload, learned by BGP; several next hops share the load. */
  | {
      readonly kind: 'remote'
      readonly destination: string
      readonly nextHops: readonly NextHop[]
      readonly source?: string
    }
  /** A block of this node: what no workload's route covers goes nowhere instead of back to the default route. */
  | { readonly kind: 'blackhole'; readonly destination: string }
