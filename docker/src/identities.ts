/**
 * Whose an endpoint is. The protocol does not say, so dockerd is asked as soon as it has its answer to `Join`: its network
 * then knows the endpoint's container, and its list of containers the name and the labels. Until that is written the
 * endpoint is pending and nothing passes it.
 */
import type { FaceServices } from '@network/agent/client'
import { RESERVATION_REFUSED_ANNOTATION, type ResourceOf } from '@network/datastore/model'
import { type Clock, DroverError, type Log } from '@network/net'
import type { DockerApi, DockerContainer } from './docker-api.ts'
import { RESERVE } from './endpoint-options.ts'
import { NETWORK_LABEL } from './network-driver.ts'
import type { Network, Networks } from './networks.ts'
import { reservationOn } from './reservation.ts'

export const CONTAINER_LABEL = 'drover.network/container'
export const CONTAINER_ID_ANNOTATION = 'drover.network/container-id'

export interface Identities {
  /** Finds out, in the background, and writes it; goes on until the endpoint is gone. */
  learn(endpoint: { networkId: string; endpointId: string }): void
  /**
   * Resolves when it is written, or after `withinMs`; at once if nobody is finding out, or if dockerd did not answer the last
   * time: while it starts it restarts containers and answers nobody.
   */
  known(endpointId: string, withinMs: number): Promise<void>
  /** Endpoints whose identity an earlier life of this process did not get to. */
  learnPending(): Promise<void>
  /** Endpoints that go without their reservation, which may be free by now. */
  learnRefused(): Promise<void>
}

export interface IdentitiesModules {
  services: Pick<FaceServices, 'handover' | 'resources' | 'signal'>
  docker: DockerApi
  networks: Networks
  clock: Clock
  log: Log
}

/** The sandbox is known to dockerd's network a few milliseconds after `Join` has been answered. */
const FIRST_LOOK_MS = 2
const LAST_LOOK_MS = 5_000

export function createIdentities(modules: IdentitiesModules): Identities {
  const { services, docker, networks, clock, log } = modules
  const underWay = new Map<string, Promise<void>>()
  let answers = true
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      clock.setTimeout(resolve, ms)
    })
  const find = (endpointId: string): ResourceOf<'WorkloadEndpoint'> | undefined =>
    services
      .handover()
      .list('docker')
      .find(({ spec }) => spec.containerID === endpointId)

  const look = async (networkId: string, endpointId: string): Promise<boolean> => {
    const container = (await docker.network(networkId))?.containers.get(endpointId)
    answers = true
    const found = container === undefined ? undefined : await docker.container(container)
    const network = await networks.find(networkId)
    if (found === undefined || network === undefined) return false
    const reserve = found.labels[RESERVE]
    await services.handover().identify(endpointId, {
      ...identityOf(found, network, log),
      ...(reserve === undefined
        ? {}
        : { reservation: await reservationOn(services.resources(), reserve, network) }),
    })
    return true
  }

  const follow = async (networkId: string, endpointId: string): Promise<void> => {
    let waitMs = FIRST_LOOK_MS
    while (!services.signal.aborted) {
      await pause(waitMs)
      if (find(endpointId) === undefined) return
      try {
        if (await look(networkId, endpointId)) return
      } catch (error) {
        if (!(error instanceof DroverError)) throw error
        answers = false
        log.warn({ endpoint: endpointId, error: error.message }, 'it is not known yet whose an endpoint is')
      }
      waitMs = Math.min(waitMs * 1.5, LAST_LOOK_MS)
    }
  }

  const learn = (networkId: string, endpointId: string): void => {
    if (underWay.has(endpointId)) return
    const followed = follow(networkId, endpointId)
      .catch((error: unknown) =>
        log.error({ endpoint: endpointId, error: String(error) }, 'an endpoint stays pending'),
      )
      .finally(() => underWay.delete(endpointId))
    underWay.set(endpointId, followed)
  }

  const learnAll = async (
    which: (annotations: Readonly<Record<string, string>>) => boolean,
  ): Promise<void> => {
    for (const { metadata, spec } of services.handover().list('docker')) {
      if (!which(metadata.annotations ?? {})) continue
      if (spec.network === undefined || spec.containerID === undefined) continue
      const network = await networks.byName(spec.network)
      const networkId = network === undefined ? undefined : networks.idHere(network)
      if (networkId !== undefined) learn(networkId, spec.containerID)
    }
  }

  return {
    learn: ({ networkId, endpointId }) => learn(networkId, endpointId),
    known: async (endpointId, withinMs) => {
      const followed = underWay.get(endpointId)
      if (followed === undefined || !answers) return
      await Promise.race([followed, pause(withinMs)])
      if (underWay.has(endpointId)) answers = false
    },
    learnPending: () => learnAll((annotations) => annotations[CONTAINER_ID_ANNOTATION] === undefined),
    learnRefused: () => learnAll((annotations) => annotations[RESERVATION_REFUSED_ANNOTATION] !== undefined),
  }
}

/** Labels of the container that are labels here too; the rest is left out and named in the log. */
function identityOf(container: DockerContainer, network: Network, log: Log) {
  const labels: Record<string, string> = {}
  for (const [name, value] of Object.entries(container.labels)) {
    if (isLabel(name, value)) labels[name] = value
    else
      log.debug(
        { container: container.name, label: name },
        'a label of a container can not be one of an endpoint',
      )
  }
  if (isLabel(CONTAINER_LABEL, container.name)) labels[CONTAINER_LABEL] = container.name
  labels[NETWORK_LABEL] = network.metadata.name
  return {
    labels,
    annotations: { [CONTAINER_ID_ANNOTATION]: container.id },
    profiles: [network.spec.profile ?? network.metadata.name],
  }
}

/** As the model checks them. */
function isLabel(name: string, value: string): boolean {
  return value.length <= 253 && /^[A-Za-z0-9][A-Za-z0-9_./-]{0,511}$/.test(name)
}
