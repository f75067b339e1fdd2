/**
 * Endpoints of runtimes that ask for an address before they say for whom, and move the interface into the workload
 * themselves (Docker). The addresses are held already, each by a handle of its own; the endpoint takes them over in one
 * transaction, and from then on is like any other. It comes into being in four steps, each of which may be repeated and
 * may be the last before a crash: `create` writes it, `offer` makes the interface, `identify` says what it is, `moved`
 * completes what the runtime does not do in the namespace. Until it is identified it is pending: it has routes and no
 * policy, so the kernel drops whatever it sends and is sent.
 */
import { type Clock, DroverError, type Log } from '@network/net'
import { type Allocator, AllocationError, type Store } from '@network/datastore'
import {
  PENDING_ANNOTATION,
  type EndpointIdentity,
  type ResourceOf,
  endpointKey,
  endpointName,
  validateResource,
} from '@network/datastore/model'
import type { Handover, HandoverIdentity, HandoverRequest } from '../client/handover.ts'
import { WAITING_WORKLOAD } from '../client/handover.ts'
import type { Deadline } from './deadline.ts'
import {
  DEFAULT_ROUTE_ANNOTATION,
  DESTINATIONS_ANNOTATION,
  NAMESPACE_ANNOTATION,
} from './endpoint-resource.ts'
import { hostInterfaceName, workloadMac } from './interface-name.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LocalEndpoint, LocalEndpoints } from './local-endpoints.ts'
import { type Releases, lockName } from './releases.ts'
import { readEndpoint } from './stored-endpoint.ts'
import type { Wire } from './wire.ts'
import { wireSpec } from './workload-wire.ts'

/** The handles that hold the endpoint's addresses, by commas; `spec.handle` is the first of them. */
export const HANDLES_ANNOTATION = 'drover.network/handles'

export interface HandoverModules {
  allocator: Pick<Allocator, 'transfer'>
  store: Pick<Store, 'get' | 'transact'>
  wire: Wire
  endpoints: LocalEndpoints
  releases: Releases
  locks: KeyedLock
  clock: Clock
  log: Log
  uuid: () => string
  obstacle: () => DroverError | undefined
  storeAnswers: () => boolean
  /** Resolves when these host routes, and the endpoint's policy, are in the kernel. */
  programmed: (destinations: readonly string[]) => Promise<void>
  createDeadline: (operation: string, ms: number) => Deadline
}

export interface HandoverOptions {
  node: string
  interfacePrefix: string
  /** MTU of workloads where the request says none. */
  mtuBytes: () => number
}

const STEP_MS = 10_000
const RELEASE_MS = 3_000
const RELEASE_MS_WHILE_AWAY = 300
/** How long a runtime may take to move an interface that it was offered. */
const MOVE_MS = 30_000
const LOOK_MS = 20
/** Stands for the interface's name, which the runtime chooses, where a lock wants one. */
const ANY_INTERFACE = '*'

export function createHandover(modules: HandoverModules, options: HandoverOptions): Handover {
  const { allocator, store, wire, endpoints, releases, clock } = modules
  const log = modules.log.child({ module: 'handover' })
  const lock = (id: string): string => lockName({ containerId: id, interfaceName: ANY_INTERFACE })
  const hostName = (id: string): string =>
    hostInterfaceName([id, ANY_INTERFACE], { prefix: options.interfacePrefix })
  const alone = <T>(what: string, id: string, work: (deadline: Deadline) => Promise<T>): Promise<T> => {
    const deadline = modules.createDeadline(`${what} of endpoint ${id.slice(0, 12)}`, STEP_MS)
    return modules.locks.run(lock(id), deadline, () => work(deadline))
  }
  const requireReady = (): void => {
    const obstacle = modules.obstacle()
    if (obstacle !== undefined) throw obstacle
  }
  const known = (id: string): LocalEndpoint => {
    const [local] = endpoints.byContainer(id)
    if (local !== undefined) return local
    throw new DroverError('not-found', `There is no endpoint ${id.slice(0, 12)} on node ${options.node}.`, {
      remedy: 'Disconnect the container from the network and connect it again.',
    })
  }

  /** Compare-and-swap of one endpoint. Undefined if it is gone or somebody else's. */
  const change = async (
    local: LocalEndpoint,
    edit: (endpoint: ResourceOf<'WorkloadEndpoint'>) => ResourceOf<'WorkloadEndpoint'>,
    deadline: Deadline,
  ): Promise<LocalEndpoint | undefined> => {
    for (;;) {
      deadline.check('writing the endpoint')
      const present = await store.get(local.key, { deadlineMs: deadline.remainingMs() })
      const before = present === undefined ? undefined : readEndpoint(present.value)
      if (present === undefined || before === undefined) return undefined
      if (before.spec.handle !== local.endpoint.spec.handle) return undefined
      const next = edit(before)
      const value = JSON.stringify(next)
      if (value === present.value) return { key: local.key, endpoint: before, revision: present.modRevision }
      const done = await store.transact(
        {
          when: [{ key: local.key, is: 'at', modRevision: present.modRevision }],
          then: [{ put: local.key, value }],
        },
        { deadlineMs: deadline.remainingMs() },
      )
      if (done.committed) return { key: local.key, endpoint: next, revision: done.revision }
    }
  }

  const create = async (request: HandoverRequest, deadline: Deadline): Promise<{ mac: string }> => {
    const identity: EndpointIdentity = {
      node: options.node,
      orchestrator: request.orchestrator,
      workload: request.workload,
      endpoint: request.endpoint,
    }
    const key = endpointKey(identity)
    const uid = modules.uuid()
    const mac = request.mac ?? workloadMac(hostName(request.id))
    let written: ResourceOf<'WorkloadEndpoint'> | undefined
    try {
      await allocator.transfer({
        handles: request.handles,
        owner: identity,
        from: (owner) => owner.node === options.node && owner.workload === WAITING_WORKLOAD,
        deadlineMs: deadline.remainingMs(),
        alongside: (held) => {
          written = pendingEndpoint(request, {
            identity,
            mac,
            uid,
            hostInterface: hostName(request.id),
            mtuBytes: request.mtuBytes ?? options.mtuBytes(),
            createdAt: clock.now(),
            addresses: held.map(({ address }) => address),
          })
          return { when: [{ key, is: 'absent' }], then: [{ put: key, value: JSON.stringify(written) }] }
        },
      })
    } catch (error) {
      if (!(error instanceof AllocationError) || error.code !== 'condition-failed') throw error
    }
    const present = await store.get(key, { deadlineMs: deadline.remainingMs() })
    const endpoint = present === undefined ? undefined : readEndpoint(present.value)
    // An earlier call of the same endpoint, or this one's after a lost answer.
    if (present === undefined || endpoint === undefined || endpoint.spec.handle !== request.handles[0]) {
      throw new DroverError('taken', `The endpoint ${endpointName(identity)} exists already.`, {
        remedy: `'drover get endpoint ${endpointName(identity)} -o yaml' shows it.`,
      })
    }
    endpoints.committed({ key, endpoint, revision: present.modRevision })
    return { mac: endpoint.spec.mac ?? mac }
  }

  const moved: Handover['moved'] = async (id, { netns, makesDefaultRoute }) => {
    const end = clock.monotonic() + MOVE_MS
    for (;;) {
      const [local] = endpoints.byContainer(id)
      if (local === undefined) throw gone(id)
      const found = await wire.endInside({
        hostInterfaceName: hostName(id),
        netns,
        addresses: local.endpoint.spec.ipNetworks.map((network) => network.replace(/\/.*/, '')),
        awaitDefaultRoute: makesDefaultRoute,
      })
      if (found !== undefined) {
        return alone('the completion', id, async (deadline) => {
          const next = await change(
            local,
            (endpoint) => ({
              ...endpoint,
              metadata: {
                ...endpoint.metadata,
                annotations: { ...endpoint.metadata.annotations, [NAMESPACE_ANNOTATION]: found.namespace },
              },
              spec: { ...endpoint.spec, netns, containerInterface: found.name },
            }),
            deadline,
          )
          if (next === undefined) throw gone(id)
          endpoints.committed(next)
          await deadline.within(wire.wireWorkload(wireSpec(next.endpoint)), 'the interface was completed')
          return found.name
        })
      }
      if (clock.monotonic() > end) {
        throw new DroverError(
          'deadline',
          `The interface of endpoint ${id.slice(0, 12)} was not moved to ${netns} within ${String(MOVE_MS / 1000)} s.`,
          {
            remedy:
              "The runtime's log says why; the endpoint works, but answers by the first network's route only.",
          },
        )
      }
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, LOOK_MS)
      })
    }
  }

  const remove = async (id: string, deadline: Deadline): Promise<void> => {
    const [local] = endpoints.byContainer(id)
    const netns = local?.endpoint.spec.netns
    await deadline.within(
      wire.unwire({ hostInterfaceName: hostName(id), ...(netns === undefined ? {} : { netns }) }),
      'the interface was being removed',
    )
    if (local === undefined) return
    const { spec, metadata } = local.endpoint
    if (spec.handle !== undefined) endpoints.detached(spec.handle)
    for (const [index, handle] of handlesOf(local.endpoint).entries()) {
      await releases.release(
        {
          handle,
          // The endpoint goes with the first of them.
          ...(index === 0 ? { endpointKey: local.key } : {}),
          containerId: id,
          interfaceName: ANY_INTERFACE,
          addresses: [spec.ipNetworks[index]?.replace(/\/.*/, '') ?? ''],
          promisedAt: clock.now(),
        },
        modules.storeAnswers() ? Math.min(RELEASE_MS, deadline.remainingMs()) : RELEASE_MS_WHILE_AWAY,
      )
    }
    log.debug({ endpoint: metadata.name }, 'an endpoint was removed')
  }

  return {
    async create(request) {
      requireReady()
      return alone('the creation', request.id, (deadline) => create(request, deadline))
    },
    async offer(id) {
      requireReady()
      return alone('the interface', id, async (deadline) => {
        const local = known(id)
        const { spec } = local.endpoint
        const interfaceName = offeredName(hostName(id), options.interfacePrefix)
        const { mac } = await deadline.within(
          wire.offer({ ...wireSpec(local.endpoint), interfaceName, hostInterfaceName: hostName(id) }),
          'the interface was being made',
        )
        await deadline.within(modules.programmed(spec.ipNetworks), 'the routes were being programmed')
        return { interfaceName, mac, addresses: spec.ipNetworks }
      })
    },
    async identify(id, identity) {
      await alone('the identification', id, async (deadline) => {
        const next = await change(known(id), (endpoint) => identified(endpoint, identity), deadline)
        if (next === undefined) throw gone(id)
        endpoints.committed(next)
        await deadline.within(
          modules.programmed(next.endpoint.spec.ipNetworks),
          'the policy was being programmed',
        )
      })
    },
    moved,
    remove: (id) => alone('the removal', id, (deadline) => remove(id, deadline)),
    list: (orchestrator) =>
      endpoints
        .list()
        .map(({ endpoint }) => endpoint)
        .filter(({ spec }) => orchestrator === undefined || spec.orchestrator === orchestrator),
  }
}

/** The handles of an endpoint, in the order of its addresses. */
export function handlesOf({ metadata, spec }: ResourceOf<'WorkloadEndpoint'>): readonly string[] {
  const listed = metadata.annotations?.[HANDLES_ANNOTATION]?.split(',')
  return listed ?? (spec.handle === undefined ? [] : [spec.handle])
}

/** Not by our prefix: until it is moved it is nobody's interface. */
function offeredName(hostInterface: string, prefix: string): string {
  return `ofd${hostInterface.slice(prefix.length)}`.slice(0, 15)
}

function identified(
  endpoint: ResourceOf<'WorkloadEndpoint'>,
  { labels, annotations = {}, profiles }: HandoverIdentity,
): ResourceOf<'WorkloadEndpoint'> {
  const { [PENDING_ANNOTATION]: _, ...kept } = endpoint.metadata.annotations ?? {}
  const checked = validateResource({
    ...endpoint,
    metadata: { ...endpoint.metadata, labels: { ...labels }, annotations: { ...kept, ...annotations } },
    spec: { ...endpoint.spec, profiles: [...profiles] },
  })
  if (checked.ok) return checked.value as ResourceOf<'WorkloadEndpoint'>
  throw new DroverError(
    'invalid-request',
    `What the runtime says of the endpoint is not valid: ${checked.error.map(({ message }) => message).join('; ')}.`,
  )
}

function pendingEndpoint(
  request: HandoverRequest,
  facts: {
    identity: EndpointIdentity
    mac: string
    uid: string
    hostInterface: string
    mtuBytes: number
    createdAt: number
    addresses: readonly string[]
  },
): ResourceOf<'WorkloadEndpoint'> {
  const checked = validateResource({
    apiVersion: 'drover.network/v1',
    kind: 'WorkloadEndpoint',
    metadata: {
      name: endpointName(facts.identity),
      annotations: {
        [PENDING_ANNOTATION]: 'true',
        [HANDLES_ANNOTATION]: request.handles.join(','),
        ...(request.defaultRoute === undefined
          ? {}
          : { [DEFAULT_ROUTE_ANNOTATION]: String(request.defaultRoute) }),
        ...(request.destinations === undefined || request.destinations.length === 0
          ? {}
          : { [DESTINATIONS_ANNOTATION]: request.destinations.join(',') }),
      },
      uid: facts.uid,
      creationTimestamp: new Date(facts.createdAt).toISOString(),
    },
    spec: {
      ...facts.identity,
      containerID: request.id,
      interfaceName: facts.hostInterface,
      mac: facts.mac,
      mtuBytes: facts.mtuBytes,
      network: request.network,
      handle: request.handles[0],
      ipNetworks: facts.addresses.map((address) => `${address}/${address.includes(':') ? '128' : '32'}`),
      profiles: [],
      ...(request.ports === undefined ? {} : { ports: request.ports }),
      ...(request.portMappings === undefined ? {} : { portMappings: request.portMappings }),
    },
  })
  if (checked.ok) return checked.value as ResourceOf<'WorkloadEndpoint'>
  throw new DroverError(
    'invalid-request',
    `The request is not valid: ${checked.error.map(({ message }) => message).join('; ')}.`,
  )
}

function gone(id: string): DroverError {
  return new DroverError('not-found', `The endpoint ${id.slice(0, 12)} was removed meanwhile.`)
}
