import type { Allocation } from '../ipam/block.ts'
import { decodeHandle, decodeReservation } from '../ipam/handle.ts'
import { prefixes } from '../model/keys.ts'
import type { KeyValue, Store } from '../store/store.ts'
import type { Holder } from './requests.ts'

const pageSize = 500

/** Finds who has an allocated address: the allocation says how the holder's key begins, its value must agree. */
export async function findHolder(
  store: Store,
  address: string,
  allocation: Allocation,
  deadlineMs: number,
): Promise<Holder> {
  const isIt = (held: { address: string; sequence: number }): boolean =>
    held.address === address && held.sequence === allocation.sequence
  if (!allocation.holder.startsWith('@')) {
    for await (const { value } of each(store, prefixes.handles + allocation.holder, deadlineMs)) {
      const handle = decodeHandle(value)
      if (handle.ok && handle.value.addresses.some(isIt)) {
        const { id, owner } = handle.value
        return { handle: id, owner }
      }
    }
    return {}
  }
  for await (const { value } of each(store, prefixes.reservations + allocation.holder.slice(1), deadlineMs)) {
    const reservation = decodeReservation(value)
    if (reservation.ok && reservation.value.addresses.some(isIt)) {
      const { name, heldBy, owner } = reservation.value
      return { reservation: name, ...(heldBy !== undefined && { handle: heldBy }), ...(owner && { owner }) }
    }
  }
  return {}
}

/** Every item under a prefix, page by page, as of one revision. */
export async function* each(
  store: Store,
  prefix: string,
  deadlineMs: number,
  atRevision?: number,
): AsyncGenerator<KeyValue, void> {
  let after: string | undefined
  let revision = atRevision
  do {
    const page = await store.list(prefix, {
      deadlineMs,
      limit: pageSize,
      ...(after !== undefined && { after }),
      ...(revision !== undefined && { revision }),
    })
    yield* page.items
    revision = page.revision
    after = page.next
  } while (after !== undefined)
}
