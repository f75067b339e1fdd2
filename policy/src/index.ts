/**
 * Who may talk to whom. Calculation tells incrementally what one node must have in its kernel, rendering turns that
 * into chains and sets, the evaluator judges one flow by itself. Pure.
 */
export * from './calc/active.ts'
export {
  type AnyPolicySpec,
  type BrokenUpdate,
  type PolicyKind,
  type PolicyKinds,
  type PolicyResource,
  type PolicyUpdate,
  type ReadableUpdate,
} from './input.ts'
export { type PortRange } from './port-range.ts'
export { type Calculator, type CalculatorOptions, createCalculator } from './calc/calculator.ts'
export {
  type Evaluator,
  type EvaluatorModel,
  type Flow,
  type NodeSettings,
  type PacketAddresses,
  type Party,
  type Stage,
  type Step,
  type Verdict,
} from './evaluator/flow.ts'
export { type Bearing, type BearingPlace, rulesOn } from './evaluator/bearing.ts'
export { createEvaluator, judge } from './evaluator/judge.ts'
export { compareFlows } from './evaluator/compare.ts'
export {
  type AddressRange,
  type CompareOptions,
  type FlowChange,
  type FlowComparison,
  type FlowEnd,
} from './evaluator/comparison.ts'
export * from './render/index.ts'
