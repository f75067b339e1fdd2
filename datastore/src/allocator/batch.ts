import { type Condition, type KeyValue, type Operation } from '../store/store.ts'
import type { Plan } from './task.ts'
import type { Workspace } from './workspace.ts'

/** One transaction of many plans and of the blocks that they changed; if it fails its answer shows every key it asked about. */
export function assemble(
  plans: readonly Plan<unknown>[],
  workspace: Workspace,
): { when: Condition[]; then: Operation[]; otherwise: { get: string }[] } {
  const blocks = workspace.operations()
  const when = uniqueConditions([
    ...blocks.when,
    ...plans.flatMap((plan) => [...plan.when, ...plan.mustHold]),
  ])
  return {
    when,
    then: [...blocks.then, ...plans.flatMap((plan) => plan.then)],
    otherwise: [...new Set(when.map(({ key }) => key))].map((get) => ({ get })),
  }
}

/** The longer of the two lists that assemble() will make, or a little more. */
export function entries(plans: readonly Plan<unknown>[], workspace: Workspace): number {
  let when = workspace.draftCount
  let then = workspace.draftCount + workspace.claims().length
  for (const plan of plans) {
    when += plan.when.length + plan.mustHold.length
    then += plan.then.length
  }
  return Math.max(when, then)
}

function uniqueConditions(conditions: readonly Condition[]): Condition[] {
  const unique = new Map<string, Condition>()
  for (const condition of conditions) {
    const revision = condition.is === 'at' ? String(condition.modRevision) : ''
    unique.set(`${condition.is} ${revision} ${condition.key}`, condition)
  }
  return [...unique.values()]
}

/** The key that an operation is about. */
export function writtenKey(operation: Operation): string {
  if ('put' in operation) return operation.put
  if ('delete' in operation) return operation.delete
  return 'get' in operation ? operation.get : operation.deletePrefix
}

/** Whether a condition is true of what is there. */
export function holds(condition: Condition, present: ReadonlyMap<string, KeyValue | undefined>): boolean {
  const item = present.get(condition.key)
  if (condition.is === 'absent') return item === undefined
  return item !== undefined && (condition.is === 'present' || item.modRevision === condition.modRevision)
}
