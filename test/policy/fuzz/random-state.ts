/**
 * Random states: workloads with labels, namespaces, ports and profiles, tiers and policies of every kind with every condition
 * that a rule can have, network sets, a host endpoint, translation. The words come from small stocks, so that much
 * matches and much does not.
 */
import { address, formatPrefix, prefixOf } from '@network/net'
import {
  API_VERSION,
  type EndpointPort,
  type EntityRule,
  type Rule,
  validateResource,
} from '@network/datastore/model'
import {
  type ActorName,
  actor,
  actors,
  localWorkloads,
  otherNode,
  pool,
  remoteWorkloads,
  thisNode,
  uplink,
} from '../actors.ts'
import type { Draft, Settings, State, Traits } from '../case.ts'
import type { Random } from './random.ts'

export const ports = [1, 22, 53, 68, 80, 179, 443, 1024, 2379, 5000, 8080, 9090, 30_000, 65_535] as const
const portNames = ['http', 'dns', 'sig'] as const
const namespaces = ['default', 'prod', 'test'] as const
const accounts = ['api', 'job'] as const
const keys = ['a', 'b', 'c'] as const
const values = ['x', 'y', 'xy'] as const
const profileNames = ['p0', 'p1', 'p2'] as const
const tierNames = ['t0', 't1', 't2'] as const

function labels(random: Random): Record<string, string> {
  return Object.fromEntries(random.some(keys, 0.5).map((key) => [key, random.pick(values)]))
}

function comparison(random: Random): string {
  const key = random.pick(keys)
  const value = random.pick(values)
  return random.pick([
    `has(${key})`,
    `!has(${key})`,
    `${key} == '${value}'`,
    `${key} != '${value}'`,
    `${key} in {'${value}', '${random.pick(values)}'}`,
    `${key} not in {'${value}', '${random.pick(values)}'}`,
    `${key} contains '${value}'`,
    `${key} starts with '${value}'`,
    `${key} ends with '${value}'`,
    `name == '${random.pick([...localWorkloads, ...remoteWorkloads])}'`,
    `drover.network/namespace == '${random.pick(namespaces)}'`,
  ])
}

function selector(random: Random): string {
  const shape = random.below(10)
  if (shape < 2) return 'all()'
  if (shape < 6) return comparison(random)
  const [left, right] = [comparison(random), comparison(random)]
  if (shape < 7) return `${left} && ${right}`
  if (shape < 9) return `${left} || ${right}`
  return `!(${left} || ${right})`
}

function namespaceSelector(random: Random): string {
  return random.pick([
    'all()',
    'global()',
    "team == 'x'",
    "team != 'x'",
    'has(team)',
    `drover.network/name == '${random.pick(namespaces)}'`,
  ])
}

function net(random: Random): string {
  const { ipv4, ipv6 } = random.pick([...actors.values()])
  const [text, length] = random.chance(0.5)
    ? [ipv4, random.pick([0, 8, 16, 24, 30, 31, 32, 32])]
    : [ipv6, random.pick([0, 16, 48, 64, 112, 127, 128, 128])]
  return formatPrefix(prefixOf(address(text), length))
}

function portList(random: Random, named: boolean): (number | string)[] {
  const one = (): number | string => {
    const shape = random.below(named ? 6 : 5)
    if (shape === 5) return random.pick(portNames)
    if (shape > 0) return random.pick(ports)
    const from = random.pick(ports)
    return `${String(from)}:${String(Math.min(65_535, from + random.below(2000)))}`
  }
  if (random.chance(0.1)) return [...new Set(random.times(16, 40, (index) => 40_000 + 3 * index)), one()]
  return random.times(1, 3, one)
}

const portProtocols = ['TCP', 'UDP', 'SCTP', 'UDPLite'] as const

function side(random: Random, withPorts: boolean): EntityRule {
  const made: EntityRule = {}
  if (random.chance(0.25)) made.selector = selector(random)
  if (random.chance(0.1)) made.notSelector = selector(random)
  if (random.chance(0.1)) made.namespaceSelector = namespaceSelector(random)
  if (random.chance(0.15)) made.nets = random.times(1, 3, () => net(random))
  if (random.chance(0.1)) made.notNets = random.times(1, 3, () => net(random))
  if (random.chance(0.06)) {
    made.serviceAccounts = random.chance(0.5)
      ? { names: [random.pick(accounts)] }
      : { selector: "kind == 'x'" }
  }
  if (withPorts && random.chance(0.35)) made.ports = portList(random, true)
  if (withPorts && random.chance(0.1)) made.notPorts = portList(random, true)
  return made
}

function rule(random: Random): Rule {
  const protocol = random.chance(0.5)
    ? random.pick([...portProtocols, 'TCP', 'UDP', 'TCP', 'UDP', 'ICMP', 'ICMPv6', 6, 17, 99, 1] as const)
    : undefined
  const withPorts =
    (portProtocols as readonly unknown[]).includes(protocol) || protocol === 6 || protocol === 17
  const icmp = protocol === 'ICMP' ? [8, 13] : protocol === 'ICMPv6' ? [128, 139] : undefined
  const match = (): { type: number; code?: number } => ({
    type: random.pick(icmp ?? [8]),
    ...(random.chance(0.4) ? { code: random.below(2) } : {}),
  })
  return {
    action: random.pick(['Allow', 'Allow', 'Allow', 'Deny', 'Deny', 'Pass', 'Log']),
    ...(protocol === undefined ? {} : { protocol }),
    ...(protocol === undefined && random.chance(0.1)
      ? { notProtocol: random.pick(['TCP', 'UDP', 99] as const) }
      : {}),
    ...(random.chance(0.1) ? { ipVersion: random.pick([4, 6] as const) } : {}),
    ...(icmp !== undefined && random.chance(0.5) ? { icmp: match() } : {}),
    ...(icmp !== undefined && random.chance(0.3) ? { notICMP: match() } : {}),
    ...(random.chance(0.6) ? { source: side(random, withPorts) } : {}),
    ...(random.chance(0.5) ? { destination: side(random, withPorts) } : {}),
  }
}

const rules = (random: Random, most: number): Rule[] => random.times(0, most, () => rule(random))

function orderOf(random: Random): { order?: number } {
  return random.chance(0.3) ? {} : { order: random.pick([-1, 0, 1, 1.5, 2, 3]) }
}

const hostSelectors = ["host == 'yes'", "host == 'yes'", 'all()'] as const

function policy(random: Random, index: number): Draft {
  const name = `n${String(index)}`
  const types = random.pick([undefined, undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress']])
  const common = {
    ...orderOf(random),
    ...(random.chance(0.5) ? { tier: random.pick([...tierNames, 'unknown']) } : {}),
    ...(types === undefined ? {} : { types }),
    ...(random.chance(0.1) ? { serviceAccountSelector: "kind == 'x'" } : {}),
    ingress: rules(random, 4),
    egress: rules(random, 4),
  }
  const kind = random.below(20)
  if (kind < 5) {
    const namespace = random.pick(namespaces)
    return { kind: 'NetworkPolicy', namespace, name, spec: { ...common, selector: selector(random) } }
  }
  if (kind === 5) return { kind: 'StagedGlobalNetworkPolicy', name, spec: { ...common, selector: 'all()' } }
  const cluster = {
    ...common,
    ...(random.chance(0.1) ? { namespaceSelector: namespaceSelector(random) } : {}),
  }
  if (kind < 14)
    return { kind: 'GlobalNetworkPolicy', name, spec: { ...cluster, selector: selector(random) } }
  const { egress: _egress, types: _types, ...inbound } = cluster
  const onHosts = { selector: random.pick(hostSelectors) }
  if (kind < 16) {
    return {
      kind: 'GlobalNetworkPolicy',
      name,
      spec: { ...cluster, ...onHosts, applyOnForward: random.chance(0.7) },
    }
  }
  if (kind < 18) {
    const spec = { ...cluster, ...onHosts, doNotTrack: true, applyOnForward: true }
    return { kind: 'GlobalNetworkPolicy', name, spec }
  }
  return {
    kind: 'GlobalNetworkPolicy',
    name,
    spec: { ...inbound, ...onHosts, preDNAT: true, applyOnForward: true },
  }
}

/** Draws until the model takes it. */
function valid(make: () => Draft): Draft {
  let last = ''
  for (let tries = 0; tries < 50; tries++) {
    const draft = make()
    const { kind, name, namespace, labels: own, spec } = draft
    const metadata = {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(own === undefined ? {} : { labels: own }),
    }
    const checked = validateResource({ apiVersion: API_VERSION, kind, metadata, spec: structuredClone(spec) })
    if (checked.ok) return draft
    last = checked.error.map(({ message }) => message).join(' ')
  }
  throw new Error(`the model takes nothing that is drawn: ${last}`)
}

function traits(random: Random): Traits {
  const portOf = (name: string): EndpointPort => ({
    name,
    protocol: random.pick(portProtocols),
    port: random.pick(ports),
  })
  return {
    labels: labels(random),
    profiles: random.chance(0.5) ? ['open'] : random.some([...profileNames, 'open', 'nobody'], 0.3),
    ...(random.chance(0.5) ? { namespace: random.pick(namespaces) } : {}),
    ...(random.chance(0.3) ? { serviceAccount: random.pick(accounts) } : {}),
    ...(random.chance(0.6) ? { ports: random.some(portNames, 0.6).map(portOf) } : {}),
    ...(random.chance(0.1) ? { allowSpoofedSourcePrefixes: ['10.99.0.0/16', 'fd99::/48'] } : {}),
  }
}

/** Ports of the host that lead to workloads; every one to another. */
const mappedPorts = [8081, 8082] as const
export const mappings = mappedPorts.map((hostPort, index) => ({ hostPort, port: index === 0 ? 80 : 443 }))

function workloads(random: Random): Record<string, Traits> {
  const all = [...localWorkloads, ...remoteWorkloads].map((name): [ActorName, Traits] => [
    name,
    traits(random),
  ])
  const made = Object.fromEntries(all) as Record<ActorName, Traits>
  mappings.forEach((mapping, index) => {
    if (!random.chance(0.3)) return
    const name = localWorkloads[index] ?? 'web'
    made[name] = {
      ...made[name],
      portMappings: [{ protocol: random.pick(['TCP', 'UDP', 'SCTP']), ...mapping }],
    }
  })
  return made
}

function settings(random: Random): Settings {
  return {
    endpointToHostAction: random.pick(['Drop', 'Accept', 'Return']),
    ...(random.chance(0.2) ? { dnsListen: [actor('host').ipv4, `[${actor('host').ipv6}]:80`] } : {}),
    ...(random.chance(0.3) ? { failsafeInbound: random.pick([[], ['tcp:80', 'udp:53@10.250.0.0/24']]) } : {}),
    ...(random.chance(0.3) ? { failsafeOutbound: random.pick([[], ['tcp:443@fd00:251::/64']]) } : {}),
  }
}

function profile(random: Random, name: string): Draft {
  const spec = {
    ingress: rules(random, 3),
    egress: rules(random, 3),
    labelsToApply: random.chance(0.5) ? labels(random) : {},
  }
  return { kind: 'Profile', name, spec }
}

function hostEndpoints(random: Random): Draft[] {
  if (random.chance(0.5)) return []
  const { ipv4, ipv6 } = actors.get('host') ?? { ipv4: '', ipv6: '' }
  const one = (name: string, interfaceName: string): Draft => ({
    kind: 'HostEndpoint',
    name,
    labels: { host: 'yes', ...labels(random) },
    spec: {
      node: thisNode,
      interfaceName,
      profiles: random.some(['open', ...profileNames], 0.4),
      ...(random.chance(0.5) ? { expectedIPs: [ipv4, ipv6] } : {}),
    },
  })
  return random.pick([[one('up', uplink)], [one('all', '*')], [one('up', uplink), one('all', '*')]])
}

function rest(random: Random): Draft[] {
  return [
    ...random.some(tierNames, 0.7).map((name): Draft => ({
      kind: 'Tier',
      name,
      spec: { ...orderOf(random), defaultAction: random.pick(['Deny', 'Pass', 'Pass']) },
    })),
    ...random.times(0, 3, (index): Draft => {
      const spec = { nets: random.times(0, 4, () => net(random)) }
      const name = `s${String(index)}`
      return random.chance(0.5)
        ? { kind: 'GlobalNetworkSet', name, labels: labels(random), spec }
        : { kind: 'NetworkSet', namespace: random.pick(namespaces), name, labels: labels(random), spec }
    }),
    ...random.some(namespaces, 0.5).map((name): Draft => ({
      kind: 'Profile',
      name: `kns.${name}`,
      spec: { labelsToApply: { 'pcns.team': random.pick(values) } },
    })),
    ...random.some(accounts, 0.5).map((name): Draft => ({
      kind: 'Profile',
      name: `ksa.default.${name}`,
      spec: { labelsToApply: { 'pcsa.kind': random.pick(values) } },
    })),
    ...(random.chance(0.3)
      ? (['ipv4', 'ipv6'] as const).map((family): Draft => ({
          kind: 'IPPool',
          name: family,
          spec: { cidr: pool[family], natOutgoing: true },
        }))
      : []),
    ...hostEndpoints(random),
    {
      kind: 'HostEndpoint',
      name: 'theirs',
      labels: { host: 'yes' },
      spec: {
        node: otherNode,
        interfaceName: uplink,
        profiles: ['open'],
        expectedIPs: ['10.250.0.2', 'fd00:250::2'],
      },
    },
  ]
}

/** A policy with a rule that nobody can read, or with a selector that is none. */
function broken(random: Random): NonNullable<State['broken']> {
  if (!random.chance(0.1)) return []
  const types = random.pick([['Ingress'], ['Egress'], ['Ingress', 'Egress']])
  const spec = random.chance(0.5)
    ? { order: 0, selector: comparison(random), types, ingress: [{ action: 'Alow' }] }
    : { order: 0, selector: 'has(', types }
  const name = 'broken'
  return [
    { kind: 'GlobalNetworkPolicy', name, value: { kind: 'GlobalNetworkPolicy', metadata: { name }, spec } },
  ]
}

/** A whole new state. */
export function randomState(random: Random): State {
  return {
    workloads: workloads(random),
    settings: settings(random),
    broken: broken(random),
    resources: [
      ...rest(random),
      ...random.some(profileNames, 0.8).map((name) => valid(() => profile(random, name))),
      ...random.times(0, 9, (index) => valid(() => policy(random, index))),
    ],
  }
}

/** The same state with a few things changed, as people change them. */
export function mutateState(random: Random, state: State): State {
  const resources = (state.resources ?? [])
    .filter(() => !random.chance(0.1))
    .map((draft) => {
      const index = /^n(\d+)$/.exec(draft.name)?.[1]
      return index !== undefined && random.chance(0.3) ? valid(() => policy(random, Number(index))) : draft
    })
  const fresh = random.chance(0.5) ? [valid(() => policy(random, 10 + random.below(5)))] : []
  const names = new Set(fresh.map(({ name }) => name))
  return {
    ...state,
    resources: [...resources.filter(({ name }) => !names.has(name)), ...fresh],
    ...(random.chance(0.5) ? { workloads: workloads(random) } : {}),
  }
}
