/**
 * Interfaces that dockerd moves into sandboxes: each is completed there as soon as it has arrived. One whose agent ended
 * in between is found again by its container's sandbox.
 */
import { type FaceServices, RESERVATION_ANNOTATION } from '@network/agent/client'
import { type Clock, DroverError, type Log } from '@network/net'
import type { DockerApi } from './docker-api.ts'
import { CONTAINER_ID_ANNOTATION } from './identities.ts'

export interface Completions {
  /** Follows the interface to its sandbox, in the background. */
  begin(endpointId: string, sandbox: { readonly netns: string; readonly makesDefaultRoute: boolean }): void
  /**
   * Resolves when an interface under way has its reserved addresses, which dockerd does not bring in, or after `withinMs`;
   * at once if it has none.
   */
  reservedIn(endpointId: string, withinMs: number): Promise<void>
  /** Interfaces whose way an earlier life of this process did not follow to its end. @throws DroverError */
  resume(): Promise<void>
}

export interface CompletionsModules {
  services: Pick<FaceServices, 'handover'>
  docker: Pick<DockerApi, 'sandbox'>
  clock: Clock
  log: Log
}

export function createCompletions({ services, docker, clock, log }: CompletionsModules): Completions {
  const underWay = new Map<string, Promise<void>>()

  const complete = async (
    endpointId: string,
    sandbox: { netns: string; makesDefaultRoute: boolean },
  ): Promise<void> => {
    try {
      const name = await services.handover().moved(endpointId, sandbox)
      log.debug({ endpoint: endpointId, interface: name }, 'an interface has arrived in its sandbox')
    } catch (error) {
      if (error instanceof DroverError && error.code === 'not-found') return
      log.warn(
        { endpoint: endpointId, error: String(error) },
        'an interface was not completed in its sandbox',
      )
    }
  }

  const isReserved = (endpointId: string): boolean =>
    services
      .handover()
      .list('docker')
      .some(
        ({ metadata, spec }) =>
          spec.containerID === endpointId && metadata.annotations?.[RESERVATION_ANNOTATION] !== undefined,
      )

  const begin: Completions['begin'] = (endpointId, sandbox) => {
    const work = complete(endpointId, sandbox).finally(() => {
      if (underWay.get(endpointId) === work) underWay.delete(endpointId)
    })
    underWay.set(endpointId, work)
  }

  return {
    begin,
    async reservedIn(endpointId, withinMs) {
      const work = underWay.get(endpointId)
      if (work === undefined || !isReserved(endpointId)) return
      await Promise.race([
        work,
        new Promise<void>((resolve) => {
          clock.setTimeout(resolve, withinMs)
        }),
      ])
    },
    async resume() {
      for (const { metadata, spec } of services.handover().list('docker')) {
        const container = metadata.annotations?.[CONTAINER_ID_ANNOTATION]
        const endpointId = spec.containerID
        if (spec.netns !== undefined || container === undefined || endpointId === undefined) continue
        if (underWay.has(endpointId)) continue
        const netns = await docker.sandbox(container)
        // dockerd has answered for a container that runs: its routes are made.
        if (netns !== undefined) begin(endpointId, { netns, makesDefaultRoute: false })
      }
    },
  }
}
