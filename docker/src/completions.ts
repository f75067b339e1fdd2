/**
 * Interfaces that dockerd moves into sandboxes: each is completed there as soon as it has arrived. One whose agent ended
 * in between is found again by its container's sandbox.
 */
import type { FaceServices } from '@network/agent/client'
import { DroverError, type Log } from '@network/net'
import type { DockerApi } from './docker-api.ts'
import { CONTAINER_ID_ANNOTATION } from './identities.ts'

export interface Completions {
  /** Follows the interface to its sandbox, in the background. */
  begin(endpointId: string, sandbox: { readonly netns: string; readonly makesDefaultRoute: boolean }): void
  /** Interfaces whose way an earlier life of this process did not follow to its end. @throws DroverError */
  resume(): Promise<void>
}

export interface CompletionsModules {
  services: Pick<FaceServices, 'handover'>
  docker: Pick<DockerApi, 'sandbox'>
  log: Log
}

export function createCompletions({ services, docker, log }: CompletionsModules): Completions {
  const underWay = new Set<string>()

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

  const begin: Completions['begin'] = (endpointId, sandbox) => {
    underWay.add(endpointId)
    void complete(endpointId, sandbox).finally(() => underWay.delete(endpointId))
  }

  return {
    begin,
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
