import { anyPrefix, community, duration, resourceName } from '../formats.ts'
import { defineKind } from '../kind.ts'
import {
  asNumber,
  boolean,
  integer,
  list,
  object,
  oneOf,
  optional,
  required,
  type Schema,
  string,
  text,
} from '../schema.ts'

export interface NamedCommunity {
  name: string
  value: string
}

export interface PrefixAdvertisement {
  cidr: string
  /** Names of `communities`, or values aa:nn and aa:nn:mm. */
  communities: string[]
}

/** Most prefixes per address family on one session; absent is no limit. */
export interface PrefixLimits {
  ipv4?: number
  ipv6?: number
}

/** Durations are texts such as '90s': `durationSeconds` turns them into numbers. */
export interface BGPConfigurationSpec {
  nodeToNodeMeshEnabled?: boolean
  asNumber?: number
  listenPort?: number
  bindMode?: 'None' | 'NodeIP'
  nodeMeshPassword?: string
  nodeMeshMaxRestartTime?: string
  holdTime?: string
  keepaliveTime?: string
  communities?: NamedCommunity[]
  prefixAdvertisements?: PrefixAdvertisement[]
  importPrefixLimit?: PrefixLimits
  exportPrefixLimit?: PrefixLimits
}

/** What holds where neither `node.<name>` nor `default` says otherwise. */
export const BGP_DEFAULTS = {
  nodeToNodeMeshEnabled: true,
  asNumber: 64512,
  listenPort: 179,
  bindMode: 'None',
  nodeMeshMaxRestartTime: '120s',
  holdTime: '90s',
  keepaliveTime: '30s',
} as const satisfies BGPConfigurationSpec

/** RFC 4271 section 4.2: the hold time is zero or at least three seconds, in 16 bits. */
export const holdTime = duration({ minMs: 3000, maxMs: 65_535_000, orZero: true })
export const keepaliveTime = duration({ minMs: 1000, maxMs: 21_845_000, orZero: true })
/** RFC 4724 section 3: twelve bits. */
export const restartTime = duration({ minMs: 0, maxMs: 4_095_000 })
/** RFC 2385 as Linux has it: at most 80 bytes (TCP_MD5SIG_MAXKEYLEN). */
export const sessionPassword = string({ minLength: 1, maxLength: 80, secret: true })

export const prefixLimits: Schema<PrefixLimits> = object<PrefixLimits>({
  ipv4: optional(integer(0, 16_777_216), 'IPv4 prefixes.'),
  ipv6: optional(integer(0, 16_777_216), 'IPv6 prefixes.'),
})

const clusterWide = ['nodeToNodeMeshEnabled', 'nodeMeshPassword', 'nodeMeshMaxRestartTime'] as const

/** What a node goes by: its own configuration over the cluster's over the built-in values. */
export function effectiveBgpConfiguration(
  cluster: BGPConfigurationSpec | undefined,
  ofNode: BGPConfigurationSpec | undefined,
): BGPConfigurationSpec & Required<Pick<BGPConfigurationSpec, keyof typeof BGP_DEFAULTS>> {
  return { ...BGP_DEFAULTS, ...cluster, ...ofNode }
}

export const bgpConfiguration = defineKind<BGPConfigurationSpec>()({
  kind: 'BGPConfiguration',
  plural: 'bgpconfigurations',
  aliases: ['bgpconfiguration', 'bgpconfig', 'bgpconfigs'],
  description:
    'How the cluster speaks BGP: `default` for all, `node.<name>` for what one node does otherwise.',
  names: 'default-or-node',
  spec: object<BGPConfigurationSpec>({
    nodeToNodeMeshEnabled: optional(boolean(), 'Every node peers with every other (default true).'),
    asNumber: optional(asNumber(), 'AS number of the nodes (default 64512).'),
    listenPort: optional(integer(1, 65535), 'TCP port of the speaker (default 179).'),
    bindMode: optional(
      oneOf(['None', 'NodeIP']),
      "NodeIP: listen on the node's own address only (default None: on all).",
    ),
    nodeMeshPassword: optional(sessionPassword, 'TCP MD5 password of the mesh (RFC 2385).'),
    nodeMeshMaxRestartTime: optional(
      text(restartTime),
      'How long routes of a restarting node are kept (default 120s).',
    ),
    holdTime: optional(text(holdTime), 'Hold time offered to peers (default 90s).'),
    keepaliveTime: optional(
      text(keepaliveTime),
      'Interval of keepalives (default a third of the hold time).',
    ),
    communities: optional(
      list(
        object<NamedCommunity>({
          name: required(text(resourceName), 'Name to use in prefixAdvertisements.'),
          value: required(text(community), 'aa:nn or aa:nn:mm.'),
        }),
      ),
      'Names for communities.',
    ),
    prefixAdvertisements: optional(
      list(
        object<PrefixAdvertisement>({
          cidr: required(text(anyPrefix), 'Routes within this prefix carry the communities.'),
          communities: required(list(string({ minLength: 1, maxLength: 253 })), 'Names or values.'),
        }),
      ),
      'Communities that are put on announced routes.',
    ),
    importPrefixLimit: optional(prefixLimits, 'Most prefixes taken from one peer.'),
    exportPrefixLimit: optional(prefixLimits, 'Most prefixes announced to one peer.'),
  }),
  refine(spec, report, metadata) {
    if (metadata.name !== 'default') {
      for (const field of clusterWide) {
        if (spec[field] !== undefined) {
          report(
            ['spec', field],
            spec[field],
            `no ${field} here: it belongs into the configuration 'default'`,
            'it holds for the whole cluster',
          )
        }
      }
    }
    const names = new Set<string>()
    spec.communities?.forEach(({ name }, index) => {
      if (names.has(name)) report(['spec', 'communities', index, 'name'], name, 'a name used once')
      names.add(name)
    })
    spec.prefixAdvertisements?.forEach((advertisement, index) => {
      advertisement.communities.forEach((value, at) => {
        if (names.has(value) || community.parse(value).ok) return
        // A node's configuration may use the names of the default one, which isn't at hand here.
        if (metadata.name !== 'default' && !value.includes(':')) return
        report(
          ['spec', 'prefixAdvertisements', index, 'communities', at],
          value,
          `${community.expected}, or a name from spec.communities`,
        )
      })
    })
  },
})
