/** Every rule that can have a say about one endpoint, in the order in which they are asked. */
import type { Rule } from '@network/datastore/model'
import type { EvaluatorModel } from './flow.ts'
import { type EvaluatorState, type Policy, readState, type Thing } from './state.ts'
import { type Direction, tiersFor } from './tiers.ts'

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

/** The places of a packet's way at which an endpoint's policies are asked, and which of them each asks. */
const workloadPlaces: readonly (readonly [BearingPlace, (policy: Policy) => boolean])[] = [
  ['policy', ({ spec }) => spec.doNotTrack !== true && spec.preDNAT !== true],
]
const hostPlaces: typeof workloadPlaces = [
  ['untracked', ({ spec }) => spec.doNotTrack === true],
  ['pre-DNAT', ({ spec }) => spec.preDNAT === true && spec.doNotTrack !== true],
  [
    'forward',
    ({ spec }) => spec.applyOnForward === true && spec.doNotTrack !== true && spec.preDNAT !== true,
  ],
  ...workloadPlaces,
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
  const places = endpoint.kind === 'WorkloadEndpoint' ? workloadPlaces : hostPlaces
  return (['ingress', 'egress'] as const).flatMap((direction) => [
    ...places.flatMap(([place, asks]) => policiesAt(state, thing, direction, place, asks)),
    ...thing.profiles.map((profile): Bearing => {
      const rules = state.profiles.get(profile)?.[direction]
      return { place: 'profiles', direction, profile, rules }
    }),
  ])
}

function policiesAt(
  state: EvaluatorState,
  thing: Thing,
  direction: Direction,
  place: BearingPlace,
  asks: (policy: Policy) => boolean,
): Bearing[] {
  return tiersFor(state, thing, direction, asks).flatMap(({ name, defaultAction, policies }) =>
    policies.map((policy) => ({
      place,
      direction,
      tier: { name, defaultAction },
      policy: policy.id,
      rules: policy[direction] ?? [],
    })),
  )
}
