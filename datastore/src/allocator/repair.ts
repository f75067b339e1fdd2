import {
  type Clock,
  type Log,
  address as knownAddress,
  formatPrefix,
  prefix as knownPrefix,
} from '@network/net'
import { AffinityState, decodeAffinity, encodeAffinity } from '../ipam/affinity.ts'
import type { AuditFinding, AuditReport } from '../ipam/audit-report.ts'
import {
  type Block,
  advanceSequence,
  createBlock,
  holderOfHandle,
  holderOfReservation,
  isEmpty,
  ordinalInBlock,
  takeOrdinal,
  withAffinity,
} from '../ipam/block.ts'
import { decodeBlock, encodeBlock } from '../ipam/block-encoding.ts'
import {
  type Handle,
  type HeldAddress,
  type Reservation,
  decodeHandle,
  decodeReservation,
  encodeHandle,
  encodeReservation,
} from '../ipam/handle.ts'
import { isRecord, parseJsonRecord } from '../ipam/json-record.ts'
import { blockOfAddress, poolOfAddress } from '../ipam/pool-choice.ts'
import {
  affinitiesPrefix,
  affinityKey,
  blockKey,
  endpointKey,
  handleKey,
  parseAffinityKey,
  parseEndpointKey,
  reservationKey,
} from '../model/keys.ts'
import type { Condition, KeyValue, Operation, Store } from '../store/store.ts'
import { AllocationError } from './allocation-error.ts'
import type { Committer } from './committer.ts'
import { findHolder } from './holder.ts'
import { releaseLeakTask, releaseTask } from './release.ts'
import type { RepairOutcome, RepairReport, RepairRequest } from './requests.ts'
import type { Settings } from './settings.ts'

/*
 * A report is old when it arrives, so nothing is done on its word: each repair reads again what it is about, and
 * writes with a compare-and-swap on all that it read. Without `immediate` a finding must moreover have been in an
 * earlier report, the grace period ago: what is only on its way in or out has gone by then.
 */

interface Modules {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly committer: Committer
  readonly freshSettings: () => Promise<Settings>
}

type Outcome = Omit<RepairOutcome, 'finding'>

const deadlineMs = 5_000
const changed: Outcome = { outcome: 'changed', detail: 'it is no longer so' }

export function createRepairer(modules: Modules, options: { node: string }) {
  const { clock, log } = modules
  /** Monotonic time of the first look, by the finding's id. */
  let firstSeen = new Map<string, number>()

  return {
    async repair(report: AuditReport, request: RepairRequest): Promise<RepairReport> {
      const { immediate = false, graceSeconds = 900 } = request
      const now = clock.monotonic()
      firstSeen = new Map(report.findings.map(({ id }) => [id, firstSeen.get(id) ?? now]))
      const outcomes: RepairOutcome[] = []
      for (const finding of report.findings) {
        const seenAt = firstSeen.get(finding.id) ?? now
        const isDue = immediate || (seenAt < now && now - seenAt >= graceSeconds * 1000)
        const outcome: Outcome = isDue
          ? await repairFinding(modules, options.node, finding)
          : { outcome: 'waiting', detail: 'it is repaired if it is still so at a later look' }
        if (outcome.outcome === 'repaired') {
          log.info({ finding, detail: outcome.detail }, 'an inconsistency of addresses was repaired')
          firstSeen.delete(finding.id)
        }
        outcomes.push({ finding, ...outcome })
      }
      return { outcomes }
    },
  }
}

async function repairFinding(modules: Modules, node: string, finding: AuditFinding): Promise<Outcome> {
  const { store, committer, log } = modules
  switch (finding.kind) {
    case 'leaked-address': {
      const allocation = { holder: await holderAt(store, finding), sequence: finding.sequence }
      const holder = await findHolder(store, finding.address, allocation, deadlineMs)
      if (holder.handle !== undefined || holder.reservation !== undefined) return changed
      const task = releaseLeakTask(heldOf(finding), allocation.holder)
      const released = await committer.run(task, deadlineMs)
      return released.outcome === 'released' ? repaired(`${finding.address} is free again`) : changed
    }
    case 'leaked-handle':
      return repairLeakedHandle(modules, finding, log)
    case 'handle-without-address':
      return repairHandle(modules, finding)
    case 'endpoint-without-address':
      return repairEndpoint(modules, node, finding)
    case 'block-without-affinity':
    case 'affinity-without-block':
    case 'stale-affinity':
      return finding.node === undefined ? changed : repairAffinity(store, finding.node, finding.block)
    case 'empty-block':
      return repairEmptyBlock(store, finding.block, finding.node)
    case 'address-twice':
      return {
        outcome: 'unrepairable',
        detail: `detach one of ${finding.holders.join(', ')}: which of them is right is not for a machine to say`,
      }
    case 'unreadable':
      return { outcome: 'unrepairable', detail: `write or delete ${finding.key}: ${finding.reason}` }
  }
}

function repaired(detail: string): Outcome {
  return { outcome: 'repaired', detail }
}

function heldOf({ family, address, block, sequence }: HeldAddress): HeldAddress {
  return { family, address, block, sequence }
}

/** A block as it is now, with the condition that it stays so. */
async function readBlock(
  store: Store,
  cidrText: string,
): Promise<{
  item: KeyValue | undefined
  block: Block | undefined
  condition: Condition
  isReadable: boolean
}> {
  const key = blockKey(knownPrefix(cidrText))
  const item = await store.get(key, { deadlineMs })
  const decoded = item && decodeBlock(item.value)
  const condition: Condition = item ? { key, is: 'at', modRevision: item.modRevision } : { key, is: 'absent' }
  return { item, block: decoded?.ok ? decoded.value : undefined, condition, isReadable: decoded?.ok ?? true }
}

async function holderAt(store: Store, held: HeldAddress): Promise<string> {
  const { block } = await readBlock(store, held.block)
  const ordinal = block && ordinalInBlock(block, knownAddress(held.address))
  return (ordinal === undefined ? undefined : block?.allocations.get(ordinal)?.holder) ?? ''
}

async function repairLeakedHandle(
  { store, committer }: Modules,
  finding: Extract<AuditFinding, { kind: 'leaked-handle' }>,
  log: Log,
): Promise<Outcome> {
  const endpoint = endpointKey(finding.owner)
  const [item, present] = await Promise.all([
    store.get(handleKey(finding.handle), { deadlineMs }),
    store.get(endpoint, { deadlineMs }),
  ])
  const handle = item && decodeHandle(item.value)
  if (!item || !handle?.ok || handle.value.createdAt !== finding.createdAt) return changed
  if (finding.reason === 'no-endpoint' && present) return changed
  const alongside = present
    ? {
        when: [{ key: endpoint, is: 'at' as const, modRevision: present.modRevision }],
        then: [{ delete: endpoint }],
      }
    : { when: [{ key: endpoint, is: 'absent' as const }], then: [] }
  try {
    const released = await committer.run(
      releaseTask(log, { handle: finding.handle, sequence: item.createRevision, alongside: () => alongside }),
      deadlineMs,
    )
    return released.outcome === 'released' ? repaired(`handle '${finding.handle}' is released`) : changed
  } catch (error) {
    if (error instanceof AllocationError && error.code === 'condition-failed') return changed
    throw error
  }
}

/** Takes the address again for its holder; if somebody else has it by now, the holder's entry is struck out. */
async function repairHandle(
  { store, freshSettings }: Modules,
  finding: Extract<AuditFinding, { kind: 'handle-without-address' }>,
): Promise<Outcome> {
  const isHandle = finding.handle !== undefined
  const name = finding.handle ?? finding.reservation ?? ''
  const key = isHandle ? handleKey(name) : reservationKey(name)
  const item = await store.get(key, { deadlineMs })
  const decoded = item && (isHandle ? decodeHandle(item.value) : decodeReservation(item.value))
  if (!item || !decoded?.ok) return changed
  const holder: Handle | Reservation = decoded.value
  const isIt = (held: HeldAddress): boolean =>
    held.address === finding.address && held.sequence === finding.sequence
  if (!holder.addresses.some(isIt)) return changed
  const { block, condition, isReadable } = await readBlock(store, finding.block)
  if (!isReadable) return { outcome: 'unrepairable', detail: `block ${finding.block} cannot be read` }
  const address = knownAddress(finding.address)
  const ordinal = (block && ordinalInBlock(block, address)) ?? -1
  const reservation = isHandle && 'reservation' in holder ? holder.reservation : undefined
  const blockHolder =
    isHandle && reservation === undefined ? holderOfHandle(name) : holderOfReservation(reservation ?? name)
  const allocation = block?.allocations.get(ordinal)
  if (allocation?.sequence === finding.sequence && allocation.holder === blockHolder) return changed
  const { pools } = await freshSettings()
  const taken =
    reservation === undefined && poolOfAddress(pools, address) !== undefined
      ? await retake(store, finding.block, block, finding.address, blockHolder)
      : undefined
  const addresses = taken
    ? holder.addresses.map((held) => (isIt(held) ? { ...held, sequence: taken.sequence } : held))
    : holder.addresses.filter((held) => !isIt(held))
  const then: Operation[] = taken ? [{ put: condition.key, value: encodeBlock(taken.block) }] : []
  if (addresses.length === 0) then.push({ delete: key })
  else if ('id' in holder) then.push({ put: key, value: encodeHandle({ ...holder, addresses }) })
  else then.push({ put: key, value: encodeReservation({ ...holder, addresses }) })
  const { committed } = await store.transact(
    { when: [condition, { key, is: 'at', modRevision: item.modRevision }], then },
    { deadlineMs },
  )
  if (!committed) return changed
  return repaired(
    taken ? `${finding.address} is allocated again` : `${finding.address} is struck from '${name}'`,
  )
}

/** The block with this address taken; undefined if somebody has it. */
async function retake(
  store: Store,
  cidrText: string,
  block: Block | undefined,
  addressText: string,
  holder: string,
): Promise<{ block: Block; sequence: number } | undefined> {
  const cidr = knownPrefix(cidrText)
  const { revision } = await store.list(blockKey(cidr), { keysOnly: true, deadlineMs })
  const before = block ? advanceSequence(block) : createBlock(cidr, null, revision)
  const ordinal = ordinalInBlock(before, knownAddress(addressText))
  const after = ordinal === undefined ? undefined : takeOrdinal(before, ordinal, holder)
  return after && { block: after, sequence: before.sequence }
}

/** Allocates the address that an endpoint has, to the endpoint's handle. */
async function repairEndpoint(
  { store, clock, freshSettings }: Modules,
  node: string,
  finding: Extract<AuditFinding, { kind: 'endpoint-without-address' }>,
): Promise<Outcome> {
  if (finding.endpoint === undefined) {
    const where = finding.node ?? node
    return { outcome: 'unrepairable', detail: `detach what has ${finding.address} on node '${where}'` }
  }
  const owner = parseEndpointKey(finding.endpoint)
  const item = await store.get(finding.endpoint, { deadlineMs })
  if (!owner || !item) return changed
  const parsed = parseJsonRecord(item.value)
  const spec = parsed.ok && isRecord(parsed.value['spec']) ? parsed.value['spec'] : {}
  const id = spec['handle']
  if (typeof id !== 'string' || id === '') {
    return {
      outcome: 'unrepairable',
      detail: `endpoint ${finding.endpoint} names no handle to hold the address`,
    }
  }
  const address = knownAddress(finding.address)
  const { pools } = await freshSettings()
  const pool = poolOfAddress(pools, address)
  if (!pool) return changed
  const cidrText = formatPrefix(blockOfAddress(pool, address))
  const { block, condition, isReadable } = await readBlock(store, cidrText)
  if (!isReadable) return { outcome: 'unrepairable', detail: `block ${cidrText} cannot be read` }
  const taken = await retake(store, cidrText, block, finding.address, holderOfHandle(id))
  if (!taken) return changed
  const key = handleKey(id)
  const handleItem = await store.get(key, { deadlineMs })
  const decoded = handleItem && decodeHandle(handleItem.value)
  if (decoded && !decoded.ok) return { outcome: 'unrepairable', detail: `${key} cannot be read` }
  const before: Handle = decoded?.value ?? { id, owner, addresses: [], createdAt: clock.now() }
  const held = { family: finding.family, address: finding.address, block: cidrText, sequence: taken.sequence }
  const addresses = [...before.addresses.filter((each) => each.address !== held.address), held]
  const { committed } = await store.transact(
    {
      when: [
        condition,
        { key: finding.endpoint, is: 'at', modRevision: item.modRevision },
        { key: pool.key, is: 'at', modRevision: pool.modRevision },
        handleItem ? { key, is: 'at', modRevision: handleItem.modRevision } : { key, is: 'absent' },
      ],
      then: [
        { put: condition.key, value: encodeBlock(taken.block) },
        { put: key, value: encodeHandle({ ...before, addresses }) },
      ],
    },
    { deadlineMs },
  )
  return committed ? repaired(`${finding.address} is allocated to handle '${id}'`) : changed
}

/** Makes a block and one node's affinity for it agree: the block decides whose it is. */
async function repairAffinity(store: Store, node: string, cidrText: string): Promise<Outcome> {
  const key = affinityKey(node, knownPrefix(cidrText))
  const item = await store.get(key, { deadlineMs })
  const { block, condition, isReadable } = await readBlock(store, cidrText)
  if (!isReadable) return { outcome: 'unrepairable', detail: `block ${cidrText} cannot be read` }
  const decoded = item && decodeAffinity(item.value)
  const state = decoded?.ok ? decoded.value : undefined
  const isHeld = block?.affinity === node
  const then: Operation[] = []
  let detail: string
  if (isHeld && state === AffinityState.pendingDeletion) {
    then.push({ delete: key })
    then.push(
      isEmpty(block)
        ? { delete: condition.key }
        : { put: condition.key, value: encodeBlock(withAffinity(advanceSequence(block), null)) },
    )
    detail = `block ${cidrText} is given back by node '${node}'`
  } else if (isHeld && state !== AffinityState.confirmed) {
    then.push({ put: key, value: encodeAffinity(AffinityState.confirmed) })
    detail = `node '${node}' holds block ${cidrText}`
  } else if (!isHeld && item) {
    then.push({ delete: key })
    detail = `node '${node}' does not hold block ${cidrText}`
  } else {
    return changed
  }
  const when: Condition[] = [
    condition,
    item ? { key, is: 'at', modRevision: item.modRevision } : { key, is: 'absent' },
  ]
  const { committed } = await store.transact({ when, then }, { deadlineMs })
  return committed ? repaired(detail) : changed
}

/** Gives an empty block back, as long as its node keeps another of the family. */
async function repairEmptyBlock(store: Store, cidrText: string, node: string | undefined): Promise<Outcome> {
  const { block, condition } = await readBlock(store, cidrText)
  if (!block || !isEmpty(block) || (block.affinity ?? undefined) !== node) return changed
  const when: Condition[] = [condition]
  const then: Operation[] = [{ delete: condition.key }]
  if (node !== undefined) {
    const { items } = await store.list(affinitiesPrefix(node, block.cidr.address.family), { deadlineMs })
    const own = affinityKey(node, block.cidr)
    const another = items.find(({ key }) => key !== own)
    const anotherBlock = another && parseAffinityKey(another.key)?.block
    if (!another || !anotherBlock) return { outcome: 'changed', detail: "it is the node's last block" }
    when.push({ key: another.key, is: 'present' }, { key: blockKey(anotherBlock), is: 'present' })
    then.push({ delete: own })
  }
  const { committed } = await store.transact({ when, then }, { deadlineMs })
  return committed ? repaired(`empty block ${cidrText} is given back`) : changed
}
