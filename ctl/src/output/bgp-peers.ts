import type { BgpPeerReport } from '@network/agent/client'
import { formatDuration } from './duration.ts'
import { renderTable } from './table.ts'

/** Sessions of a speaker, one a line; why one is not up stands last. */
export function bgpPeersText(
  peers: readonly BgpPeerReport[],
  now: number,
  width: number | undefined,
): string {
  return renderTable(
    peers,
    [
      { heading: 'PEER', cell: (peer) => peer.name, shrink: true },
      { heading: 'ADDRESS', cell: (peer) => peer.address },
      { heading: 'AS', cell: (peer) => String(peer.asn === 0 ? '-' : peer.asn), align: 'right' },
      { heading: 'STATE', cell: (peer) => (peer.shutdown === undefined ? peer.state : 'Shutdown') },
      { heading: 'SINCE', cell: (peer) => formatDuration(now - peer.since), align: 'right' },
      { heading: 'RECEIVED', cell: (peer) => String(peer.prefixesReceived), align: 'right' },
      { heading: 'ACCEPTED', cell: (peer) => String(peer.prefixesAccepted), align: 'right' },
      { heading: 'SENT', cell: (peer) => String(peer.prefixesSent), align: 'right' },
      { heading: 'WHY NOT UP', cell: whyNotUp, shrink: true },
    ],
    { width, empty: 'No BGP peers.' },
  )
}

function whyNotUp({ shutdown, lastError }: BgpPeerReport): string {
  if (shutdown !== undefined) return shutdown === '' ? 'shut down' : `shut down: ${shutdown}`
  return lastError?.current === true ? lastError.text : ''
}
