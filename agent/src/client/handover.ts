/**
 * What the agent does for runtimes that ask for an address before they say for whom, and that move the interface into the
 * workload themselves. The steps are those of `endpoint/handover.ts`.
 */
import {
  type EndpointPort,
  type PortMapping,
  RESERVED_ADDRESSES_ANNOTATION,
  type ResourceOf,
} from '@network/datastore/model'

/** The owner's workload of an address that waits for its endpoint; the owner's endpoint is the handle. */
export const WAITING_WORKLOAD = 'waiting-address'

/** Addresses besides those that the runtime asked for: one of each family that the endpoint has. */
export interface HandoverReservation {
  /** Under which they stay when the endpoint goes: 'shop@blue'. */
  readonly name: string
  /** Names of IPPools to take them from the first time. Default: the automatic ones. */
  readonly pools?: readonly string[]
  /** Ranges of those pools to keep to, then: '10.40.1.0/24'. */
  readonly within?: readonly string[]
}

export interface HandoverRequest {
  /** The runtime's id of the endpoint: what every later call names it by. */
  readonly id: string
  readonly orchestrator: string
  readonly workload: string
  readonly endpoint: string
  /** Handles that hold its addresses and whose owner says that they wait for an endpoint. */
  readonly handles: readonly string[]
  readonly network: string
  readonly mac?: string
  /** Default: the agent's. */
  readonly mtuBytes?: number
  /** Ports that rules may name. */
  readonly ports?: readonly EndpointPort[]
  /** false: never a default route. Default: unless the workload has one. */
  readonly defaultRoute?: boolean
  /** Networks that it is reached by although the workload has its default route elsewhere: '10.41.0.0/24'. */
  readonly destinations?: readonly string[]
  readonly portMappings?: readonly PortMapping[]
  /** The endpoint is refused if another one has it. */
  readonly reservation?: HandoverReservation
}

export interface HandoverOffer {
  /** The interface on the host that the runtime shall move. */
  readonly interfaceName: string
  readonly mac: string
  /** With length; those of a reservation, which the runtime knows nothing of, are not among them. */
  readonly addresses: readonly string[]
}

export interface HandoverIdentity {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly profiles: readonly string[]
  /**
   * The endpoint goes without it if another one has it, and says why in its annotations; identified again, it may get it.
   * One that was created with a reservation keeps that.
   */
  readonly reservation?: HandoverReservation
}

export interface Handover {
  /** @returns the MAC that the workload's end will have. @throws DroverError 'taken', 'not-found', and as the allocator does */
  create(request: HandoverRequest): Promise<{ mac: string }>
  offer(id: string): Promise<HandoverOffer>
  /** Its labels and profiles are known: resolves when its policy, and what a reservation adds, are in the kernel. */
  identify(id: string, identity: HandoverIdentity): Promise<void>
  /** Notes what bears neither on policy nor on the interface. @throws DroverError 'not-found' */
  annotate(id: string, annotations: Readonly<Record<string, string>>): Promise<void>
  /** The runtime has moved, or is about to move, the end: resolves with its name there once that is seen and completed. */
  moved(
    id: string,
    sandbox: {
      readonly netns: string
      /** The runtime makes the default route, if there is none by another network. */
      readonly makesDefaultRoute: boolean
    },
  ): Promise<string>
  /** The runtime takes the interface out of the workload again; what it is like until `remove` is nobody's concern. */
  left(id: string): void
  /** Interface, endpoint and addresses go; something unknown is gone already. */
  remove(id: string): Promise<void>
  /** The endpoints of this node, of one runtime or of all. */
  list(orchestrator?: string): readonly ResourceOf<'WorkloadEndpoint'>[]
}

/** The addresses that the runtime asked for, with length: all but those of a reservation. */
export function givenNetworks({ metadata, spec }: ResourceOf<'WorkloadEndpoint'>): readonly string[] {
  const reserved = new Set(metadata.annotations?.[RESERVED_ADDRESSES_ANNOTATION]?.split(','))
  return spec.ipNetworks.filter((network) => !reserved.has(network.replace(/\/.*/, '')))
}
