/** Every rule that can have a say about one endpoint, in the order in which they are asked. */
import type { Rule } from '@network/datastore/model'
import type { EvaluatorModel } from './flow.ts'
import { readState } from './state.ts'
import { createTierFinder, type Direction, type PolicyList } from './tiers.ts'

export type BearingPlace = 'untracked' | 'pre-DNAT' | 'forward' | 'policy' | 'profiles'

/** The rules of one policy or profile in one direction, where they are asked. */
export interface Bearing {
  readonly place: BearingPlace
  readonly direction: Direction
  readonly tier?: { readonly name: string; readonly defaultAction: 'Deny' | 'Pass' }
  /** 'NetworkPolicy/prod/web' */
  readonly policy?: string
  readonly profile?: string
  /** undefined: nobody defined the profile, which denies. */
  readonly rules: readonly Rule[] | undefined
}

/** The lists that are asked, in the order of a packet's way, and what their place is called. */
const workloadLists: readonly (readonly [PolicyList, BearingPlace])[] = [['normal', 'policy']]
const hostLists: typeof workloadLists = [
  ['untracked', 'untracked'],
  ['pre-DNAT', 'pre-DNAT'],
  ['forward', 'forward'],
  ...workloadLists,
]

/** What bears on an endpoint, named as in its update; undefined if the model has no such endpoint. */
export function rulesOn(
  model: EvaluatorModel,
  endpoint: { readonly kind: 'WorkloadEndpoint' | 'HostEndpoint'; readonly name: string },
): readonly Bearing[] | undefined {
  const state = readState(model)
  const thing =
    endpoint.kind === 'WorkloadEndpoint'
      ? state.workloads.get(endpoint.name)
      : state.hosts.find(({ name }) => name === endpoint.name)
  if (thing === undefined) return undefined
  const lists = endpoint.kind === 'WorkloadEndpoint' ? workloadLists : hostLists
  const tiersFor = createTierFinder(state)
  return (['ingress', 'egress'] as const).flatMap((direction) => [
    ...lists.flatMap(([list, place]) =>
      tiersFor(thing, direction, list).flatMap(({ name, defaultAction, policies }) =>
        policies.map((policy): Bearing => {
          const tier = { name, defaultAction }
          return { place, direction, tier, policy: policy.id, rules: policy[direction] ?? [] }
        }),
      ),
    ),
    ...thing.profiles.map((profile): Bearing => {
      const rules = state.profiles.get(profile)?.[direction]
      return { place: 'profiles', direction, profile, rules }
    }),
  ])
}
