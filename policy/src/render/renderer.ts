/**
 * From active policy to chains and sets. Chains come in groups (one policy, one workload, the frame around them); a
 * change renders only its groups again and tells only the chains that came out different. What is told depends on the
 * present state alone, except for its being told as differences.
 */
import type { Family } from '@network/net'
import type {
  ActiveChanges,
  ActiveEndpoint,
  ActiveHostEndpoint,
  ActivePool,
  ActiveRules,
  PolicyId,
} from '../calc/active.ts'
import { dispatchChains } from './dispatch.ts'
import {
  FROM_WORKLOAD,
  PORT_MAPPINGS,
  PORT_MAPPING_SOURCES,
  TO_WORKLOAD,
  type FrameContext,
  frameChains,
} from './frame.ts'
import { type HostContext, hostChains, judgedPlaces } from './host-endpoint.ts'
import { LiteralSets } from './literal-sets.ts'
import { type Marks, marksOf } from './marks.ts'
import { activeSetName, policyChain, profileChain, singleSetName } from './names.ts'
import type { RenderOptions } from './options.ts'
import { policyTables } from './policy-tables.ts'
import { type RenderedChain, type RenderedChanges, type Table, tables } from './rendered.ts'
import { type RuleContext, renderRules } from './rules.ts'
import { sameList } from './same-list.ts'
import { SetContents, netMembers } from './set-contents.ts'
import { type ChainGroup, ToldChains } from './told-chains.ts'
import { ToldSets } from './told-sets.ts'
import { fromWorkloadChain, ofFamily, portMappingRules, toWorkloadChain, workloadChains } from './workload.ts'

export interface Renderer {
  /** Takes what calculation drained; cheap. */
  update(changes: ActiveChanges): void
  /** Other settings: what they bear on is rendered again. */
  setOptions(options: RenderOptions): void
  /** What is different since the last call; undefined if nothing is. */
  drain(): RenderedChanges | undefined
  /** Of what the next `drain` would tell, the sets as far as they are known: rules to be rendered may bring more. */
  drainSets(): RenderedChanges['sets']
  /** Renders a little of what the next `drain` will tell, so that others run meanwhile. False: nothing of that size is left. */
  renderSome(): boolean
}

const families = ['ipv4', 'ipv6'] as const
/** So many groups are rendered in a few milliseconds. */
const GROUPS_AT_ONCE = 50

export function createRenderer(initial: RenderOptions): Renderer {
  let options = initial
  let marks: Marks = marksOf(options.markMask)
  const policies = new Map<PolicyId, ActiveRules>()
  const profiles = new Map<string, ActiveRules | 'missing'>()
  const endpoints = new Map<string, ActiveEndpoint>()
  const hostEndpoints = new Map<string, ActiveHostEndpoint>()
  let pools: readonly ActivePool[] = []
  const setContents = new SetContents()

  const dirtyPolicies = new Set<PolicyId>()
  const dirtyProfiles = new Set<string>()
  const dirtyEndpoints = new Set<string>()
  let dirtyInterfaces = true
  let dirtyHosts = true
  let dirtyPools = true
  let dirtyFrame = true
  let dirtyMappings = true
  /** Something changed since what bears on several groups was found out. */
  let unsettled = true

  const chains = new ToldChains()
  const sets = new ToldSets()

  /** By an interface's name the key of the endpoint that has it. */
  const interfacesOf = new Map<string, string>()
  let tablesOfPolicies: ReadonlyMap<PolicyId, ReadonlySet<Table>> = new Map()

  /** Replaces a group's chains and what their rules bring along; `undefined`: it is gone. */
  function setGroup(
    family: Family,
    key: string,
    group: ChainGroup | undefined,
    literals?: LiteralSets,
  ): void {
    chains.setGroup(family, key, group)
    sets.setLiterals(family, key, literals)
  }

  function ruleContext(family: Family): RuleContext {
    return { family, marks, denyLogGroup: options.denyLogGroup, literals: new LiteralSets() }
  }

  function renderPolicy(id: PolicyId): void {
    const rules = policies.get(id)
    for (const family of families) {
      if (rules === undefined) {
        setGroup(family, `policy ${id}`, undefined)
        continue
      }
      const context = ruleContext(family)
      const both = (['inbound', 'outbound'] as const).map((direction) => ({
        name: policyChain(id, direction),
        rules: renderRules(rules[direction], { kind: 'policy', id, direction }, context),
      }))
      const group = [...(tablesOfPolicies.get(id) ?? ['filter' as const])].flatMap((table) =>
        both.map((chain) => ({ table, ...chain })),
      )
      setGroup(family, `policy ${id}`, group, context.literals)
    }
  }

  function renderProfile(name: string): void {
    const rules = profiles.get(name)
    for (const family of families) {
      if (rules === undefined) {
        setGroup(family, `profile ${name}`, undefined)
        continue
      }
      const context = ruleContext(family)
      const group = (['inbound', 'outbound'] as const).map((direction) => ({
        table: 'filter' as const,
        name: profileChain(name, direction),
        rules:
          rules === 'missing'
            ? [{ args: ['-j', 'DROP'] }]
            : renderRules(rules[direction], { kind: 'profile', id: name, direction }, context),
      }))
      setGroup(family, `profile ${name}`, group, context.literals)
    }
  }

  function renderEndpoint(key: string): void {
    const endpoint = endpoints.get(key)
    // Two endpoints can't share an interface: the first by key has it.
    const shown =
      endpoint !== undefined && interfacesOf.get(endpoint.interfaceName) === key ? endpoint : undefined
    for (const family of families) {
      setGroup(
        family,
        `endpoint ${key}`,
        shown === undefined ? undefined : inFilter(workloadChains(shown, { marks, ...options })),
      )
    }
  }

  function renderInterfaces(): void {
    const names = [...interfacesOf.keys()]
    const dispatch = (
      chain: string,
      option: '-i' | '-o',
      target: (interfaceName: string) => string,
    ): ChainGroup =>
      inFilter(dispatchChains(names, { prefix: options.interfacePrefix, chain, option, target }))
    const group = [
      ...dispatch(FROM_WORKLOAD, '-i', fromWorkloadChain),
      ...dispatch(TO_WORKLOAD, '-o', toWorkloadChain),
    ]
    for (const family of families) setGroup(family, 'dispatch', group)
  }

  /** Pairs of address and interface, for the source check. */
  function renderSources(): void {
    for (const family of families) {
      const sources = [...interfacesOf].flatMap(([interfaceName, key]) =>
        ofFamily(endpoints.get(key)?.addresses ?? [], family).map(
          (address) => `${address.slice(0, address.indexOf('/'))},${interfaceName}`,
        ),
      )
      sets.setSingle(singleSetName('src', family), 'hash:net,iface', family, sources)
    }
  }

  /** Endpoints that have an interface, in the order of their keys. */
  function shownEndpoints(): ActiveEndpoint[] {
    return [...interfacesOf.values()].sort().flatMap((key) => endpoints.get(key) ?? [])
  }

  function renderMappings(): void {
    const mapped = shownEndpoints().filter(({ portMappings }) => portMappings.length > 0)
    for (const family of families) {
      const rules = mapped.map((endpoint) => portMappingRules(endpoint, family))
      const group: ChainGroup = [
        { table: 'nat', name: PORT_MAPPINGS, rules: rules.flatMap(({ translate }) => translate) },
        { table: 'nat', name: PORT_MAPPING_SOURCES, rules: rules.flatMap(({ masquerade }) => masquerade) },
      ]
      setGroup(family, 'mappings', mapped.length === 0 ? undefined : group)
    }
  }

  function renderHosts(): void {
    const all = [...hostEndpoints].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint)
    for (const family of families) {
      const context: HostContext = { family, marks, ...options }
      setGroup(family, 'hosts', hostChains(all, context))
    }
  }

  function renderPools(): void {
    const masqueraded = pools.filter(({ natOutgoing }) => natOutgoing)
    for (const family of families) {
      const wanted = masqueraded.length > 0
      const of = (list: readonly ActivePool[]): readonly string[] | undefined =>
        wanted
          ? netMembers(
              list.map(({ cidr }) => cidr),
              family,
            )
          : undefined
      sets.setSingle(singleSetName('pools', family), 'hash:net', family, of(pools))
      sets.setSingle(singleSetName('masq', family), 'hash:net', family, of(masqueraded))
    }
  }

  function renderFrame(): void {
    const judged = judgedPlaces([...hostEndpoints.values()])
    const shown = shownEndpoints()
    for (const family of families) {
      const context: FrameContext = {
        family,
        marks,
        options,
        judged,
        allowedSources: shown.flatMap(({ interfaceName, allowedSources }) =>
          allowedSources.map((net) => ({ interfaceName, net })),
        ),
        hasPortMappings: shown.some(({ portMappings }) => portMappings.length > 0),
        hasNatOutgoing: pools.some(({ natOutgoing }) => natOutgoing),
      }
      const frame = frameChains(context)
      setGroup(family, 'frame', frame.chains)
      for (const table of tables) {
        for (const [hook, rules] of frame.jumps[table]) chains.setJumps(family, table, hook, rules)
      }
    }
  }

  function takeEndpoint(key: string, endpoint: ActiveEndpoint | undefined): void {
    const before = endpoints.get(key)
    dirtyEndpoints.add(key)
    if (endpoint === undefined) endpoints.delete(key)
    else endpoints.set(key, endpoint)
    if (
      before?.interfaceName !== endpoint?.interfaceName ||
      !sameList(before?.addresses, endpoint?.addresses)
    )
      dirtyInterfaces = true
    bearsOnFrame(before)
    bearsOnFrame(endpoint)
  }

  /** An endpoint came, went or changed, or its interface passed to or from another one: what else that changes. */
  function bearsOnFrame(endpoint: ActiveEndpoint | undefined): void {
    if (endpoint === undefined) return
    if (endpoint.portMappings.length > 0) dirtyMappings = dirtyFrame = true
    if (endpoint.allowedSources.length > 0) dirtyFrame = true
  }

  /** Gives each interface to the first endpoint by key; who lost or won one is rendered again. */
  function assignInterfaces(): void {
    const next = new Map<string, string>()
    for (const [key, endpoint] of [...endpoints].sort(([a], [b]) => (a < b ? -1 : 1)))
      if (!next.has(endpoint.interfaceName)) next.set(endpoint.interfaceName, key)
    for (const [name, key] of next) {
      const before = interfacesOf.get(name)
      if (before === key) continue
      for (const either of before === undefined ? [key] : [key, before]) {
        dirtyEndpoints.add(either)
        bearsOnFrame(endpoints.get(either))
      }
    }
    interfacesOf.clear()
    for (const [name, key] of next) interfacesOf.set(name, key)
  }

  function dirtyAll(): void {
    unsettled = true
    for (const id of policies.keys()) dirtyPolicies.add(id)
    for (const name of profiles.keys()) dirtyProfiles.add(name)
    for (const key of endpoints.keys()) dirtyEndpoints.add(key)
    dirtyInterfaces = dirtyHosts = dirtyPools = dirtyFrame = dirtyMappings = true
  }

  /** What bears on several groups is found out before any of them is rendered. */
  function settle(): void {
    if (!unsettled) return
    unsettled = false
    if (dirtyHosts || (tablesOfPolicies.size > 0 && dirtyEndpoints.size > 0)) {
      const before = tablesOfPolicies
      tablesOfPolicies = policyTables(endpoints, hostEndpoints)
      for (const id of new Set([...before.keys(), ...tablesOfPolicies.keys()])) dirtyPolicies.add(id)
    }
    if (dirtyInterfaces) assignInterfaces()
  }

  /** Policies, profiles and endpoints that are to be rendered again; one that was given is no longer dirty. */
  function* dirtyGroups(): Generator<() => void> {
    for (const [dirty, render] of [
      [dirtyPolicies, renderPolicy],
      [dirtyProfiles, renderProfile],
      [dirtyEndpoints, renderEndpoint],
    ] as const) {
      for (const id of dirty) {
        dirty.delete(id)
        yield () => render(id)
      }
    }
  }

  return {
    update(changes) {
      unsettled = true
      for (const [id, change] of changes.sets) {
        if (change === undefined) {
          setContents.forget(id)
          for (const family of families) sets.tell(activeSetName(id, family), undefined)
          continue
        }
        const rendered = setContents.change(id, change)
        for (const family of families) {
          const { created, added, removed } = rendered[family]
          if (created || added.length > 0 || removed.length > 0)
            sets.tell(activeSetName(id, family), rendered[family])
        }
      }
      for (const [id, rules] of changes.policies) {
        dirtyPolicies.add(id)
        if (rules === undefined) policies.delete(id)
        else policies.set(id, rules)
      }
      for (const [name, rules] of changes.profiles) {
        dirtyProfiles.add(name)
        if (rules === undefined) profiles.delete(name)
        else profiles.set(name, rules)
      }
      for (const [key, endpoint] of changes.endpoints) takeEndpoint(key, endpoint)
      for (const [name, endpoint] of changes.hostEndpoints) {
        dirtyHosts = true
        dirtyFrame = true
        if (endpoint === undefined) hostEndpoints.delete(name)
        else hostEndpoints.set(name, endpoint)
      }
      if (changes.pools !== undefined) {
        pools = changes.pools
        dirtyPools = true
        dirtyFrame = true
      }
    },
    setOptions(next) {
      if (JSON.stringify(next) === JSON.stringify(options)) return
      options = next
      marks = marksOf(options.markMask)
      dirtyAll()
    },
    drain() {
      settle()
      for (const render of dirtyGroups()) render()
      if (dirtyInterfaces) renderSources()
      if (dirtyInterfaces) renderInterfaces()
      if (dirtyHosts) renderHosts()
      if (dirtyPools) renderPools()
      if (dirtyMappings) renderMappings()
      if (dirtyFrame) renderFrame()
      dirtyInterfaces = dirtyHosts = dirtyPools = dirtyFrame = dirtyMappings = false
      if (!chains.changed && !sets.changed) return undefined
      return { families: chains.take(), sets: sets.take() }
    },
    drainSets() {
      settle()
      if (dirtyInterfaces) renderSources()
      if (dirtyPools) renderPools()
      dirtyPools = false
      return sets.take()
    },
    renderSome() {
      settle()
      let left = GROUPS_AT_ONCE
      for (const render of dirtyGroups()) {
        render()
        if (--left === 0) return true
      }
      return false
    },
  }
}

function inFilter(chains: ReadonlyMap<string, RenderedChain>): ChainGroup {
  return [...chains].map(([name, rules]) => ({ table: 'filter', name, rules }))
}
