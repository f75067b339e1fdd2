/**
 * Docker's endpoints against ours. A call that never came (dockerd was killed, or the agent was away while a container
 * went) leaves an endpoint that no container has: seen at two looks, it is removed. What etcd lost and Docker still has
 * is said in the log: only starting the container again can bring it back.
 */
import type { FaceServices } from '@network/agent/client'
import type { Log } from '@network/net'
import type { DockerApi } from './docker-api.ts'
import type { Networks } from './networks.ts'

export interface DockerAudit {
  /** Compares once; removes what was found at the look before too. @throws DroverError */
  look(): Promise<{ removed: readonly string[] }>
}

export function createDockerAudit(modules: {
  services: Pick<FaceServices, 'handover'>
  docker: DockerApi
  networks: Networks
  log: Log
}): DockerAudit {
  const { services, docker, networks, log } = modules
  let suspects = new Set<string>()
  let lost = new Set<string>()
  return {
    async look() {
      // Ours first: an endpoint that is made in between counts for neither side.
      const ours = services
        .handover()
        .list('docker')
        .flatMap(({ spec }) => (spec.interfaceName === undefined ? [] : [spec.containerID ?? '']))
      const theirs = new Set<string>()
      for (const network of networks.here()) {
        const report = await docker.network(networks.idHere(network) ?? '')
        for (const endpoint of report?.containers.keys() ?? []) theirs.add(endpoint)
      }
      const missing = ours.filter((id) => id !== '' && !theirs.has(id))
      const removed = missing.filter((id) => suspects.has(id))
      for (const id of removed) {
        await services.handover().remove(id)
        log.warn({ endpoint: id }, 'an endpoint that no container of Docker has was removed')
      }
      suspects = new Set(missing.filter((id) => !removed.includes(id)))
      const unknown = [...theirs].filter((id) => !ours.includes(id))
      for (const id of unknown.filter((one) => lost.has(one))) {
        log.warn({ endpoint: id }, 'Docker has an endpoint that etcd has lost: restart its container')
      }
      lost = new Set(unknown)
      return { removed }
    },
  }
}
