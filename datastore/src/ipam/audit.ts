import { type Prefix, formatAddress, formatPrefix, parseAddress } from '@network/net'
import { blockKey, endpointKey } from '../model/keys.ts'
import { AffinityState } from './affinity.ts'
import type { AuditFinding, AuditReport } from './audit-report.ts'
import {
  type Block,
  addressOfOrdinal,
  holderOfHandle,
  holderOfReservation,
  isEmpty,
  ordinalInBlock,
} from './block.ts'
import type { Handle, HeldAddress, Reservation } from './handle.ts'
import { type Pool, poolOfAddress } from './pool-choice.ts'

export interface Stored<T> {
  readonly key: string
  readonly createRevision: number
  readonly value: T
}

/** Everything that bears on addresses, as of one revision of the store. */
export interface AuditSnapshot {
  readonly revision: number
  /** ms since the epoch */
  readonly takenAt: number
  readonly blocks: readonly Block[]
  readonly affinities: readonly {
    readonly key: string
    readonly node: string
    readonly cidr: Prefix
    readonly state: AffinityState
  }[]
  readonly handles: readonly Stored<Handle>[]
  readonly reservations: readonly Stored<Reservation>[]
  readonly endpoints: readonly {
    readonly key: string
    readonly node: string
    readonly addresses: readonly string[]
    readonly handle: string | undefined
  }[]
  readonly pools: readonly Pool[]
  readonly unreadable: readonly { readonly key: string; readonly reason: string }[]
}

/** What nodes really have, and whom to report about. */
export interface AuditScope {
  readonly actual?: readonly { readonly node: string; readonly addresses: readonly string[] }[]
  readonly node?: string
}

/** A finding's id names the thing and its incarnation: what is undone and done again is another finding. */
type Found = (finding: WithoutId<AuditFinding>, ...identity: (string | number)[]) => void
type WithoutId<F> = F extends unknown ? Omit<F, 'id'> : never

/** Compares blocks, handles, reservations, endpoints and nodes, and reports where they disagree. */
export function compareSnapshot(snapshot: AuditSnapshot, scope: AuditScope): AuditReport {
  const findings: AuditFinding[] = []
  const found: Found = (finding, ...identity) => {
    if (scope.node !== undefined && finding.node !== undefined && finding.node !== scope.node) return
    findings.push({ ...finding, id: [finding.kind, ...identity].join(' ') })
  }
  for (const { key, reason } of snapshot.unreadable) {
    found({ kind: 'unreadable', node: undefined, key, reason }, key, reason)
  }
  compareHolders(snapshot, found)
  compareEndpoints(snapshot, scope, found)
  compareAffinities(snapshot, found)
  return {
    revision: snapshot.revision,
    takenAt: snapshot.takenAt,
    checked: {
      blocks: snapshot.blocks.length,
      addresses: snapshot.blocks.reduce((sum, block) => sum + block.allocations.size, 0),
      handles: snapshot.handles.length,
      reservations: snapshot.reservations.length,
      endpoints: snapshot.endpoints.length,
      nodes: (scope.actual ?? []).map(({ node }) => node),
    },
    findings,
  }
}

/** Blocks' allocations against handles and reservations, both ways. */
function compareHolders(snapshot: AuditSnapshot, found: Found): void {
  /** address and sequence number → keys of those who list it */
  const holders = new Map<string, string[]>()
  const list = (key: string, held: HeldAddress): void => {
    const name = holderName(held)
    holders.set(name, [...(holders.get(name) ?? []), key])
  }
  const blocks = new Map(snapshot.blocks.map((block) => [formatPrefix(block.cidr), block]))
  const isHeld = (held: HeldAddress, holder: string): boolean => {
    const block = blocks.get(held.block)
    const ordinal = block && placeOf(block, held.address)
    const allocation = ordinal === undefined ? undefined : block?.allocations.get(ordinal)
    return allocation?.sequence === held.sequence && allocation.holder === holder
  }
  const reservedBy = new Map(snapshot.reservations.map(({ value }) => [value.name, value]))

  for (const { key, value: handle } of snapshot.handles) {
    const kept = handle.reservation === undefined ? undefined : reservedBy.get(handle.reservation)
    for (const held of handle.addresses) {
      const isKept = kept?.addresses.some((each) => holderName(each) === holderName(held)) ?? false
      const holder =
        handle.reservation === undefined ? holderOfHandle(handle.id) : holderOfReservation(handle.reservation)
      if (isHeld(held, holder)) {
        if (!isKept) list(key, held)
        continue
      }
      found(
        { kind: 'handle-without-address', node: handle.owner.node, ...placed(held), handle: handle.id },
        handle.id,
        held.address,
        held.sequence,
      )
    }
  }
  for (const { key, value: reservation } of snapshot.reservations) {
    for (const held of reservation.addresses) {
      if (isHeld(held, holderOfReservation(reservation.name))) {
        list(key, held)
        continue
      }
      found(
        {
          kind: 'handle-without-address',
          node: reservation.owner?.node,
          ...placed(held),
          reservation: reservation.name,
        },
        reservation.name,
        held.address,
        held.sequence,
      )
    }
  }
  for (const block of snapshot.blocks) {
    for (const [ordinal, { sequence }] of block.allocations) {
      const held: HeldAddress = {
        family: block.cidr.address.family,
        address: formatAddress(addressOfOrdinal(block, ordinal)),
        block: formatPrefix(block.cidr),
        sequence,
      }
      const keys = holders.get(holderName(held)) ?? []
      const node = block.affinity ?? undefined
      if (keys.length === 0) {
        found({ kind: 'leaked-address', node, ...placed(held) }, held.address, sequence)
      } else if (keys.length > 1) {
        found(
          {
            kind: 'address-twice',
            node: undefined,
            address: held.address,
            family: held.family,
            holders: keys,
          },
          held.address,
          ...keys,
        )
      }
    }
  }
}

/** Handles against endpoints and against what nodes really have. */
function compareEndpoints(snapshot: AuditSnapshot, scope: AuditScope, found: Found): void {
  const actual = new Map(
    (scope.actual ?? []).map(({ node, addresses }) => [node, new Set(addresses.map(canonical))]),
  )
  const endpoints = new Map(snapshot.endpoints.map((endpoint) => [endpoint.key, endpoint]))
  for (const { createRevision, value: handle } of snapshot.handles) {
    const { id, owner, createdAt } = handle
    const addresses = handle.addresses.map(({ address }) => address)
    const present = actual.get(owner.node)
    const reason = !endpoints.has(endpointKey(owner))
      ? ('no-endpoint' as const)
      : present !== undefined && addresses.length > 0 && !addresses.some((address) => present.has(address))
        ? ('not-on-node' as const)
        : undefined
    if (reason === undefined) continue
    found(
      { kind: 'leaked-handle', node: owner.node, handle: id, owner, addresses, reason, createdAt },
      id,
      createRevision,
      reason,
    )
  }

  const allocated = new Set<string>()
  for (const block of snapshot.blocks) {
    for (const ordinal of block.allocations.keys())
      allocated.add(formatAddress(addressOfOrdinal(block, ordinal)))
  }
  /** address → who uses it */
  const users = new Map<string, { holders: string[]; node: string; endpoint?: string }>()
  const use = (address: string, holder: string, node: string, endpoint?: string): void => {
    const user = users.get(address) ?? { holders: [], node, ...(endpoint !== undefined && { endpoint }) }
    user.holders.push(holder)
    users.set(address, user)
  }
  for (const { key, node, addresses } of snapshot.endpoints) {
    for (const address of new Set(addresses.map(canonical))) use(address, key, node, key)
  }
  for (const [node, addresses] of actual) {
    for (const address of addresses) {
      const isKnown = snapshot.endpoints.some(
        (endpoint) =>
          endpoint.node === node && endpoint.addresses.some((text) => canonical(text) === address),
      )
      if (!isKnown) use(address, `node ${node}`, node)
    }
  }
  for (const [text, { holders, node, endpoint }] of users) {
    const address = parseAddress(text)
    if (!address.ok || poolOfAddress(snapshot.pools, address.value) === undefined) continue
    const { family } = address.value
    if (holders.length > 1) {
      found({ kind: 'address-twice', node: undefined, address: text, family, holders }, text, ...holders)
    }
    if (allocated.has(text)) continue
    found(
      {
        kind: 'endpoint-without-address',
        node,
        address: text,
        family,
        ...(endpoint !== undefined && { endpoint }),
      },
      text,
      endpoint ?? node,
    )
  }
}

/** Blocks against affinities, both ways; and blocks that could go back. */
function compareAffinities(snapshot: AuditSnapshot, found: Found): void {
  const blocks = new Map(snapshot.blocks.map((block) => [blockKey(block.cidr), block]))
  const confirmed = new Set<string>()
  for (const { node, cidr, state } of snapshot.affinities) {
    const about = { node, block: formatPrefix(cidr), family: cidr.address.family }
    const isBlocks = blocks.get(blockKey(cidr))?.affinity === node
    if (state !== AffinityState.confirmed) {
      found({ kind: 'stale-affinity', ...about, state }, node, about.block, state)
    } else if (!isBlocks) {
      found({ kind: 'affinity-without-block', ...about }, node, about.block)
    }
    if (isBlocks) confirmed.add(`${node} ${about.block}`)
  }
  const left = new Map<string, number>()
  const tally = ({ affinity, cidr }: Block): string => `${affinity ?? ''} ${cidr.address.family}`
  for (const block of snapshot.blocks) left.set(tally(block), (left.get(tally(block)) ?? 0) + 1)
  for (const block of snapshot.blocks) {
    const about = { block: formatPrefix(block.cidr), family: block.cidr.address.family }
    const node = block.affinity ?? undefined
    if (node !== undefined && !confirmed.has(`${node} ${about.block}`)) {
      found({ kind: 'block-without-affinity', node, ...about }, node, about.block)
    }
    if (!isEmpty(block)) continue
    const remaining = left.get(tally(block)) ?? 0
    if (node !== undefined && remaining <= 1) continue
    left.set(tally(block), remaining - 1)
    found({ kind: 'empty-block', node, ...about }, about.block, block.sequence)
  }
}

function holderName({ address, sequence }: HeldAddress): string {
  return `${address} ${String(sequence)}`
}

function placed({ address, family, block, sequence }: HeldAddress): HeldAddress {
  return { address, family, block, sequence }
}

function placeOf(block: Block, text: string): number | undefined {
  const address = parseAddress(text)
  return address.ok ? ordinalInBlock(block, address.value) : undefined
}

function canonical(text: string): string {
  const address = parseAddress(text)
  return address.ok ? formatAddress(address.value) : text
}
