/**
 * Which Docker network is which Network. A Docker network has an id of its own on every host (scope `local`), so a
 * Network notes for each node the id by which that node's dockerd knows it.
 */
import type { FaceServices } from '@network/agent/client'
import { ResourceError } from '@network/datastore'
import type { ResourceOf } from '@network/datastore/model'
import { DroverError } from '@network/net'
import { isRecord, texts } from './json-value.ts'

export type Network = ResourceOf<'Network'>

/** On what `docker network create` has made: it goes with its network. */
export const CREATED_BY_DOCKER = 'drover.network/created-by-docker'
/** What the Docker network is, for the other hosts: JSON of `DockerNetwork`. */
export const DOCKER_NETWORK = 'drover.network/docker-network'
/** Owner of addresses that a network itself has: gateway and auxiliary ones. */
export const NETWORK_OWNER = 'network'

/** What `docker network create` was told, so that other hosts can be told the same. */
export interface DockerNetwork {
  /** Known as soon as dockerd has been asked. */
  readonly name?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly internal: boolean
  readonly ranges: readonly {
    readonly family: 'ipv4' | 'ipv6'
    readonly subnet?: string
    readonly range?: string
    readonly gateway?: string
    readonly auxiliary?: Readonly<Record<string, string>>
  }[]
  /** `-o`, as it was given. */
  readonly options: Readonly<Record<string, string>>
}

export interface Networks {
  /** @throws DroverError 'not-found' */
  require(networkId: string): Promise<Network>
  find(networkId: string): Promise<Network | undefined>
  byName(name: string): Promise<Network | undefined>
  /** Compare-and-swap; undefined from `edit` leaves it. */
  change(name: string, edit: (network: Network) => Network | undefined): Promise<Network | undefined>
  /** What this node's dockerd calls it. */
  idHere(network: Network): string | undefined
  /** Whether any node's dockerd has it. */
  isKnownToDocker(network: Network): boolean
  /** Those that this node's dockerd has. */
  here(): readonly Network[]
  /** The annotation of this node. */
  readonly idAnnotation: string
}

const ATTEMPTS = 8
const ID_ANNOTATIONS = 'docker-id.drover.network/'

export function createNetworks(services: Pick<FaceServices, 'node' | 'resources' | 'model'>): Networks {
  const idAnnotation = `${ID_ANNOTATIONS}${services.node}`
  const idHere = (network: Network): string | undefined => network.metadata.annotations?.[idAnnotation]
  const find = async (networkId: string): Promise<Network | undefined> => {
    try {
      const heard = services
        .model()
        .list('Network')
        .find((network) => idHere(network) === networkId)
      if (heard !== undefined) return heard
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
    }
    return (await services.resources().list('Network')).items.find((network) => idHere(network) === networkId)
  }
  return {
    idAnnotation,
    idHere,
    isKnownToDocker: ({ metadata }) =>
      Object.keys(metadata.annotations ?? {}).some((name) => name.startsWith(ID_ANNOTATIONS)),
    here: () =>
      services
        .model()
        .list('Network')
        .filter((network) => idHere(network) !== undefined),
    find,
    byName: (name) => services.resources().get('Network', name),
    async require(networkId) {
      const network = await find(networkId)
      if (network !== undefined) return network
      throw new DroverError(
        'not-found',
        `No Network belongs to the Docker network ${networkId.slice(0, 12)} on node ${services.node}.`,
        { remedy: "Remove the network and create it again; 'drover get networks' lists those there are." },
      )
    },
    async change(name, edit) {
      for (let attempt = 1; ; attempt++) {
        const before = await services.resources().get('Network', name)
        const next = before === undefined ? undefined : edit(before)
        if (next === undefined) return before
        try {
          const [change] = await services.resources().replace([next])
          return change?.resource as Network | undefined
        } catch (error) {
          const isRace = error instanceof ResourceError && error.code === 'conflict'
          if (!isRace || attempt >= ATTEMPTS) throw error
        }
      }
    },
  }
}

/** What the annotation says, as far as it is what it should be. @returns undefined if there is none, or no description in it */
export function dockerNetworkOf(network: Network): DockerNetwork | undefined {
  const value = parsed(network.metadata.annotations?.[DOCKER_NETWORK])
  if (!isRecord(value) || !Array.isArray(value['ranges'])) return undefined
  const name = text(value['name'])
  return {
    ...(name === undefined ? {} : { name }),
    ...(isRecord(value['labels']) ? { labels: texts(value['labels']) } : {}),
    internal: value['internal'] === true,
    options: texts(value['options']),
    ranges: value['ranges'].filter(isRecord).map((range) => {
      const [subnet, part, gateway] = [text(range['subnet']), text(range['range']), text(range['gateway'])]
      return {
        family: range['family'] === 'ipv6' ? 'ipv6' : 'ipv4',
        ...(subnet === undefined ? {} : { subnet }),
        ...(part === undefined ? {} : { range: part }),
        ...(gateway === undefined ? {} : { gateway }),
        ...(isRecord(range['auxiliary']) ? { auxiliary: texts(range['auxiliary']) } : {}),
      }
    }),
  }
}

function parsed(json: string | undefined): unknown {
  try {
    return json === undefined ? undefined : JSON.parse(json)
  } catch {
    return undefined
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
