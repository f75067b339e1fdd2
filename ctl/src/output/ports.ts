import type { EndpointReport } from '@network/agent/client'
import { renderTable } from './table.ts'

/** A port of the host and where it leads. */
export interface HostPort {
  readonly hostIP: string
  readonly hostPort: number
  readonly protocol: string
  readonly port: number
  /** The workload's addresses, without length. */
  readonly addresses: readonly string[]
  /** orchestrator/workload/endpoint */
  readonly endpoint: string
  /** Why connections would fail; '' if the workload is up. */
  readonly problem: string
}

/** The host ports of a node's endpoints, by port. */
export function hostPorts(endpoints: readonly EndpointReport[]): HostPort[] {
  return endpoints
    .flatMap((endpoint) =>
      endpoint.portMappings.map(({ hostIP, hostPort, port, protocol }) => ({
        hostIP: hostIP ?? '*',
        hostPort,
        protocol,
        port,
        addresses: endpoint.addresses.map((network) => network.slice(0, network.indexOf('/'))),
        endpoint: endpoint.endpoint,
        problem: endpoint.state === 'up' ? '' : endpoint.state,
      })),
    )
    .sort((a, b) => a.hostPort - b.hostPort || a.protocol.localeCompare(b.protocol))
}

export function portsText(ports: readonly HostPort[], width: number | undefined): string {
  return renderTable(
    ports,
    [
      { heading: 'HOST', cell: ({ hostIP }) => hostIP },
      { heading: 'PORT', cell: ({ hostPort }) => String(hostPort), align: 'right' },
      { heading: 'PROTOCOL', cell: ({ protocol }) => protocol },
      {
        heading: 'LEADS TO',
        cell: ({ addresses, port }) =>
          addresses
            .map((address) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`))
            .join(' '),
        shrink: true,
      },
      { heading: 'ENDPOINT', cell: ({ endpoint }) => endpoint, shrink: true },
      { heading: 'STATE', cell: ({ problem }) => (problem === '' ? 'up' : problem) },
    ],
    { width, empty: 'No port of this host leads to a workload.' },
  )
}
