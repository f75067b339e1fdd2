/** What a PoolID says. dockerd stores it and brings it along with every address: so nothing need be remembered here. */
import { DroverError, parsePrefix } from '@network/net'

export interface PoolId {
  readonly family: 'ipv4' | 'ipv6'
  /** What `--subnet` said. */
  readonly subnet?: string
  /** What `--ip-range` said. */
  readonly range?: string
  /** Names of the IPPools to take from; none: the automatic ones. */
  readonly pool?: string
}

export function formatPoolId(id: PoolId): string {
  const words = new URLSearchParams({ family: id.family })
  if (id.subnet !== undefined) words.set('subnet', id.subnet)
  if (id.range !== undefined) words.set('range', id.range)
  if (id.pool !== undefined) words.set('pool', id.pool)
  return words.toString()
}

/** @throws DroverError 'invalid-request' */
export function parsePoolId(text: string): PoolId {
  const words = new URLSearchParams(text)
  const family = words.get('family')
  const subnet = words.get('subnet') ?? undefined
  const range = words.get('range') ?? undefined
  const pool = words.get('pool') ?? undefined
  const prefixes = [subnet, range].filter((prefix) => prefix !== undefined)
  if ((family !== 'ipv4' && family !== 'ipv6') || prefixes.some((prefix) => !parsePrefix(prefix).ok)) {
    throw new DroverError('invalid-request', `PoolID '${text.slice(0, 80)}' is not one of ours.`, {
      remedy: 'Create the network with --ipam-driver drover.',
    })
  }
  return {
    family,
    ...(subnet === undefined ? {} : { subnet }),
    ...(range === undefined ? {} : { range }),
    ...(pool === undefined ? {} : { pool }),
  }
}
