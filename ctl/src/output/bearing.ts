import type { Rule } from '@network/datastore/model'
import type { Bearing } from '@network/policy'
import { formatRuleLine } from '@network/policy/grammar'
import { type Column, renderTable } from './table.ts'

/** What the kernel counted for one rule. */
export interface RuleCount {
  readonly packets: number
  readonly bytes: number
}

/** Looks up a rule's counters; undefined where none are known. */
export type CountOf = (bearing: Bearing, position: number) => RuleCount | undefined

interface Row {
  readonly bearing: Bearing
  readonly position: number | undefined
  readonly text: string
  readonly count: RuleCount | undefined
}

/** Every rule that bears on an endpoint in the order in which they are asked, with counters if there are any. */
export function bearingTable(
  bearings: readonly Bearing[],
  countOf: CountOf | undefined,
  width: number | undefined,
): string {
  const columns: Column<Row>[] = [
    { heading: 'PLACE', cell: ({ bearing }) => bearing.place },
    { heading: 'TIER', cell: ({ bearing }) => bearing.tier?.name ?? '-' },
    { heading: 'POLICY OR PROFILE', cell: ({ bearing }) => nameOf(bearing), shrink: true },
    {
      heading: 'RULE',
      cell: ({ position }) => (position === undefined ? '-' : String(position + 1)),
      align: 'right',
    },
    { heading: 'WHAT', cell: ({ text }) => text, shrink: true },
  ]
  if (countOf !== undefined) {
    columns.push(
      { heading: 'PACKETS', cell: ({ count }) => String(count?.packets ?? '-'), align: 'right' },
      { heading: 'BYTES', cell: ({ count }) => String(count?.bytes ?? '-'), align: 'right' },
    )
  }
  return (['ingress', 'egress'] as const)
    .map((direction) => {
      const rows = withEnds(bearings.filter((bearing) => bearing.direction === direction)).map(
        (row): Row => ({
          ...row,
          count: row.position === undefined ? undefined : countOf?.(row.bearing, row.position),
        }),
      )
      const heading = direction === 'ingress' ? 'Inbound (ingress)' : 'Outbound (egress)'
      const table = renderTable(rows, columns, {
        width,
        empty: 'No policy and no profile: everything is dropped.',
      })
      return `${heading}:\n${table}`
    })
    .join('\n')
}

export function nameOf(bearing: Bearing): string {
  return bearing.policy ?? `Profile/${bearing.profile ?? ''}`
}

function withEnds(bearings: readonly Bearing[]): Omit<Row, 'count'>[] {
  return bearings.flatMap((bearing, index) => {
    const rows: Omit<Row, 'count'>[] = rulesRows(bearing, bearing.rules)
    const next = bearings[index + 1]
    const { tier } = bearing
    // The early places have no end of their own: what they don't decide goes on.
    const early = bearing.place === 'untracked' || bearing.place === 'pre-DNAT'
    if (tier !== undefined && !early && (next?.place !== bearing.place || next.tier?.name !== tier.name)) {
      const text = tier.defaultAction === 'Deny' ? 'deny: the end of the tier' : 'pass: the end of the tier'
      rows.push({ bearing: { ...bearing, policy: '' }, position: undefined, text })
    }
    return rows
  })
}

function rulesRows(bearing: Bearing, rules: readonly Rule[] | undefined): Omit<Row, 'count'>[] {
  if (rules === undefined) {
    return [{ bearing, position: undefined, text: 'deny: nobody defined this profile' }]
  }
  if (rules.length === 0) return [{ bearing, position: undefined, text: 'no rule in this direction' }]
  return rules.map((rule, position) => ({ bearing, position, text: formatRuleLine(rule) }))
}
