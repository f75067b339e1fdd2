/**
 * The file of a reflector: its fields as data, one line of meaning each, from which reading, errors and the page about it
 * come. What a field means is the speaker's (`SpeakerOptions`, `PeerOptions`); the file has the names that resources have
 * for the same things (`asNumber`, `routerID`).
 */
import type { OriginateAttributes, PeerOptions, PrefixLimit, Role } from '@network/bgp'
import type { Policy } from '@network/bgp/filter'
import {
  anyAddress,
  anyPrefix,
  interfaceName,
  ipv4Address,
  type TextFormat,
} from '@network/datastore/model/formats'
import {
  asNumber,
  boolean,
  integer,
  list,
  map,
  number,
  object,
  oneOf,
  optional,
  required,
  type Schema,
  string,
  text,
  union,
  withDefault,
} from '@network/datastore/model/schema'
import { type Family, failure, success } from '@network/net'
import { policy } from './policy-schema.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Given<K extends keyof PeerOptions> = NonNullable<PeerOptions[K]>

export interface ReflectorConfiguration {
  asNumber: number
  routerID: string
  clusterID?: string
  listen: string[]
  maximumPaths?: number
  asPathRelax?: boolean
  selectionDeferralSeconds?: number
  logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Policies that peers name. */
  filters: Record<string, Policy>
  peers: PeerConfiguration[]
  routes: RouteConfiguration[]
}

export interface PeerConfiguration {
  name?: string
  address?: string
  range?: string
  interface?: string
  port?: number
  asNumber: number | 'internal' | 'external'
  localASNumber?: number
  passive?: boolean
  families?: Family[]
  routeReflectorClient?: boolean
  routeServerClient?: boolean
  password?: string
  passwordFile?: string
  sourceAddress?: string
  multihop?: number
  ttlSecurityHops?: number
  timers?: Writable<Given<'timers'>>
  gracefulRestart?: Writable<Exclude<Given<'gracefulRestart'>, false>> | boolean
  addPath?: Given<'addPath'>
  extendedMessage?: boolean
  extendedNextHop?: boolean
  role?: Role
  roleStrict?: boolean
  nextHop?: 'auto' | 'self' | 'unchanged'
  numAllowedLocalASNumbers?: number
  import?: string | Policy
  export?: string | Policy
  requirePolicy?: boolean
  asOverride?: boolean
  removePrivateAS?: 'remove' | 'replace'
  enforceFirstAS?: boolean
  gracefulShutdown?: boolean
  limits?: Given<'prefixLimit'>
  shutdown?: boolean | string
}

export type RouteConfiguration = Writable<OriginateAttributes> & { prefix: string }

const filterName: TextFormat = {
  name: 'filter name',
  expected: 'a name of 1 to 64 letters, digits, - and _',
  parse: (given) => (/^[A-Za-z0-9_-]{1,64}$/.test(given) ? success(given) : failure('it is no name')),
}

const peerAddress: TextFormat = {
  name: 'address',
  expected: 'an IPv4 or IPv6 address, a link-local one with its interface: 10.0.0.1, fd00::1, fe80::1%eth0',
  parse: (given) => {
    const [address = '', zone, more] = given.split('%')
    const parsed = anyAddress.parse(address)
    if (!parsed.ok || zone === undefined) return parsed
    if (more !== undefined || !parsed.value.includes(':')) return failure('it has a zone where none belongs')
    const device = interfaceName.parse(zone)
    return device.ok ? success(`${parsed.value}%${zone}`) : device
  },
}

const listenAddress: TextFormat = {
  name: 'address and port',
  expected: "'10.0.0.1:179', '[fd00::1]:179', or ':179' for every address",
  parse: (given) => {
    const [, v6, v4 = '', digits = ''] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(given) ?? []
    if (digits === '' || Number(digits) > 65535) return failure('it has no address and port')
    if (v6 === undefined && v4 === '') return success(given)
    const parsed = peerAddress.parse(v6 ?? v4)
    if (!parsed.ok) return parsed
    if ((v6 !== undefined) !== parsed.value.includes(':')) return failure('IPv6 stands in brackets, IPv4 not')
    return success(v6 === undefined ? `${parsed.value}:${digits}` : `[${parsed.value}]:${digits}`)
  },
  fromNumber: (port) => `:${String(port)}`,
}

const shortText = string({ minLength: 1, maxLength: 128 })
const communities = list(shortText, { max: 64, distinct: true })
const policyOrName = union<string | Policy>('the name of a filter, or a map with rules', [
  text(filterName),
  policy,
])

const timers = object<Writable<Given<'timers'>>>({
  holdTimeSeconds: optional(number(0, 65535), '0, or from 3 on; default 90.'),
  keepaliveSeconds: optional(number(1, 21845), 'Default: a third of the hold time.'),
  connectRetrySeconds: optional(number(0.05, 3600), 'Between attempts to connect; default 5.'),
  delayOpenSeconds: optional(number(0, 3600), 'How long OPEN is held back; default 0.'),
  idleHoldSeconds: optional(number(0.01, 3600), 'First wait after an error; default 1.'),
  idleHoldMaximumSeconds: optional(number(0.01, 86400), 'Longest wait after errors; default 60.'),
  sendHoldSeconds: optional(
    number(0, 86400),
    'RFC 9687; default the greater of 480 and twice the hold time; 0: off.',
  ),
})

const gracefulRestart = object<Writable<Exclude<Given<'gracefulRestart'>, false>>>({
  restartTimeSeconds: optional(
    integer(0, 4095),
    'How long the peer keeps our routes while we restart; default 120.',
  ),
  helper: optional(boolean(), "Keep the peer's routes while it restarts; default true."),
  notification: optional(
    boolean(),
    'RFC 8538: also across a NOTIFICATION and an expired hold timer; default true.',
  ),
})

const limit: Schema<PrefixLimit> = object<Writable<PrefixLimit>>({
  ipv4: optional(integer(0, 16_777_216), 'IPv4 prefixes.'),
  ipv6: optional(integer(0, 16_777_216), 'IPv6 prefixes.'),
  action: optional(
    oneOf(['reset', 'ignore']),
    'Past the limit: end the session (default), or leave further prefixes out.',
  ),
  restartSeconds: optional(number(1, 86400), 'After a reset, when to try again; default: never by itself.'),
})

/** Fields that may be several things: what a map in their place is held against, so that a fault is told exactly. */
export const alternatives: Readonly<Record<string, Schema>> = {
  import: policy,
  export: policy,
  gracefulRestart,
}

const peer = object<PeerConfiguration>({
  name: optional(shortText, 'Unique; default: the address, range or interface.'),
  address: optional(text(peerAddress), 'The neighbour.'),
  range: optional(text(anyPrefix), 'In place of address: whoever connects from this prefix.'),
  interface: optional(
    text(interfaceName),
    'Device that the session is bound to; without address and range: whoever is on that link (RFC 8950).',
  ),
  port: optional(integer(1, 65535), 'Port that is dialled; default 179.'),
  asNumber: required(
    union<number | 'internal' | 'external'>("an AS number, 'internal' or 'external'", [
      asNumber(),
      oneOf(['internal', 'external']),
    ]),
    "AS number of the peer; 'internal': ours, 'external': any but ours.",
  ),
  localASNumber: optional(asNumber(), 'Speak to this peer as this AS.'),
  passive: optional(boolean(), 'Wait for the peer to connect; default false, for a range true.'),
  families: optional(list(oneOf(['ipv4', 'ipv6']), { min: 1, max: 2, distinct: true }), 'Default: both.'),
  routeReflectorClient: optional(
    boolean(),
    'RFC 4456: routes of other internal peers go to it, and its to them.',
  ),
  routeServerClient: optional(boolean(), 'RFC 7947: AS path, next hop and MED pass unchanged.'),
  password: optional(string({ minLength: 1, maxLength: 80, secret: true }), 'TCP MD5 key (RFC 2385).'),
  passwordFile: optional(
    string({ minLength: 1, maxLength: 4096 }),
    'File whose first line is the password; relative to the configuration file.',
  ),
  sourceAddress: optional(text(peerAddress), 'Own address of the session.'),
  multihop: optional(integer(1, 255), 'Hops to an external peer; default 1.'),
  ttlSecurityHops: optional(integer(1, 254), 'RFC 5082: take packets from at most so many hops away.'),
  timers: optional(timers, 'In seconds.'),
  gracefulRestart: optional(
    union<Writable<Exclude<Given<'gracefulRestart'>, false>> | boolean>(
      'true, false, or a map with restartTimeSeconds, helper, notification',
      [boolean(), gracefulRestart],
    ),
    'RFC 4724; default on, false turns it off.',
  ),
  addPath: optional(
    object<Writable<Given<'addPath'>>>({
      receive: optional(boolean(), 'Take several paths per prefix.'),
      send: optional(integer(1, 255), 'Most paths per prefix to send.'),
    }),
    'RFC 7911.',
  ),
  extendedMessage: optional(boolean(), 'RFC 8654; default true.'),
  extendedNextHop: optional(boolean(), 'RFC 8950; default: on sessions over IPv6.'),
  role: optional(
    oneOf(['provider', 'route-server', 'route-server-client', 'customer', 'peer']),
    'RFC 9234: our role towards the peer.',
  ),
  roleStrict: optional(boolean(), 'Refuse a peer that does not state its role.'),
  nextHop: optional(
    oneOf(['auto', 'self', 'unchanged']),
    'Next hop in routes sent; auto (default) follows RFC 4271 section 5.1.3.',
  ),
  numAllowedLocalASNumbers: optional(
    integer(0, 10),
    'How often our AS may stand in the path of a received route; default 0.',
  ),
  import: optional(policyOrName, 'What is accepted: a filter by name, or its rules. Default: everything.'),
  export: optional(policyOrName, 'What is sent. Default: everything.'),
  requirePolicy: optional(
    boolean(),
    'RFC 8212: without policies nothing passes to or from an external peer.',
  ),
  asOverride: optional(boolean(), "Put our AS in place of the peer's in paths sent."),
  removePrivateAS: optional(oneOf(['remove', 'replace']), 'Private AS numbers in paths sent.'),
  enforceFirstAS: optional(boolean(), "Refuse paths that do not begin with the peer's AS."),
  gracefulShutdown: optional(boolean(), 'RFC 8326: mark what is sent with GRACEFUL_SHUTDOWN.'),
  limits: optional(
    object<Writable<Given<'prefixLimit'>>>({
      in: optional(limit, 'Prefixes taken from the peer.'),
      out: optional(limit, 'Prefixes sent to the peer.'),
    }),
    'Most prefixes.',
  ),
  shutdown: optional(
    union<boolean | string>('true, false, or a text of at most 255 octets for the peer', [
      boolean(),
      string({ maxLength: 255 }),
    ]),
    'Administratively down; a text goes to the peer (RFC 9003).',
  ),
})

const route = object<RouteConfiguration>({
  prefix: required(text(anyPrefix), 'The prefix to announce.'),
  nextHop: optional(text(anyAddress), "Default: each session's own address."),
  origin: optional(oneOf(['igp', 'egp', 'incomplete']), 'ORIGIN; default igp.'),
  med: optional(integer(0, 4294967295), 'MULTI_EXIT_DISC.'),
  localPreference: optional(integer(0, 4294967295), 'LOCAL_PREF.'),
  communities: optional(communities, "'64512:1', 'no-export'."),
  largeCommunities: optional(communities, "'64512:1:2'."),
})

export const reflectorConfiguration: Schema<ReflectorConfiguration> = object<ReflectorConfiguration>({
  asNumber: required(asNumber(), 'Own AS number.'),
  routerID: required(text(ipv4Address), 'Own BGP identifier.'),
  clusterID: optional(text(ipv4Address), 'RFC 4456 cluster id; default: routerID.'),
  listen: withDefault(
    list(text(listenAddress), { max: 64, distinct: true }),
    [':179'],
    'Where connections are accepted; an empty list only dials.',
  ),
  maximumPaths: optional(integer(1, 256), 'Most paths that count as equal; default 16.'),
  asPathRelax: optional(boolean(), 'AS paths of equal length count as equal; default true.'),
  selectionDeferralSeconds: optional(
    integer(1, 3600),
    "Longest wait for the peers' routes after a start (RFC 4724); default 60.",
  ),
  logLevel: withDefault(oneOf(['debug', 'info', 'warn', 'error']), 'info', 'Least level that is logged.'),
  filters: withDefault(
    map(filterName, policy, { max: 1000 }),
    {},
    'Policies by name, for import and export.',
  ),
  peers: withDefault(list(peer, { max: 10_000 }), [], 'The neighbours.'),
  routes: withDefault(list(route, { max: 100_000 }), [], 'Routes to announce.'),
})
