/**
 * The endpoints of this node as the agent goes by them: what the store says, and ahead of it what this agent has
 * just committed or taken away itself. A commit counts at once, so that an attach need not wait for its own news to
 * come round; a detach hides its endpoint at once, also while the store is away and across restarts, until the store
 * has forgotten it.
 */
import type { ResourceOf } from '@network/datastore/model'
import type { EndpointEvent } from '../managers/model-event.ts'

export type Endpoint = ResourceOf<'WorkloadEndpoint'>

export interface LocalEndpoint {
  /** The key in the store. */
  readonly key: string
  readonly endpoint: Endpoint
  /** The store's revision of it. */
  readonly revision: number
}

export interface LocalEndpoints {
  fromStore(event: EndpointEvent): void
  /** This agent wrote the endpoint at that revision. */
  committed(local: LocalEndpoint): void
  /** The endpoint of this handle is gone for us, whatever the store still says. */
  detached(handle: string): void
  /** All that count, in order of their keys. */
  list(): readonly LocalEndpoint[]
  /** Whether one under this key counts. */
  has(key: string): boolean
  /** The one that is known under this key as of this revision, whether it counts or not. */
  knownAt(key: string, revision: number): Endpoint | undefined
  byHandle(handle: string): LocalEndpoint | undefined
  byContainer(containerId: string): readonly LocalEndpoint[]
}

/** `onChange` hears of every endpoint that begins to count, changes, or (undefined) ceases to count. */
export function createLocalEndpoints(options: {
  /** Handles of detaches that the store has not heard of yet. */
  detached: Iterable<string>
  onChange: (key: string, endpoint: Endpoint | undefined) => void
}): LocalEndpoints {
  const known = new Map<string, LocalEndpoint>()
  const hidden = new Set(options.detached)
  const isHidden = ({ endpoint }: LocalEndpoint): boolean =>
    endpoint.spec.handle !== undefined && hidden.has(endpoint.spec.handle)
  const visible = (): LocalEndpoint[] => [...known.values()].filter((local) => !isHidden(local))
  const byKey = (a: LocalEndpoint, b: LocalEndpoint): number => (a.key < b.key ? -1 : 1)
  let sorted: readonly LocalEndpoint[] | undefined
  const change = (key: string, endpoint: Endpoint | undefined): void => {
    sorted = undefined
    options.onChange(key, endpoint)
  }
  const tell = (local: LocalEndpoint): void => {
    change(local.key, isHidden(local) ? undefined : local.endpoint)
  }

  return {
    fromStore({ key, endpoint, revision }) {
      const before = known.get(key)
      // News from before our own commit: the commit's own news is on its way.
      if (before !== undefined && before.revision > revision) return
      if (endpoint !== undefined) {
        const local = { key, endpoint, revision }
        known.set(key, local)
        sorted = undefined
        if (before?.revision !== revision) tell(local)
        return
      }
      if (before === undefined) return
      known.delete(key)
      if (before.endpoint.spec.handle !== undefined) hidden.delete(before.endpoint.spec.handle)
      change(key, undefined)
    },
    committed(local) {
      if (local.endpoint.spec.handle !== undefined) hidden.delete(local.endpoint.spec.handle)
      const before = known.get(local.key)
      if (before === undefined || before.revision <= local.revision) known.set(local.key, local)
      tell(known.get(local.key) ?? local)
    },
    detached(handle) {
      hidden.add(handle)
      for (const local of known.values()) {
        if (local.endpoint.spec.handle === handle) change(local.key, undefined)
      }
    },
    list: () => (sorted ??= visible().sort(byKey)),
    has: (key) => {
      const local = known.get(key)
      return local !== undefined && !isHidden(local)
    },
    knownAt: (key, revision) => {
      const local = known.get(key)
      return local?.revision === revision ? local.endpoint : undefined
    },
    byHandle: (handle) => visible().find(({ endpoint }) => endpoint.spec.handle === handle),
    byContainer: (containerId) =>
      visible()
        .filter(({ endpoint }) => endpoint.spec.containerID === containerId)
        .sort(byKey),
  }
}
