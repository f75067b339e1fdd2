/** The chains of one workload's interface, and what dispatch, source check and translation must know of it. */
import type { Family } from '@network/net'
import type { ActiveEndpoint } from '../calc/active.ts'
import { protocolArgs } from './match.ts'
import { chainName } from './names.ts'
import type { RenderedRule } from './rendered.ts'
import { type TierContext, profileRules, tierRules } from './tiers.ts'

export function fromWorkloadChain(interfaceName: string): string {
  return chainName('drv-fw-', interfaceName)
}

export function toWorkloadChain(interfaceName: string): string {
  return chainName('drv-tw-', interfaceName)
}

/** Entered with the accept mark clear; left by packets that carry it. */
export function workloadChains(endpoint: ActiveEndpoint, context: TierContext): Map<string, RenderedRule[]> {
  const chain = (direction: 'inbound' | 'outbound'): RenderedRule[] => [
    ...tierRules(endpoint.tiers, direction, context),
    ...profileRules(endpoint.profiles, direction, context),
  ]
  return new Map([
    [fromWorkloadChain(endpoint.interfaceName), chain('outbound')],
    [toWorkloadChain(endpoint.interfaceName), chain('inbound')],
  ])
}

export function ofFamily(prefixes: readonly string[], family: Family): readonly string[] {
  return prefixes.filter((prefix) => prefix.includes(':') === (family === 'ipv6'))
}

/** Ports of the host that lead to this workload: where they are translated, and what must look as if from the host. */
export function portMappingRules(
  endpoint: ActiveEndpoint,
  family: Family,
): { translate: RenderedRule[]; masquerade: RenderedRule[] } {
  const translate: RenderedRule[] = []
  const masquerade: RenderedRule[] = []
  const [prefix] = ofFamily(endpoint.addresses, family)
  if (prefix === undefined) return { translate, masquerade }
  const address = prefix.slice(0, prefix.indexOf('/'))
  for (const mapping of endpoint.portMappings) {
    const { hostAddress } = mapping
    const any = hostAddress === undefined || hostAddress === '0.0.0.0' || hostAddress === '::'
    if (hostAddress !== undefined && hostAddress.includes(':') !== (family === 'ipv6')) continue
    const protocol = protocolArgs(mapping.protocol)
    const [, name = ''] = protocol
    const where = any ? ['-m', 'addrtype', '--dst-type', 'LOCAL'] : ['-d', hostAddress]
    const to = family === 'ipv6' ? `[${address}]:${mapping.port}` : `${address}:${mapping.port}`
    translate.push({
      args: [
        ...protocol,
        ...where,
        ...['-m', name, '--dport', String(mapping.hostPort)],
        ...['-j', 'DNAT', '--to-destination', to],
      ],
    })
    const reached = [...protocol, '-d', prefix, '-m', name, '--dport', String(mapping.port)]
    masquerade.push({ args: ['-s', prefix, ...reached, '-j', 'MASQUERADE'] })
    if (family === 'ipv4') masquerade.push({ args: ['-s', '127.0.0.0/8', ...reached, '-j', 'MASQUERADE'] })
  }
  return { translate, masquerade }
}
