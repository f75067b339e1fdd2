import { type FieldFault } from '../model/kind.ts'
import { resourceKey, type ResourceReference } from '../model/keys.ts'
import { describeReference, ResourceError } from './resource-error.ts'
import { type Condition, type Operation, type Store, StoreError } from './store.ts'

/** Resources that one call may write or delete: a transaction has 128 conditions and operations, some for the rules. */
export const MAX_BATCH = 120

/** Rounds of reading, planning and writing until a call gives up. */
export const ATTEMPTS = 16

/** The key of a resource. @throws ResourceError 'invalid' if its name can't be in one */
export function keyOf(reference: ResourceReference): string {
  try {
    return resourceKey(reference)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new ResourceError('invalid', `${error.message}.`, {
      reference,
      field: 'metadata.name',
      value: reference.name,
      remedy: 'Names are letters, digits, -, _ and ., beginning with a letter or digit.',
    })
  }
}

export function refuseLargeBatch(count: number, reference: ResourceReference): void {
  if (count <= MAX_BATCH) return
  throw new ResourceError(
    'invalid',
    `${String(count)} resources don't fit into one transaction, which takes ${String(MAX_BATCH)}.`,
    { reference, remedy: 'Split them over several calls; each is all or nothing.' },
  )
}

/** The error that tells all faults of a resource. */
export function invalid(reference: ResourceReference, faults: readonly FieldFault[]): ResourceError {
  const [first] = faults
  return new ResourceError(
    'invalid',
    `${describeReference(reference)}: ${faults.map((fault) => fault.message).join('; ')}.`,
    {
      reference,
      faults,
      ...(first === undefined ? {} : { field: first.path, value: first.value }),
      remedy: 'Correct the fields named and try again; nothing was written.',
    },
  )
}

export function keepsChanging(reference: ResourceReference | undefined): ResourceError {
  const what = reference ?? { kind: 'IPPool' as const, name: '' }
  return new ResourceError(
    'conflict',
    `${describeReference(what)}: somebody else changed it, or what it depends on, ${String(ATTEMPTS)} times in a row.`,
    { reference: what, remedy: 'Try again; nothing was written.' },
  )
}

export type Outcome = { committed: true; revision: number } | { committed: false; uncertain: boolean }

/** One transaction. A lost answer is not an error here: the next round finds out what became of it. */
export async function commit(
  store: Store,
  transaction: { when: Condition[]; then: Operation[] },
): Promise<Outcome> {
  try {
    const result = await store.transact(transaction)
    return result.committed
      ? { committed: true, revision: result.revision }
      : { committed: false, uncertain: false }
  } catch (error) {
    if (error instanceof StoreError && error.code === 'unknown-outcome')
      return { committed: false, uncertain: true }
    throw error
  }
}
