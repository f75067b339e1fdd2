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
