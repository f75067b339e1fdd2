/**
 * Gives addresses back: at once if the store answers, else through the journal. Whatever is in the journal is carried
 * out as soon as the store is there again, and always before the same interface is attached anew.
 */
import { type Clock, DroverError, type Log, type Timer } from '@network/net'
import {
  AllocationError,
  type Allocator,
  type Condition,
  type Operation,
  type Released,
  type Store,
} from '@network/datastore'
import { endpointKey } from '@network/datastore/model'
import type { Deadline } from './deadline.ts'
import { HANDLES_ANNOTATION, handlesOf } from './endpoint-resource.ts'
import type { Journal, PromisedRelease } from './journal.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { Endpoint } from './local-endpoints.ts'

export interface ReleasesModules {
  allocator: Pick<Allocator, 'release' | 'get'>
  store: Pick<Store, 'get'>
  journal: Journal
  locks: KeyedLock
  clock: Clock
  log: Log
  createDeadline: (operation: string, ms: number) => Deadline
}

export interface Releases {
  /**
   * Releases now, or promises to. Only a failing disk makes it fail. `endpointRevision`: that of the endpoint as far as is
   * known; it is read only where that is not so any more.
   */
  release(
    promise: PromisedRelease,
    withinMs: number,
    endpointRevision?: number,
  ): Promise<{ journaled: boolean; addresses: readonly string[] }>
  /** Carries out what was promised for this handle. Fails as the store does. */
  settle(handle: string, deadline: Deadline): Promise<void>
  /** The store is there: carries out everything that waits, in the background. */
  replay(): void
  stop(): Promise<void>
}

const REPLAY_DEADLINE_MS = 10_000
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 15_000

export function createReleases(modules: ReleasesModules): Releases {
  const { allocator, store, journal, locks, clock } = modules
  const log = modules.log.child({ module: 'releases' })
  let stopped = false
  let retryMs = FIRST_RETRY_MS
  let retry: Timer | undefined
  let replaying: Promise<void> | undefined

  /** The endpoint goes in the same transaction, if it is still the one of this handle. */
  const carryOut = async (
    promise: PromisedRelease,
    deadlineMs: number,
    endpointRevision?: number,
  ): Promise<Released> => {
    const releaseWith = (endpoint: Removal | undefined): Promise<Released> =>
      allocator.release({
        handle: promise.handle,
        ...(promise.sequence === undefined ? {} : { sequence: promise.sequence }),
        deadlineMs,
        ...(endpoint === undefined ? {} : { alongside: () => endpoint }),
      })
    if (promise.endpointKey !== undefined && endpointRevision !== undefined) {
      try {
        return await releaseWith(removalOf(promise.endpointKey, endpointRevision))
      } catch (error) {
        if (!(error instanceof AllocationError) || error.code !== 'condition-failed') throw error
      }
    }
    const key = promise.endpointKey ?? (await ownerKey(allocator, promise.handle))
    return releaseWith(
      key === undefined ? undefined : await endpointOfHandle(store, key, promise.handle, deadlineMs),
    )
  }

  const retryLater = (): void => {
    if (stopped || retry !== undefined) return
    retry = clock.setTimeout(() => {
      retry = undefined
      replay()
    }, retryMs)
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
  }

  const replayAll = async (): Promise<void> => {
    for (const promise of journal.pending()) {
      if (stopped) return
      const lock = lockName(promise)
      // Whoever holds the lock settles it first, or is the detach that has just promised it.
      if (locks.held(lock)) continue
      const deadline = modules.createDeadline(`release of ${promise.handle}`, REPLAY_DEADLINE_MS)
      await locks.run(lock, deadline, async () => {
        if (journal.find(promise.handle) === undefined) return
        const released = await carryOut(promise, deadline.remainingMs())
        await journal.settle(promise.handle)
        log.info({ handle: promise.handle, outcome: released.outcome }, 'a journaled release was carried out')
      })
    }
    if (journal.pending().length > 0) throw new DroverError('busy', 'Some releases wait for their lock.')
  }

  const replay = (): void => {
    if (stopped || replaying !== undefined || journal.pending().length === 0) return
    replaying = replayAll()
      .then(
        () => {
          retryMs = FIRST_RETRY_MS
        },
        (error: unknown) => {
          log.warn(
            { error: (error as Error).message, waiting: journal.pending().length },
            'releases still wait in the journal',
          )
          retryLater()
        },
      )
      .finally(() => {
        replaying = undefined
      })
  }

  return {
    async release(promise, withinMs, endpointRevision) {
      try {
        const released = await carryOut(promise, withinMs, endpointRevision)
        await journal.settle(promise.handle)
        return { journaled: false, addresses: released.addresses.map(({ address }) => address) }
      } catch (error) {
        if (!(error instanceof DroverError)) throw error
        log.warn(
          { handle: promise.handle, code: error.code, error: error.message },
          'the release is journaled and will be carried out later',
        )
        await journal.promise(promise)
        retryLater()
        return { journaled: true, addresses: promise.addresses }
      }
    },
    async settle(handle, deadline) {
      const promise = journal.find(handle)
      if (promise === undefined) return
      deadline.check('giving back what an earlier detach promised')
      await carryOut(promise, deadline.remainingMs())
      await journal.settle(handle)
    },
    replay,
    async stop() {
      stopped = true
      retry?.cancel()
      await replaying
    },
  }
}

/** Stands for the interface's name, which the runtime of a handover chooses, where a lock or a handle wants one. */
export const ANY_INTERFACE = '*'

/** Attach, detach and replay of one interface exclude each other under this name. */
export function lockName(target: { containerId: string; interfaceName: string }): string {
  return `${target.containerId}:${target.interfaceName}`
}

/** The lock of whoever works on an endpoint that is there. */
export function lockOf({ metadata, spec }: Endpoint): string | undefined {
  const interfaceName =
    metadata.annotations?.[HANDLES_ANNOTATION] === undefined ? spec.containerInterface : ANY_INTERFACE
  return spec.containerID === undefined || interfaceName === undefined
    ? undefined
    : lockName({ containerId: spec.containerID, interfaceName })
}

async function ownerKey(allocator: Pick<Allocator, 'get'>, handle: string): Promise<string | undefined> {
  const assignment = await allocator.get(handle)
  return assignment === undefined ? undefined : endpointKey(assignment.owner)
}

async function endpointOfHandle(
  store: Pick<Store, 'get'>,
  key: string,
  handle: string,
  deadlineMs: number,
): Promise<Removal | undefined> {
  const found = await store.get(key, { deadlineMs })
  if (found === undefined) return undefined
  if (!handlesIn(found.value).includes(handle)) return undefined
  return removalOf(key, found.modRevision)
}

interface Removal {
  readonly when: readonly Condition[]
  readonly then: readonly Operation[]
}

function removalOf(key: string, modRevision: number): Removal {
  return { when: [{ key, is: 'at', modRevision }], then: [{ delete: key }] }
}

/** Also of what is no valid endpoint any more: it has to go all the same. */
function handlesIn(endpoint: string): readonly string[] {
  try {
    const { metadata, spec } = JSON.parse(endpoint) as {
      metadata?: Endpoint['metadata']
      spec?: Endpoint['spec']
    }
    return spec === undefined ? [] : handlesOf({ metadata: metadata ?? { name: '' }, spec })
  } catch {
    return []
  }
}
