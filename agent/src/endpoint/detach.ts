/**
 * Detach always works: the interface goes first, then the addresses go back in one transaction with the endpoint, or,
 * if the store does not answer, their release is promised on disk and the caller gets its answer. Something unknown
 * is gone already; an interface that only the kernel still knows is removed by the name that follows from the call.
 */
import type { Clock, DroverError, Log } from '@network/net'
import type { DetachRequest, DetachResult } from '../client/messages.ts'
import type { Deadline } from './deadline.ts'
import { handleOf } from './handle.ts'
import { hostInterfaceName } from './interface-name.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LocalEndpoint, LocalEndpoints } from './local-endpoints.ts'
import { type Releases, lockName } from './releases.ts'
import type { Wire } from './wire.ts'

export interface DetachModules {
  wire: Wire
  endpoints: LocalEndpoints
  releases: Releases
  locks: KeyedLock
  clock: Clock
  log: Log
  /** The store answers, as far as is known. */
  storeAnswers: () => boolean
  /** Why this agent doesn't know yet which interfaces a container has; undefined if it does. */
  ignorance: () => DroverError | undefined
  createDeadline: (operation: string, ms: number) => Deadline
}

export interface DetachOptions {
  node: string
  interfacePrefix: string
  deadlineMs: () => number
}

/** How long the store may take before the release goes to the journal instead. */
const RELEASE_MS = 3_000
const RELEASE_MS_WHILE_AWAY = 300

interface Target {
  readonly containerId: string
  readonly interfaceName: string
  readonly netns: string | undefined
  readonly local: LocalEndpoint | undefined
}

export function createDetach(
  modules: DetachModules,
  options: DetachOptions,
): (request: DetachRequest) => Promise<DetachResult> {
  const { wire, endpoints, releases, clock } = modules

  const detachOne = async (target: Target, deadline: Deadline): Promise<DetachResult> => {
    const handle = handleOf(target.containerId, target.interfaceName, options.node)
    const local = endpoints.byHandle(handle) ?? target.local
    const hostInterface =
      local?.endpoint.spec.interfaceName ??
      hostInterfaceName([target.containerId, target.interfaceName], { prefix: options.interfacePrefix })
    const netns = target.netns ?? local?.endpoint.spec.netns
    await deadline.within(
      wire.unwire({ hostInterfaceName: hostInterface, ...(netns === undefined ? {} : { netns }) }),
      'the interface was being removed',
    )
    endpoints.detached(handle)
    const released = await releases.release(
      {
        handle,
        ...(local === undefined ? {} : { endpointKey: local.key }),
        containerId: target.containerId,
        interfaceName: target.interfaceName,
        addresses:
          local?.endpoint.spec.ipNetworks.map((network) => network.slice(0, network.indexOf('/'))) ?? [],
        promisedAt: clock.now(),
      },
      modules.storeAnswers() ? Math.min(RELEASE_MS, deadline.remainingMs()) : RELEASE_MS_WHILE_AWAY,
      local?.revision,
    )
    const spec = local?.endpoint.spec
    return {
      endpoints: spec === undefined ? [] : [`${spec.orchestrator}/${spec.workload}/${spec.endpoint}`],
      addresses: [...released.addresses],
      journaled: released.journaled,
    }
  }

  const targetsOf = (request: DetachRequest): Target[] => {
    const { containerId, interfaceName, netns } = request
    if (interfaceName !== undefined) return [{ containerId, interfaceName, netns, local: undefined }]
    const ignorance = modules.ignorance()
    if (ignorance !== undefined) throw ignorance
    return endpoints.byContainer(containerId).flatMap((local) => {
      const name = local.endpoint.spec.containerInterface
      return name === undefined ? [] : [{ containerId, interfaceName: name, netns, local }]
    })
  }

  return async (request) => {
    const deadline = modules.createDeadline(
      `detach of ${request.containerId} ${request.interfaceName ?? ''}`.trimEnd(),
      request.deadlineMs ?? options.deadlineMs(),
    )
    const results: DetachResult[] = []
    for (const target of targetsOf(request)) {
      results.push(await modules.locks.run(lockName(target), deadline, () => detachOne(target, deadline)))
    }
    return {
      endpoints: results.flatMap((result) => result.endpoints),
      addresses: results.flatMap((result) => result.addresses),
      journaled: results.some((result) => result.journaled),
    }
  }
}
