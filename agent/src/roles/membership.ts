/**
 * This node as a member of the cluster: its name, claimed for as long as the agent lives, and its Node. A Node that is
 * deleted while its agent runs is registered again, for the workloads are there and so is the agent; who wants a
 * node gone stops its agent first. If somebody keeps deleting it the agent does not fight: it says so, takes no
 * further workloads, and leaves those it has as they are.
 */
import { type Clock, DroverError, type Log } from '@network/net'
import { type Store, StoreError } from '@network/datastore'
import type { DetectedAddresses } from '../managers/node-resource.ts'
import type { Life } from './life.ts'
import type { MachineIdentity } from './machine-identity.ts'
import { createNodeClaim } from './node-claim.ts'
import { registerNode } from './node-registration.ts'

export interface MembershipModules {
  store: Store
  clock: Clock
  log: Log
  life: Life
  uuid: () => string
  random: () => number
}

export interface MembershipOptions {
  node: string
  identity: MachineIdentity
  facts: Readonly<Record<string, unknown>>
  /** The addresses found on the machine at present. */
  detected: () => DetectedAddresses
  /** What must hold before the node is made known to others. */
  beforeRegistration: () => Promise<void>
}

export interface Membership {
  /** Resolves when the node is registered. Waits for the store. @throws DroverError that waiting does not mend */
  join(): Promise<void>
  /** The machine's addresses changed. */
  update(): void
  onNodeRemoved(): void
  onNodePresent(): void
  readonly joined: boolean
  readonly problem: DroverError | undefined
  /** The lease of this node's status keys; undefined before it has joined. */
  readonly lease: string | undefined
  leave(): Promise<void>
}

/** How the store fails when waiting does not help. */
const HOPELESS: readonly string[] = ['authentication', 'permission', 'certificate', 'invalid-options']
const RETRY_MS = 1_000
/** So often within this time a deleted Node is registered again. */
const MOST_RETURNS = 3
const RETURNS_WITHIN_MS = 60_000

/** Whether a failure of the store is worth waiting for. */
export function mayPass(error: unknown): boolean {
  return error instanceof StoreError && !HOPELESS.includes(error.code)
}

export function createMembership(modules: MembershipModules, options: MembershipOptions): Membership {
  const { store, clock, life } = modules
  const log = modules.log.child({ module: 'membership' })
  let joined = false
  let problem: DroverError | undefined
  let returns: number[] = []
  const claim = createNodeClaim(
    { store, clock, log },
    {
      node: options.node,
      identity: options.identity,
      facts: options.facts,
      onConflict: (error) => {
        problem = error
        log.error({ code: error.code, remedy: error.remedy }, error.message)
      },
    },
  )

  const register = async (): Promise<void> => {
    await registerNode(modules, { node: options.node, detected: options.detected() })
  }

  /** Tries until it is done, until the end of the agent, or until something waiting won't mend. */
  const persist = async (what: string, work: () => Promise<void>): Promise<void> => {
    while (!life.ended()) {
      try {
        await work()
        return
      } catch (error) {
        if (!mayPass(error)) throw error
        log.warn({ what, error: (error as Error).message }, 'waiting for the store')
        await life.pause(RETRY_MS)
      }
    }
  }

  const mend = (what: string): void => {
    persist(what, register).then(
      () => {
        if (problem?.code === 'address-claimed') problem = undefined
      },
      (error: unknown) => {
        problem = error instanceof DroverError ? error : new DroverError('internal', String(error))
        log.error({ what, code: problem.code, remedy: problem.remedy }, problem.message)
      },
    )
  }

  return {
    get joined() {
      return joined
    },
    get problem() {
      return problem
    },
    get lease() {
      return joined ? claim.lease : undefined
    },
    async join() {
      await persist('join', async () => {
        await options.beforeRegistration()
        await claim.acquire()
        await register()
      })
      joined = !life.ended()
    },
    update: () => mend('new addresses'),
    onNodeRemoved() {
      if (!joined || life.ended()) return
      const now = clock.monotonic()
      returns = [...returns.filter((at) => now - at < RETURNS_WITHIN_MS), now]
      if (returns.length <= MOST_RETURNS) {
        log.warn(
          { node: options.node },
          'the Node was deleted while its agent runs and is registered again; to remove a node, stop its agent first',
        )
        mend('a deleted Node')
        return
      }
      problem = new DroverError(
        'node-removed',
        `The Node ${options.node} was removed from the store ${returns.length} times within a minute while its agent runs.`,
        { remedy: 'Stop this agent if the node shall go; restart it, or apply its Node, if it shall stay.' },
      )
      log.error({ code: problem.code, remedy: problem.remedy }, problem.message)
    },
    onNodePresent() {
      if (problem?.code === 'node-removed' && returns.length <= MOST_RETURNS) problem = undefined
    },
    leave: () => claim.release(),
  }
}
