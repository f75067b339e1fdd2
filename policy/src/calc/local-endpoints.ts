/**
 * The endpoints of this node: which policies judge them and in which order, and from that which policies and profiles
 * are active. Changes mark; `drain` settles.
 */
import { DEFAULT_TIER, type TierSpec } from '@network/datastore/model'
import { protocolNumber } from '../protocol.ts'
import type {
  ActiveChanges,
  ActiveEndpoint,
  ActiveHostEndpoint,
  ActivePortMapping,
  PolicyId,
} from './active.ts'
import { Claims } from './claims.ts'
import { canonicalNets, type Item, type Local } from './item.ts'
import { LabelIndex } from './label-index.ts'
import type { LabelSource } from './label-source.ts'
import { orderedTiers } from './policy-order.ts'
import type { PolicyRecord } from './policy-record.ts'
import { same } from './same.ts'

/** What settling found: endpoints that changed, and policies and profiles whose use may have changed. */
export interface LocalChanges extends Pick<ActiveChanges, 'endpoints' | 'hostEndpoints'> {
  readonly policies: ReadonlySet<PolicyId>
  readonly profiles: ReadonlySet<string>
}

export class LocalEndpoints {
  readonly #tiers: ReadonlyMap<string, TierSpec>
  readonly #index: LabelIndex<Item, PolicyRecord>
  readonly #policiesOfTier = new Map<string, Set<PolicyRecord>>()
  /** Local endpoints that name a profile. */
  readonly #namers = new Map<string, Set<Item>>()
  readonly #workloadInterfaces = new Claims<Item>()
  readonly #hostInterfaces = new Claims<Item>()
  readonly #hosts = new Set<Item>()
  readonly #told = new Map<Item, ActiveEndpoint | ActiveHostEndpoint>()
  #interfaces: ReadonlyMap<string, readonly string[]> = new Map()
  #changedItems = new Map<Item, Local['is']>()
  #changedPolicies = new Set<PolicyId>()
  #changedProfiles = new Set<string>()

  constructor(tiers: ReadonlyMap<string, TierSpec>) {
    this.#tiers = tiers
    const matches = (policy: PolicyRecord, item: Item): void => {
      this.#changedPolicies.add(policy.id)
      this.#mark(item)
    }
    this.#index = new LabelIndex<Item, PolicyRecord>({ matched: matches, unmatched: matches })
  }

  /** An item is new or gone, has other labels, or its resource says something else. Any may be local or not. */
  move(
    item: Item,
    from: LabelSource | undefined,
    to: LabelSource | undefined,
    local: Local | undefined,
  ): void {
    const before = item.local
    if (before === undefined && local === undefined) return
    if (from === to && before !== undefined && same(before, local)) return
    this.#mark(item)
    if (before !== undefined && (local === undefined || local.is !== before.is)) this.#leave(item, before)
    item.local = local
    this.#index.move(item, before === undefined ? undefined : from, local === undefined ? undefined : to)
    if (local === undefined) return
    for (const profile of local.spec.profiles) {
      const namers = this.#namers.get(profile)
      if (namers === undefined) this.#namers.set(profile, new Set([item]))
      else namers.add(item)
      this.#changedProfiles.add(profile)
    }
    for (const profile of before?.spec.profiles ?? []) {
      if (!local.spec.profiles.includes(profile)) this.#unname(item, profile)
    }
    if (local.is === 'host') this.#hosts.add(item)
    this.#claim(item, local)
    this.#mark(item)
  }

  relabel(source: LabelSource): void {
    this.#index.relabel(source)
  }

  onPolicy(before: PolicyRecord | undefined, after: PolicyRecord | undefined): void {
    if (before !== undefined) {
      this.#changedPolicies.add(before.id)
      for (const item of this.#index.itemsOf(before)) this.#mark(item)
      this.#index.deleteQuery(before)
      const ofTier = this.#policiesOfTier.get(before.tier)
      ofTier?.delete(before)
      if (ofTier?.size === 0) this.#policiesOfTier.delete(before.tier)
    }
    if (after !== undefined) {
      const ofTier = this.#policiesOfTier.get(after.tier)
      if (ofTier === undefined) this.#policiesOfTier.set(after.tier, new Set([after]))
      else ofTier.add(after)
      this.#index.addQuery(after)
    }
  }

  onTier(name: string): void {
    for (const policy of this.#policiesOfTier.get(name) ?? []) {
      for (const item of this.#index.itemsOf(policy)) this.#mark(item)
    }
  }

  onProfile(name: string): void {
    this.#changedProfiles.add(name)
  }

  setInterfaces(interfaces: ReadonlyMap<string, readonly string[]>): void {
    this.#interfaces = new Map([...interfaces].map(([name, addresses]) => [name, canonicalNets(addresses)]))
    for (const item of this.#hosts) if (item.local !== undefined) this.#claim(item, item.local)
  }

  /** Whether an endpoint that is under policy is judged by this one. */
  uses(policy: PolicyRecord): boolean {
    if (!policy.inbound && !policy.outbound) return false
    for (const item of this.#index.itemsOf(policy)) {
      if (this.#interfaceOf(item) === undefined) continue
      if (item.local?.is === 'host' || policy.place === 'normal') return true
    }
    return false
  }

  /** Whether an endpoint that is under policy names this profile. */
  names(profile: string): boolean {
    for (const item of this.#namers.get(profile) ?? []) {
      if (this.#interfaceOf(item) !== undefined) return true
    }
    return false
  }

  drain(): LocalChanges {
    const endpoints = new Map<string, ActiveEndpoint | undefined>()
    const hostEndpoints = new Map<string, ActiveHostEndpoint | undefined>()
    for (const item of this.#changedItems.keys()) {
      if (item.local === undefined) continue
      for (const policy of this.#index.queriesOf(item.source)) this.#changedPolicies.add(policy.id)
      for (const profile of item.local.spec.profiles) this.#changedProfiles.add(profile)
    }
    for (const [item, was] of this.#changedItems) {
      const active = this.#active(item)
      if (same(active, this.#told.get(item))) continue
      if (active === undefined) this.#told.delete(item)
      else this.#told.set(item, active)
      const is = item.local?.is ?? was
      if (is === 'workload') endpoints.set(item.key, active as ActiveEndpoint | undefined)
      else hostEndpoints.set(item.key, active as ActiveHostEndpoint | undefined)
    }
    const changes = {
      endpoints,
      hostEndpoints,
      policies: this.#changedPolicies,
      profiles: this.#changedProfiles,
    }
    this.#changedItems = new Map()
    this.#changedPolicies = new Set()
    this.#changedProfiles = new Set()
    return changes
  }

  /** Tiers that active policies are in and nobody defined. */
  *tiers(): Generator<string> {
    for (const [tier, policies] of this.#policiesOfTier) {
      if (tier === DEFAULT_TIER.name || this.#tiers.has(tier)) continue
      for (const policy of policies) {
        if (!this.uses(policy)) continue
        yield tier
        break
      }
    }
  }

  *problems(): Generator<string> {
    for (const [item, name] of this.#workloadInterfaces.refused()) {
      yield `The endpoint at ${item.key} is not under policy: another one has its interface '${name}'.`
    }
    for (const [item, name] of this.#hostInterfaces.refused()) {
      yield `HostEndpoint/${item.key} is not in force: another one has its interface '${name}'.`
    }
    for (const item of this.#hosts) {
      if (item.local?.is !== 'host' || hostInterface(item, item.local.spec, this.#interfaces) !== undefined)
        continue
      yield `HostEndpoint/${item.key} is not in force: no interface of this node has an address of its expectedIPs.`
    }
  }

  #mark(item: Item): void {
    if (item.local !== undefined) this.#changedItems.set(item, item.local.is)
  }

  #unname(item: Item, profile: string): void {
    const namers = this.#namers.get(profile)
    namers?.delete(item)
    if (namers?.size === 0) this.#namers.delete(profile)
    this.#changedProfiles.add(profile)
  }

  #leave(item: Item, before: Local): void {
    for (const profile of before.spec.profiles) this.#unname(item, profile)
    this.#hosts.delete(item)
    for (const other of this.#claimsOf(before).claim(item, undefined)) this.#mark(other)
  }

  #claim(item: Item, local: Local): void {
    const name =
      local.is === 'workload' ? local.spec.interfaceName : hostInterface(item, local.spec, this.#interfaces)
    for (const other of this.#claimsOf(local).claim(item, name)) this.#mark(other)
  }

  #claimsOf(local: Local): Claims<Item> {
    return local.is === 'workload' ? this.#workloadInterfaces : this.#hostInterfaces
  }

  #interfaceOf(item: Item): string | undefined {
    return item.local === undefined ? undefined : this.#claimsOf(item.local).held(item)
  }

  #active(item: Item): ActiveEndpoint | ActiveHostEndpoint | undefined {
    const interfaceName = this.#interfaceOf(item)
    const { local } = item
    if (local === undefined || interfaceName === undefined) return undefined
    const policies = [...this.#index.queriesOf(item.source)]
    const normal = policies.filter(({ place }) => place === 'normal')
    if (local.is === 'workload') {
      return {
        interfaceName,
        addresses: item.addresses,
        allowedSources: canonicalNets(local.spec.allowSpoofedSourcePrefixes ?? []),
        portMappings: (local.spec.portMappings ?? []).flatMap(activePortMapping),
        tiers: orderedTiers(normal, this.#tiers),
        profiles: local.spec.profiles,
      }
    }
    const preDNAT = policies.filter(({ place }) => place === 'preDNAT')
    return {
      interfaceName,
      normal: orderedTiers(normal, this.#tiers),
      forward: orderedTiers(
        normal.filter(({ forward }) => forward),
        this.#tiers,
      ),
      untracked: orderedTiers(
        policies.filter(({ place }) => place === 'untracked'),
        this.#tiers,
      ),
      preDNAT: orderedTiers(preDNAT, this.#tiers),
      profiles: local.spec.profiles,
    }
  }
}

/** The interface that a HostEndpoint names, or the first by name that has one of its addresses. */
function hostInterface(
  item: Item,
  spec: { readonly interfaceName?: string },
  interfaces: ReadonlyMap<string, readonly string[]>,
): string | undefined {
  if (spec.interfaceName !== undefined) return spec.interfaceName
  return [...interfaces]
    .filter(([, addresses]) => addresses.some((address) => item.addresses.includes(address)))
    .map(([name]) => name)
    .sort()[0]
}

function activePortMapping(mapping: {
  readonly protocol: string
  readonly hostIP?: string
  readonly hostPort: number
  readonly port: number
}): ActivePortMapping[] {
  const protocol = protocolNumber(mapping.protocol)
  if (protocol === undefined) return []
  const { hostIP, hostPort, port } = mapping
  return [{ protocol, ...(hostIP === undefined ? {} : { hostAddress: hostIP }), hostPort, port }]
}
