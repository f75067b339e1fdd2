import {
  type Family,
  type Result,
  failure,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  prefixContains,
  success,
} from '@network/net'
import { isRecord, isSequence, parseJsonRecord } from './json-record.ts'

/** Who an address is for: the identity of a workload endpoint. */
export interface Owner {
  readonly node: string
  readonly orchestrator: string
  readonly workload: string
  readonly endpoint: string
}

/** One address as its holder knows it. `sequence` is the block's guard: a release with another number frees nothing. */
export interface HeldAddress {
  readonly family: Family
  /** Without length: '10.0.0.5'. */
  readonly address: string
  /** '10.0.0.0/26' */
  readonly block: string
  readonly sequence: number
}

/** The value of a handle: addresses that were assigned, and will be released, together. */
export interface Handle {
  readonly id: string
  readonly owner: Owner
  readonly addresses: readonly HeldAddress[]
  /** The reservation by name that the addresses belong to, and go back to. */
  readonly reservation?: string
  /** ms since the epoch */
  readonly createdAt: number
}

/** The value of a reservation by name: addresses kept for a workload whether it runs or not. */
export interface Reservation {
  readonly name: string
  readonly addresses: readonly HeldAddress[]
  /** The handle that uses it now. */
  readonly heldBy?: string
  readonly owner?: Owner
  /** ms since the epoch */
  readonly createdAt: number
}

export function encodeHandle(handle: Handle): string {
  return JSON.stringify(handle)
}

export function encodeReservation(reservation: Reservation): string {
  return JSON.stringify(reservation)
}

/** Reads a handle's value. The error says what can't be read. */
export function decodeHandle(text: string): Result<Handle, string> {
  const parsed = parseJsonRecord(text)
  if (!parsed.ok) return parsed
  const { id, owner, addresses, reservation, createdAt } = parsed.value
  if (typeof id !== 'string') return failure('id is not a text')
  if (!isOwner(owner)) return failure('owner lacks node, orchestrator, workload or endpoint')
  if (reservation !== undefined && typeof reservation !== 'string')
    return failure('reservation is not a text')
  if (!isSequence(createdAt)) return failure('createdAt is not a time')
  const held = decodeHeldAddresses(addresses)
  if (!held.ok) return held
  return success({
    id,
    owner: copyOwner(owner),
    addresses: held.value,
    ...(reservation !== undefined && { reservation }),
    createdAt,
  })
}

/** Reads a reservation's value. The error says what can't be read. */
export function decodeReservation(text: string): Result<Reservation, string> {
  const parsed = parseJsonRecord(text)
  if (!parsed.ok) return parsed
  const { name, addresses, heldBy, owner, createdAt } = parsed.value
  if (typeof name !== 'string') return failure('name is not a text')
  if (heldBy !== undefined && typeof heldBy !== 'string') return failure('heldBy is not a text')
  if (owner !== undefined && !isOwner(owner))
    return failure('owner lacks node, orchestrator, workload or endpoint')
  if (!isSequence(createdAt)) return failure('createdAt is not a time')
  const held = decodeHeldAddresses(addresses)
  if (!held.ok) return held
  return success({
    name,
    addresses: held.value,
    ...(heldBy !== undefined && { heldBy }),
    ...(owner !== undefined && { owner: copyOwner(owner) }),
    createdAt,
  })
}

function decodeHeldAddresses(list: unknown): Result<HeldAddress[], string> {
  if (!Array.isArray(list)) return failure('addresses is not a list')
  const held: HeldAddress[] = []
  for (const [index, item] of list.entries()) {
    const bad = failure(`addresses[${String(index)}] is not an address in its block with a sequence number`)
    if (!isRecord(item)) return bad
    const { address: addressText, block: blockText, sequence } = item
    if (typeof addressText !== 'string' || typeof blockText !== 'string' || !isSequence(sequence)) return bad
    const address = parseAddress(addressText)
    const block = parsePrefix(blockText)
    if (!address.ok || !block.ok || !prefixContains(block.value, address.value)) return bad
    held.push({
      family: address.value.family,
      address: formatAddress(address.value),
      block: formatPrefix(block.value),
      sequence,
    })
  }
  return success(held)
}

function isOwner(value: unknown): value is Owner {
  return (
    isRecord(value) &&
    ['node', 'orchestrator', 'workload', 'endpoint'].every((field) => typeof value[field] === 'string')
  )
}

function copyOwner({ node, orchestrator, workload, endpoint }: Owner): Owner {
  return { node, orchestrator, workload, endpoint }
}
