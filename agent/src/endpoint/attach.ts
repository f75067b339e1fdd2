/**
 * Attach: validate, lock, one transaction for addresses, handle and endpoint, the interface, the route, and only then
 * the answer. A step that fails undoes those before it; what cannot be undone because the store went away is
 * promised to the journal. A crash between any two steps leaves at most an endpoint without an interface, or an
 * interface without an endpoint: the next attach of the same interface, or the audit, repairs either.
 */
import { type Clock, DroverError, type Log, hostPrefixText } from '@network/net'
import { type Allocator, type Assignment, type Store, AllocationError, StoreError } from '@network/datastore'
import { type EndpointIdentity, endpointKey, endpointName } from '@network/datastore/model'
import type { AttachRequest, AttachResult } from '../client/messages.ts'
import type { AttachPlan } from './attach-plan.ts'
import type { Deadline } from './deadline.ts'
import { type Draft, type PlannedEndpoint, createDrafts } from './draft.ts'
import { NAMESPACE_ANNOTATION, endpointResource } from './endpoint-resource.ts'
import { handleOf } from './handle.ts'
import { hostInterfaceName, workloadMac } from './interface-name.ts'
import type { Journal } from './journal.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { Endpoint, LocalEndpoint, LocalEndpoints } from './local-endpoints.ts'
import { openNamespace } from './netns.ts'
import { type Releases, lockName } from './releases.ts'
import { readEndpoint } from './stored-endpoint.ts'
import type { Wire, Wired } from './wire.ts'

export interface AttachModules {
  allocator: Pick<Allocator, 'assign'>
  store: Pick<Store, 'get' | 'transact'>
  wire: Wire
  endpoints: LocalEndpoints
  releases: Releases
  journal: Journal
  locks: KeyedLock
  clock: Clock
  log: Log
  uuid: () => string
  /** Why the agent can't attach at present; undefined if it can. */
  obstacle: () => DroverError | undefined
  plan: (request: AttachRequest) => AttachPlan
  /**
   * Programs the endpoint's chains, rules and sets, which need its interface's name and not the interface. Resolves when
   * the kernel has them in both families.
   */
  protect: (planned: PlannedEndpoint) => Promise<void>
  /** The endpoint won't be there: what was programmed for it goes. */
  unprotect: (key: string) => void
  /** Resolves when the kernel has these host routes; fails with the reason if it won't take one. */
  programmed: (destinations: readonly string[]) => Promise<void>
  createDeadline: (operation: string, ms: number) => Deadline
}

export interface AttachOptions {
  node: string
  interfacePrefix: string
  deadlineMs: () => number
}

/** Time kept back from the deadline so that a failure can still be undone within it. */
const UNDO_SHARE = 0.2
const LONGEST_UNDO_MS = 3_000

export function createAttach(
  modules: AttachModules,
  options: AttachOptions,
): (request: AttachRequest) => Promise<AttachResult> {
  const { allocator, store, wire, endpoints, releases, clock } = modules
  const log = modules.log.child({ module: 'attach' })
  const drafts = createDrafts(modules)

  /** The committed endpoint of this request, found or made. `made`: by this call, so that it is this call's to undo. */
  const commit = async (
    request: AttachRequest,
    plan: AttachPlan,
    { namespace, draft }: { namespace: string; draft: Draft },
    deadline: Deadline,
  ): Promise<LocalEndpoint & { made: boolean; sequence: number }> => {
    const identity: EndpointIdentity = {
      node: options.node,
      orchestrator: request.orchestrator,
      workload: request.workload,
      endpoint: request.endpoint,
    }
    const handle = handleOf(request.containerId, request.interfaceName, options.node)
    const hostInterface = hostInterfaceName([request.containerId, request.interfaceName], {
      prefix: options.interfacePrefix,
    })
    const key = endpointKey(identity)
    const uid = modules.uuid()
    const createdAt = clock.now()
    const mac = request.mac ?? workloadMac(hostInterface)
    const facts = { identity, handle, hostInterface, mac, namespace, uid, createdAt }
    // What is wrong with the request is said before anything is planned; addresses are the allocator's own.
    const bare = endpointResource(request, plan, { ...facts, addresses: [] })
    const resourceFor = (addresses: readonly string[]): Endpoint => ({
      ...bare,
      spec: { ...bare.spec, ipNetworks: addresses.map(hostPrefixText) },
    })
    if (request.assignedElsewhere === true) {
      const { addresses = [] } = request
      const fresh = endpointResource(request, plan, { ...facts, addresses })
      const local = await renew(key, fresh, request, namespace, deadline)
      return { ...local, sequence: 0 }
    }
    const assigned = await assign(request, plan, { handle, identity, key, draft, deadline, resourceFor })
    if (!sameIdentity(assigned.owner, identity)) {
      throw new DroverError(
        'taken',
        `Interface ${request.interfaceName} of container ${request.containerId} is attached as ${ownerName(assigned.owner)}.`,
        { remedy: 'Detach it first, or attach it by the same names.' },
      )
    }
    const addresses = assigned.addresses.map(({ address }) => address)
    if (!assigned.existing) {
      return {
        key,
        endpoint: resourceFor(addresses),
        revision: assigned.sequence,
        made: true,
        sequence: assigned.sequence,
      }
    }
    const local = await renew(key, resourceFor(addresses), request, namespace, deadline)
    return { ...local, made: false, sequence: assigned.sequence }
  }

  const assign = async (
    request: AttachRequest,
    plan: AttachPlan,
    target: {
      handle: string
      identity: EndpointIdentity
      key: string
      draft: Draft
      deadline: Deadline
      resourceFor: (addresses: readonly string[]) => Endpoint
    },
  ): Promise<Assignment> => {
    const { handle, identity, key, draft, deadline } = target
    // One that stands already keeps its chains until the store has said whose it is.
    const isNew = !endpoints.has(key)
    try {
      return await allocator.assign({
        handle,
        owner: identity,
        ipv4: plan.counts.ipv4,
        ipv6: plan.counts.ipv6,
        ...(request.addresses === undefined ? {} : { addresses: request.addresses }),
        ...(plan.pools === undefined ? {} : { pools: plan.pools }),
        ...(request.reservation === undefined ? {} : { reservation: request.reservation }),
        alongside: ({ addresses }) => {
          const endpoint = target.resourceFor(addresses.map(({ address }) => address))
          if (isNew) draft.plan({ key, endpoint })
          return {
            when: [{ key, is: 'absent' }],
            then: [{ put: key, value: JSON.stringify(endpoint) }],
          }
        },
        deadlineMs: undoableMs(deadline),
      })
    } catch (error) {
      if (error instanceof AllocationError && error.code === 'condition-failed') {
        throw new DroverError(
          'taken',
          `The endpoint ${endpointName(identity)} is attached by another container.`,
          {
            remedy: `Detach that one first, or attach this one by another name: 'drover get endpoint ${endpointName(identity)} -o yaml' shows it.`,
            cause: error,
          },
        )
      }
      const outcome = error instanceof StoreError || error instanceof AllocationError ? error.code : undefined
      // The answer was lost: what may have been written must not stay.
      if (outcome === 'unknown-outcome') await promiseRelease(request, handle, key, [])
      throw error
    }
  }

  /** An endpoint from an earlier attach: the same, but perhaps in a new namespace; or lost beside its handle; or none. */
  const renew = async (
    key: string,
    fresh: Endpoint,
    request: AttachRequest,
    namespace: string,
    deadline: Deadline,
  ): Promise<LocalEndpoint & { made: boolean }> => {
    for (;;) {
      deadline.check('renewing the endpoint of an earlier attach')
      const deadlineMs = undoableMs(deadline)
      const present = await store.get(key, { deadlineMs })
      const before = present === undefined ? undefined : readEndpoint(present.value)
      const sameHandle = before?.spec.handle === fresh.spec.handle
      if (present !== undefined && before !== undefined && !sameHandle) {
        throw new DroverError('taken', `The endpoint at ${key} belongs to another container.`, {
          remedy: 'Detach that one first.',
        })
      }
      // Those of an interface that has waited for them.
      const ipNetworks =
        before === undefined || before.spec.ipNetworks.length === 0
          ? fresh.spec.ipNetworks
          : before.spec.ipNetworks
      const unchanged =
        before !== undefined &&
        before.spec.ipNetworks.length === ipNetworks.length &&
        before.spec.netns === request.netns &&
        before.metadata.annotations?.[NAMESPACE_ANNOTATION] === namespace
      if (present !== undefined && unchanged)
        return { key, endpoint: before, revision: present.modRevision, made: false }
      const next =
        before === undefined
          ? fresh
          : {
              ...before,
              metadata: {
                ...before.metadata,
                annotations: { ...before.metadata.annotations, ...fresh.metadata.annotations },
              },
              spec: { ...before.spec, netns: request.netns, ipNetworks },
            }
      const done = await store.transact(
        {
          when: [
            present === undefined
              ? { key, is: 'absent' }
              : { key, is: 'at', modRevision: present.modRevision },
          ],
          then: [{ put: key, value: JSON.stringify(next) }],
        },
        { deadlineMs },
      )
      if (done.committed) return { key, endpoint: next, revision: done.revision, made: present === undefined }
    }
  }

  const promiseRelease = (
    request: AttachRequest,
    handle: string,
    key: string,
    addresses: readonly string[],
  ): Promise<void> =>
    modules.journal.promise({
      handle,
      endpointKey: key,
      containerId: request.containerId,
      interfaceName: request.interfaceName,
      addresses,
      promisedAt: clock.now(),
    })

  const undo = async (
    request: AttachRequest,
    local: LocalEndpoint & { sequence: number },
    deadline: Deadline,
  ): Promise<void> => {
    const { handle, interfaceName, ipNetworks } = local.endpoint.spec
    if (handle === undefined || interfaceName === undefined) return
    endpoints.detached(handle)
    try {
      await wire.unwire({ hostInterfaceName: interfaceName })
    } catch (error) {
      // The audit of interfaces takes it: nothing in the model wants it any more.
      log.warn(
        { interface: interfaceName, error: String(error) },
        'an interface of a failed attach stays for now',
      )
    }
    await releases.release(
      {
        handle,
        ...(local.sequence === 0 ? {} : { sequence: local.sequence }),
        endpointKey: local.key,
        containerId: request.containerId,
        interfaceName: request.interfaceName,
        addresses: ipNetworks,
        promisedAt: clock.now(),
      },
      Math.max(500, Math.min(deadline.remainingMs(), LONGEST_UNDO_MS)),
    )
  }

  const complete = async (
    request: AttachRequest,
    plan: AttachPlan,
    { namespace, draft }: { namespace: string; draft: Draft },
    deadline: Deadline,
  ): Promise<AttachResult> => {
    let local: Awaited<ReturnType<typeof commit>> | undefined
    let wiring: Promise<unknown> = Promise.resolve()
    try {
      local = await commit(request, plan, { namespace, draft }, deadline)
      deadline.check('the addresses were assigned')
      const begun = await draft.agreed(local)
      wiring = begun.wiring.catch(() => undefined)
      const wired = await deadline.within(begun.wiring, 'the interface was being made')
      endpoints.committed(local)
      await deadline.within(
        modules.programmed(local.endpoint.spec.ipNetworks),
        'the routes to the workload were being programmed',
      )
      await deadline.within(begun.protecting, 'the rules of its policy were being programmed')
      return attachResult(local, wired)
    } catch (error) {
      // A step that was given up on still runs: only what has come to rest can be undone.
      await Promise.race([Promise.all([draft.drop(), wiring]), pause(clock, LONGEST_UNDO_MS)])
      if (local?.made === true) {
        await undo(request, local, deadline)
        modules.unprotect(local.key)
      }
      throw error
    }
  }

  const locked = async (request: AttachRequest, deadline: Deadline): Promise<AttachResult> => {
    const plan = modules.plan(request)
    const namespace = await namespaceId(request.netns)
    await releases.settle(handleOf(request.containerId, request.interfaceName, options.node), deadline)
    const draft = drafts.open()
    try {
      return await complete(request, plan, { namespace, draft }, deadline)
    } finally {
      draft.close()
    }
  }

  return async (request) => {
    const obstacle = modules.obstacle()
    if (obstacle !== undefined) throw obstacle
    const deadline = modules.createDeadline(
      `attach of ${request.containerId} ${request.interfaceName}`,
      request.deadlineMs ?? options.deadlineMs(),
    )
    return modules.locks.run(lockName(request), deadline, () => locked(request, deadline))
  }
}

function undoableMs(deadline: Deadline): number {
  const left = deadline.remainingMs()
  return Math.max(1, Math.floor(left - Math.min(left * UNDO_SHARE, LONGEST_UNDO_MS)))
}

/** Opens the path once, before anything is written, and says which namespace it leads to. */
async function namespaceId(path: string): Promise<string> {
  const namespace = await openNamespace(path)
  await namespace.close()
  return namespace.id
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, ms)
  })
}

function sameIdentity(a: EndpointIdentity, b: EndpointIdentity): boolean {
  return a.orchestrator === b.orchestrator && a.workload === b.workload && a.endpoint === b.endpoint
}

function ownerName(owner: EndpointIdentity): string {
  return `${owner.orchestrator}/${owner.workload}/${owner.endpoint}`
}

function attachResult(local: LocalEndpoint, wired: Wired): AttachResult {
  const { spec } = local.endpoint
  return {
    endpoint: `${spec.orchestrator}/${spec.workload}/${spec.endpoint}`,
    hostInterface: { name: wired.hostInterface.name, mac: wired.hostInterface.mac },
    containerInterface: { ...wired.containerInterface, netns: spec.netns ?? '' },
    addresses: wired.addresses.map(({ address, gateway }) => ({
      address: address.includes('/') ? address : hostPrefixText(address),
      gateway,
    })),
    routes: wired.routes.map((route) => ({ ...route })),
  }
}
