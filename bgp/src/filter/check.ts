import { actionNextHop, applyActions } from './actions.ts'
import { compilePolicy } from './compile.ts'
import { type Policy } from './policy.ts'

export interface PolicyFault {
  /** Index of the rule. */
  readonly rule: number
  /** A sentence that names the text and what is accepted. */
  readonly text: string
}

/** Every rule of a policy that can't be carried out as it is written, with the first thing that is wrong in it. */
export function policyFaults(policy: Policy): readonly PolicyFault[] {
  return policy.rules.flatMap((rule, index) => {
    try {
      compilePolicy({ rules: [rule] })
      if (rule.set !== undefined) {
        applyActions({}, rule.set)
        actionNextHop(rule.set)
      }
      return []
    } catch (error) {
      if (error instanceof TypeError) return [{ rule: index, text: error.message }]
      throw error
    }
  })
}
