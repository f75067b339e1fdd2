/**
 * Random states: workloads with labels, namespaces, ports and profiles, tiers and policies of every kind, network sets, a host
 * endpoint, translation.
 */
import { API_VERSION, type EndpointPort, validateResource } from '@network/datastore/model'
import {
  type ActorName,
  actor,
  localWorkloads,
  otherNode,
  pool,
  remoteWorkloads,
  thisNode,
  uplink,
} from '../actors.ts'
import type { Draft, Settings, State, Traits } from '../case.ts'
import {
  accounts,
  comparison,
  labels,
  namespaceSelector,
  namespaces,
  net,
  portNames,
  portProtocols,
  ports,
  rules,
  selector,
  values,
} from './random-rule.ts'
import type { Random } from './random.ts'

const profileNames = ['p0', 'p1', 'p2'] as const
const tierNames = ['t0', 't1', 't2'] as const

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
  const { ipv4, ipv6 } = actor('host')
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
