/** Ports that containers publish, as mappings of host ports. */
import { DroverError } from '@network/net'
import type { EndpointPort, PortMapping } from '@network/datastore/model'
import type { PortBinding } from './messages.ts'

/** The name of a published port: what the rules of a network's profile allow from everywhere. */
export const PUBLISHED = 'published'

/** Where a port is chosen from: what Linux hands out to programs by itself begins below and may end here. */
const CHOSEN = { first: 49_153, last: 65_535 } as const

/**
 * Gives every binding its port of the host.
 * @param used what other workloads of this node have
 * @param random from 0 to 1
 * @throws DroverError 'port-taken'
 */
export function portMappings(
  bindings: readonly PortBinding[],
  used: readonly PortMapping[],
  random: () => number,
): PortMapping[] {
  const mappings: PortMapping[] = []
  for (const binding of bindings) {
    const { protocol, port, hostAddress } = binding
    const isFree = (hostPort: number): boolean =>
      ![...used, ...mappings].some(
        (other) =>
          other.protocol === protocol &&
          other.hostPort === hostPort &&
          (other.hostIP === undefined || hostAddress === undefined || other.hostIP === hostAddress),
      )
    const hostPort = candidates(binding, random).find(isFree)
    if (hostPort === undefined) {
      throw new DroverError(
        'port-taken',
        `Port ${describePorts(binding)} of the host is already allocated to another workload.`,
        { remedy: "'drover ports' lists who has it; publish another port, or 0 for any." },
      )
    }
    mappings.push({
      protocol,
      hostPort,
      port,
      ...(hostAddress === undefined ? {} : { hostIP: hostAddress }),
    })
  }
  return mappings
}

/** The workload's ports that are published, for the rules that name them. */
export function publishedPorts(mappings: readonly PortMapping[]): EndpointPort[] {
  const seen = new Set<string>()
  return mappings.flatMap(({ protocol, port }) => {
    const key = `${protocol} ${String(port)}`
    if (seen.has(key)) return []
    seen.add(key)
    return [{ name: PUBLISHED, protocol, port }]
  })
}

function candidates({ hostPort, hostPortEnd }: PortBinding, random: () => number): number[] {
  if (hostPort !== 0)
    return Array.from({ length: hostPortEnd - hostPort + 1 }, (_, index) => hostPort + index)
  const count = CHOSEN.last - CHOSEN.first + 1
  const start = Math.floor(random() * count)
  return Array.from({ length: count }, (_, index) => CHOSEN.first + ((start + index) % count))
}

function describePorts({ protocol, hostPort, hostPortEnd }: PortBinding): string {
  const range = hostPort === hostPortEnd ? String(hostPort) : `${String(hostPort)}-${String(hostPortEnd)}`
  return `${range}/${protocol.toLowerCase()}`
}
