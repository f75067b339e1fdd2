import type { Log } from '@network/net'
import type { Deadline } from './deadline.ts'
import { NAMESPACE_ANNOTATION } from './endpoint-resource.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LocalEndpoint, LocalEndpoints } from './local-endpoints.ts'
import { openNamespace } from './netns.ts'
import { lockName } from './releases.ts'
import type { Wire } from './wire.ts'
import { wireSpec } from './workload-wire.ts'

export interface RewireModules {
  wire: Wire
  endpoints: LocalEndpoints
  locks: KeyedLock
  log: Log
  createDeadline: (operation: string, ms: number) => Deadline
}

const REWIRE_MS = 10_000

/**
 * Makes interfaces again that somebody deleted, with the same addresses and MAC. Only into the very namespace in which
 * the workload was attached: a path that leads elsewhere by now, or nowhere, means that the workload is gone.
 */
export function createRewire(modules: RewireModules): (hostInterfaces: readonly string[]) => Promise<void> {
  const { wire, endpoints, locks } = modules
  const log = modules.log.child({ module: 'rewire' })

  const rewire = async (local: LocalEndpoint): Promise<void> => {
    const { spec, metadata } = local.endpoint
    const { containerID: containerId, containerInterface: interfaceName, netns, handle } = spec
    if (containerId === undefined || interfaceName === undefined || netns === undefined) return
    const lock = lockName({ containerId, interfaceName })
    // An attach or detach of it is under way: that one knows better.
    if (locks.held(lock)) return
    await locks.run(
      lock,
      modules.createDeadline(`repair of ${containerId} ${interfaceName}`, REWIRE_MS),
      async () => {
        if (handle === undefined || endpoints.byHandle(handle) === undefined) return
        if ((await namespaceAt(netns)) !== metadata.annotations?.[NAMESPACE_ANNOTATION]) return
        const wired = await wire.wireWorkload(wireSpec(local.endpoint))
        log.warn(
          { interface: wired.hostInterface.name, workload: spec.workload, addresses: spec.ipNetworks },
          'the interface of a workload was gone and has been made again',
        )
      },
    )
  }

  return async (hostInterfaces) => {
    const missing = new Set(hostInterfaces)
    for (const local of endpoints.list()) {
      if (!missing.has(local.endpoint.spec.interfaceName ?? '')) continue
      try {
        await rewire(local)
      } catch (error) {
        log.warn(
          { endpoint: local.key, error: String(error) },
          'the interface of a workload could not be made again',
        )
      }
    }
  }
}

async function namespaceAt(path: string): Promise<string | undefined> {
  try {
    const namespace = await openNamespace(path)
    await namespace.close()
    return namespace.id
  } catch {
    return undefined
  }
}
