/**
 * One live agent per node name. The claim is a key on a lease: who holds it says who it is, and keeps it alive; an
 * agent that died loses it by itself. The same machine in the same life takes its own claim over at once (the agent
 * was killed and restarted); anybody else waits until the lease has run out, and if it doesn't, gives up.
 */
import { type Clock, DroverError, type Log, type Timer } from '@network/net'
import { type Lease, type Store, StoreError } from '@network/datastore'
import { statusKey } from '@network/datastore/model'
import type { MachineIdentity } from './machine-identity.ts'

export interface NodeClaimModules {
  store: Store
  clock: Clock
  log: Log
}

export interface NodeClaimOptions {
  node: string
  identity: MachineIdentity
  /** What others are told of this agent beside its identity. */
  facts: Readonly<Record<string, unknown>>
  /** Default 15. */
  leaseSeconds?: number
  /** The claim was lost to another agent while this one runs. */
  onConflict: (error: DroverError) => void
}

export interface NodeClaim {
  /** Resolves when the name is ours. @throws DroverError 'name-claimed', StoreError */
  acquire(): Promise<void>
  /** Ends the claim, so that a successor need not wait. */
  release(): Promise<void>
  /** The lease that the claim lives on, while it is known to be held. */
  readonly lease: string | undefined
}

interface Claim extends MachineIdentity {
  readonly hostname?: string
}

const POLL_MS = 500
const RETRY_MS = 2_000

export function createNodeClaim(modules: NodeClaimModules, options: NodeClaimOptions): NodeClaim {
  const { store, clock } = modules
  const log = modules.log.child({ module: 'node-claim' })
  const leaseSeconds = options.leaseSeconds ?? 15
  const key = statusKey(options.node, 'agent')
  const value = JSON.stringify({ ...options.facts, ...options.identity })
  let lease: Lease | undefined
  let retry: Timer | undefined
  let released = false

  /** Puts the claim if nobody else's stands there; otherwise answers whose it is. */
  const put = async (id: string): Promise<Claim | undefined> => {
    for (;;) {
      const present = await store.get(key)
      const holder = present === undefined ? undefined : readClaim(present.value)
      if (holder !== undefined && !isSelf(holder, options.identity)) return holder
      const done = await store.transact({
        when: [
          present === undefined ? { key, is: 'absent' } : { key, is: 'at', modRevision: present.modRevision },
        ],
        then: [{ put: key, value, lease: id }],
      })
      if (done.committed) return undefined
    }
  }

  const acquire = async (patienceMs: number): Promise<void> => {
    const end = clock.monotonic() + patienceMs
    const fresh = await store.lease(leaseSeconds)
    try {
      for (;;) {
        const holder = await put(fresh.id)
        if (holder === undefined) break
        if (clock.monotonic() > end) throw claimedBy(options.node, holder)
        await pause(clock, POLL_MS)
      }
    } catch (error) {
      await fresh.revoke().catch(() => undefined)
      throw error
    }
    lease = fresh
    void fresh.lost.then((reason) => {
      if (lease === fresh) again(reason)
    })
  }

  /** The lease is gone, for the store was away too long: claim the name again as soon as it is back. */
  const again = (reason: unknown): void => {
    if (released) return
    log.warn({ reason: String(reason) }, "the claim on the node's name lapsed and is being renewed")
    retry = clock.setTimeout(() => {
      acquire((leaseSeconds + 3) * 1000).catch((error: unknown) => {
        if (error instanceof StoreError && error.code === 'closed') return
        if (error instanceof DroverError && error.code === 'name-claimed') options.onConflict(error)
        again(error instanceof Error ? error.message : error)
      })
    }, RETRY_MS)
  }

  return {
    get lease() {
      return lease?.id
    },
    acquire: () => acquire((leaseSeconds + 3) * 1000),
    async release() {
      released = true
      retry?.cancel()
      const last = lease
      lease = undefined
      await last?.revoke().catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error
      })
    },
  }
}

function claimedBy(node: string, holder: Claim): DroverError {
  return new DroverError(
    'name-claimed',
    `The node name ${node} is in use by a live agent on ${holder.hostname ?? 'another machine'}.`,
    {
      remedy: 'Give this node another name with --node-name, or stop the other agent.',
      details: { node, holder },
    },
  )
}

function isSelf(claim: Claim, identity: MachineIdentity): boolean {
  return claim.machine === identity.machine && claim.boot === identity.boot
}

function readClaim(value: string): Claim | undefined {
  try {
    const claim = JSON.parse(value) as Partial<Record<'machine' | 'boot' | 'hostname', unknown>> | null
    if (typeof claim?.machine !== 'string' || typeof claim.boot !== 'string') return undefined
    return {
      machine: claim.machine,
      boot: claim.boot,
      ...(typeof claim.hostname === 'string' ? { hostname: claim.hostname } : {}),
    }
  } catch {
    return undefined
  }
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, ms)
  })
}
