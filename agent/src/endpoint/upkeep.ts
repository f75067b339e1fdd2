/**
 * Keeps the interfaces of attached workloads as their endpoints say: makes again what somebody deleted, with the same
 * addresses and MAC, and puts right what drifted. Only ever in the very namespace in which the workload was attached:
 * a path that leads elsewhere by now, or nowhere, means that the workload is gone, and the audit sees to the rest.
 */
import type { Clock, Log } from '@network/net'
import type { Deadline } from './deadline.ts'
import { NAMESPACE_ANNOTATION } from './endpoint-resource.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LocalEndpoint, LocalEndpoints } from './local-endpoints.ts'
import { openNamespace } from './netns.ts'
import { lockOf } from './releases.ts'
import type { Wire } from './wire.ts'
import { wireSpec } from './workload-wire.ts'

export interface UpkeepModules {
  wire: Wire
  endpoints: LocalEndpoints
  locks: KeyedLock
  /** Its runtime is about to take the interface away. */
  isLeaving: (local: LocalEndpoint) => boolean
  clock: Clock
  log: Log
  createDeadline: (operation: string, ms: number) => Deadline
}

export interface Upkeep {
  /** These interfaces are missing or not as they were made: they are put right in the background. */
  onDrift(hostInterfaces: readonly string[]): void
  /** Looks at every endpoint's interface, both ends, and puts right what differs. */
  verify(): Promise<void>
}

const REPAIR_MS = 10_000
/** The kernel takes a pair away end by end: a first try may meet the remains. */
const TRIES_AFTER_MS: readonly number[] = [50, 150, 400, 1_000, 3_000]

export interface UpkeepOptions {
  /** The interface of a workload has been put right. */
  onRepaired?: () => void
}

export function createUpkeep(modules: UpkeepModules, options: UpkeepOptions = {}): Upkeep {
  const { wire, endpoints, locks, clock } = modules
  const log = modules.log.child({ module: 'upkeep' })
  const underRepair = new Set<string>()

  const repair = async (seen: LocalEndpoint): Promise<void> => {
    const { spec } = seen.endpoint
    const { containerInterface: interfaceName, netns, handle } = spec
    const lock = lockOf(seen.endpoint)
    if (lock === undefined || interfaceName === undefined || netns === undefined) return
    // Its interface is another plugin's.
    if (spec.interfaceName === undefined) return
    // An attach or detach of it is under way: that one knows better.
    if (locks.held(lock) || modules.isLeaving(seen)) return
    const deadline = modules.createDeadline(`repair of ${spec.containerID ?? ''} ${interfaceName}`, REPAIR_MS)
    await locks.run(lock, deadline, async () => {
      // What it is by now: addresses may have come since it was listed.
      const local = handle === undefined ? undefined : endpoints.byHandle(handle)
      if (local === undefined) return
      const wanted = wireSpec(local.endpoint)
      const { annotations } = local.endpoint.metadata
      if ((await namespaceAt(netns)) !== annotations?.[NAMESPACE_ANNOTATION]) return
      const differences = await wire.inspect(wanted)
      if (differences.length === 0 || modules.isLeaving(local)) return
      await wire.wireWorkload(wanted)
      options.onRepaired?.()
      log.warn(
        {
          interface: spec.interfaceName,
          workload: spec.workload,
          addresses: local.endpoint.spec.ipNetworks,
          differences,
        },
        'the interface of a workload was not as it should be and has been repaired',
      )
    })
  }

  const persist = async (hostInterface: string): Promise<void> => {
    for (const [index, waitMs] of TRIES_AFTER_MS.entries()) {
      await pause(clock, waitMs)
      const local = endpoints.list().find(({ endpoint }) => endpoint.spec.interfaceName === hostInterface)
      if (local === undefined) return
      try {
        await repair(local)
        return
      } catch (error) {
        const last = index === TRIES_AFTER_MS.length - 1
        log[last ? 'warn' : 'debug'](
          { endpoint: local.key, error: String(error) },
          'the interface of a workload could not be repaired',
        )
      }
    }
  }

  return {
    onDrift(hostInterfaces) {
      for (const name of hostInterfaces) {
        if (underRepair.has(name)) continue
        underRepair.add(name)
        void persist(name).finally(() => underRepair.delete(name))
      }
    },
    async verify() {
      for (const local of endpoints.list()) {
        try {
          await repair(local)
        } catch (error) {
          log.debug({ endpoint: local.key, error: String(error) }, 'an interface could not be looked at')
        }
      }
    },
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

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, ms)
  })
}
