import type {
  AddressState,
  AuditFinding,
  AuditReport,
  RepairReport,
  Reservation,
  Show,
} from '@network/datastore'
import { formatDuration } from '../output/duration.ts'
import { renderTable } from '../output/table.ts'

/** Pools with how much of each is used, and on request every block; then each node's share, and reservations by name. */
export function showText(
  show: Show,
  reservations: readonly Reservation[],
  options: { blocks: boolean; width: number | undefined },
): string {
  const rows = show.pools.flatMap((pool) => [
    { ...pool, label: pool.name, holder: '' },
    ...(options.blocks
      ? pool.blocks.map((block) => ({ ...block, label: '', holder: block.affinity ?? '(no node)' }))
      : []),
  ])
  const orphans = show.orphans.map((block) => ({
    ...block,
    label: '(no pool)',
    holder: block.affinity ?? '(no node)',
  }))
  const pools = renderTable(
    [...rows, ...orphans],
    [
      { heading: 'POOL', cell: (row) => row.label },
      { heading: 'CIDR', cell: (row) => row.cidr },
      ...(options.blocks
        ? [{ heading: 'NODE', cell: (row: { holder: string }) => row.holder, shrink: true }]
        : []),
      { heading: 'TOTAL', cell: (row) => formatCount(row.capacity), align: 'right' },
      { heading: 'IN USE', cell: (row) => formatCount(row.inUse), align: 'right' },
      { heading: 'RESERVED', cell: (row) => formatCount(row.reserved), align: 'right' },
      { heading: 'COOLING', cell: (row) => formatCount(row.cooling), align: 'right' },
      { heading: 'FREE', cell: (row) => formatCount(row.available), align: 'right' },
    ],
    { width: options.width, empty: "No pools. 'drover apply -f pool.yaml' makes one." },
  )
  const nodes = renderTable(
    show.nodes,
    [
      { heading: 'NODE', cell: (row) => row.node, shrink: true },
      { heading: 'BLOCKS', cell: (row) => String(row.blocks), align: 'right' },
      { heading: 'ADDRESSES', cell: (row) => String(row.addresses), align: 'right' },
      { heading: 'BORROWED', cell: (row) => String(row.borrowed), align: 'right' },
    ],
    { width: options.width },
  )
  const kept = renderTable(
    reservations,
    [
      { heading: 'RESERVATION', cell: (row) => row.name, shrink: true },
      { heading: 'ADDRESSES', cell: (row) => row.addresses.map(({ address }) => address).join(' ') },
      { heading: 'USED BY', cell: (row) => ownerText(row.owner), shrink: true },
    ],
    { width: options.width },
  )
  return [
    pools,
    ...(show.nodes.length === 0 ? [] : [nodes]),
    ...(reservations.length === 0 ? [] : [kept]),
  ].join('\n')
}

function ownerText(owner: Reservation['owner']): string {
  return owner === undefined ? '-' : `${owner.workload} on ${owner.node}`
}

/** A count in full up to nine digits, past that as a power of two. */
function formatCount(count: bigint): string {
  if (count < 1_000_000_000n) return count.toString()
  const bits = count.toString(2).length - 1
  return count === 1n << BigInt(bits) ? `2^${bits}` : `~2^${bits}`
}

/** One address in sentences. */
export function addressStateText(state: AddressState, now: number): string {
  const where = state.block === undefined ? '' : `, in block ${state.block} of ${state.affinity ?? 'no node'}`
  const pool = state.pool === undefined ? '' : ` (pool ${state.pool}${where})`
  const holder = state.holder
  const who =
    holder?.owner === undefined
      ? holder?.reservation === undefined
        ? 'nobody known: a leak'
        : `the reservation ${holder.reservation}, which nobody uses now`
      : `${holder.owner.orchestrator} workload ${holder.owner.workload}, endpoint ${holder.owner.endpoint}, on node ${holder.owner.node}` +
        (holder.reservation === undefined ? '' : `, by the reservation ${holder.reservation}`)
  switch (state.state) {
    case 'held':
      return `${state.address}${pool} is held by ${who}\n`
    case 'cooling':
      return `${state.address}${pool} is free and rests for another ${formatDuration((state.availableAt ?? now) - now)}\n`
    case 'reserved':
      return `${state.address}${pool} is free and kept back by an IPReservation\n`
    case 'outside':
      return `${state.address} is in no pool\n`
    case 'free':
      return `${state.address}${pool} is free\n`
  }
}

/** What an audit looked at and what it found. */
export function auditText(report: AuditReport, width: number | undefined): string {
  const { blocks, addresses, handles, endpoints } = report.checked
  const looked = `Looked at ${blocks} blocks, ${addresses} addresses, ${handles} handles, ${endpoints} endpoints: `
  if (report.findings.length === 0) return `${looked}nothing is wrong.\n`
  const table = renderTable(
    report.findings,
    [
      { heading: 'FINDING', cell: (finding) => finding.kind },
      { heading: 'NODE', cell: (finding) => finding.node ?? '-' },
      { heading: 'WHAT', cell: describeFinding, shrink: true },
    ],
    { width },
  )
  return `${looked}${report.findings.length} findings.\n\n${table}\n'drover ipam check --fix' repairs them.\n`
}

/** What a repair did, finding by finding. */
export function repairText(repair: RepairReport, width: number | undefined): string {
  return renderTable(
    repair.outcomes,
    [
      { heading: 'FINDING', cell: (row) => row.finding.kind },
      { heading: 'WHAT', cell: (row) => describeFinding(row.finding), shrink: true },
      { heading: 'OUTCOME', cell: (row) => row.outcome },
      { heading: 'DETAIL', cell: (row) => row.detail, shrink: true },
    ],
    { width, empty: 'Nothing is wrong.' },
  )
}

function describeFinding(finding: AuditFinding): string {
  switch (finding.kind) {
    case 'leaked-address':
      return `${finding.address} is allocated and nobody has it`
    case 'leaked-handle':
      return `${finding.handle} holds ${finding.addresses.join(', ')}, ${
        finding.reason === 'no-endpoint' ? 'but its endpoint is gone' : 'but its node does not have them'
      }`
    case 'handle-without-address':
      return `${finding.handle ?? finding.reservation ?? ''} lists ${finding.address}, which its block does not hold`
    case 'endpoint-without-address':
      return `${finding.endpoint ?? 'an interface'} has ${finding.address}, which is not allocated`
    case 'address-twice':
      return `${finding.address} is held by ${finding.holders.join(' and ')}`
    case 'block-without-affinity':
    case 'affinity-without-block':
    case 'empty-block':
      return finding.block
    case 'stale-affinity':
      return `${finding.block} is ${finding.state}`
    case 'unreadable':
      return `${finding.key}: ${finding.reason}`
  }
}
