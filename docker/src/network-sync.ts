/**
 * A network that was made on one host is there on every host: each agent makes in its dockerd the networks that etcd
 * knows and takes away those that it has forgotten. What dockerd was told at the first host is told again at the
 * others, and an option names the Network that it stands for.
 */
import type { FaceServices } from '@network/agent/client'
import { type Clock, DroverError, type Log } from '@network/net'
import type { DockerApi, DockerNetworkReport } from './docker-api.ts'
import {
  DOCKER_NETWORK,
  type DockerNetwork,
  type Network,
  type Networks,
  dockerNetworkOf,
} from './networks.ts'

export interface NetworkSync {
  /** Asks dockerd what a network that was just made is called, and lets the other hosts know. */
  onNetwork(networkId: string): void
  /** Compares once. @throws DroverError */
  compare(): Promise<void>
}

export interface NetworkSyncModules {
  services: Pick<FaceServices, 'model' | 'signal'>
  docker: DockerApi
  networks: Networks
  clock: Clock
  log: Log
}

const LOOK_MS = 50
const LOOKS = 100

export function createNetworkSync(modules: NetworkSyncModules, options: { driver: string }): NetworkSync {
  const { services, docker, networks, clock, log } = modules
  /** Docker networks whose Network was missing at the last look: those of a creation under way are younger than that. */
  let orphans = new Set<string>()

  const learnName = async (networkId: string): Promise<void> => {
    for (let look = 0; look < LOOKS && !services.signal.aborted; look++) {
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, LOOK_MS)
      })
      const report = await docker.network(networkId)
      if (report !== undefined) return rememberName(networkId, report)
    }
  }

  const rememberName = async (networkId: string, report: DockerNetworkReport): Promise<void> => {
    const network = await networks.find(networkId)
    if (network === undefined) return
    await networks.change(network.metadata.name, (present) => {
      const described = dockerNetworkOf(present)
      if (described === undefined || described.name !== undefined) return undefined
      const next: DockerNetwork = {
        ...described,
        name: report.name,
        labels: report.labels,
        ranges: described.ranges.map((range) => {
          const asked = report.ranges.find(({ subnet }) => subnet === range.subnet)
          return asked?.range === undefined ? range : { ...range, range: asked.range }
        }),
      }
      const annotations = { ...present.metadata.annotations, [DOCKER_NETWORK]: JSON.stringify(next) }
      return { ...present, metadata: { ...present.metadata, annotations } }
    })
  }

  const make = async (network: Network, described: DockerNetwork & { name: string }): Promise<void> => {
    const { name } = network.metadata
    await docker.createNetwork({
      name: described.name,
      driver: options.driver,
      internal: described.internal,
      ipv6: described.ranges.some(({ family }) => family === 'ipv6'),
      labels: described.labels ?? {},
      options: { network: name },
      ipamOptions: {
        network: name,
        ...(described.options['pool'] === undefined ? {} : { pool: described.options['pool'] }),
      },
      ranges: described.ranges.flatMap(({ subnet, ...rest }) =>
        subnet === undefined ? [] : [{ subnet, ...rest }],
      ),
    })
    log.info({ network: described.name }, 'a network of another host was made known to Docker')
  }

  return {
    onNetwork(networkId) {
      learnName(networkId).catch((error: unknown) => {
        log.warn({ network: networkId, error: String(error) }, 'it is not known yet what a network is called')
      })
    },
    async compare() {
      const known = services.model().list('Network')
      const here = await docker.networks(options.driver)
      const mapped = new Set(known.flatMap((network) => networks.idHere(network) ?? []))
      for (const report of here) {
        const network = known.find((one) => networks.idHere(one) === report.id)
        if (network !== undefined && dockerNetworkOf(network)?.name === undefined)
          await rememberName(report.id, report)
      }
      const present = new Set(here.map(({ id }) => id))
      const names = new Set(here.map(({ name }) => name))
      for (const network of known) {
        const described = dockerNetworkOf(network)
        const id = networks.idHere(network)
        if (
          described?.name === undefined ||
          (id !== undefined && present.has(id)) ||
          names.has(described.name)
        )
          continue
        await tried(described.name, () => make(network, { ...described, name: described.name ?? '' }))
      }
      const missing = here.filter(({ id }) => !mapped.has(id))
      for (const { id, name } of missing.filter((report) => orphans.has(report.id))) {
        await tried(name, async () => {
          await docker.deleteNetwork(id)
          log.info({ network: name }, 'a network that was removed on another host was removed from Docker')
        })
      }
      orphans = new Set(missing.map(({ id }) => id))
    },
  }

  /** One network that can't be made or removed does not keep the others waiting. */
  async function tried(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      log.warn({ network: name, error: error.message }, 'a network of Docker is not as etcd knows it')
    }
  }
}
