import { type Clock, type Log, formatAddress, formatPrefix, parseAddress } from '@network/net'
import { ordinalInBlock, restMs } from '../ipam/block.ts'
import { decodeHandle, decodeReservation } from '../ipam/handle.ts'
import { poolOfAddress } from '../ipam/pool-choice.ts'
import { reservedOrdinals } from '../ipam/reserved.ts'
import { handleKey, prefixes } from '../model/keys.ts'
import type { Store } from '../store/store.ts'
import { claimAffinity, releaseAffinities } from './affinities.ts'
import { assignTask } from './assign.ts'
import { AllocationError } from './allocation-error.ts'
import { readSnapshot } from './audit-snapshot.ts'
import { BlockCache } from './block-cache.ts'
import { Committer } from './committer.ts'
import { each, findHolder } from './holder.ts'
import { invalid } from './refusals.ts'
import { releaseAddressTask, releaseLeakTask, releaseReservationTask, releaseTask } from './release.ts'
import { createRepairer } from './repair.ts'
import type { AddressState, Allocator, AssignedAddress } from './requests.ts'
import { createSettingsReader } from './settings.ts'
import { show } from './show.ts'
import { transferTask } from './transfer.ts'
import { compareSnapshot } from '../ipam/audit.ts'

export interface AllocatorModules {
  readonly store: Store
  readonly clock: Clock
  /** From 0 to 1, for jitter. */
  readonly random: () => number
  readonly log: Log
}

export interface AllocatorOptions {
  /** The node whose workloads get the addresses. */
  readonly node: string
  /**
   * How long pools, reservations and configuration may have been known before they are read again. A change to a
   * pool itself is never missed, whatever this says, and no request is refused on what is old. Default 2,000.
   */
  readonly settingsMaxAgeMs?: number
  /** Default for requests that name none: 5,000. */
  readonly deadlineMs?: number
}

/**
 * Address management for one node, on the shared store. All calls may run at once, in this process and in others.
 */
export function createAllocator(modules: AllocatorModules, options: AllocatorOptions): Allocator {
  const { store, clock, random, log } = modules
  const { node, settingsMaxAgeMs = 2_000, deadlineMs: defaultDeadlineMs = 5_000 } = options
  const settings = createSettingsReader({ store, clock, log }, { node })
  const cache = new BlockCache({ store, clock, log }, { node })
  const committer = new Committer({ store, clock, random, log, cache, settings }, { node, settingsMaxAgeMs })
  const freshSettings = () => settings.read(clock.monotonic(), defaultDeadlineMs)
  const repairer = createRepairer({ store, clock, log, committer, freshSettings }, { node })

  /** `allocatedTo` is what the block says of the holder. */
  async function lookup(text: string): Promise<AddressState & { allocatedTo: string }> {
    const parsed = parseAddress(text)
    if (!parsed.ok) throw invalid(`'${text}' is not an address: ${parsed.error.reason}.`, { address: text })
    const address = parsed.value
    const known = { address: formatAddress(address), family: address.family, allocatedTo: '' }
    const now = await freshSettings()
    const pool = poolOfAddress(now.pools, address)
    const cidr = await new BlockCache({ store, clock, log }, { node }).containing(address, defaultDeadlineMs)
    const block = cidr?.block
    const ordinal = block && ordinalInBlock(block, address)
    const isReserved = reservedOrdinals(
      { address, length: address.family === 'ipv4' ? 32 : 128 },
      now.reserved,
    )(0)
    if (!block || ordinal === undefined) {
      const state = isReserved ? 'reserved' : pool ? 'free' : 'outside'
      return { ...known, pool: pool?.name, block: undefined, affinity: undefined, state }
    }
    const common = {
      ...known,
      pool: pool?.name,
      block: formatPrefix(block.cidr),
      affinity: block.affinity ?? undefined,
    }
    const allocation = block.allocations.get(ordinal)
    if (allocation) {
      const holder = await findHolder(store, known.address, allocation, defaultDeadlineMs)
      return {
        ...common,
        state: 'held',
        sequence: allocation.sequence,
        holder,
        allocatedTo: allocation.holder,
      }
    }
    if (isReserved) return { ...common, state: 'reserved' }
    const cooling = { now: clock.now(), cooldownMs: now.configuration.ipCooldownSeconds * 1000 }
    const rest = restMs(block, ordinal, cooling)
    return rest > 0
      ? { ...common, state: 'cooling', availableAt: cooling.now + rest }
      : { ...common, state: pool ? 'free' : 'outside' }
  }

  return {
    async assign(request) {
      const task = assignTask(store, node, request)
      return committer.run(task, request.deadlineMs ?? defaultDeadlineMs)
    },

    async release(request) {
      return committer.run(releaseTask(log, request), request.deadlineMs ?? defaultDeadlineMs)
    },

    async transfer(request) {
      return committer.run(transferTask(request), request.deadlineMs ?? defaultDeadlineMs)
    },

    async get(id) {
      const item = await store.get(handleKey(id))
      const decoded = item && decodeHandle(item.value)
      if (!item || !decoded?.ok) return undefined
      const handle = decoded.value
      const { pools } = await freshSettings()
      const blocks = new BlockCache({ store, clock, log }, { node })
      const addresses = await Promise.all(
        handle.addresses.map(async (held): Promise<AssignedAddress> => {
          const parsed = parseAddress(held.address)
          if (!parsed.ok) throw new TypeError(`'${held.address}' is no address`)
          const seen = await blocks.containing(parsed.value, defaultDeadlineMs)
          const pool = poolOfAddress(pools, parsed.value)?.name
          return { ...held, pool, borrowed: seen?.block?.affinity !== handle.owner.node }
        }),
      )
      return {
        handle: id,
        owner: handle.owner,
        addresses,
        ...(handle.reservation !== undefined && { reservation: handle.reservation }),
        existing: true,
        sequence: item.createRevision,
        shortfall: {},
      }
    },

    async releaseAddress({ address, sequence, force = false, deadlineMs = defaultDeadlineMs }) {
      const state = await lookup(address)
      const parsed = parseAddress(address)
      if (!parsed.ok || state.state !== 'held' || state.sequence === undefined || state.block === undefined) {
        throw new AllocationError('not-found', `Nobody holds address ${state.address}.`, {
          details: { address: state.address },
        })
      }
      if (sequence !== undefined && sequence !== state.sequence) {
        return { handle: state.holder?.handle ?? '', outcome: 'stale', addresses: [] }
      }
      if (state.holder?.reservation !== undefined) {
        const { reservation } = state.holder
        throw new AllocationError(
          'in-use',
          `Address ${state.address} is kept by reservation '${reservation}'.`,
          {
            remedy: 'Release the reservation instead.',
            details: { address: state.address, holder: state.holder },
          },
        )
      }
      if (state.holder?.handle === undefined) {
        const { family, block } = state
        const held = { family, address: state.address, block, sequence: state.sequence }
        return committer.run(releaseLeakTask(held, state.allocatedTo), deadlineMs)
      }
      const { handle } = state.holder
      return committer.run(
        releaseAddressTask({ address: parsed.value, handle, sequence: state.sequence, force }),
        deadlineMs,
      )
    },

    async lookup(address) {
      const { allocatedTo: _, ...state } = await lookup(address)
      return state
    },

    async show() {
      return show({ store, settings: await freshSettings(), now: clock.now(), deadlineMs: defaultDeadlineMs })
    },

    async reservations() {
      const all = []
      for await (const { value } of each(store, prefixes.reservations, defaultDeadlineMs)) {
        const decoded = decodeReservation(value)
        if (decoded.ok) all.push(decoded.value)
      }
      return all
    },

    async releaseReservation(name) {
      return committer.run(releaseReservationTask(name), defaultDeadlineMs)
    },

    async claimAffinity(cidr, claimant = node) {
      const claim = await claimAffinity({ store, settings: freshSettings, clock, random }, cidr, claimant)
      cache.forget()
      return claim
    },

    async releaseAffinity(cidr, holder = node) {
      const released = await releaseAffinities({ store, clock, random }, holder, cidr)
      cache.forget()
      return released
    },

    async releaseNode(gone) {
      const released = await releaseAffinities({ store, clock, random }, gone)
      cache.forget()
      return released
    },

    async audit(request = {}) {
      const snapshot = await readSnapshot({ store }, defaultDeadlineMs)
      return compareSnapshot({ ...snapshot, takenAt: clock.now() }, request)
    },

    async repair(report, request = {}) {
      const repaired = await repairer.repair(report, request)
      cache.forget()
      return repaired
    },

    close: () => committer.close(),
  }
}
