import {
  type ActiveChanges,
  type Calculator,
  type RenderOptions,
  type RenderedChanges,
  createRenderer,
} from '@network/policy'

/** From the active policy to what the drivers of chains and sets desire. */
export interface PolicyManager {
  setOptions(options: RenderOptions): void
  /** What changed in chains and sets since the last call; undefined if nothing did. */
  apply(): RenderedChanges | undefined
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
  modules: { calculator: Pick<Calculator, 'drain'> },
  options: RenderOptions,
): PolicyManager {
  const renderer = createRenderer(options)
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
      renderer.update(changes)
      return renderer.drain()
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
