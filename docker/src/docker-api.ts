/**
 * What is asked of dockerd, over its socket. Only ever outside of the calls that dockerd waits on: it holds locks
 * while it waits for a plugin, and some of these questions wait for the same locks.
 */
import { setMaxListeners } from 'node:events'
import { request } from 'node:http'
import { DroverError } from '@network/net'
import { isRecord, texts } from './json-value.ts'

export interface DockerNetworkReport {
  readonly id: string
  readonly name: string
  readonly driver: string
  readonly internal: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  /** Address management as it was asked for. */
  readonly ranges: readonly { readonly subnet?: string; readonly range?: string }[]
  /** Container by endpoint. */
  readonly containers: ReadonlyMap<string, string>
}

export interface DockerContainer {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/** What a container is called on a network. */
export interface DockerNames {
  /** The network's name. */
  readonly network: string
  /** The container's name first. */
  readonly names: readonly string[]
}

/** A network as it is to be made. */
export interface DockerNetworkRequest {
  readonly name: string
  readonly driver: string
  readonly internal: boolean
  readonly ipv6: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly ipamOptions: Readonly<Record<string, string>>
  readonly ranges: readonly {
    readonly subnet: string
    readonly range?: string
    readonly gateway?: string
    readonly auxiliary?: Readonly<Record<string, string>>
  }[]
}

/** Failures are DroverError: 'unreachable' if nobody answers, 'refused' with dockerd's words and `details.status`. */
export interface DockerApi {
  /** Networks of a driver, without their containers. */
  networks(driver: string): Promise<readonly DockerNetworkReport[]>
  /** undefined if dockerd does not know it (yet). */
  network(id: string): Promise<DockerNetworkReport | undefined>
  container(id: string): Promise<DockerContainer | undefined>
  /** The names of the containers that run, by id. */
  running(): Promise<ReadonlyMap<string, string>>
  /** Path of the network namespace of a container that runs. Waits until dockerd has started it. */
  sandbox(container: string): Promise<string | undefined>
  /** undefined while the container has not that endpoint. Waits until dockerd has started it. */
  names(container: string, endpoint: string): Promise<DockerNames | undefined>
  createNetwork(network: DockerNetworkRequest): Promise<void>
  deleteNetwork(id: string): Promise<void>
}

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 32 * 1024 * 1024

export function createDockerApi(options: { socketPath: string; signal: AbortSignal }): DockerApi {
  // Each question under way listens to it; fifty containers that start ask at once.
  setMaxListeners(0, options.signal)
  const ask = async (
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; value: unknown }> => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const { status, text } = await exchange(options, method, path, payload)
    const value = parse(text)
    if (status < 400 || status === 404) return { status, value }
    const words =
      isRecord(value) && typeof value['message'] === 'string' ? value['message'] : text.slice(0, 500)
    throw new DroverError('refused', `dockerd refuses ${method} ${path.slice(0, 200)}: ${words.trim()}`, {
      details: { status },
    })
  }
  return {
    async networks(driver) {
      const { value } = await ask(
        'GET',
        `/networks?filters=${encodeURIComponent(JSON.stringify({ driver: [driver] }))}`,
      )
      return Array.isArray(value) ? value.filter(isRecord).map(readNetwork) : []
    },
    async network(id) {
      const { status, value } = await ask('GET', `/networks/${encodeURIComponent(id)}`)
      return status === 404 || !isRecord(value) ? undefined : readNetwork(value)
    },
    async container(id) {
      // The list is read from a snapshot; an inspection would wait for the container to be started.
      const filters = encodeURIComponent(JSON.stringify({ id: [id] }))
      const { value } = await ask('GET', `/containers/json?all=true&filters=${filters}`)
      const [found] = Array.isArray(value) ? value.filter(isRecord) : []
      return found === undefined ? undefined : { id, name: nameOf(found, id), labels: texts(found['Labels']) }
    },
    async running() {
      const { value } = await ask('GET', '/containers/json')
      const containers = Array.isArray(value) ? value.filter(isRecord) : []
      return new Map(containers.map((each) => [text(each['Id']), nameOf(each, text(each['Id']))]))
    },
    async sandbox(container) {
      const { status, value } = await ask('GET', `/containers/${encodeURIComponent(container)}/json`)
      const settings = status === 404 || !isRecord(value) ? undefined : value['NetworkSettings']
      const path = isRecord(settings) ? text(settings['SandboxKey']) : ''
      return path === '' ? undefined : path
    },
    async names(container, endpoint) {
      const { status, value } = await ask('GET', `/containers/${encodeURIComponent(container)}/json`)
      return status === 404 || !isRecord(value) ? undefined : readNames(value, endpoint)
    },
    async createNetwork(network) {
      await ask('POST', '/networks/create', {
        Name: network.name,
        CheckDuplicate: true,
        Driver: network.driver,
        Internal: network.internal,
        EnableIPv6: network.ipv6,
        Labels: network.labels,
        Options: network.options,
        IPAM: {
          Driver: network.driver,
          Options: network.ipamOptions,
          Config: network.ranges.map(({ subnet, range, gateway, auxiliary }) => ({
            Subnet: subnet,
            ...(range === undefined ? {} : { IPRange: range }),
            ...(gateway === undefined ? {} : { Gateway: gateway }),
            ...(auxiliary === undefined ? {} : { AuxiliaryAddresses: auxiliary }),
          })),
        },
      })
    },
    async deleteNetwork(id) {
      await ask('DELETE', `/networks/${encodeURIComponent(id)}`)
    },
  }
}

function exchange(
  { socketPath, signal }: { socketPath: string; signal: AbortSignal },
  method: string,
  path: string,
  body: Buffer | undefined,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const unreachable = (cause: Error): void =>
      reject(
        new DroverError('unreachable', `dockerd does not answer on ${socketPath}: ${cause.message}.`, {
          remedy: 'Start Docker, or name its socket with --docker-socket.',
          cause,
        }),
      )
    const call = request(
      {
        socketPath,
        method,
        path,
        signal,
        timeout: TIMEOUT_MS,
        headers: {
          host: 'docker',
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': body.length }),
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too long'))
          else chunks.push(chunk)
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        )
        response.on('error', unreachable)
      },
    )
    call.on('timeout', () => call.destroy(new Error(`no answer within ${String(TIMEOUT_MS / 1000)} s`)))
    call.on('error', unreachable)
    call.end(body)
  })
}

function readNetwork(value: Record<string, unknown>): DockerNetworkReport {
  const containers = isRecord(value['Containers']) ? Object.entries(value['Containers']) : []
  const ipam =
    isRecord(value['IPAM']) && Array.isArray(value['IPAM']['Config']) ? value['IPAM']['Config'] : []
  return {
    id: text(value['Id']),
    name: text(value['Name']),
    driver: text(value['Driver']),
    internal: value['Internal'] === true,
    labels: texts(value['Labels']),
    options: texts(value['Options']),
    ranges: ipam.filter(isRecord).map((item) => ({
      ...(text(item['Subnet']) === '' ? {} : { subnet: text(item['Subnet']) }),
      ...(text(item['IPRange']) === '' ? {} : { range: text(item['IPRange']) }),
    })),
    containers: new Map(
      containers.flatMap(([container, endpoint]) =>
        isRecord(endpoint) && text(endpoint['EndpointID']) !== ''
          ? [[text(endpoint['EndpointID']), container]]
          : [],
      ),
    ),
  }
}

/** Of a container in a list. */
function nameOf(container: Record<string, unknown>, id: string): string {
  const names = Array.isArray(container['Names']) ? container['Names'] : []
  const [name] = names.filter((each) => typeof each === 'string')
  return (name ?? id.slice(0, 12)).replace(/^\//, '')
}

/** Later engines list all that they answer to as `DNSNames`. */
function readNames(container: Record<string, unknown>, endpoint: string): DockerNames | undefined {
  const settings = container['NetworkSettings']
  const networks = isRecord(settings) && isRecord(settings['Networks']) ? settings['Networks'] : {}
  for (const [network, entry] of Object.entries(networks)) {
    if (!isRecord(entry) || entry['EndpointID'] !== endpoint) continue
    const others = entry['DNSNames'] ?? entry['Aliases']
    const aliases = Array.isArray(others) ? others.filter((name) => typeof name === 'string') : []
    return { network, names: [text(container['Name']).replace(/^\//, ''), ...aliases] }
  }
  return undefined
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function parse(body: string): unknown {
  try {
    return body === '' ? undefined : JSON.parse(body)
  } catch {
    return undefined
  }
}
