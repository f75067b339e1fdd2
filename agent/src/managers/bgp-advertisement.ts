import type { OriginateAttributes } from '@network/bgp'
import { parsePrefix, prefixCovers } from '@network/net'
import type { BGPConfigurationSpec } from '@network/datastore/model'
import { splitCommunities } from './bgp-policy.ts'

/** The communities of every advertisement that covers the prefix. */
export function advertisement(
  prefix: string,
  cluster: BGPConfigurationSpec | undefined,
  ofNode: BGPConfigurationSpec | undefined,
): OriginateAttributes {
  const own = parsePrefix(prefix)
  if (!own.ok) return {}
  const named = new Map(
    [...(cluster?.communities ?? []), ...(ofNode?.communities ?? [])].map(({ name, value }) => [name, value]),
  )
  const values = (ofNode?.prefixAdvertisements ?? cluster?.prefixAdvertisements ?? [])
    .filter(({ cidr }) => {
      const range = parsePrefix(cidr)
      return range.ok && prefixCovers(range.value, own.value)
    })
    .flatMap(({ communities }) => communities.map((word) => named.get(word) ?? word))
    .filter((value) => value.includes(':'))
  const { small, large } = splitCommunities([...new Set(values)].sort())
  return {
    ...(small.length === 0 ? {} : { communities: small }),
    ...(large.length === 0 ? {} : { largeCommunities: large }),
  }
}
