import type { BgpExportReport } from '@network/agent/client'
import { renderTable } from './table.ts'

/** Peers that one line names. */
const NAMED = 4

interface ExportRow {
  readonly peers: string[]
  readonly report: BgpExportReport
}

/** To whom a prefix is sent, and why it isn't to others. Peers of which the same holds share a line. */
export function exportsText(reports: readonly BgpExportReport[], width: number | undefined): string {
  const rows = new Map<string, ExportRow>()
  for (const report of reports) {
    const { peer, ...same } = report
    const key = JSON.stringify(same)
    const row = rows.get(key)
    if (row === undefined) rows.set(key, { peers: [peer], report })
    else row.peers.push(peer)
  }
  return renderTable(
    [...rows.values()].sort((a, b) => Number(b.report.sent) - Number(a.report.sent)),
    [
      { heading: 'TO', cell: ({ peers }) => peersText(peers), shrink: true },
      { heading: 'SENT', cell: ({ report }) => (report.sent ? 'yes' : 'no') },
      { heading: 'FROM', cell: ({ report }) => report.from ?? '-', shrink: true },
      { heading: 'WHY', cell: ({ report }) => report.decidedBy, shrink: true },
    ],
    { width, empty: 'No peers to send it to.' },
  )
}

function peersText(peers: readonly string[]): string {
  const more = peers.length - NAMED
  return more > 1 ? `${peers.slice(0, NAMED).join(', ')} and ${String(more)} more` : peers.join(', ')
}
