import {
  type ActiveChanges,
  type ActiveEndpoint,
  type ActiveHostEndpoint,
  type Calculator,
  type FlowJudge,
  type RenderOptions,
  type RenderedChanges,
  createFlowJudge,
  createRenderer,
} from '@network/policy'

/** From the active policy to what the drivers of chains and sets desire. */
export interface PolicyManager {
  setOptions(options: RenderOptions): void
  /** What changed in chains and sets since the last call; undefined if nothing did. */
  apply(): RenderedChanges | undefined
  /** Ahead of an `apply` that will tell much: what changed in sets, as far as it is known before chains are rendered. */
  applySets(): RenderedChanges['sets']
  /** Renders some of the chains that the next `apply` will tell. False: nothing is left that takes long. */
  renderSome(): boolean
  /** Judges flows by the active policy as of the last apply. */
  readonly judge: FlowJudge
  /** Whether flows that were allowed may not be any more, since the last call. */
  takeTurned(): boolean
  /** Policies and profiles that bear on an endpoint, by its key or a host endpoint's name; undefined: it isn't here. */
  bearingOn(endpoint: string): { policies: ReadonlySet<string>; profiles: ReadonlySet<string> } | undefined
  /** How much is active. */
  size(): PolicySize
}

export interface PolicySize {
  readonly policies: number
  readonly profiles: number
  readonly endpoints: number
  readonly hostEndpoints: number
  readonly sets: number
  readonly members: number
}

/** The calculator is told the model's changes by whoever hears them; here it is drained. */
export function createPolicyManager(
  modules: { calculator: Pick<Calculator, 'drain' | 'members'> },
  options: RenderOptions,
): PolicyManager {
  const renderer = createRenderer(options)
  const judge = createFlowJudge({ members: (set) => modules.calculator.members(set) }, options)
  let turned = false
  const active = { policies: new Set<string>(), profiles: new Set<string>() }
  const endpoints = new Map<string, ActiveEndpoint>()
  const hostEndpoints = new Map<string, ActiveHostEndpoint>()
  const members = new Map<string, number>()

  function count(changes: ActiveChanges): void {
    for (const what of ['policies', 'profiles'] as const) {
      for (const [id, value] of changes[what]) {
        if (value === undefined) active[what].delete(id)
        else active[what].add(id)
      }
    }
    note(endpoints, changes.endpoints)
    note(hostEndpoints, changes.hostEndpoints)
    for (const [id, change] of changes.sets) {
      if (change === undefined) members.delete(id)
      else {
        const before = change.created ? 0 : (members.get(id) ?? 0)
        members.set(id, before + change.added.length - change.removed.length)
      }
    }
  }

  function take(): void {
    const changes = modules.calculator.drain()
    count(changes)
    turned = judge.update(changes) || turned
    renderer.update(changes)
  }

  return {
    setOptions(next) {
      renderer.setOptions(next)
      turned = judge.setOptions(next) || turned
    },
    apply() {
      take()
      return renderer.drain()
    },
    applySets() {
      take()
      return renderer.drainSets()
    },
    renderSome: () => renderer.renderSome(),
    judge,
    bearingOn(name) {
      const workload = endpoints.get(name)
      const host = hostEndpoints.get(name)
      if (workload === undefined && host === undefined) return undefined
      const tiers = [
        ...(workload?.tiers ?? []),
        ...(host === undefined ? [] : [host.untracked, host.preDNAT, host.forward, host.normal].flat()),
      ]
      return {
        policies: new Set(tiers.flatMap(({ inbound, outbound }) => [...inbound, ...outbound])),
        profiles: new Set([...(workload?.profiles ?? []), ...(host?.profiles ?? [])]),
      }
    },
    takeTurned() {
      const before = turned
      turned = false
      return before
    },
    size: () => ({
      policies: active.policies.size,
      profiles: active.profiles.size,
      endpoints: endpoints.size,
      hostEndpoints: hostEndpoints.size,
      sets: members.size,
      members: [...members.values()].reduce((sum, size) => sum + size, 0),
    }),
  }
}

function note<T>(known: Map<string, T>, changes: ReadonlyMap<string, T | undefined>): void {
  for (const [id, value] of changes) {
    if (value === undefined) known.delete(id)
    else known.set(id, value)
  }
}
