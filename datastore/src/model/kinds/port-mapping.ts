import { anyAddress } from '../formats.ts'
import { type ReportFault } from '../kind.ts'
import { integer, list, object, oneOf, optional, required, type Schema, text } from '../schema.ts'

/** A port of the host that leads to a port of the workload. */
export interface PortMapping {
  protocol: 'TCP' | 'UDP' | 'SCTP'
  hostPort: number
  port: number
  /** An address of the host; without it all of them. */
  hostIP?: string
}

export const portMappings: Schema<PortMapping[]> = list(
  object<PortMapping>({
    protocol: required(oneOf(['TCP', 'UDP', 'SCTP']), 'Protocol of the port.'),
    hostPort: required(integer(1, 65535), 'Port of the host.'),
    port: required(integer(1, 65535), 'Port of the workload.'),
    hostIP: optional(text(anyAddress), 'Address of the host (default: all of them).'),
  }),
  { max: 256 },
)

/** A port of the host leads to one place: no two mappings take the same protocol, port and address. */
export function refinePortMappings(
  at: readonly (string | number)[],
  mappings: readonly PortMapping[],
  report: ReportFault,
): void {
  mappings.forEach((mapping, index) => {
    const first = mappings.findIndex(
      (other) =>
        other.protocol === mapping.protocol &&
        other.hostPort === mapping.hostPort &&
        (other.hostIP === undefined || mapping.hostIP === undefined || other.hostIP === mapping.hostIP),
    )
    if (first === index) return
    report(
      [...at, index, 'hostPort'],
      mapping.hostPort,
      'a port of the host that no other mapping takes',
      `${mapping.protocol} port ${String(mapping.hostPort)} is taken by item [${String(first)}]`,
    )
  })
}
