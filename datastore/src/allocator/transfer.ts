import { type HeldAddress, decodeHandle, encodeHandle } from '../ipam/handle.ts'
import { handleKey } from '../model/keys.ts'
import type { Condition, Operation } from '../store/store.ts'
import { AllocationError } from './allocation-error.ts'
import type { Task } from './committer.ts'
import { handleTaken } from './refusals.ts'
import type { TransferRequest } from './requests.ts'

/**
 * The task that gives handles another owner: for runtimes that ask for an address before they say for whom. Blocks
 * name the handle and stay as they are.
 */
export function transferTask(request: TransferRequest): Task<readonly HeldAddress[]> {
  const keys = request.handles.map(handleKey)
  return {
    subject: `giving ${request.handles.map((handle) => `handle '${handle}'`).join(' and ')} to '${request.owner.workload}'`,
    reads: keys,
    async plan(context) {
      const when: Condition[] = []
      const then: Operation[] = []
      const held: HeldAddress[] = []
      for (const [index, id] of request.handles.entries()) {
        const key = keys[index] ?? ''
        const item = await context.read(key)
        const decoded = item && decodeHandle(item.value)
        if (item === undefined || decoded?.ok !== true) {
          throw new AllocationError(
            'not-found',
            `There is no handle '${id}' to give to '${request.owner.workload}'.`,
            {
              details: { handle: id },
            },
          )
        }
        const handle = decoded.value
        const { owner } = handle
        const isTheirs = sameOwner(owner, request.owner)
        if (!isTheirs && request.from?.(owner) === false) throw handleTaken(id, { handle: id, owner })
        held.push(...handle.addresses)
        when.push({ key, is: 'at', modRevision: item.modRevision })
        if (!isTheirs) then.push({ put: key, value: encodeHandle({ ...handle, owner: request.owner }) })
      }
      const alongside = request.alongside?.(held)
      const all = [...then, ...(alongside?.then ?? [])]
      if (all.length === 0) return { answer: held }
      return { write: { when, mustHold: alongside?.when ?? [], then: all, answer: () => held } }
    },
  }
}

function sameOwner(a: TransferRequest['owner'], b: TransferRequest['owner']): boolean {
  return (
    a.node === b.node &&
    a.orchestrator === b.orchestrator &&
    a.workload === b.workload &&
    a.endpoint === b.endpoint
  )
}
