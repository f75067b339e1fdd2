import {
  type Address,
  type Family,
  type Prefix,
  address as knownAddress,
  formatAddress,
  parseAddress,
  parsePrefix,
  prefix as knownPrefix,
} from '@network/net'
import { giveBack, holderOfHandle, holderOfReservation, ordinalInBlock, takeOrdinal } from '../ipam/block.ts'
import {
  type Handle,
  type HeldAddress,
  type Reservation,
  decodeHandle,
  decodeReservation,
  encodeHandle,
  encodeReservation,
} from '../ipam/handle.ts'
import { choosePools, poolOfAddress } from '../ipam/pool-choice.ts'
import { handleKey, reservationKey } from '../model/keys.ts'
import type { Condition, KeyValue, Operation, Store } from '../store/store.ts'
import { AllocationError } from './allocation-error.ts'
import type { PlanContext, Step, Task } from './task.ts'
import {
  addressTaken,
  handleMismatch,
  handleTaken,
  invalid,
  poolRefused,
  reservationMismatch,
  reservationTaken,
  strictAffinityForbids,
} from './refusals.ts'
import type { AssignRequest, AssignedAddress, Assignment } from './requests.ts'
import { type Taken, takeAutomatic, takeFixed } from './take.ts'
import { planTakeOver } from './transfer.ts'
import type { Workspace } from './workspace.ts'

const families = ['ipv4', 'ipv6'] as const

/** A request whose texts have been read. */
interface Wanted extends AssignRequest {
  readonly fixed: readonly Address[]
  readonly ranges: readonly Prefix[]
  readonly counts: Readonly<Record<Family, number>>
}

/** The task that assigns addresses to a handle. @throws AllocationError `invalid` */
export function assignTask(store: Store, node: string, request: AssignRequest): Task<Assignment> {
  const wanted = readRequest(node, request)
  /** Values of the handle that this task has tried to write: finding one of them is our own success. */
  const attempted = new Set<string>()
  return {
    subject: `assigning addresses to handle '${request.handle}'`,
    reads: [
      ...(request.reservation === undefined ? [] : [reservationKey(request.reservation)]),
      ...(request.takeOver?.handles ?? []).map(handleKey),
    ],
    async plan(context) {
      const checkpoint = context.workspace.checkpoint()
      try {
        return await planAssign(store, wanted, attempted, context)
      } catch (error) {
        // The handle is not read beforehand, since it is nearly always new. But what is taken may be its own.
        const key = handleKey(request.handle)
        const isOwn =
          error instanceof AllocationError &&
          context.known(key) === null &&
          (await context.read(key)) !== undefined
        if (!isOwn) throw error
        context.workspace.rollback(checkpoint)
        return planAssign(store, wanted, attempted, context)
      }
    },
  }
}

function readRequest(node: string, request: AssignRequest): Wanted {
  if (request.handle === '') throw invalid('The handle is empty.')
  if (/\p{Surrogate}/u.test(request.handle)) throw invalid('The handle is not well-formed text.')
  if (request.reservation !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._@-]{0,252}$/.test(request.reservation)) {
    throw invalid(
      `'${request.reservation}' can't be the name of a reservation: up to 253 letters, digits, '.', '_', '-' and '@' are allowed.`,
    )
  }
  if (request.owner.node !== node) {
    throw invalid(
      `Handle '${request.handle}' is for node '${request.owner.node}', but this is node '${node}'.`,
    )
  }
  const fixed = (request.addresses ?? []).map((text) => {
    const parsed = parseAddress(text)
    if (!parsed.ok) throw invalid(`'${text}' is not an address: ${parsed.error.reason}.`, { address: text })
    return parsed.value
  })
  const texts = fixed.map(formatAddress)
  const twice = texts.find((text, index) => texts.indexOf(text) !== index)
  if (twice !== undefined) throw invalid(`Address ${twice} is asked for twice.`, { address: twice })
  const counts = { ipv4: 0, ipv6: 0 }
  for (const family of families) {
    const count = request[family] ?? 0
    if (!Number.isInteger(count) || count < 0 || count > 4096) {
      throw invalid(`${family}: ${String(count)} is not a number of addresses from 0 to 4096.`)
    }
    counts[family] = Math.max(count, fixed.filter((address) => address.family === family).length)
  }
  if (counts.ipv4 + counts.ipv6 === 0 && request.reservation === undefined) {
    throw invalid(`Handle '${request.handle}' asks for no address.`)
  }
  const ranges = (request.within ?? []).map((text) => {
    const parsed = parsePrefix(text)
    if (!parsed.ok) throw invalid(`'${text}' is not a range: ${parsed.error.reason}.`, { range: text })
    return parsed.value
  })
  return { ...request, fixed, ranges, counts }
}

async function planAssign(
  store: Store,
  wanted: Wanted,
  attempted: Set<string>,
  context: PlanContext,
): Promise<Step<Assignment>> {
  const key = handleKey(wanted.handle)
  const present = context.uncertain ? await context.read(key) : context.known(key)
  let handleCondition: Condition = { key, is: 'absent' }
  if (present) {
    const assignment = await existingAssignment(wanted, present, attempted, context)
    if (assignment) return { answer: assignment }
    handleCondition = { key, is: 'at', modRevision: present.modRevision }
  }
  const when: Condition[] = [handleCondition]
  const then: Operation[] = []

  const kept =
    wanted.reservation === undefined ? undefined : await keptAddresses(wanted, wanted.reservation, context)
  if (kept) when.push(...kept.when)
  const takenOver = wanted.takeOver && (await planTakeOver(wanted.takeOver, wanted.owner, context))
  if (takenOver) {
    when.push(...takenOver.when)
    then.push(...takenOver.then)
  }
  const holder =
    wanted.reservation === undefined ? holderOfHandle(wanted.handle) : holderOfReservation(wanted.reservation)
  const { taken, shortfall } = await take(store, wanted, kept?.reservation?.addresses ?? [], holder, context)

  const addresses: AssignedAddress[] = [
    ...(kept?.assigned ?? []),
    ...taken.map(({ held, pool, borrowed }) => ({ ...held, pool: pool.name, borrowed })),
  ]
  const [firstShortfall] = Object.values(shortfall)
  if (addresses.length === 0) {
    throw firstShortfall ?? invalid(`Handle '${wanted.handle}' asks for no address.`)
  }
  for (const pool of new Set(taken.map((each) => each.pool))) {
    when.push({ key: pool.key, is: 'at', modRevision: pool.modRevision })
  }
  const createdAt = context.workspace.now
  const held = addresses.map(heldOf)
  const handle: Handle = {
    id: wanted.handle,
    owner: wanted.owner,
    addresses: held,
    ...(wanted.reservation !== undefined && { reservation: wanted.reservation }),
    createdAt,
  }
  const value = encodeHandle(handle)
  attempted.add(value)
  then.push({ put: key, value })
  if (wanted.reservation !== undefined) {
    const reservation: Reservation = {
      name: wanted.reservation,
      addresses: held,
      heldBy: wanted.handle,
      owner: wanted.owner,
      createdAt: kept?.reservation?.createdAt ?? createdAt,
    }
    then.push({ put: reservationKey(wanted.reservation), value: encodeReservation(reservation) })
  }
  const assignment: Assignment = {
    handle: wanted.handle,
    owner: wanted.owner,
    addresses,
    ...(wanted.reservation !== undefined && { reservation: wanted.reservation }),
    existing: false,
    sequence: 0,
    shortfall,
  }
  const alongside = wanted.alongside?.(assignment, takenOver?.held ?? [])
  return {
    write: {
      when,
      mustHold: alongside?.when ?? [],
      then: [...then, ...(alongside?.then ?? [])],
      answer: (revision) => ({ ...assignment, sequence: present ? present.createRevision : revision }),
    },
  }
}

async function take(
  store: Store,
  wanted: Wanted,
  kept: readonly HeldAddress[],
  holder: string,
  context: PlanContext,
): Promise<{ taken: Taken[]; shortfall: Partial<Record<Family, AllocationError>> }> {
  const { workspace, notBefore, deadlineMs, attempt } = context
  const { settings, node } = workspace
  const freshness = { notBefore, deadlineMs }
  const taken: Taken[] = []
  const shortfall: Partial<Record<Family, AllocationError>> = {}
  for (const address of wanted.fixed) {
    if (kept.some((held) => held.address === formatAddress(address))) continue
    taken.push(
      await takeFixed(
        { workspace, store },
        { ...freshness, address, holder, pools: wanted.pools, within: wanted.ranges },
      ),
    )
  }
  for (const family of families) {
    const have =
      kept.filter((held) => held.family === family).length +
      taken.filter(({ held }) => held.family === family).length
    const count = wanted.counts[family] - have
    if (count <= 0) continue
    const chosen = choosePools(settings.pools, family, wanted.pools, settings.selectsNode)
    const result = chosen.ok
      ? await takeAutomatic(workspace, {
          ...{ ...freshness, family, count, holder, attempt },
          pools: chosen.value,
          within: wanted.ranges,
        })
      : { taken: [], refusal: poolRefused(chosen.error, node) }
    if (result.refusal && wanted.partial !== true) throw result.refusal
    if (result.refusal) shortfall[family] = result.refusal
    taken.push(...result.taken)
  }
  return { taken, shortfall }
}

/**
 * What the handle already holds, if blocks agree and it is what was asked for. Undefined if blocks disagree: then it
 * is assigned anew, and what it does hold goes back.
 * @throws AllocationError
 */
async function existingAssignment(
  wanted: Wanted,
  present: KeyValue,
  attempted: ReadonlySet<string>,
  context: PlanContext,
): Promise<Assignment | undefined> {
  const decoded = decodeHandle(present.value)
  if (!decoded.ok) {
    throw handleMismatch(wanted.handle, [`something unreadable (${decoded.error})`], 'addresses')
  }
  const handle = decoded.value
  const { owner } = handle
  const isSame =
    owner.node === wanted.owner.node &&
    owner.orchestrator === wanted.owner.orchestrator &&
    owner.workload === wanted.owner.workload &&
    owner.endpoint === wanted.owner.endpoint
  if (!isSame) throw handleTaken(wanted.handle, { handle: handle.id, owner })
  const assignment = await assignmentOf(handle, present.createRevision, context)
  const texts = handle.addresses.map(({ address }) => address)
  const isOurs = context.uncertain && attempted.has(present.value)
  for (const fixed of wanted.fixed.map(formatAddress)) {
    if (!texts.includes(fixed)) throw handleMismatch(wanted.handle, texts, fixed)
  }
  for (const family of families) {
    const count = handle.addresses.filter((held) => held.family === family).length
    if (count < wanted.counts[family] && wanted.partial !== true) {
      throw handleMismatch(wanted.handle, texts, `${String(wanted.counts[family])} of ${family}`)
    }
  }
  if (wanted.reservation !== handle.reservation) {
    throw handleMismatch(wanted.handle, texts, `what reservation '${wanted.reservation ?? 'none'}' keeps`)
  }
  if (assignment) return { ...assignment, existing: !isOurs }
  for (const held of handle.addresses) await putBack(context, held, holderOfHandle(handle.id))
  return undefined
}

/** The assignment that a handle stands for, looked up in the store; undefined if a block doesn't hold an address for it. */
async function assignmentOf(
  handle: Handle,
  createRevision: number,
  { workspace, deadlineMs }: PlanContext,
): Promise<Assignment | undefined> {
  const addresses: AssignedAddress[] = []
  for (const held of handle.addresses) {
    const cidr = knownPrefix(held.block)
    const block = (await workspace.cache.reload(cidr, deadlineMs))?.block
    const address = knownAddress(held.address)
    const ordinal = block && ordinalInBlock(block, address)
    if (ordinal === undefined || block?.allocations.get(ordinal)?.sequence !== held.sequence) return undefined
    addresses.push({
      ...held,
      pool: poolOfAddress(workspace.settings.pools, address)?.name,
      borrowed: block.affinity !== workspace.node,
    })
  }
  return {
    handle: handle.id,
    owner: handle.owner,
    addresses,
    ...(handle.reservation !== undefined && { reservation: handle.reservation }),
    existing: true,
    sequence: createRevision,
    shortfall: {},
  }
}

/** Plans to free an address, if its block still holds it for this holder under its number. @returns whether it did */
export async function putBack(
  { workspace, deadlineMs }: Pick<PlanContext, 'workspace' | 'deadlineMs'>,
  held: HeldAddress,
  holder: string,
): Promise<boolean> {
  const cidr = knownPrefix(held.block)
  const address = knownAddress(held.address)
  const attempt = (seen: Awaited<ReturnType<Workspace['cache']['get']>>): boolean => {
    if (!seen?.block) return false
    const current = workspace.planned(cidr) ?? seen.block
    const ordinal = ordinalInBlock(current, address)
    const allocation = ordinal === undefined ? undefined : current.allocations.get(ordinal)
    if (ordinal === undefined || allocation?.sequence !== held.sequence || allocation.holder !== holder)
      return false
    workspace.update({ ...seen, block: seen.block }, (block) =>
      giveBack(block, ordinal, held.sequence, workspace.cooling),
    )
    return true
  }
  if (attempt(await workspace.cache.get(cidr, deadlineMs))) return true
  // What the cache has may be older than the allocation.
  return attempt(await workspace.cache.reload(cidr, deadlineMs))
}

/** What a reservation by name keeps for this handle. @throws AllocationError `taken`, `mismatch`, `strict-affinity` */
async function keptAddresses(
  wanted: Wanted,
  name: string,
  context: PlanContext,
): Promise<{ reservation: Reservation | undefined; assigned: AssignedAddress[]; when: Condition[] }> {
  const key = reservationKey(name)
  const item = await context.read(key)
  if (item === undefined) return { reservation: undefined, assigned: [], when: [{ key, is: 'absent' }] }
  const decoded = decodeReservation(item.value)
  if (!decoded.ok) throw reservationTaken(name, {})
  const reservation = decoded.value
  const when: Condition[] = [{ key, is: 'at', modRevision: item.modRevision }]
  if (reservation.heldBy !== undefined && reservation.heldBy !== wanted.handle) {
    const user = await context.read(handleKey(reservation.heldBy))
    const handle = user && decodeHandle(user.value)
    if (handle?.ok && handle.value.reservation === name) {
      throw reservationTaken(name, { handle: reservation.heldBy, owner: handle.value.owner })
    }
    if (!user) when.push({ key: handleKey(reservation.heldBy), is: 'absent' })
  }
  const texts = reservation.addresses.map(({ address }) => address)
  for (const address of wanted.fixed) {
    const isOther = reservation.addresses.some(({ family }) => family === address.family)
    if (isOther && !texts.includes(formatAddress(address))) {
      throw reservationMismatch(name, texts, formatAddress(address))
    }
  }
  const assigned: AssignedAddress[] = []
  for (const held of reservation.addresses) assigned.push(await keep(name, held, context))
  return { reservation: { ...reservation, addresses: assigned.map(heldOf) }, assigned, when }
}

/** One kept address; if its block lost it, it is taken again as long as nobody else has. */
async function keep(name: string, held: HeldAddress, context: PlanContext): Promise<AssignedAddress> {
  const { workspace, deadlineMs } = context
  const cidr = knownPrefix(held.block)
  const address = knownAddress(held.address)
  const pool = poolOfAddress(workspace.settings.pools, address)?.name
  const seen = await workspace.cache.reload(cidr, deadlineMs)
  const block = workspace.planned(cidr) ?? seen?.block
  if (block && block.affinity !== workspace.node && workspace.settings.configuration.strictAffinity) {
    throw strictAffinityForbids(held.address, held.block, block.affinity)
  }
  const ordinal = block && ordinalInBlock(block, address)
  const borrowed = block?.affinity !== workspace.node
  if (ordinal !== undefined && block?.allocations.get(ordinal)?.sequence === held.sequence) {
    return { ...held, pool, borrowed }
  }
  if (!seen?.block || ordinal === undefined || block?.allocations.has(ordinal))
    throw addressTaken(held.address, {})
  const changed = workspace.update({ ...seen, block: seen.block }, (before) => {
    return takeOrdinal(before, ordinal, holderOfReservation(name)) ?? before
  })
  return { ...held, sequence: changed.allocations.get(ordinal)?.sequence ?? held.sequence, pool, borrowed }
}

function heldOf({ family, address, block, sequence }: HeldAddress): HeldAddress {
  return { family, address, block, sequence }
}
