import type { BgpPeerReport, EndpointReport, HealthReport, NodeReport } from '@network/agent/client'
import { formatDuration } from './duration.ts'
import { printable, renderTable } from './table.ts'

/** An agent that is still starting has its health only. */
export type NodeStatus =
  | { health: HealthReport; node?: undefined }
  | {
      health: HealthReport
      node: NodeReport
      peers: readonly BgpPeerReport[]
      endpoints: readonly EndpointReport[]
    }

/** The node on a page: what it is, what is wrong, its sessions, its blocks, its workloads. */
export function nodeStatusText(status: NodeStatus, now: number, width: number | undefined): string {
  const failing = status.health.checks.filter((check) => !check.ok)
  const state = failing.length === 0 ? 'healthy' : failing.map((check) => check.reason).join(' ')
  if (status.node === undefined) return factsText([['State', `starting: ${state}`]])
  const { node } = status
  const addresses = [node.addresses.ipv4, node.addresses.ipv6].filter((address) => address !== undefined)
  const facts: [string, string][] = [
    ['Node', `${node.node} (AS ${node.asNumber}, ${addresses.join(', ')})`],
    ['Agent', `${node.version}, pid ${node.pid}, up ${formatDuration(now - node.startedAt)}`],
    ['State', state],
    ['etcd', node.inSync ? `in sync at revision ${node.revision}` : 'not in sync'],
    [
      'Routes',
      `${node.routes.workload} workload, ${node.routes.blackhole} block, ${node.routes.cluster} from BGP; MTU ${node.mtuBytes}`,
    ],
    ...(node.journal === 0
      ? []
      : ([['Journal', `${node.journal} releases wait for etcd`]] as [string, string][])),
    ...node.problems.map((problem): [string, string] => ['Problem', problem]),
  ]
  return [
    factsText(facts),
    peersText(status.peers, now, width),
    blocksText(node, width),
    endpointsText(status.endpoints, width),
  ].join('\n')
}

function factsText(facts: readonly (readonly [name: string, text: string])[]): string {
  return facts.map(([name, text]) => `${name.padEnd(8)} ${printable(text)}\n`).join('')
}

function peersText(peers: readonly BgpPeerReport[], now: number, width: number | undefined): string {
  return renderTable(
    peers,
    [
      { heading: 'PEER', cell: (peer) => peer.address },
      { heading: 'AS', cell: (peer) => String(peer.asn), align: 'right' },
      { heading: 'FROM', cell: (peer) => peer.origin, shrink: true },
      { heading: 'STATE', cell: (peer) => peer.state },
      { heading: 'SINCE', cell: (peer) => formatDuration(now - peer.since), align: 'right' },
      { heading: 'IN', cell: (peer) => String(peer.prefixesAccepted), align: 'right' },
      { heading: 'OUT', cell: (peer) => String(peer.prefixesSent), align: 'right' },
      {
        heading: 'LAST ERROR',
        cell: (peer) => (peer.lastError?.current === true ? peer.lastError.text : ''),
        shrink: true,
      },
    ],
    { width, empty: 'No BGP peers.' },
  )
}

function blocksText(node: NodeReport, width: number | undefined): string {
  return renderTable(
    node.blocks,
    [
      { heading: 'BLOCK', cell: (block) => block.cidr },
      { heading: 'STATE', cell: (block) => block.state },
    ],
    { width, empty: 'No blocks of addresses yet.' },
  )
}

function endpointsText(endpoints: readonly EndpointReport[], width: number | undefined): string {
  return renderTable(
    endpoints,
    [
      { heading: 'WORKLOAD', cell: (endpoint) => endpoint.workload, shrink: true },
      { heading: 'INTERFACE', cell: (endpoint) => endpoint.containerInterface },
      { heading: 'HOST SIDE', cell: (endpoint) => endpoint.hostInterface },
      { heading: 'ADDRESSES', cell: (endpoint) => endpoint.addresses.join(' ') },
      { heading: 'STATE', cell: (endpoint) => endpoint.state },
    ],
    { width, empty: 'No workloads.' },
  )
}
