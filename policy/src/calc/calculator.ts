/**
 * Calculation, incrementally. Every endpoint and network set of the cluster is an item with a label source, which the
 * sets of active rules look at; local endpoints are in a second index, which policies look at. An update moves items
 * and marks what it touches; `drain` settles what is marked, in the order endpoints, policies and profiles, sets, and
 * tells where that differs from what it told before. Nothing here depends on the order of updates.
 */
import { PENDING_ANNOTATION, type TierSpec } from '@network/datastore/model'
import type { AnyPolicySpec, PolicyKind, PolicyResource, PolicyUpdate, ReadableUpdate } from '../input.ts'
import { salvage } from '../salvage.ts'
import type { ActiveChanges, ActivePool, ActiveRules, PolicyId, SetId } from './active.ts'
import { canonicalNet } from './active-rules.ts'
import {
  describeHost,
  describeNetworkSet,
  describeWorkload,
  type Item,
  type ItemDescription,
} from './item.ts'
import { LabelSources } from './label-source.ts'
import { LocalEndpoints } from './local-endpoints.ts'
import { MemberSets } from './member-sets.ts'
import { type PolicyRecord, policyRecord } from './policy-record.ts'
import { RuleBook, type RuleSource } from './rule-book.ts'
import { same } from './same.ts'

export interface CalculatorOptions {
  /** This node's name: endpoints of it are local. */
  readonly node: string
}

export interface Calculator {
  /** Takes one change of the model; cheap. The same one again changes nothing. */
  onUpdate(update: PolicyUpdate): void
  /** The host's interfaces and their addresses, for HostEndpoints that name addresses and no interface. */
  setInterfaces(interfaces: ReadonlyMap<string, readonly string[]>): void
  /** What changed in the active policy since the last call. */
  drain(): ActiveChanges
  /** Members of an active set as of the last change; empty if it isn't active. */
  members(set: SetId): readonly string[]
  /** Sentences for people: what can't be read, what nobody defined. */
  problems(): readonly string[]
}

type Update<K extends PolicyKind> = Extract<ReadableUpdate, { kind: K }>

export function createCalculator(options: CalculatorOptions): Calculator {
  return new IncrementalCalculator(options.node)
}

class IncrementalCalculator implements Calculator {
  readonly #node: string
  readonly #sources = new LabelSources()
  readonly #sets = new MemberSets<Item>()
  readonly #policyRules = new RuleBook(this.#sets)
  readonly #profileRules = new RuleBook(this.#sets)
  readonly #workloads = new Map<string, Item>()
  readonly #hosts = new Map<string, Item>()
  readonly #networkSets = new Map<string, Item>()
  readonly #policies = new Map<PolicyId, PolicyRecord>()
  readonly #profiles = new Map<string, RuleSource>()
  readonly #tiers = new Map<string, TierSpec>()
  readonly #pools = new Map<string, ActivePool>()
  readonly #local = new LocalEndpoints(this.#tiers)
  readonly #faults = new Map<string, string>()
  #toldPools: readonly ActivePool[] = []

  constructor(node: string) {
    this.#node = node
  }

  onUpdate(update: PolicyUpdate): void {
    const id = `${update.kind}/${update.name}`
    if (!('broken' in update)) {
      this.#faults.delete(id)
      this.#take(isPending(update) ? { ...update, resource: undefined } : update)
      return
    }
    const { kind, name, broken } = update
    this.#faults.set(id, `${id} can't be read; ${CONSEQUENCES[kind]}.`)
    if (kind === 'Profile')
      this.#takeProfile(name, salvage(kind, name, broken)?.spec.labelsToApply, undefined)
    else this.#take({ kind, name, resource: salvage(kind, name, broken) } as ReadableUpdate)
  }

  setInterfaces(interfaces: ReadonlyMap<string, readonly string[]>): void {
    this.#local.setInterfaces(interfaces)
  }

  drain(): ActiveChanges {
    const local = this.#local.drain()
    for (const id of local.policies) {
      const policy = this.#policies.get(id)
      this.#policyRules.set(id, policy !== undefined && this.#local.uses(policy) ? policy.rules : undefined)
    }
    for (const name of local.profiles) {
      this.#profileRules.set(
        name,
        this.#local.names(name) ? (this.#profiles.get(name) ?? 'missing') : undefined,
      )
    }
    return {
      policies: this.#policyRules.drain() as ReadonlyMap<PolicyId, ActiveRules | undefined>,
      profiles: this.#profileRules.drain(),
      endpoints: local.endpoints,
      hostEndpoints: local.hostEndpoints,
      sets: this.#sets.drain(),
      pools: this.#drainPools(),
    }
  }

  members(set: SetId): readonly string[] {
    return this.#sets.members(set)
  }

  problems(): readonly string[] {
    const problems = [...this.#faults.values()]
    for (const [id, fault] of this.#policyRules.faults()) {
      problems.push(`${id} denies everything, because a rule of it can't be used: ${fault}.`)
    }
    for (const [name, fault] of this.#profileRules.faults()) {
      problems.push(`Profile/${name} denies everything, because a rule of it can't be used: ${fault}.`)
    }
    for (const name of this.#profileRules.missing()) {
      problems.push(`Profile/${name} is named by endpoints of this node and not defined; it denies.`)
    }
    for (const tier of this.#local.tiers()) {
      problems.push(`Tier/${tier} is named by policies and not defined; it is judged last and denies.`)
    }
    return [...problems, ...this.#local.problems()]
  }

  #take(update: ReadableUpdate): void {
    switch (update.kind) {
      case 'WorkloadEndpoint':
        this.#place(
          this.#workloads,
          update.name,
          update.resource && describeWorkload(update.name, update.resource, this.#node),
        )
        return
      case 'HostEndpoint':
        this.#place(this.#hosts, update.name, update.resource && describeHost(update.resource, this.#node))
        return
      case 'GlobalNetworkSet':
      case 'NetworkSet':
        this.#place(
          this.#networkSets,
          `${update.kind}/${update.name}`,
          update.resource && describeNetworkSet(update.kind, update.name, update.resource),
        )
        return
      case 'GlobalNetworkPolicy':
      case 'NetworkPolicy':
        this.#takePolicy(update.kind, update.name, update.resource)
        return
      case 'Profile':
        this.#takeProfile(
          update.name,
          update.resource?.spec.labelsToApply,
          update.resource && {
            inbound: update.resource.spec.ingress ?? [],
            outbound: update.resource.spec.egress ?? [],
            namespace: undefined,
          },
        )
        return
      case 'Tier':
        if (update.resource === undefined) this.#tiers.delete(update.name)
        else this.#tiers.set(update.name, update.resource.spec)
        this.#local.onTier(update.name)
        return
      case 'IPPool':
        this.#takePool(update)
        return
      case 'Node':
      case 'StagedGlobalNetworkPolicy':
      case 'StagedNetworkPolicy':
        return
    }
  }

  #place(items: Map<string, Item>, key: string, described: ItemDescription | undefined): void {
    const item = items.get(key)
    if (item !== undefined) {
      const before = item.source
      if (described === undefined) {
        items.delete(key)
        this.#sets.move(item, before, undefined)
        this.#local.move(item, before, undefined, undefined)
      } else {
        const { addresses, ports } = item
        item.addresses = same(addresses, described.addresses) ? addresses : described.addresses
        item.ports = same(ports, described.ports) ? ports : described.ports
        if (item.addresses !== addresses || item.ports !== ports) {
          this.#sets.changed(item, before, { addresses, ports })
        }
        item.source = this.#sources.acquire(described.source)
        this.#sets.move(item, before, item.source)
        this.#local.move(item, before, item.source, described.local)
      }
      this.#sources.release(before)
    } else if (described !== undefined) {
      const { addresses, ports, local } = described
      const source = this.#sources.acquire(described.source)
      const made: Item = { key, source, addresses, ports, local: undefined }
      items.set(key, made)
      this.#sets.move(made, undefined, source)
      this.#local.move(made, undefined, source, local)
    }
  }

  #takePolicy(
    kind: 'GlobalNetworkPolicy' | 'NetworkPolicy',
    name: string,
    resource: PolicyResource<AnyPolicySpec> | undefined,
  ): void {
    const id = `${kind}/${name}`
    const before = this.#policies.get(id)
    let after = resource && policyRecord(kind, name, resource)
    if (resource !== undefined && after === undefined) {
      this.#faults.set(id, `The selector of ${id} can't be read; ${CONSEQUENCES[kind]}.`)
      const salvaged = salvage(kind, name, resource)
      after = salvaged && policyRecord(kind, name, salvaged)
    }
    if (before !== undefined && same(before, after)) return
    if (after === undefined) this.#policies.delete(id)
    else this.#policies.set(id, after)
    this.#local.onPolicy(before, after)
  }

  #takeProfile(
    name: string,
    labels: Readonly<Record<string, string>> | undefined,
    rules: RuleSource | undefined,
  ): void {
    for (const source of this.#sources.setProfile(name, labels)) {
      this.#sets.relabel(source)
      this.#local.relabel(source)
    }
    if (same(this.#profiles.get(name), rules)) return
    if (rules === undefined) this.#profiles.delete(name)
    else this.#profiles.set(name, rules)
    this.#local.onProfile(name)
  }

  #takePool({ name, resource }: Update<'IPPool'>): void {
    const cidr = resource && canonicalNet(resource.spec.cidr)
    if (cidr === undefined) this.#pools.delete(name)
    else this.#pools.set(name, { cidr, natOutgoing: resource?.spec.natOutgoing === true })
  }

  #drainPools(): readonly ActivePool[] | undefined {
    const pools = [...this.#pools]
      .sort(([left, a], [right, b]) => (a.cidr < b.cidr || (a.cidr === b.cidr && left < right) ? -1 : 1))
      .map(([, pool]) => pool)
    if (same(pools, this.#toldPools)) return undefined
    this.#toldPools = pools
    return pools
  }
}

/** What it means for traffic that a value of this kind can't be read. */
const CONSEQUENCES: Readonly<Record<PolicyKind, string>> = {
  IPPool: 'its range counts as far as it can be understood',
  Node: 'it counts as absent',
  Profile: 'it denies for those that name it',
  Tier: 'it denies unless it clearly passes',
  GlobalNetworkPolicy: 'it denies for all endpoints that it may mean',
  NetworkPolicy: 'it denies for all endpoints that it may mean',
  StagedGlobalNetworkPolicy: 'it counts as absent',
  StagedNetworkPolicy: 'it counts as absent',
  GlobalNetworkSet: 'those of its nets count that can be understood',
  NetworkSet: 'those of its nets count that can be understood',
  HostEndpoint: 'it is under policy as far as it can be understood',
  WorkloadEndpoint: 'it counts as absent',
}

/** An endpoint of which nobody knows yet what it is: no set has it, and its node drops what an unknown interface sends. */
function isPending(update: ReadableUpdate): update is Extract<ReadableUpdate, { kind: 'WorkloadEndpoint' }> {
  if (update.kind !== 'WorkloadEndpoint') return false
  return update.resource?.metadata.annotations?.[PENDING_ANNOTATION] === 'true'
}
