import type { FaceModel } from '@network/agent/client'
import type { ResourceOf } from '@network/datastore/model'
import { CniError, brief } from '../cni-error.ts'

export interface PoolWishes {
  readonly network: string | undefined
  readonly ipv4Pools: readonly string[] | undefined
  readonly ipv6Pools: readonly string[] | undefined
}

/**
 * The IPPools that configuration or Network name, by name or prefix, enabled or not; undefined if neither names any.
 * @throws CniError configuration
 */
export function namedPools(
  model: FaceModel,
  wishes: PoolWishes,
): readonly ResourceOf<'IPPool'>[] | undefined {
  const network = wishes.network === undefined ? undefined : model.get('Network', wishes.network)
  if (wishes.network !== undefined && network === undefined) {
    throw new CniError(
      'configuration',
      `There is no Network '${brief(wishes.network)}'.`,
      "'drover get networks' lists those there are.",
    )
  }
  const own = [...(wishes.ipv4Pools ?? []), ...(wishes.ipv6Pools ?? [])]
  const words = own.length > 0 ? own : [...(network?.spec.pools ?? []), ...(network?.spec.subnets ?? [])]
  if (words.length === 0) return undefined
  const pools = model.list('IPPool')
  return words.map((word) => {
    const pool = pools.find(({ metadata, spec }) => metadata.name === word || spec.cidr === word)
    if (pool !== undefined) return pool
    throw new CniError(
      'configuration',
      `There is no IPPool with the name or prefix '${brief(word)}'.`,
      "'drover get pools' lists those there are.",
    )
  })
}
