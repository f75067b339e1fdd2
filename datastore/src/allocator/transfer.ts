import { type HeldAddress, decodeHandle, encodeHandle } from '../ipam/handle.ts'
import { handleKey } from '../model/keys.ts'
import type { Condition, Operation } from '../store/store.ts'
import { AllocationError } from './allocation-error.ts'
import type { PlanContext, Task } from './task.ts'
import { handleTaken } from './refusals.ts'
import type { TakeOver, TransferRequest } from './requests.ts'

/**
 * The task that gives handles another owner: for runtimes that ask for an address before they say for whom. Blocks
 * name the handle and stay as they are.
 */
export function transferTask(request: TransferRequest): Task<readonly HeldAddress[]> {
  return {
    subject: `giving ${request.handles.map((handle) => `handle '${handle}'`).join(' and ')} to '${request.owner.workload}'`,
    reads: request.handles.map(handleKey),
    async plan(context) {
      const { when, then, held } = await planTakeOver(request, request.owner, context)
      const alongside = request.alongside?.(held)
      const all = [...then, ...(alongside?.then ?? [])]
      if (all.length === 0) return { answer: held }
      return { write: { when, mustHold: alongside?.when ?? [], then: all, answer: () => held } }
    },
  }
}

/** What gives handles another owner, as part of a transaction. @throws AllocationError `not-found`, `taken` */
export async function planTakeOver(
  { handles, from }: TakeOver,
  owner: TransferRequest['owner'],
  context: Pick<PlanContext, 'read'>,
): Promise<{ when: Condition[]; then: Operation[]; held: HeldAddress[] }> {
  const when: Condition[] = []
  const then: Operation[] = []
  const held: HeldAddress[] = []
  for (const id of handles) {
    const key = handleKey(id)
    const item = await context.read(key)
    const decoded = item && decodeHandle(item.value)
    if (item === undefined || decoded?.ok !== true) {
      throw new AllocationError('not-found', `There is no handle '${id}' to give to '${owner.workload}'.`, {
        details: { handle: id },
      })
    }
    const handle = decoded.value
    const isTheirs = sameOwner(handle.owner, owner)
    if (!isTheirs && from?.(handle.owner) === false)
      throw handleTaken(id, { handle: id, owner: handle.owner })
    held.push(...handle.addresses)
    when.push({ key, is: 'at', modRevision: item.modRevision })
    if (!isTheirs) then.push({ put: key, value: encodeHandle({ ...handle, owner }) })
  }
  return { when, then, held }
}

function sameOwner(a: TransferRequest['owner'], b: TransferRequest['owner']): boolean {
  return (
    a.node === b.node &&
    a.orchestrator === b.orchestrator &&
    a.workload === b.workload &&
    a.endpoint === b.endpoint
  )
}
