import {
  type Calculator,
  type PolicyUpdate,
  type RenderOptions,
  type RenderedChanges,
  createRenderer,
} from '@network/policy'

/** From the model's changes to what the drivers of chains and sets desire. */
export interface PolicyManager {
  /** Cheap. */
  onUpdate(update: PolicyUpdate): void
  setOptions(options: RenderOptions): void
  /** What changed in chains and sets since the last call; undefined if nothing did. */
  apply(): RenderedChanges | undefined
}

export function createPolicyManager(
  modules: { calculator: Calculator },
  options: RenderOptions,
): PolicyManager {
  const { calculator } = modules
  const renderer = createRenderer(options)
  return {
    onUpdate: (update) => calculator.onUpdate(update),
    setOptions: (next) => renderer.setOptions(next),
    apply() {
      renderer.update(calculator.drain())
      return renderer.drain()
    },
  }
}
