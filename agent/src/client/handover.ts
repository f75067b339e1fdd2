/**
 * What the agent does for runtimes that ask for an address before they say for whom, and that move the interface into the
 * workload themselves. The steps are those of `endpoint/handover.ts`.
 */
import type { EndpointPort, PortMapping, ResourceOf } from '@network/datastore/model'

/** The owner's workload of an address that waits for its endpoint; the owner's endpoint is the handle. */
export const WAITING_WORKLOAD = 'waiting-address'

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
}

export interface HandoverOffer {
  /** The interface on the host that the runtime shall move. */
  readonly interfaceName: string
  readonly mac: string
  readonly addresses: readonly string[]
}

export interface HandoverIdentity {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly profiles: readonly string[]
}

export interface Handover {
  /** @returns the MAC that the workload's end will have. @throws DroverError 'taken', 'not-found' */
  create(request: HandoverRequest): Promise<{ mac: string }>
  offer(id: string): Promise<HandoverOffer>
  /** Its labels and profiles are known: resolves when its policy is in the kernel. */
  identify(id: string, identity: HandoverIdentity): Promise<void>
  /** The runtime has moved, or is about to move, the end: resolves with its name there once that is seen and completed. */
  moved(
    id: string,
    sandbox: {
      readonly netns: string
      /** The runtime makes the default route, if there is none by another network. */
      readonly makesDefaultRoute: boolean
    },
  ): Promise<string>
  /** Interface, endpoint and addresses go; something unknown is gone already. */
  remove(id: string): Promise<void>
  /** The endpoints of this node, of one runtime or of all. */
  list(orchestrator?: string): readonly ResourceOf<'WorkloadEndpoint'>[]
}
