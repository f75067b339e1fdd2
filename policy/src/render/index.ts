export {
  type ChainChanges,
  type RenderedChain,
  type RenderedChanges,
  type RenderedFamily,
  type RenderedRule,
  type RenderedSetChange,
  type RuleOrigin,
  type SetType,
  type Table,
  tables,
} from './rendered.ts'
export { type Failsafe, type RenderOptions, RENDER_DEFAULTS } from './options.ts'
export { type Renderer, createRenderer } from './renderer.ts'
export { activeSetName, policyChain, profileChain } from './names.ts'
export { fromWorkloadChain, toWorkloadChain } from './workload.ts'
export {
  type FlowJudge,
  type FlowPath,
  type FlowRoute,
  type TrackedFlow,
  createFlowJudge,
} from './flow-judge.ts'
