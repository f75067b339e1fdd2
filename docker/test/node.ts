/**
 * A node for tests of the face: a store in memory with the real allocator and resources over it, endpoints that only
 * remember, and a dockerd that answers what a test has told it.
 */
import type {
  FaceAnswer,
  FaceModel,
  FaceRequest,
  FaceServices,
  Handover,
  HandoverIdentity,
} from '@network/agent/client'
import { type HandoverReservation, WAITING_WORKLOAD } from '@network/agent/client'
import {
  type Allocator,
  type MemoryStore,
  type Resources,
  createAllocator,
  createMemoryStore,
  createResources,
} from '@network/datastore'
import {
  type KindName,
  RESERVATION_ANNOTATION,
  RESERVATION_REFUSED_ANNOTATION,
  RESERVED_ADDRESSES_ANNOTATION,
  type Resource,
  type ResourceOf,
  endpointKey,
  endpointName,
} from '@network/datastore/model'
import { type Clock, DroverError, type Log } from '@network/net'
import type {
  DockerApi,
  DockerContainer,
  DockerNames,
  DockerNetworkReport,
  DockerNetworkRequest,
} from '../src/docker-api.ts'

type Endpoint = ResourceOf<'WorkloadEndpoint'>

/** Timers are real, and as short as they may be; the calendar is turned by hand. */
export interface TestClock extends Clock {
  advance(ms: number): void
}

export function createTestClock(): TestClock {
  let offset = 0
  return {
    now: () => 1_700_000_000_000 + offset + Math.round(performance.now()),
    monotonic: () => performance.now() + offset,
    setTimeout(call) {
      const timer = setTimeout(call, 1)
      return { cancel: () => clearTimeout(timer) }
    },
    advance(ms) {
      offset += ms
    },
  }
}

/** What was logged, level and message. */
export function createTestLog(): Log & { readonly said: string[] } {
  const said: string[] = []
  const at =
    (level: string) =>
    (_data: object, message: string): void => {
      said.push(`${level}: ${message}`)
    }
  const log = {
    said,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (): Log => log,
  }
  return log
}

/** Endpoints as the agent keeps them, without a kernel: addresses are handed over in the store for real. */
export class FakeHandover implements Handover {
  readonly endpoints = new Map<string, Endpoint>()
  readonly #allocator: Allocator
  readonly #node: string

  constructor(allocator: Allocator, node: string) {
    this.#allocator = allocator
    this.#node = node
  }

  create: Handover['create'] = async (request) => {
    const owner = {
      node: this.#node,
      orchestrator: request.orchestrator,
      workload: request.workload,
      endpoint: request.endpoint,
    }
    const mac = request.mac ?? '02:00:00:00:00:01'
    const { handles, id, network, portMappings, ports } = request
    await this.#allocator.transfer({
      handles,
      owner,
      from: (before) => before.workload === WAITING_WORKLOAD || before.workload === request.workload,
      alongside: (held) => {
        const endpoint = {
          apiVersion: 'drover.network/v1',
          kind: 'WorkloadEndpoint',
          metadata: { name: endpointName(owner), annotations: { handles: handles.join(',') } },
          spec: {
            ...owner,
            containerID: id,
            interfaceName: 'drv1',
            mac,
            network,
            handle: handles[0],
            ipNetworks: held.map(({ address }) => `${address}/${address.includes(':') ? '128' : '32'}`),
            profiles: [],
            portMappings,
            ports,
          },
        }
        this.endpoints.set(id, endpoint as unknown as Endpoint)
        return { when: [], then: [{ put: endpointKey(owner), value: JSON.stringify(endpoint) }] }
      },
    })
    if (request.reservation === undefined) return { mac }
    try {
      await this.#reserve(id, request.reservation)
    } catch (error) {
      await this.remove(id)
      throw error
    }
    return { mac }
  }

  /** As the agent does, if not in one transaction. */
  #reserve = async (id: string, reservation: HandoverReservation): Promise<void> => {
    const { metadata, spec } = this.#known(id)
    const { name, ...source } = reservation
    const { node, orchestrator, workload, endpoint } = spec
    const handle = `${id}:*:${node}`
    const { addresses } = await this.#allocator.assign({
      ...{ ...source, handle, reservation: name, ipv4: 1 },
      owner: { node, orchestrator, workload, endpoint },
    })
    const texts = addresses.map(({ address }) => address)
    const annotations = {
      ...metadata.annotations,
      handles: `${metadata.annotations?.['handles'] ?? ''},${handle}`,
      [RESERVATION_ANNOTATION]: name,
      [RESERVED_ADDRESSES_ANNOTATION]: texts.join(','),
    }
    this.endpoints.set(id, {
      ...this.#known(id),
      metadata: { ...metadata, annotations },
      spec: { ...spec, ipNetworks: [...spec.ipNetworks, ...texts.map((address) => `${address}/32`)] },
    })
  }

  offer: Handover['offer'] = (id) => {
    const { spec } = this.#known(id)
    return Promise.resolve({ interfaceName: 'ofd1', mac: spec.mac ?? '', addresses: spec.ipNetworks })
  }

  identify: Handover['identify'] = async (id, identity: HandoverIdentity) => {
    const endpoint = this.#known(id)
    const { [RESERVATION_REFUSED_ANNOTATION]: _, ...kept } = endpoint.metadata.annotations ?? {}
    this.endpoints.set(id, {
      ...endpoint,
      metadata: {
        ...endpoint.metadata,
        labels: { ...identity.labels },
        annotations: { ...kept, ...identity.annotations },
      },
      spec: { ...endpoint.spec, profiles: [...identity.profiles] },
    })
    if (identity.reservation === undefined || RESERVATION_ANNOTATION in kept) return
    try {
      await this.#reserve(id, identity.reservation)
    } catch (error) {
      const known = this.#known(id)
      const annotations = {
        ...known.metadata.annotations,
        [RESERVATION_REFUSED_ANNOTATION]: (error as Error).message,
      }
      this.endpoints.set(id, { ...known, metadata: { ...known.metadata, annotations } })
    }
  }

  annotate: Handover['annotate'] = (id, annotations) => {
    const endpoint = this.#known(id)
    const { metadata } = endpoint
    this.endpoints.set(id, {
      ...endpoint,
      metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
    })
    return Promise.resolve()
  }

  moved: Handover['moved'] = (id, { netns }) => {
    const endpoint = this.#known(id)
    this.endpoints.set(id, { ...endpoint, spec: { ...endpoint.spec, netns } })
    return Promise.resolve('eth0')
  }

  /** Endpoints whose sandbox dockerd is about to clear away. */
  readonly leaving = new Set<string>()
  left: Handover['left'] = (id) => void this.leaving.add(id)

  remove: Handover['remove'] = async (id) => {
    const endpoint = this.endpoints.get(id)
    if (endpoint === undefined) return
    this.endpoints.delete(id)
    for (const handle of endpoint.metadata.annotations?.['handles']?.split(',') ?? [])
      await this.#allocator.release({
        handle,
        alongside: () => ({ when: [], then: [{ delete: endpointKey(endpoint.spec) }] }),
      })
  }

  list: Handover['list'] = (orchestrator) =>
    [...this.endpoints.values()].filter(
      ({ spec }) => orchestrator === undefined || spec.orchestrator === orchestrator,
    )

  #known(id: string): Endpoint {
    const endpoint = this.endpoints.get(id)
    if (endpoint !== undefined) return endpoint
    throw new DroverError('not-found', `There is no endpoint ${id}.`)
  }
}

/** A dockerd that knows what it is told; `away` makes it silent. */
export class FakeDocker implements DockerApi {
  readonly reports = new Map<string, DockerNetworkReport>()
  readonly known = new Map<string, DockerContainer>()
  /** Namespace by container. */
  readonly sandboxes = new Map<string, string>()
  /** Names by endpoint. */
  readonly named = new Map<string, DockerNames>()
  readonly created: DockerNetworkRequest[] = []
  readonly deleted: string[] = []
  away = false
  /** What a change is refused with. */
  refusal: DroverError | undefined

  /** A network without containers, unless some are named: by endpoint. */
  has(id: string, name: string, containers: Readonly<Record<string, string>> = {}): void {
    this.reports.set(id, {
      id,
      name,
      driver: 'drover',
      internal: false,
      labels: {},
      options: {},
      ranges: [],
      containers: new Map(Object.entries(containers)),
    })
  }

  networks: DockerApi['networks'] = (driver) =>
    this.#answer(() => [...this.reports.values()].filter((report) => report.driver === driver))
  network: DockerApi['network'] = (id) => this.#answer(() => this.reports.get(id))
  sandbox: DockerApi['sandbox'] = (container) => this.#answer(() => this.sandboxes.get(container))
  container: DockerApi['container'] = (id) => this.#answer(() => this.known.get(id))
  running: DockerApi['running'] = () =>
    this.#answer(() => new Map([...this.known.values()].map(({ id, name }) => [id, name])))
  names: DockerApi['names'] = (_container, endpoint) => this.#answer(() => this.named.get(endpoint))
  createNetwork: DockerApi['createNetwork'] = (network) =>
    this.#answer(() => {
      if (this.refusal !== undefined) throw this.refusal
      this.created.push(network)
    })
  deleteNetwork: DockerApi['deleteNetwork'] = (id) =>
    this.#answer(() => {
      if (this.refusal !== undefined) throw this.refusal
      this.deleted.push(id)
      this.reports.delete(id)
    })

  async #answer<T>(answer: () => T): Promise<T> {
    await Promise.resolve()
    if (this.away) throw new DroverError('unreachable', 'dockerd does not answer.')
    return answer()
  }
}

export interface TestNode {
  readonly services: FaceServices
  readonly store: MemoryStore
  readonly resources: Resources
  readonly allocator: Allocator
  readonly handover: FakeHandover
  readonly docker: FakeDocker
  readonly clock: TestClock
  readonly log: ReturnType<typeof createTestLog>
  /** Ends whatever the face does in the background. */
  end(): void
  becomeReady(): void
  /** What the face has opened, by its socket. */
  readonly served: ReadonlyMap<string, (request: FaceRequest) => Promise<FaceAnswer>>
  /** Who holds an address: `orchestrator/workload`, or undefined. */
  holder(address: string): Promise<string | undefined>
}

export const pluginSocket = '/run/docker/plugins/drover.sock'

/** @param store what several nodes share */
export function createTestNode(
  node = 'n1',
  store: MemoryStore = createMemoryStore({ clock: createTestClock() }),
): TestNode {
  const clock = createTestClock()
  const log = createTestLog()
  const stop = new AbortController()
  const allocator = createAllocator({ store, clock, random: Math.random, log }, { node, settingsMaxAgeMs: 0 })
  let uids = 0
  const plain = createResources({ store, clock, uuid: () => `${node}-${String(uids++)}` })
  const heard = new Map<KindName, readonly Resource[]>()
  /** What a syncer would do. */
  const hear = async <T>(outcome: Promise<T>): Promise<T> => {
    try {
      return await outcome
    } finally {
      heard.set('Network', (await plain.list('Network')).items)
    }
  }
  const resources: Resources = {
    ...plain,
    create: (...words) => hear(plain.create(...words)),
    replace: (...words) => hear(plain.replace(...words)),
    apply: (...words) => hear(plain.apply(...words)),
    delete: (...words) => hear(plain.delete(...words)),
  }
  const list = <K extends KindName>(kind: K) => (heard.get(kind) ?? []) as readonly ResourceOf<K>[]
  const model: FaceModel = {
    list,
    get: (kind, name) => list(kind).find(({ metadata }) => metadata.name === name),
  }
  const handover = new FakeHandover(allocator, node)
  const served = new Map<string, (request: FaceRequest) => Promise<FaceAnswer>>()
  const notAsked = (): Promise<never> => Promise.reject(new Error('not asked for'))
  let becomeReady = (): void => undefined
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve
  })
  return {
    store,
    resources,
    allocator,
    handover,
    docker: new FakeDocker(),
    clock,
    log,
    served,
    end: () => stop.abort(),
    becomeReady: () => becomeReady(),
    holder: async (address) => {
      const { holder } = await allocator.lookup(address)
      const owner = holder?.owner
      return owner === undefined ? undefined : `${owner.orchestrator}/${owner.workload}`
    },
    services: {
      node,
      socketPath: '/run/drover/agent.sock',
      stateDirectory: '/var/lib/drover',
      clock,
      log,
      signal: stop.signal,
      ready,
      handleOf: (containerId, interfaceName) => `${containerId}:${interfaceName}`,
      resources: () => resources,
      allocator: () => allocator,
      handover: () => handover,
      model: () => model,
      serve: (options) => {
        served.set(options.socketPath, (request) => options.answer(request))
        return Promise.resolve({ close: () => Promise.resolve() })
      },
      agent: {
        config: () =>
          Promise.resolve(
            Object.entries({
              docker: true,
              dockerPluginSocket: pluginSocket,
              dockerSocket: '/nonexistent/docker.sock',
            }).map(([name, value]) => ({ name, value }) as never),
          ),
        attach: notAsked,
        detach: notAsked,
        check: notAsked,
        endpoints: notAsked,
        health: notAsked,
        ready: notAsked,
        node: notAsked,
        audit: notAsked,
      },
    },
  }
}

/** An IPPool, as `drover apply` writes it. */
export async function addPool(node: TestNode, name: string, cidr: string, spec: object = {}): Promise<void> {
  await node.resources.apply([
    { apiVersion: 'drover.network/v1', kind: 'IPPool', metadata: { name }, spec: { cidr, ...spec } } as never,
  ])
}
