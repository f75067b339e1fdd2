/**
 * The sessions of this node's speaker: the mesh, and those of BGPPeers. Without further words every node peers with every
 * other (the mesh), one session per family that both have; of two nodes the one with the greater address dials and the
 * other waits, so that a reconnect never meets itself. A node with a cluster id is a route reflector: it leaves the mesh,
 * and its internal peers that are not of its cluster are its clients. BGPPeers add sessions with routers, and between nodes
 * when they select them; a session between two nodes that one of them asks for exists on both.
 */
import type { PeerOptions, PrefixLimits } from '@network/bgp'
import { compareAddresses, formatAddress, parseAddress } from '@network/net'
import {
  type BGPPeerSpec,
  durationSeconds,
  effectiveBgpConfiguration,
  evaluateSelector,
  parseSelector,
  splitAddressAndPort,
} from '@network/datastore/model'
import { peerPolicies } from './bgp-policy.ts'
import { FAMILIES, type BgpModel, type Speaking } from './bgp-speaking.ts'

/** How many prefixes a session may bring if nobody says otherwise: far above what a cluster holds, far below harm. */
const DEFAULT_IMPORT_LIMIT = 100_000
const DEFAULT_EXPORT_LIMIT = 100_000

/** One session, and who asks for it: 'node mesh', 'BGPPeer tor'. */
export interface Session {
  readonly options: PeerOptions
  readonly origin: string
}

export interface SessionContext {
  readonly self: Speaking
  readonly nodes: readonly Speaking[]
  readonly model: BgpModel
  readonly configuration: ReturnType<typeof effectiveBgpConfiguration>
  readonly keepalive: string | undefined
  readonly problems: string[]
}

const MESH = 'node mesh'

/** Every session that this node is to have. What can't be, and of two that lead to one place the second, is a problem. */
export function sessionsOf(context: SessionContext): Session[] {
  const sessions = new Map<string, Session>()
  for (const session of [...configuredSessions(context), ...meshSessions(context)]) {
    const remote = `${session.options.address ?? session.options.interface ?? ''}:${session.options.port ?? 179}`
    const first = sessions.get(remote)
    if (first === undefined) sessions.set(remote, session)
    else if (first.origin !== MESH && session.origin !== MESH && first.origin !== session.origin) {
      context.problems.push(
        `${first.origin} and ${session.origin} both lead to ${remote}: the first is in force.`,
      )
    }
  }
  return [...sessions.values()]
}

function meshSessions(context: SessionContext): Session[] {
  const { self, nodes, configuration } = context
  if (!configuration.nodeToNodeMeshEnabled || self.clusterId !== undefined) return []
  const restart = durationSeconds(configuration.nodeMeshMaxRestartTime)
  return nodes
    .filter((node) => node.name !== self.name && node.clusterId === undefined)
    .flatMap((node) =>
      nodeSessions(context, node, 'mesh', {
        origin: MESH,
        spec: undefined,
        more: {
          gracefulRestart: { restartTimeSeconds: restart },
          ...(configuration.nodeMeshPassword === undefined
            ? {}
            : { password: configuration.nodeMeshPassword }),
        },
      }),
    )
}

/** Sessions of BGPPeers that concern this node, its own and those by which another node selects it. */
function configuredSessions(context: SessionContext): Session[] {
  const { self, nodes, model } = context
  return [...model.peers.values()]
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap(({ metadata, spec }) => {
      const origin = `BGPPeer ${metadata.name}`
      const has = (node: Speaking): boolean => concerns(spec, node)
      if (spec.peerSelector === undefined)
        return has(self) ? routerSessions(context, metadata.name, spec) : []
      const selected = (node: Speaking): boolean => selects(spec.peerSelector ?? '', node)
      return nodes
        .filter((node) => node.name !== self.name)
        .filter((node) => (has(self) && selected(node)) || (has(node) && selected(self)))
        .flatMap((node) =>
          nodeSessions(context, node, metadata.name, { origin, spec, more: peerExtras(spec) }),
        )
    })
}

function concerns(spec: BGPPeerSpec, node: Speaking): boolean {
  if (spec.node !== undefined) return spec.node === node.name
  return spec.nodeSelector === undefined || selects(spec.nodeSelector, node)
}

function selects(selector: string, node: Speaking): boolean {
  const parsed = parseSelector(selector)
  return parsed.ok && evaluateSelector(parsed.value, node.resource.metadata.labels ?? {})
}

/** Sessions with another node: one for each family that both have. */
function nodeSessions(
  context: SessionContext,
  node: Speaking,
  label: string,
  given: { origin: string; spec: BGPPeerSpec | undefined; more: Partial<PeerOptions> },
): Session[] {
  const { self } = context
  return FAMILIES.flatMap((family) => {
    const own = self.addresses[family]
    const theirs = node.addresses[family]
    if (own === undefined || theirs === undefined) return []
    if (compareAddresses(own, theirs) === 0) {
      context.problems.push(
        `The nodes ${self.name} and ${node.name} both have the address ${formatAddress(own)}: there is no session between them.`,
      )
      return []
    }
    const internal = node.asNumber === self.asNumber
    return [
      session(context, given.origin, given.spec, {
        name: `${label}-${node.name}-${family}`,
        address: formatAddress(theirs),
        port: listenPortOf(context.model, node.name),
        asn: node.asNumber,
        families: [family],
        sourceAddress: formatAddress(own),
        passive: compareAddresses(own, theirs) < 0,
        ...(internal ? {} : { multihop: 255 }),
        ...(internal && self.clusterId !== undefined && self.clusterId !== node.clusterId
          ? { routeReflectorClient: true }
          : {}),
        ...given.more,
      }),
    ]
  })
}

function listenPortOf(model: BgpModel, node: string): number {
  return effectiveBgpConfiguration(
    model.configurations.get('default')?.spec,
    model.configurations.get(`node.${node}`)?.spec,
  ).listenPort
}

/** The session with a router by address or by interface. */
function routerSessions(context: SessionContext, name: string, spec: BGPPeerSpec): Session[] {
  const { self } = context
  const asn = spec.asNumber ?? 'external'
  const common = { name, asn, passive: spec.passive, ...reflected(self, asn), ...peerExtras(spec) }
  const origin = `BGPPeer ${name}`
  if (spec.interface !== undefined) {
    return [session(context, origin, spec, { ...common, interface: spec.interface })]
  }
  const split = spec.peerIP === undefined ? undefined : splitAddressAndPort(spec.peerIP)
  if (split?.ok !== true) return []
  const remote = parseAddress(split.value.address)
  if (!remote.ok) return []
  const family = remote.value.family
  const own = self.addresses[family]
  if (own !== undefined && compareAddresses(own, remote.value) === 0) return []
  if (own === undefined && spec.sourceAddress === 'UseNodeIP') {
    context.problems.push(
      `${origin} leads to ${split.value.address}, but the node ${self.name} has no ${family} address: there is no session.`,
    )
    return []
  }
  return [
    session(context, origin, spec, {
      ...common,
      address: split.value.address,
      port: split.value.port ?? 179,
      families: [family],
      ...(own === undefined || spec.sourceAddress === 'None' ? {} : { sourceAddress: formatAddress(own) }),
    }),
  ]
}

function reflected(self: Speaking, asn: number | 'internal' | 'external'): Partial<PeerOptions> {
  const internal = asn === 'internal' || asn === self.asNumber
  return internal && self.clusterId !== undefined ? { routeReflectorClient: true } : {}
}

function peerExtras(spec: BGPPeerSpec): Partial<PeerOptions> {
  const nextHops = { Auto: 'auto', Self: 'self', Keep: 'unchanged' } as const
  const receive = spec.addPath === 'Receive' || spec.addPath === 'Both'
  const send = spec.addPath === 'Send' || spec.addPath === 'Both'
  return {
    nextHop: nextHops[spec.nextHopMode],
    gracefulRestart: { restartTimeSeconds: durationSeconds(spec.maxRestartTime ?? '120s') },
    ...(spec.localASNumber === undefined ? {} : { localAsn: spec.localASNumber }),
    ...(spec.password === undefined ? {} : { password: spec.password }),
    ...(spec.ttlSecurity === undefined ? {} : { ttlSecurityHops: spec.ttlSecurity }),
    ...(spec.numAllowedLocalASNumbers === undefined ? {} : { allowOwnAsn: spec.numAllowedLocalASNumbers }),
    ...(receive || send ? { addPath: { receive, ...(send ? { send: 4 } : {}) } } : {}),
  }
}

/** What every session has: timers, bounds and policies. */
function session(
  context: SessionContext,
  origin: string,
  spec: BGPPeerSpec | undefined,
  options: PeerOptions,
): Session {
  const { self, model, configuration } = context
  const holdTime = spec?.holdTime ?? configuration.holdTime
  const keepalive = spec?.keepaliveTime ?? (spec?.holdTime === undefined ? context.keepalive : undefined)
  const filters = (spec?.filters ?? []).flatMap((name) => {
    const filter = model.filters.get(name)
    if (filter === undefined)
      context.problems.push(`${origin} names the BGPFilter ${name}, which does not exist.`)
    return filter ?? []
  })
  const internal = options.asn === 'internal' || options.asn === self.asNumber
  const policies = peerPolicies({
    pools: [...model.pools.values()],
    filters,
    transit: internal || self.clusterId !== undefined,
  })
  context.problems.push(...policies.problems)
  return {
    origin,
    options: {
      ...options,
      timers: {
        holdTimeSeconds: durationSeconds(holdTime),
        ...(keepalive === undefined ? {} : { keepaliveSeconds: durationSeconds(keepalive) }),
        ...(spec?.connectRetryTime === undefined
          ? {}
          : { connectRetrySeconds: durationSeconds(spec.connectRetryTime) }),
      },
      import: policies.import,
      export: policies.export,
      prefixLimit: prefixLimit(
        spec?.importPrefixLimit ?? configuration.importPrefixLimit,
        spec?.exportPrefixLimit ?? configuration.exportPrefixLimit,
      ),
    },
  }
}

type Limits = { ipv4?: number; ipv6?: number } | undefined

/** Past a bound further prefixes are left out and the rest keeps working; the peer's status shows it. */
function prefixLimit(incoming: Limits, outgoing: Limits): PrefixLimits {
  return {
    in: {
      ipv4: incoming?.ipv4 ?? DEFAULT_IMPORT_LIMIT,
      ipv6: incoming?.ipv6 ?? DEFAULT_IMPORT_LIMIT,
      action: 'ignore',
    },
    out: {
      ipv4: outgoing?.ipv4 ?? DEFAULT_EXPORT_LIMIT,
      ipv6: outgoing?.ipv6 ?? DEFAULT_EXPORT_LIMIT,
      action: 'ignore',
    },
  }
}
