import { type Address, type Log, formatAddress } from '@network/net'
import { holderOfHandle, holderOfReservation } from '../ipam/block.ts'
import {
  type Handle,
  type HeldAddress,
  type Reservation,
  decodeHandle,
  decodeReservation,
  encodeHandle,
  encodeReservation,
} from '../ipam/handle.ts'
import { endpointKey, handleKey, reservationKey } from '../model/keys.ts'
import type { Condition, KeyValue, Operation } from '../store/store.ts'
import { AllocationError } from './allocation-error.ts'
import { putBack } from './assign.ts'
import type { PlanContext, Step, Task } from './task.ts'
import { describeHolder } from './refusals.ts'
import type { Alongside, ReleaseRequest, Released } from './requests.ts'

/** The task that releases all that a handle holds. */
export function releaseTask(log: Log, request: ReleaseRequest): Task<Released> {
  const key = handleKey(request.handle)
  /** What was tried last: if the answer was lost and the handle is gone since, that was us. */
  let attempted: { createRevision: number; released: Released } | undefined
  return {
    subject: `releasing handle '${request.handle}'`,
    reads: [key],
    async plan(context) {
      const present = await context.read(key)
      if (context.uncertain && attempted && present?.createRevision !== attempted.createRevision) {
        return { answer: attempted.released }
      }
      const alongside = (addresses: readonly HeldAddress[]): Alongside | undefined =>
        request.alongside?.(addresses)
      if (present === undefined) {
        const released: Released = { handle: request.handle, outcome: 'absent', addresses: [] }
        return write(released, [{ key, is: 'absent' }], [], alongside([]))
      }
      if (request.sequence !== undefined && present.createRevision !== request.sequence) {
        return { answer: { handle: request.handle, outcome: 'stale', addresses: [] } }
      }
      const decoded = decodeHandle(present.value)
      if (!decoded.ok)
        log.warn(
          { key, reason: decoded.error },
          'an unreadable handle is deleted, the audit will find its addresses',
        )
      const handle = decoded.ok ? decoded.value : undefined
      const parts = handle ? await freeHandle(handle, context, log) : { when: [], then: [] }
      const released: Released = {
        handle: request.handle,
        outcome: 'released',
        addresses: handle?.addresses ?? [],
        ...(handle?.reservation !== undefined && { reservation: handle.reservation }),
      }
      attempted = { createRevision: present.createRevision, released }
      return write(
        released,
        [{ key, is: 'at', modRevision: present.modRevision }, ...parts.when],
        [{ delete: key }, ...parts.then],
        alongside(released.addresses),
      )
    },
  }
}

function write(
  released: Released,
  when: readonly Condition[],
  then: readonly Operation[],
  alongside: Alongside | undefined,
): Step<Released> {
  const all = [...then, ...(alongside?.then ?? [])]
  if (all.length === 0) return { answer: released }
  return { write: { when, mustHold: alongside?.when ?? [], then: all, answer: () => released } }
}

/** Plans that a handle's addresses go back: to the reservation they came from, or to their blocks. */
async function freeHandle(
  handle: Handle,
  context: PlanContext,
  log: Log,
): Promise<{ when: Condition[]; then: Operation[] }> {
  if (handle.reservation !== undefined) {
    const key = reservationKey(handle.reservation)
    const item = await context.read(key)
    const decoded = item && decodeReservation(item.value)
    if (item && decoded?.ok) {
      const when: Condition[] = [{ key, is: 'at', modRevision: item.modRevision }]
      if (decoded.value.heldBy !== handle.id) return { when, then: [] }
      const { name, addresses, createdAt } = decoded.value
      return { when, then: [{ put: key, value: encodeReservation({ name, addresses, createdAt }) }] }
    }
  }
  const holder =
    handle.reservation === undefined ? holderOfHandle(handle.id) : holderOfReservation(handle.reservation)
  for (const held of handle.addresses) {
    if (!(await putBack(context, held, holder))) {
      log.warn({ handle: handle.id, ...held }, 'a released address was not held under this number any more')
    }
  }
  return { when: [], then: [] }
}

/** The task that releases one address of a handle, for people. */
export function releaseAddressTask(request: {
  address: Address
  handle: string
  sequence: number
  force: boolean
}): Task<Released> {
  const key = handleKey(request.handle)
  const text = formatAddress(request.address)
  return {
    subject: `releasing address ${text}`,
    reads: [key],
    async plan(context) {
      const present = await context.read(key)
      const decoded = present && decodeHandle(present.value)
      const handle = decoded?.ok ? decoded.value : undefined
      const held = handle?.addresses.find(
        (each) => each.address === text && each.sequence === request.sequence,
      )
      if (!present || !handle || !held) {
        return { answer: { handle: request.handle, outcome: 'absent', addresses: [] } }
      }
      const when: Condition[] = [{ key, is: 'at', modRevision: present.modRevision }]
      if (!request.force) {
        const endpoint = endpointKey(handle.owner)
        if ((await context.read(endpoint)) !== undefined) throw stillUsed(text, handle)
        when.push({ key: endpoint, is: 'absent' })
      }
      await putBack(context, held, holderOfHandle(request.handle))
      const rest = handle.addresses.filter((each) => each !== held)
      const then: Operation[] =
        rest.length === 0
          ? [{ delete: key }]
          : [{ put: key, value: encodeHandle({ ...handle, addresses: rest }) }]
      const released: Released = { handle: request.handle, outcome: 'released', addresses: [held] }
      return { write: { when, mustHold: [], then, answer: () => released } }
    },
  }
}

function stillUsed(address: string, handle: Handle): AllocationError {
  const holder = { handle: handle.id, owner: handle.owner }
  return new AllocationError('in-use', `Address ${address} is in use by ${describeHolder(holder)}.`, {
    remedy: 'Detach that workload, or force the release if it is really gone.',
    details: { address, holder },
  })
}

/** The task that frees an allocation which no handle and no reservation has. */
export function releaseLeakTask(held: HeldAddress, holder: string): Task<Released> {
  return {
    subject: `releasing leaked address ${held.address}`,
    reads: [],
    async plan(context) {
      const isHeld = await putBack(context, held, holder)
      const released: Released = {
        handle: '',
        outcome: isHeld ? 'released' : 'absent',
        addresses: isHeld ? [held] : [],
      }
      return isHeld
        ? { write: { when: [], mustHold: [], then: [], answer: () => released } }
        : { answer: released }
    },
  }
}

/** The task that gives a reservation's addresses back. */
export function releaseReservationTask(name: string): Task<Reservation> {
  const key = reservationKey(name)
  return {
    subject: `releasing reservation '${name}'`,
    reads: [key],
    async plan(context) {
      const item = await context.read(key)
      if (item === undefined) {
        throw new AllocationError('not-found', `There is no reservation '${name}'.`, {
          remedy: "'drover ipam show' lists the reservations.",
          details: { reservation: name },
        })
      }
      const reservation = decodedReservation(name, item)
      const when: Condition[] = [{ key, is: 'at', modRevision: item.modRevision }]
      if (reservation.heldBy !== undefined) {
        const user = await context.read(handleKey(reservation.heldBy))
        const handle = user && decodeHandle(user.value)
        if (handle?.ok && handle.value.reservation === name) {
          const holder = { handle: reservation.heldBy, owner: handle.value.owner }
          throw new AllocationError(
            'in-use',
            `Reservation '${name}' is in use by ${describeHolder(holder)}.`,
            {
              remedy: 'Stop that workload, or release its handle first.',
              details: { reservation: name, holder },
            },
          )
        }
        if (!user) when.push({ key: handleKey(reservation.heldBy), is: 'absent' })
      }
      for (const held of reservation.addresses) await putBack(context, held, holderOfReservation(name))
      return { write: { when, mustHold: [], then: [{ delete: key }], answer: () => reservation } }
    },
  }
}

function decodedReservation(name: string, item: KeyValue): Reservation {
  const decoded = decodeReservation(item.value)
  return decoded.ok ? decoded.value : { name, addresses: [], createdAt: 0 }
}
