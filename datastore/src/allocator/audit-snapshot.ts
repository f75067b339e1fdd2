import type { Log } from '@network/net'
import { decodeAffinity } from '../ipam/affinity.ts'
import type { AuditSnapshot, Stored } from '../ipam/audit.ts'
import type { Block } from '../ipam/block.ts'
import { decodeBlock } from '../ipam/block-encoding.ts'
import { type Handle, type Reservation, decodeHandle, decodeReservation } from '../ipam/handle.ts'
import { isRecord, parseJsonRecord } from '../ipam/json-record.ts'
import {
  blockKey,
  handleKey,
  parseAffinityKey,
  parseEndpointKey,
  prefixes,
  reservationKey,
  resourcePrefix,
} from '../model/keys.ts'
import type { Store } from '../store/store.ts'
import { each } from './holder.ts'
import { readPool } from './settings.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

/** Reads everything that bears on addresses, as of one revision. */
export async function readSnapshot(
  { store }: { store: Store },
  deadlineMs: number,
): Promise<Omit<AuditSnapshot, 'takenAt'>> {
  const { revision } = await store.list(prefixes.blocks, { limit: 1, keysOnly: true, deadlineMs })
  const read = (prefix: string) => each(store, prefix, deadlineMs, revision)
  const unreadable: { key: string; reason: string }[] = []

  const blocks: Block[] = []
  for await (const { key, value } of read(prefixes.blocks)) {
    const decoded = decodeBlock(value)
    if (!decoded.ok) unreadable.push({ key, reason: decoded.error })
    else if (blockKey(decoded.value.cidr) !== key)
      unreadable.push({ key, reason: 'its cidr is not that of its key' })
    else blocks.push(decoded.value)
  }

  const affinities: AuditSnapshot['affinities'][number][] = []
  for await (const { key, value } of read(prefixes.affinities)) {
    const parsed = parseAffinityKey(key)
    const state = decodeAffinity(value)
    if (!parsed) unreadable.push({ key, reason: 'it is not the key of an affinity' })
    else if (!state.ok) unreadable.push({ key, reason: state.error })
    else affinities.push({ key, node: parsed.node, cidr: parsed.block, state: state.value })
  }

  const handles: Stored<Handle>[] = []
  for await (const { key, value, createRevision } of read(prefixes.handles)) {
    const decoded = decodeHandle(value)
    if (!decoded.ok) unreadable.push({ key, reason: decoded.error })
    else if (handleKey(decoded.value.id) !== key)
      unreadable.push({ key, reason: 'its id is not that of its key' })
    else handles.push({ key, createRevision, value: decoded.value })
  }

  const reservations: Stored<Reservation>[] = []
  for await (const { key, value, createRevision } of read(prefixes.reservations)) {
    const decoded = decodeReservation(value)
    if (!decoded.ok) unreadable.push({ key, reason: decoded.error })
    else if (reservationKey(decoded.value.name) !== key)
      unreadable.push({ key, reason: 'its name is not that of its key' })
    else reservations.push({ key, createRevision, value: decoded.value })
  }

  const endpoints: AuditSnapshot['endpoints'][number][] = []
  for await (const { key, value } of read(prefixes.endpoints)) {
    const identity = parseEndpointKey(key)
    if (!identity) continue
    const parsed = parseJsonRecord(value)
    const spec = parsed.ok && isRecord(parsed.value['spec']) ? parsed.value['spec'] : {}
    const networks = Array.isArray(spec['ipNetworks']) ? spec['ipNetworks'] : []
    const handle = spec['handle']
    endpoints.push({
      key,
      node: identity.node,
      addresses: networks.flatMap((text: unknown) =>
        typeof text === 'string' ? [text.split('/')[0] ?? ''] : [],
      ),
      handle: typeof handle === 'string' ? handle : undefined,
    })
  }

  const pools = []
  for await (const item of read(resourcePrefix('IPPool'))) pools.push(...readPool(item, silent))
  return { revision, blocks, affinities, handles, reservations, endpoints, pools, unreadable }
}
