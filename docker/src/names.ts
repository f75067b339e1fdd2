/**
 * What an endpoint's container is called on its network: as its own dockerd answers it to that network's containers, so
 * that the agents of other hosts answer the same. dockerd tells it only of a container that it is not just starting; so
 * this is asked after the container's identity is known, in the background, and nothing waits for it.
 */
import type { FaceServices } from '@network/agent/client'
import {
  NAMES_ANNOTATION,
  formatEndpointNames,
  normalName,
  readEndpointNames,
} from '@network/datastore/model'
import { type Clock, DroverError, type Log } from '@network/net'
import type { DockerApi } from './docker-api.ts'
import { CONTAINER_ID_ANNOTATION } from './identities.ts'

export interface Names {
  /** Finds out, in the background, and writes it; goes on until the endpoint is gone. */
  learn(endpointId: string): void
  /** Endpoints whose names an earlier life of this process did not get to. */
  learnMissing(): void
  /** Containers that were renamed. @throws DroverError */
  learnRenamed(): Promise<void>
}

const FIRST_LOOK_MS = 10
const LAST_LOOK_MS = 5_000

export function createNames(modules: {
  services: Pick<FaceServices, 'handover' | 'signal'>
  docker: Pick<DockerApi, 'names' | 'running'>
  clock: Clock
  log: Log
}): Names {
  const { services, docker, clock, log } = modules
  const underWay = new Set<string>()

  /** Whether there is nothing left to find out. */
  const look = async (endpointId: string): Promise<boolean> => {
    const endpoint = services
      .handover()
      .list('docker')
      .find(({ spec }) => spec.containerID === endpointId)
    if (endpoint === undefined) return true
    const container = endpoint.metadata.annotations?.[CONTAINER_ID_ANNOTATION]
    if (container === undefined) return false
    const found = await docker.names(container, endpointId)
    if (found === undefined) return false
    const names = formatEndpointNames({ container, ...found })
    await services.handover().annotate(endpointId, { [NAMES_ANNOTATION]: names })
    return true
  }

  const follow = async (endpointId: string): Promise<void> => {
    let waitMs = FIRST_LOOK_MS
    let said = ''
    while (!services.signal.aborted) {
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, waitMs)
      })
      try {
        if (await look(endpointId)) return
      } catch (error) {
        if (!(error instanceof DroverError)) throw error
        if (error.message !== said)
          log.warn({ endpoint: endpointId, error: error.message }, 'names of a container are not known yet')
        said = error.message
      }
      waitMs = Math.min(waitMs * 1.5, LAST_LOOK_MS)
    }
  }

  const learn = (endpointId: string): void => {
    if (underWay.has(endpointId)) return
    underWay.add(endpointId)
    follow(endpointId)
      .catch((error: unknown) =>
        log.error({ endpoint: endpointId, error: String(error) }, 'names of a container stay unknown'),
      )
      .finally(() => underWay.delete(endpointId))
  }

  return {
    learn,
    learnMissing() {
      for (const { metadata, spec } of services.handover().list('docker')) {
        if (metadata.annotations?.[NAMES_ANNOTATION] === undefined && spec.containerID !== undefined)
          learn(spec.containerID)
      }
    },
    async learnRenamed() {
      const running = await docker.running()
      for (const { metadata, spec } of services.handover().list('docker')) {
        const known = readEndpointNames(metadata)
        const name = known === undefined ? undefined : normalName(running.get(known.container) ?? '')
        if (name !== undefined && name !== known?.names[0] && spec.containerID !== undefined)
          learn(spec.containerID)
      }
    },
  }
}
