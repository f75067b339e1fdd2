/**
 * Endpoints of runtimes that ask for an address before they say for whom, and move the interface into the workload
 * themselves (Docker). The addresses are held already, each by a handle of its own; the endpoint takes them over in one
 * transaction, and from then on is like any other. A reservation adds addresses of its own, which the runtime does not
 * know of: they are written with the endpoint, or with its identity, and the agent brings them into the workload. It
 * comes into being in four steps, each of which may be repeated and may be the last before a crash: `create` writes it,
 * `offer` makes the interface, `identify` says what it is, `moved` completes what the runtime does not do in the
 * namespace. Until it is identified it is pending: it has routes and no policy, so the kernel drops whatever it sends
 * and is sent.
 */
import { type Clock, DroverError, type Log } from '@network/net'
import {
  type Allocator,
  type Alongside,
  AllocationError,
  type HeldAddress,
  type Store,
} from '@network/datastore'
import {
  type EndpointIdentity,
  RESERVATION_ANNOTATION,
  RESERVATION_REFUSED_ANNOTATION,
  type ResourceOf,
  endpointKey,
  endpointName,
} from '@network/datastore/model'
import {
  type Handover,
  type HandoverIdentity,
  type HandoverRequest,
  type HandoverReservation,
  WAITING_WORKLOAD,
  givenNetworks,
} from '../client/handover.ts'
import type { Appearance } from './appearance.ts'
import { MOVE_MS, awaitArrival } from './arrival.ts'
import type { Deadline } from './deadline.ts'
import { NAMESPACE_ANNOTATION } from './endpoint-resource.ts'
import {
  holdersOf,
  identified,
  pendingEndpoint,
  reservedHandle,
  withReserved,
  withoutReservation,
} from './handover-endpoint.ts'
import { hostInterfaceName, workloadMac } from './interface-name.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LocalEndpoint, LocalEndpoints } from './local-endpoints.ts'
import { ANY_INTERFACE, type Releases, lockName } from './releases.ts'
import { readEndpoint } from './stored-endpoint.ts'
import type { Wire } from './wire.ts'
import { wireSpec } from './workload-wire.ts'

export interface HandoverModules {
  allocator: Pick<Allocator, 'assign' | 'get' | 'transfer'>
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
  /** Resolves when these host routes are in the kernel. */
  programmed: (destinations: readonly string[]) => Promise<void>
  /** Resolves when the endpoint's policy is in the kernel. */
  protect: (local: LocalEndpoint) => Promise<void>
  /** Tells when a file appears. */
  awaitFile: (path: string) => Appearance
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
/** Whether the reservation is to be had is not known yet. */
const UNDECIDED: ReadonlySet<string> = new Set(['conflict', 'unknown-outcome'])

/** @returns the handover, and whether the runtime is about to take an endpoint's interface away */
export function createHandover(
  modules: HandoverModules,
  options: HandoverOptions,
): Handover & { isLeaving(local: LocalEndpoint): boolean } {
  const { allocator, store, wire, endpoints, releases, clock } = modules
  const log = modules.log.child({ module: 'handover' })
  const leaving = new Set<string>()
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

  const addressesOf = async (handles: readonly string[]): Promise<string[]> => {
    const held = await Promise.all(handles.map((handle) => allocator.get(handle)))
    return held.flatMap((assignment) => textsOf(assignment?.addresses ?? []))
  }

  /** Identity and reservation in one transaction, or the identity alone with the reason. Undefined if the endpoint is gone. */
  const identifyReserved = async (
    local: LocalEndpoint,
    identity: HandoverIdentity,
    reservation: HandoverReservation,
    deadline: Deadline,
  ): Promise<LocalEndpoint | undefined> => {
    const { name } = reservation
    const id = local.endpoint.spec.containerID ?? ''
    const handle = reservedHandle(id, options.node)
    for (;;) {
      deadline.check('taking the reserved addresses')
      const present = await store.get(local.key, { deadlineMs: deadline.remainingMs() })
      const before = present === undefined ? undefined : readEndpoint(present.value)
      if (present === undefined || before === undefined) return undefined
      if (before.metadata.annotations?.[RESERVATION_ANNOTATION] !== undefined)
        return change(local, (endpoint) => identified(endpoint, identity), deadline)
      const known = identified(before, identity)
      const reserved = (held: readonly HeldAddress[]): ResourceOf<'WorkloadEndpoint'> =>
        withReserved(known, { name, handle, addresses: textsOf(held) })
      const { node, orchestrator, workload, endpoint } = before.spec
      try {
        const { addresses, existing, sequence } = await allocator.assign({
          ...reserving(reservation, before.spec.ipNetworks),
          handle,
          owner: { node, orchestrator, workload, endpoint },
          deadlineMs: deadline.remainingMs(),
          alongside: (assignment) => ({
            when: [{ key: local.key, is: 'at', modRevision: present.modRevision }],
            then: [{ put: local.key, value: JSON.stringify(reserved(assignment.addresses)) }],
          }),
        })
        if (!existing) return { key: local.key, endpoint: reserved(addresses), revision: sequence }
        // The endpoint says so too, unless somebody else wrote it.
        return await change(
          local,
          (one) => withReserved(identified(one, identity), { name, handle, addresses: textsOf(addresses) }),
          deadline,
        )
      } catch (error) {
        if (!(error instanceof AllocationError) || UNDECIDED.has(error.code)) throw error
        // Somebody else has changed the endpoint.
        if (error.code === 'condition-failed') continue
        const reason = error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`
        if (before.metadata.annotations?.[RESERVATION_REFUSED_ANNOTATION] !== reason)
          log.warn(
            { endpoint: id, reservation: name, reason },
            'an endpoint goes without its reserved address',
          )
        return change(local, (one) => withoutReservation(identified(one, identity), reason), deadline)
      }
    }
  }

  const identify = async (id: string, identity: HandoverIdentity, deadline: Deadline): Promise<void> => {
    const local = known(id)
    const next =
      identity.reservation === undefined
        ? await change(local, (endpoint) => identified(endpoint, identity), deadline)
        : await identifyReserved(local, identity, identity.reservation, deadline)
    if (next === undefined) throw gone(id)
    endpoints.committed(next)
    const { metadata, spec } = next.endpoint
    const programmed = Promise.all([modules.programmed(spec.ipNetworks), modules.protect(next)])
    programmed.catch(() => undefined)
    const isReserved = metadata.annotations?.[RESERVATION_ANNOTATION] !== undefined
    // Else it is `moved` that brings the addresses in.
    if (isReserved && metadata.annotations?.[NAMESPACE_ANNOTATION] !== undefined)
      await deadline.within(wire.wireWorkload(wireSpec(next.endpoint)), 'the interface was completed')
    await deadline.within(programmed, 'the policy was being programmed')
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
    const waiting = {
      handles: request.handles,
      from: (owner: EndpointIdentity) => owner.node === options.node && owner.workload === WAITING_WORKLOAD,
    }
    const endpointWith = (held: readonly HeldAddress[]): ResourceOf<'WorkloadEndpoint'> =>
      pendingEndpoint(request, {
        identity,
        mac,
        uid,
        hostInterface: hostName(request.id),
        mtuBytes: request.mtuBytes ?? options.mtuBytes(),
        createdAt: clock.now(),
        addresses: textsOf(held),
      })
    const writing = (endpoint: ResourceOf<'WorkloadEndpoint'>): Alongside => ({
      when: [{ key, is: 'absent' }],
      then: [{ put: key, value: JSON.stringify(endpoint) }],
    })
    try {
      if (request.reservation === undefined) {
        await allocator.transfer({
          ...waiting,
          owner: identity,
          deadlineMs: deadline.remainingMs(),
          alongside: (held) => writing(endpointWith(held)),
        })
      } else {
        const { name } = request.reservation
        const handle = reservedHandle(request.id, options.node)
        await allocator.assign({
          ...reserving(request.reservation, await addressesOf(request.handles)),
          handle,
          owner: identity,
          takeOver: waiting,
          deadlineMs: deadline.remainingMs(),
          alongside: ({ addresses }, held) =>
            writing(withReserved(endpointWith(held), { name, handle, addresses: textsOf(addresses) })),
        })
      }
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

  /** The runtime has finished with the workload's end: what it leaves undone is done, and the namespace noted. */
  const arrived = (id: string, netns: string, found: { name: string; namespace: string }): Promise<string> =>
    alone('the completion', id, async (deadline) => {
      const local = known(id)
      const moveIn = (endpoint: ResourceOf<'WorkloadEndpoint'>): ResourceOf<'WorkloadEndpoint'> => ({
        ...endpoint,
        metadata: {
          ...endpoint.metadata,
          annotations: { ...endpoint.metadata.annotations, [NAMESPACE_ANNOTATION]: found.namespace },
        },
        spec: { ...endpoint.spec, netns, containerInterface: found.name },
      })
      // Beside each other: the workload's first process is about to start.
      const wiring = wire.wireWorkload(wireSpec(moveIn(local.endpoint)))
      wiring.catch(() => undefined)
      const next = await change(local, moveIn, deadline)
      await deadline.within(wiring, 'the interface was completed')
      if (next === undefined) throw gone(id)
      endpoints.committed(next)
      return found.name
    })

  const moved: Handover['moved'] = async (id, { netns, makesDefaultRoute }) => {
    try {
      const found = await awaitArrival({ clock, file: modules.awaitFile(netns) }, async () => {
        const [local] = endpoints.byContainer(id)
        if (local === undefined) throw gone(id)
        const end = await wire.endInside({
          hostInterfaceName: hostName(id),
          netns,
          addresses: givenNetworks(local.endpoint).map((network) => network.replace(/\/.*/, '')),
          awaitDefaultRoute: makesDefaultRoute,
        })
        if (end === undefined && leaving.has(id)) throw gone(id)
        return end
      })
      if (found !== undefined) return await arrived(id, netns, found)
      throw new DroverError(
        'deadline',
        `The interface of endpoint ${id.slice(0, 12)} was not moved to ${netns} within ${String(MOVE_MS / 1000)} s.`,
        {
          remedy:
            "The runtime's log says why; the endpoint works, but answers by the first network's route only.",
        },
      )
    } catch (error) {
      // What can't be done in a sandbox that is being cleared away need not be done.
      throw leaving.has(id) || endpoints.byContainer(id).length === 0 ? gone(id) : error
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
    for (const [index, { handle, addresses }] of holdersOf(local.endpoint).entries()) {
      await releases.release(
        {
          handle,
          // The endpoint goes with the first of them: a reservation is free as soon as nobody uses its addresses.
          ...(index === 0 ? { endpointKey: local.key } : {}),
          containerId: id,
          interfaceName: ANY_INTERFACE,
          addresses,
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
        return { interfaceName, mac, addresses: givenNetworks(local.endpoint) }
      })
    },
    identify: (id, identity) =>
      alone('the identification', id, (deadline) => identify(id, identity, deadline)),
    annotate: (id, annotations) =>
      alone('the annotation', id, async (deadline) => {
        const next = await change(known(id), (endpoint) => annotated(endpoint, annotations), deadline)
        if (next === undefined) throw gone(id)
        endpoints.committed(next)
      }),
    moved,
    left(id) {
      if (endpoints.byContainer(id).length > 0) leaving.add(id)
    },
    isLeaving: ({ endpoint }) => leaving.has(endpoint.spec.containerID ?? ''),
    async remove(id) {
      await alone('the removal', id, (deadline) => remove(id, deadline))
      leaving.delete(id)
    },
    list: (orchestrator) =>
      endpoints
        .list()
        .map(({ endpoint }) => endpoint)
        .filter(({ spec }) => orchestrator === undefined || spec.orchestrator === orchestrator),
  }
}

/** Not by our prefix: until it is moved it is nobody's interface. */
function offeredName(hostInterface: string, prefix: string): string {
  return `ofd${hostInterface.slice(prefix.length)}`.slice(0, 15)
}

/** How many addresses a reservation is to have: one of each family of these. */
function reserving({ name, pools, within }: HandoverReservation, addresses: readonly string[]) {
  return {
    reservation: name,
    ipv4: addresses.some((address) => !address.includes(':')) ? 1 : 0,
    ipv6: addresses.some((address) => address.includes(':')) ? 1 : 0,
    ...(pools === undefined ? {} : { pools }),
    ...(within === undefined ? {} : { within }),
  }
}

function annotated(
  endpoint: ResourceOf<'WorkloadEndpoint'>,
  annotations: Readonly<Record<string, string>>,
): ResourceOf<'WorkloadEndpoint'> {
  const { metadata } = endpoint
  return { ...endpoint, metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } } }
}

function textsOf(held: readonly HeldAddress[]): string[] {
  return held.map(({ address }) => address)
}

function gone(id: string): DroverError {
  return new DroverError('not-found', `The endpoint ${id.slice(0, 12)} was removed meanwhile.`)
}
