/**
 * The ends of flows that two states of the model can tell apart. Workloads with the same labels, profiles, ports and
 * the same place in every list of networks are one end; so are addresses outside that lie in the same networks.
 */
import {
  type Address,
  addressAdd,
  addressAt,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
  prefix,
  prefixContains,
  PrefixTrie,
  prefixFamily,
  prefixSize,
} from '@network/net'
import { parseSelector, type Rule, type Selector } from '@network/datastore/model'
import type { AddressRange, FlowEnd } from './comparison.ts'
import type { Party } from './flow.ts'
import { netsOf } from './nets.ts'
import type { EvaluatorState, Workload } from './state.ts'
import type { Thing } from './thing.ts'

/** A class of ends. `samples`: one that stands for all, and another where the class has two. */
export interface End {
  readonly end: FlowEnd
  readonly samples: readonly Party[]
  /** Families in which it has addresses. */
  readonly families: readonly Family[]
  /** The nodes whose host endpoints may be asked about it. */
  readonly node: string | undefined
}

export function endsOf(before: EvaluatorState, after: EvaluatorState): End[] {
  const lists = networkLists([before, after])
  const judgedNodes = new Set([...before.hosts, ...after.hosts].map(({ spec }) => spec.node))
  return [
    ...workloadEnds(before, after, lists, judgedNodes),
    ...[...judgedNodes].sort().map((node): End => {
      const nets = after.nodeAddresses.get(node) ?? []
      return {
        end: { is: 'host', node },
        samples: [{ is: 'host', node }],
        families: familiesOf(nets),
        node,
      }
    }),
    ...outsideEnds(lists, [before, after]),
  ]
}

function familiesOf(nets: readonly Prefix[]): Family[] {
  return (['ipv4', 'ipv6'] as const).filter((family) => nets.some((net) => prefixFamily(net) === family))
}

/** Every list of networks that can decide about an address, by what it is. */
function networkLists(states: readonly EvaluatorState[]): Map<string, readonly Prefix[]> {
  const lists = new Map<string, readonly Prefix[]>()
  states.forEach((state, at) => {
    for (const { id, nets } of state.things) lists.set(`${String(at)} ${id}`, nets)
    for (const rule of rulesOf(state)) {
      for (const nets of [
        rule.source?.nets,
        rule.source?.notNets,
        rule.destination?.nets,
        rule.destination?.notNets,
      ]) {
        if (nets !== undefined) lists.set(JSON.stringify([...nets].sort()), netsOf(nets))
      }
    }
    state.pools.forEach(({ net, natOutgoing }) => {
      lists.set(`${String(at)} pool ${formatPrefix(net)} ${String(natOutgoing)}`, [net])
    })
  })
  return lists
}

function* rulesOf(state: EvaluatorState): Generator<Rule> {
  for (const { policies } of state.tiers) {
    for (const { ingress, egress } of policies) yield* [...(ingress ?? []), ...(egress ?? [])]
  }
  for (const { ingress, egress } of state.profiles.values()) yield* [...ingress, ...egress]
}

function workloadEnds(
  before: EvaluatorState,
  after: EvaluatorState,
  lists: ReadonlyMap<string, readonly Prefix[]>,
  judgedNodes: ReadonlySet<string>,
): End[] {
  const rules = new PrefixTrie<string[]>()
  for (const [id, nets] of lists) {
    if (/^\d (WorkloadEndpoint|HostEndpoint) /.test(id)) continue
    for (const net of nets) rules.set(net, [...(rules.get(net) ?? []), id])
  }
  const owners = new Map<string, number>()
  for (const { nets } of after.workloads.values()) {
    for (const net of nets) owners.set(formatPrefix(net), (owners.get(formatPrefix(net)) ?? 0) + 1)
  }
  const asked = labelsAskedFor([before, after])
  const classes = new Map<string, { names: string[]; first: Workload }>()
  for (const [name, was] of before.workloads) {
    const is = after.workloads.get(name)
    if (is === undefined) continue
    const traits = JSON.stringify([
      describe(was, asked),
      describe(is, asked),
      is.nets.map((net) => placeOf(net, rules)),
      judgedNodes.has(is.spec.node) ? is.spec.node : '',
      // Two with one address are each both.
      is.nets.some((net) => owners.get(formatPrefix(net)) !== 1) ? name : '',
    ])
    const known = classes.get(traits)
    if (known === undefined) classes.set(traits, { names: [name], first: is })
    else known.names.push(name)
  }
  return [...classes.values()].map(({ names, first }) => ({
    end: { is: 'workloads', names: names.sort() },
    samples: names.slice(0, 2).map((name) => ({ is: 'workload', name })),
    families: familiesOf(first.nets),
    node: first.spec.node,
  }))
}

/** Names of all labels that a selector names, of whatever kind. */
function labelsAskedFor(states: readonly EvaluatorState[]): ReadonlySet<string> {
  const texts = new Set<string>()
  for (const state of states) {
    for (const { policies } of state.tiers) {
      for (const { spec } of policies) {
        for (const text of [spec.selector, spec.namespaceSelector, spec.serviceAccountSelector])
          texts.add(text ?? '')
      }
    }
    for (const { source = {}, destination = {} } of rulesOf(state)) {
      for (const side of [source, destination]) {
        const { selector, notSelector, namespaceSelector, serviceAccounts } = side
        for (const text of [selector, notSelector, namespaceSelector, serviceAccounts?.selector])
          texts.add(text ?? '')
      }
    }
  }
  const labels = new Set<string>()
  const collect = (selector: Selector): void => {
    if ('label' in selector) labels.add(selector.label)
    else if (selector.is === 'not') collect(selector.operand)
    else if ('operands' in selector) selector.operands.forEach(collect)
  }
  for (const text of texts) {
    const parsed = parseSelector(text)
    if (parsed.ok) collect(parsed.value)
  }
  return labels
}

/** All that rules may ask of a workload besides where its addresses lie. */
function describe(thing: Thing, asked: ReadonlySet<string>): unknown {
  const { labels, namespace, namespaceLabels, serviceAccount, serviceAccountLabels, ports, profiles } = thing
  const sorted = (map: Readonly<Record<string, string>>): unknown =>
    Object.entries(map)
      .filter(([label]) => asked.has(label))
      .sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    sorted(labels),
    namespace,
    sorted(namespaceLabels),
    serviceAccount,
    sorted(serviceAccountLabels),
    ports,
    profiles,
    familiesOf(thing.nets),
  ]
}

/** The lists that a network lies in. */
function placeOf(net: Prefix, lists: PrefixTrie<string[]>): string[] {
  return [...new Set([...lists.covering(net)].flatMap(([, ids]) => ids))].sort()
}

interface Region {
  readonly net: Prefix
  readonly place: readonly string[]
  readonly children: Region[]
  readonly isOurs: boolean
}

/** Addresses of nobody of ours, cut where any list begins or ends and put together where they lie in the same lists. */
function outsideEnds(
  lists: ReadonlyMap<string, readonly Prefix[]>,
  states: readonly EvaluatorState[],
): End[] {
  const nodes = states.flatMap(({ nodeAddresses }) => [...nodeAddresses.values()].flat())
  const taken = new Set(nodes.map((net) => formatAddress(net.address)))
  const classes = new Map<string, { regions: Region[]; sample: Address; family: Family }>()
  for (const root of [prefix('0.0.0.0/0'), prefix('::/0')]) {
    const family = prefixFamily(root)
    for (const region of regionsBelow(root, lists)) {
      if (region.isOurs) continue
      const sample = sampleOf(region, taken)
      if (sample === undefined) continue
      const key = JSON.stringify([family, region.place])
      const known = classes.get(key)
      if (known === undefined) classes.set(key, { regions: [region], sample, family })
      else known.regions.push(region)
    }
  }
  return [...classes.values()].map(({ regions, sample, family }) => ({
    end: { is: 'addresses', nets: rangesOf(regions) },
    samples: [{ is: 'address', address: formatAddress(sample) }],
    families: [family],
    node: undefined,
  }))
}

function regionsBelow(root: Prefix, lists: ReadonlyMap<string, readonly Prefix[]>): Region[] {
  const family = prefixFamily(root)
  const byNet = new Map<string, { net: Prefix; own: string[]; isOurs: boolean }>([
    [formatPrefix(root), { net: root, own: [], isOurs: false }],
  ])
  for (const [id, nets] of lists) {
    const isOurs = /^\d (WorkloadEndpoint|HostEndpoint) /.test(id)
    for (const net of nets) {
      if (prefixFamily(net) !== family) continue
      const text = formatPrefix(net)
      const known = byNet.get(text) ?? { net, own: [], isOurs: false }
      known.own.push(id)
      known.isOurs ||= isOurs
      byNet.set(text, known)
    }
  }
  const regions: Region[] = []
  const trie = new PrefixTrie<Region>()
  for (const { net, own, isOurs } of [...byNet.values()].sort((a, b) => a.net.length - b.net.length)) {
    const parent = trie.longestCovering(net)?.[1]
    const place = [...new Set([...(parent?.place ?? []), ...own])].sort()
    const region: Region = { net, place, children: [], isOurs }
    parent?.children.push(region)
    trie.set(net, region)
    regions.push(region)
  }
  return regions
}

/** The regions of a class as ranges; one that lies in another of them is told with it. */
function rangesOf(regions: readonly Region[]): AddressRange[] {
  const alike = new Set(regions)
  const inner = new Set(regions.flatMap(({ children }) => children))
  const holes = (region: Region): string[] =>
    region.children.flatMap((child) => {
      if (alike.has(child)) return holes(child)
      return child.isOurs ? [] : formatPrefix(child.net)
    })
  return regions
    .filter((region) => !inner.has(region))
    .map((region) => ({ net: formatPrefix(region.net), except: holes(region) }))
}

/** An address of the region itself that nobody of ours has; undefined: there is none to be found. */
function sampleOf({ net, children }: Region, taken: ReadonlySet<string>): Address | undefined {
  const isFree = (address: Address): boolean =>
    prefixContains(net, address) &&
    !taken.has(formatAddress(address)) &&
    !children.some((child) => prefixContains(child.net, address))
  const size = prefixSize(net)
  const candidates = [size > 8n ? 7n : 0n, 0n, 1n, 2n, 3n, size - 1n, size / 2n].filter(
    (at) => at >= 0n && at < size,
  )
  for (const at of candidates) {
    const address = addressAt(net, at)
    if (isFree(address)) return address
  }
  for (const child of children) {
    for (const offset of [prefixSize(child.net), -1n]) {
      const address = addressAdd(child.net.address, offset)
      if (isFree(address)) return address
    }
  }
  return undefined
}
