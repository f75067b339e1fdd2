/**
 * What an attach request means in this cluster: which families and pools, which profiles, which MTU. Pure; what
 * cannot be is refused here, before anything is written.
 */
import { DroverError, type Family, parseAddress } from '@network/net'
import { type ResourceOf, evaluateSelector, parseSelector } from '@network/datastore/model'
import type { AttachRequest } from '../client/messages.ts'

export interface PlanContext {
  readonly node: string
  readonly nodeLabels: Readonly<Record<string, string>>
  readonly pools: readonly ResourceOf<'IPPool'>[]
  readonly network: ResourceOf<'Network'> | undefined
  /** Whether somebody defined the Profile of this name. */
  readonly hasProfile: (name: string) => boolean
  /** MTU of workloads where neither request nor network says one. */
  readonly mtuBytes: number
  /** What the node's kernel speaks. */
  readonly families: readonly Family[]
}

export interface AttachPlan {
  readonly counts: Readonly<Record<Family, number>>
  /** Names of IPPools in order of preference; undefined: whatever serves this node. */
  readonly pools: readonly string[] | undefined
  readonly profiles: readonly string[]
  readonly mtuBytes: number
  readonly defaultRoute: boolean | undefined
}

/** @throws DroverError 'not-found', 'not-in-pool', 'no-address', 'invalid-request', 'family' */
export function planAttach(request: AttachRequest, context: PlanContext): AttachPlan {
  const network = context.network?.spec
  if (request.network !== undefined && network === undefined) {
    throw new DroverError('not-found', `There is no Network '${request.network}'.`, {
      remedy: "'drover get networks' lists those there are.",
    })
  }
  const awaitsLease = request.leased === true && (request.addresses ?? []).length === 0
  if (request.leased === true && request.assignedElsewhere !== true) {
    throw new DroverError('invalid-request', 'leased addresses are assigned elsewhere: say so too.')
  }
  if (request.assignedElsewhere === true && (request.addresses ?? []).length === 0 && !awaitsLease) {
    throw new DroverError(
      'invalid-request',
      'assignedElsewhere needs addresses: there is nobody here to assign them.',
    )
  }
  const named = namedPools(request, context)
  const counts = { ipv4: 0, ipv6: 0 }
  for (const text of request.addresses ?? []) {
    const parsed = parseAddress(text)
    if (parsed.ok) counts[parsed.value.family]++
  }
  const families =
    request.assignedElsewhere === true
      ? (['ipv4', 'ipv6'] as const).filter((family) => counts[family] > 0)
      : (request.families ?? defaultFamilies(named, counts, context))
  for (const family of ['ipv4', 'ipv6'] as const) {
    if (!families.includes(family) && counts[family] > 0) {
      throw new DroverError(
        'invalid-request',
        `The request names ${family} addresses but its families are ${families.join(', ')}.`,
        { remedy: `Add ${family} to the families, or leave these addresses out.` },
      )
    }
    if (families.includes(family) && counts[family] === 0) counts[family] = 1
    if (families.includes(family) && !context.families.includes(family)) {
      throw new DroverError(
        'family',
        `The request asks for ${family} addresses, and the kernel of the node ${context.node} has no ${family}.`,
        { remedy: `Leave ${family} out of the request, or run the workload on another node.` },
      )
    }
  }
  if (families.length === 0 && !awaitsLease) {
    throw new DroverError('no-address', `No enabled IPPool serves the node ${context.node}.`, {
      remedy:
        "Create one ('drover apply -f pool.yaml'), or look at the nodeSelectors and assignmentModes of those there are.",
    })
  }
  return {
    counts,
    pools: named?.map(({ metadata }) => metadata.name),
    profiles: request.profiles ?? [defaultProfile(request.network, context)],
    mtuBytes: request.mtuBytes ?? network?.mtuBytes ?? context.mtuBytes,
    defaultRoute: request.defaultRoute ?? network?.defaultRoute,
  }
}

/** Of workloads for which neither request nor network names a profile. */
export const DEFAULT_PROFILE = 'default'

/** The network's, or the one of the network's name if somebody defined it, or the cluster's. */
function defaultProfile(networkName: string | undefined, { network, hasProfile }: PlanContext): string {
  if (network?.spec.profile !== undefined) return network.spec.profile
  return networkName !== undefined && hasProfile(networkName) ? networkName : DEFAULT_PROFILE
}

/** The pools that request or network name, by name or prefix; undefined if neither names any. */
function namedPools(
  request: AttachRequest,
  { pools, network }: PlanContext,
): readonly ResourceOf<'IPPool'>[] | undefined {
  const words = [
    ...(request.ipv4Pools ?? []).map((word) => ({ word, family: 'ipv4' as const })),
    ...(request.ipv6Pools ?? []).map((word) => ({ word, family: 'ipv6' as const })),
  ]
  const ofNetwork = [...(network?.spec.pools ?? []), ...(network?.spec.subnets ?? [])]
  const wanted = words.length > 0 ? words : ofNetwork.map((word) => ({ word, family: undefined }))
  if (wanted.length === 0) return undefined
  return wanted.map(({ word, family }) => {
    const pool = pools.find(({ metadata, spec }) => metadata.name === word || spec.cidr === word)
    if (pool === undefined) {
      throw new DroverError('not-in-pool', `There is no IPPool with the name or prefix '${word}'.`, {
        remedy: "'drover get pools' lists those there are.",
      })
    }
    if (family !== undefined && familyOf(pool) !== family) {
      throw new DroverError(
        'family',
        `The IPPool '${word}' is of ${familyOf(pool)}, where ${family} is wanted.`,
      )
    }
    return pool
  })
}

function defaultFamilies(
  named: readonly ResourceOf<'IPPool'>[] | undefined,
  counts: Readonly<Record<Family, number>>,
  context: PlanContext,
): readonly Family[] {
  const serving = named ?? context.pools.filter((pool) => serves(pool, context.nodeLabels))
  return (['ipv4', 'ipv6'] as const).filter(
    (family) =>
      counts[family] > 0 ||
      (context.families.includes(family) && serving.some((pool) => familyOf(pool) === family)),
  )
}

function serves({ spec }: ResourceOf<'IPPool'>, labels: Readonly<Record<string, string>>): boolean {
  if (spec.disabled || spec.assignmentMode !== 'Automatic') return false
  const selector = parseSelector(spec.nodeSelector)
  return selector.ok && evaluateSelector(selector.value, labels)
}

function familyOf({ spec }: ResourceOf<'IPPool'>): Family {
  return spec.cidr.includes(':') ? 'ipv6' : 'ipv4'
}
