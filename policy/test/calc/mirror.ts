import {
  type ActiveChanges,
  type ActiveEndpoint,
  type ActiveHostEndpoint,
  type ActivePool,
  type ActiveRules,
  type Calculator,
  createCalculator,
  type PolicyUpdate,
} from '../../src/index.ts'

/** What a reader of changes has: all of them, one upon the other. A change that doesn't fit what is there throws. */
export interface Mirror {
  readonly sets: Map<string, { type: string; members: Set<string> }>
  readonly policies: Map<string, ActiveRules>
  readonly profiles: Map<string, ActiveRules | 'missing'>
  readonly endpoints: Map<string, ActiveEndpoint>
  readonly hostEndpoints: Map<string, ActiveHostEndpoint>
  pools: readonly ActivePool[]
}

export function emptyMirror(): Mirror {
  return {
    sets: new Map(),
    policies: new Map(),
    profiles: new Map(),
    endpoints: new Map(),
    hostEndpoints: new Map(),
    pools: [],
  }
}

/** A calculator of node 'here' that was told these at once, and what it then told. */
export function calculate(updates: Iterable<PolicyUpdate>): { mirror: Mirror; calculator: Calculator } {
  const calculator = createCalculator({ node: 'here' })
  for (const update of updates) calculator.onUpdate(update)
  const mirror = emptyMirror()
  apply(mirror, calculator.drain())
  return { mirror, calculator }
}

export function apply(mirror: Mirror, changes: ActiveChanges): void {
  for (const [id, change] of changes.sets) {
    const set = mirror.sets.get(id)
    if (change === undefined) {
      if (!mirror.sets.delete(id)) throw new Error(`set ${id} goes that was never there`)
      continue
    }
    if (change.created !== (set === undefined)) throw new Error(`set ${id} is created twice or not at all`)
    const { members } = set ?? { members: new Set<string>() }
    for (const member of change.added) {
      if (members.has(member)) throw new Error(`${member} comes to ${id} twice`)
      members.add(member)
    }
    for (const member of change.removed) {
      if (!members.delete(member)) throw new Error(`${member} leaves ${id} and was never in it`)
    }
    mirror.sets.set(id, { type: change.type, members })
  }
  take(mirror.policies, changes.policies)
  take(mirror.profiles, changes.profiles)
  take(mirror.endpoints, changes.endpoints)
  take(mirror.hostEndpoints, changes.hostEndpoints)
  if (changes.pools !== undefined) mirror.pools = changes.pools
}

function take<T>(into: Map<string, T>, changes: ReadonlyMap<string, T | undefined>): void {
  for (const [key, value] of changes) {
    if (value !== undefined) into.set(key, value)
    else if (!into.delete(key)) throw new Error(`${key} goes that was never there`)
  }
}

/** The mirror as plain data whose order says nothing. */
export function plain(mirror: Mirror): object {
  const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] =>
    [...map].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    sets: sorted(mirror.sets).map(([id, { type, members }]) => [id, type, [...members].sort()]),
    policies: sorted(mirror.policies),
    profiles: sorted(mirror.profiles),
    endpoints: sorted(mirror.endpoints),
    hostEndpoints: sorted(mirror.hostEndpoints),
    pools: mirror.pools,
  }
}

/** Every set that a rule names is there, and every set there is named; rules of every policy and profile that is judged are there. */
export function dangling(mirror: Mirror): string[] {
  const named = new Set<string>()
  const rules = [...mirror.policies.values(), ...mirror.profiles.values()]
  for (const one of rules) {
    if (one === 'missing') continue
    for (const { source, destination } of [...one.inbound, ...one.outbound]) {
      for (const { sets, notSets, portSets, notPortSets } of [source, destination]) {
        for (const id of [sets, notSets, portSets, notPortSets].flat()) if (id !== undefined) named.add(id)
      }
    }
  }
  const judged = new Set<string>()
  const profiles = new Set<string>()
  const endpoints = [...mirror.endpoints.values(), ...mirror.hostEndpoints.values()]
  for (const endpoint of endpoints) {
    const tiers =
      'tiers' in endpoint
        ? endpoint.tiers
        : [...endpoint.normal, ...endpoint.forward, ...endpoint.untracked, ...endpoint.preDNAT]
    for (const tier of tiers) for (const id of [...tier.inbound, ...tier.outbound]) judged.add(id)
    for (const profile of endpoint.profiles) profiles.add(profile)
  }
  return [
    ...difference('set', named, mirror.sets),
    ...difference('policy', judged, mirror.policies),
    ...difference('profile', profiles, mirror.profiles),
  ]
}

function difference(
  what: string,
  needed: ReadonlySet<string>,
  there: ReadonlyMap<string, unknown>,
): string[] {
  return [
    ...[...needed].filter((one) => !there.has(one)).map((one) => `${what} ${one} is needed and not there`),
    ...[...there.keys()]
      .filter((one) => !needed.has(one))
      .map((one) => `${what} ${one} is there for nothing`),
  ]
}
