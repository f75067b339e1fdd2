import { parsePrefix, prefixFamily } from '@network/net'
import { anyPrefix, labelKey, resourceName } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { boolean, integer, list, map, object, optional, string, text } from '../schema.ts'

/**
 * A named network of Docker and CNI: made once, the same on every node. Addresses come from `pools` or from
 * `subnets`, each inside a pool; with neither from any pool that hands out automatically.
 */
export interface NetworkSpec {
  /** Names of IPPools. */
  pools?: string[]
  subnets?: string[]
  /** Profile of workloads that name none; default the network's own name. */
  profile?: string
  mtuBytes?: number
  /** Whether workloads get their default route by this network; default: unless they have one. */
  defaultRoute?: boolean
  options?: Record<string, string>
}

export const network = defineKind<NetworkSpec>()({
  kind: 'Network',
  plural: 'networks',
  aliases: ['network', 'net', 'nets'],
  description: 'A named network for Docker and CNI, the same on every node.',
  immutable: ['subnets'],
  spec: object<NetworkSpec>({
    pools: optional(
      list(text(resourceName), { min: 1, max: 64, distinct: true }),
      'Pools that addresses come from.',
    ),
    subnets: optional(
      list(text(anyPrefix), { min: 1, max: 16, distinct: true }),
      'Ranges that addresses come from, each inside a pool. Cannot change.',
    ),
    profile: optional(
      text(resourceName),
      "Profile of workloads that name none (default: the network's name).",
    ),
    mtuBytes: optional(integer(68, 65535), "MTU of the workloads' interfaces (default: the agent's)."),
    defaultRoute: optional(boolean(), 'Give workloads a default route (default: unless they have one).'),
    options: optional(map(labelKey, string({ maxLength: 1024 })), "The runtime's options, kept as they are."),
  }),
  refine(spec, report) {
    if (spec.pools !== undefined && spec.subnets !== undefined) {
      report(['spec', 'subnets'], spec.subnets, 'either pools or subnets, not both')
    }
    if (spec.mtuBytes !== undefined && spec.mtuBytes < 1280) {
      const ipv6 = (spec.subnets ?? []).some((subnet) => {
        const parsed = parsePrefix(subnet)
        return parsed.ok && prefixFamily(parsed.value) === 'ipv6'
      })
      if (ipv6) report(['spec', 'mtuBytes'], spec.mtuBytes, 'at least 1280, which IPv6 needs (RFC 8200)')
    }
  },
})
