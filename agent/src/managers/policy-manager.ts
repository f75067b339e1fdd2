import {
  type ActiveChanges,
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
  /** Judges flows by the active policy as of the last apply. */
  readonly judge: FlowJudge
  /** Whether flows that were allowed may not be any more, since the last call. */
  takeTurned(): boolean
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
  const judge = createFlowJudge({ members: (set) => modules.calculator.members(set) })
  let turned = false
  const active = {
    policies: new Set<string>(),
    profiles: new Set<string>(),
    endpoints: new Set<string>(),
    hostEndpoints: new Set<string>(),
  }
  const members = new Map<string, number>()

  function count(changes: ActiveChanges): void {
    for (const what of ['policies', 'profiles', 'endpoints', 'hostEndpoints'] as const) {
      for (const [id, value] of changes[what]) {
        if (value === undefined) active[what].delete(id)
        else active[what].add(id)
      }
    }
    for (const [id, change] of changes.sets) {
      if (change === undefined) members.delete(id)
      else {
        const before = change.created ? 0 : (members.get(id) ?? 0)
        members.set(id, before + change.added.length - change.removed.length)
      }
    }
  }

  return {
    setOptions: (next) => renderer.setOptions(next),
    apply() {
      const changes = modules.calculator.drain()
      count(changes)
      turned = judge.update(changes) || turned
      renderer.update(changes)
      return renderer.drain()
    },
    judge,
    takeTurned() {
      const before = turned
      turned = false
      return before
    },
    size: () => ({
      policies: active.policies.size,
      profiles: active.profiles.size,
      endpoints: active.endpoints.size,
      hostEndpoints: active.hostEndpoints.size,
      sets: members.size,
      members: [...members.values()].reduce((sum, size) => sum + size, 0),
    }),
  }
}
