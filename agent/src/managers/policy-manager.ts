import type { RenderedChanges, RenderOptions } from '@network/policy'

/**
 * From the calculator's active policy to what the drivers desire. `createPolicyManager({ calculator }, options)`, where
 * `calculator` is `createCalculator({ node })` of `@network/policy` and options are `RenderOptions`.
 */
export interface PolicyManager {
  setOptions(options: RenderOptions): void
  /** What changed in chains and sets since the last call; undefined if nothing did. */
  apply(): RenderedChanges | undefined
}
