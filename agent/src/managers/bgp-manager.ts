/**
 * From the model to the whole declared state of this node's speaker: who it is, whom it speaks to, what it announces.
 * Without further words every node peers with every other (the mesh), one session per family that both have; of two
 * nodes the one with the greater address dials and the other waits, so that a reconnect never meets itself. A node
 * with a cluster id is a route reflector: it leaves the mesh, and its internal peers that are not of its cluster are
 * its clients. BGPPeers add sessions with routers, and between nodes when they select them; a session between two
 * nodes that one of them asks for exists on both.
 */
import type {
  DesiredState,
  OriginateAttributes,
  PeerOptions,
  PrefixLimits,
  SpeakerOptions,
} from '@network/bgp'
import {
  type Address,
  type Family,
  compareAddresses,
  formatAddress,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
  prefixCovers,
} from '@network/net'
import {
  BGP_DEFAULTS,
  type BGPConfigurationSpec,
  type BGPPeerSpec,
  type ResourceOf,
  durationSeconds,
  effectiveBgpConfiguration,
  evaluateSelector,
  parseSelector,
  splitAddressAndPort,
} from '@network/datastore/model'
import { peerPolicies, splitCommunities } from './bgp-policy.ts'
import type { ResourceEvent } from './model-event.ts'

export interface SpeakerDesired {
  /** undefined: the node has no address yet, or is not registered; nothing may be spoken. */
  readonly options: SpeakerOptions | undefined
  readonly state: DesiredState
  /** By peer name, for people: 'node mesh', 'BGPPeer tor'. */
  readonly origins: ReadonlyMap<string, string>
  readonly problems: readonly string[]
}

export interface BgpManager {
  onUpdate(event: ResourceEvent): void
  /** Prefixes of this node, from the block manager. */
  setAnnounced(prefixes: readonly string[]): void
  apply(): SpeakerDesired
}

/** How many prefixes a session may bring if nobody says otherwise: far above what a cluster holds, far below harm. */
const DEFAULT_IMPORT_LIMIT = 100_000
const DEFAULT_EXPORT_LIMIT = 100_000

interface Model {
  readonly nodes: Map<string, ResourceOf<'Node'>>
  readonly pools: Map<string, ResourceOf<'IPPool'>>
  readonly configurations: Map<string, ResourceOf<'BGPConfiguration'>>
  readonly peers: Map<string, ResourceOf<'BGPPeer'>>
  readonly filters: Map<string, ResourceOf<'BGPFilter'>>
}

export function createBgpManager(options: { node: string }): BgpManager {
  const model: Model = {
    nodes: new Map(),
    pools: new Map(),
    configurations: new Map(),
    peers: new Map(),
    filters: new Map(),
  }
  let announced: readonly string[] = []
  let desired: SpeakerDesired | undefined

  return {
    onUpdate(event) {
      if (event.kind === 'Node') put(model.nodes, event.name, event.resource)
      else if (event.kind === 'IPPool') put(model.pools, event.name, event.resource)
      else if (event.kind === 'BGPConfiguration') put(model.configurations, event.name, event.resource)
      else if (event.kind === 'BGPPeer') put(model.peers, event.name, event.resource)
      else if (event.kind === 'BGPFilter') put(model.filters, event.name, event.resource)
      else return
      desired = undefined
    },
    setAnnounced(prefixes) {
      if (prefixes.length === announced.length && prefixes.every((prefix, i) => prefix === announced[i]))
        return
      announced = prefixes
      desired = undefined
    },
    apply() {
      desired ??= speakerDesired(options.node, model, announced)
      return desired
    },
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

/** A node as its peers see it. */
interface Speaking {
  readonly name: string
  readonly resource: ResourceOf<'Node'>
  readonly asNumber: number
  readonly addresses: Readonly<Partial<Record<Family, Address>>>
  readonly clusterId: string | undefined
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6']

function speakerDesired(name: string, model: Model, announced: readonly string[]): SpeakerDesired {
  const problems: string[] = []
  const cluster = model.configurations.get('default')?.spec
  const ofNode = model.configurations.get(`node.${name}`)?.spec
  const configuration = effectiveBgpConfiguration(cluster, ofNode)
  const nodes = [...model.nodes.values()]
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((resource) => speakingNode(resource, model))
  const self = nodes.find((node) => node.name === name)
  if (self === undefined || FAMILIES.every((family) => self.addresses[family] === undefined)) {
    return { options: undefined, state: { peers: [], routes: [] }, origins: new Map(), problems }
  }
  const context: Context = {
    self,
    nodes,
    model,
    configuration,
    // The default keepalive belongs to the default hold time; with another one it is a third of that.
    keepalive: ofNode?.keepaliveTime ?? cluster?.keepaliveTime,
    problems,
  }
  const sessions = new Map<string, Session>()
  for (const session of [...configuredSessions(context), ...meshSessions(context)]) {
    const remote = `${session.options.address ?? session.options.interface ?? ''}:${session.options.port ?? 179}`
    const first = sessions.get(remote)
    if (first === undefined) sessions.set(remote, session)
    else if (
      first.origin !== 'node mesh' &&
      session.origin !== 'node mesh' &&
      first.origin !== session.origin
    ) {
      problems.push(`${first.origin} and ${session.origin} both lead to ${remote}: the first is in force.`)
    }
  }
  const listed = [...sessions.values()]
  return {
    options: speakerOptions(self, configuration),
    state: {
      peers: listed.map(({ options }) => options),
      routes: announced.map((prefix) => ({ prefix, attributes: advertisement(prefix, cluster, ofNode) })),
    },
    origins: new Map(listed.map(({ options, origin }) => [options.name ?? '', origin])),
    problems: [...new Set(problems)],
  }
}

interface Session {
  readonly options: PeerOptions
  readonly origin: string
}

interface Context {
  readonly self: Speaking
  readonly nodes: readonly Speaking[]
  readonly model: Model
  readonly configuration: ReturnType<typeof effectiveBgpConfiguration>
  readonly keepalive: string | undefined
  readonly problems: string[]
}

function speakingNode(resource: ResourceOf<'Node'>, model: Model): Speaking {
  const { name } = resource.metadata
  const { bgp } = resource.spec
  const of = (text: string | undefined): Address | undefined => {
    const parsed = text === undefined ? undefined : parseInterfaceAddress(text)
    return parsed?.ok === true ? parsed.value.address : undefined
  }
  const ipv4 = of(bgp?.ipv4Address)
  const ipv6 = of(bgp?.ipv6Address)
  return {
    name,
    resource,
    asNumber:
      bgp?.asNumber ??
      model.configurations.get(`node.${name}`)?.spec.asNumber ??
      model.configurations.get('default')?.spec.asNumber ??
      BGP_DEFAULTS.asNumber,
    addresses: { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) },
    clusterId: bgp?.routeReflectorClusterID,
  }
}

function speakerOptions(self: Speaking, configuration: Context['configuration']): SpeakerOptions {
  const port = String(configuration.listenPort)
  const listen = FAMILIES.flatMap((family) => {
    const address = self.addresses[family]
    if (address === undefined) return []
    if (configuration.bindMode === 'NodeIP') {
      return [family === 'ipv4' ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`]
    }
    return [family === 'ipv4' ? `0.0.0.0:${port}` : `[::]:${port}`]
  })
  return {
    asn: self.asNumber,
    routerId:
      self.addresses.ipv4 === undefined ? hashedRouterId(self.name) : formatAddress(self.addresses.ipv4),
    ...(self.clusterId === undefined ? {} : { clusterId: self.clusterId }),
    listen,
  }
}

/** An identifier for a node without IPv4 (RFC 6286: any 32 bits but zero): FNV-1a of its name. */
function hashedRouterId(name: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0
  const id = hash === 0 ? 1 : hash
  return [id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255].join('.')
}

function meshSessions(context: Context): Session[] {
  const { self, nodes, configuration } = context
  if (!configuration.nodeToNodeMeshEnabled || self.clusterId !== undefined) return []
  const restart = durationSeconds(configuration.nodeMeshMaxRestartTime)
  return nodes
    .filter((node) => node.name !== self.name && node.clusterId === undefined)
    .flatMap((node) =>
      nodeSessions(context, node, 'mesh', {
        origin: 'node mesh',
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
function configuredSessions(context: Context): Session[] {
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
  context: Context,
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

function listenPortOf(model: Model, node: string): number {
  return effectiveBgpConfiguration(
    model.configurations.get('default')?.spec,
    model.configurations.get(`node.${node}`)?.spec,
  ).listenPort
}

/** The session with a router by address or by interface. */
function routerSessions(context: Context, name: string, spec: BGPPeerSpec): Session[] {
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
  context: Context,
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

/** The communities of every advertisement that covers the prefix. */
function advertisement(
  prefix: string,
  cluster: BGPConfigurationSpec | undefined,
  ofNode: BGPConfigurationSpec | undefined,
): OriginateAttributes {
  const own = parsePrefix(prefix)
  if (!own.ok) return {}
  const named = new Map(
    [...(cluster?.communities ?? []), ...(ofNode?.communities ?? [])].map(({ name, value }) => [name, value]),
  )
  const values = (ofNode?.prefixAdvertisements ?? cluster?.prefixAdvertisements ?? [])
    .filter(({ cidr }) => {
      const range = parsePrefix(cidr)
      return range.ok && prefixCovers(range.value, own.value)
    })
    .flatMap(({ communities }) => communities.map((word) => named.get(word) ?? word))
    .filter((value) => value.includes(':'))
  const { small, large } = splitCommunities([...new Set(values)].sort())
  return {
    ...(small.length === 0 ? {} : { communities: small }),
    ...(large.length === 0 ? {} : { largeCommunities: large }),
  }
}
