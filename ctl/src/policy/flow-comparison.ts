import { compareFlows, createEvaluator, type FlowComparison } from '@network/policy'
import type { ExplainedChange } from '../output/flow-changes.ts'
import { decidedBy } from '../output/verdict.ts'
import type { PolicyModel } from './policy-model.ts'

/** What the second state lets through otherwise than the first, each change with who decides it there. */
export function explainChanges(
  before: PolicyModel,
  after: PolicyModel,
): { comparison: FlowComparison; changes: ExplainedChange[] } {
  const comparison = compareFlows(before.evaluator, after.evaluator)
  const evaluator = createEvaluator(after.evaluator)
  const changes = comparison.changes.map((change) => ({
    ...change,
    by: decidedBy(evaluator.judge(change.example)),
  }))
  return { comparison, changes }
}
