/** Import and export policy: data, functions, and the combinators that make data. */
export { PolicyBuilder, accept, firstOf, reject } from './combinators.ts'
export { type PolicyFault, policyFaults } from './check.ts'
export { type CompiledPolicy, compilePolicy } from './compile.ts'
export type {
  AnyPolicy,
  Policy,
  PolicyActions,
  PolicyFunction,
  PolicyMatch,
  PolicyRule,
  PrefixCondition,
  PrefixOperator,
} from './policy.ts'
export type { RouteView } from './route-view.ts'
