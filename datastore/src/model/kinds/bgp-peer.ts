import { addressAndPort, duration, interfaceName, resourceName, selector } from '../formats.ts'
import { defineKind } from '../kind.ts'
import {
  asNumber,
  boolean,
  integer,
  list,
  object,
  oneOf,
  optional,
  text,
  union,
  withDefault,
} from '../schema.ts'
import {
  holdTime,
  keepaliveTime,
  type PrefixLimits,
  prefixLimits,
  restartTime,
  sessionPassword,
} from './bgp-configuration.ts'

/** Durations are texts such as '90s'. Neither `node` nor `nodeSelector`: every node has this peer. */
export interface BGPPeerSpec {
  node?: string
  nodeSelector?: string
  /** Canonical: 10.0.0.1, 10.0.0.1:1179, fd00::1, [fd00::1]:1179. */
  peerIP?: string
  peerSelector?: string
  /** Unnumbered: the neighbour on this link, found by its router advertisements. */
  interface?: string
  asNumber?: number | 'internal' | 'external'
  localASNumber?: number
  nextHopMode: 'Auto' | 'Self' | 'Keep'
  password?: string
  sourceAddress: 'UseNodeIP' | 'None'
  maxRestartTime?: string
  holdTime?: string
  keepaliveTime?: string
  connectRetryTime?: string
  numAllowedLocalASNumbers?: number
  /** GTSM (RFC 5082): how many hops away the peer may be. */
  ttlSecurity?: number
  /** Names of BGPFilters, in order. */
  filters?: string[]
  addPath: 'Disabled' | 'Receive' | 'Send' | 'Both'
  importPrefixLimit?: PrefixLimits
  exportPrefixLimit?: PrefixLimits
  passive: boolean
}

const remotes = ['peerIP', 'peerSelector', 'interface'] as const

export const bgpPeer = defineKind<BGPPeerSpec>()({
  kind: 'BGPPeer',
  plural: 'bgppeers',
  aliases: ['bgppeer', 'peer', 'peers'],
  description: 'A session, or many, beyond the mesh: with switches, reflectors, other networks.',
  spec: object<BGPPeerSpec>({
    node: optional(text(resourceName), 'The one node that has this peer.'),
    nodeSelector: optional(text(selector), 'The nodes that have this peer. Not with node.'),
    peerIP: optional(text(addressAndPort), 'Address of the peer, with a port if it is not 179.'),
    peerSelector: optional(text(selector), 'Peer with all nodes that this selects.'),
    interface: optional(
      text(interfaceName),
      'Peer with the neighbour on this interface, without configured addresses (RFC 8950).',
    ),
    asNumber: optional(
      union<number | 'internal' | 'external'>("an AS number, 'internal' or 'external'", [
        asNumber(),
        oneOf(['internal', 'external']),
      ]),
      "AS number of the peer. With peerSelector the nodes' own.",
    ),
    localASNumber: optional(asNumber(), 'AS number that we show to this peer instead of our own.'),
    nextHopMode: withDefault(
      oneOf(['Auto', 'Self', 'Keep']),
      'Auto',
      'Next hop of routes sent: Self is our address, Keep leaves it; Auto is Self for external peers and own routes.',
    ),
    password: optional(sessionPassword, 'TCP MD5 password (RFC 2385).'),
    sourceAddress: withDefault(
      oneOf(['UseNodeIP', 'None']),
      'UseNodeIP',
      "None: let the kernel choose the session's source address.",
    ),
    maxRestartTime: optional(
      text(restartTime),
      'How long routes of a restarting peer are kept (default 120s).',
    ),
    holdTime: optional(text(holdTime), 'Hold time offered (default: BGPConfiguration).'),
    keepaliveTime: optional(
      text(keepaliveTime),
      'Interval of keepalives (default: a third of the hold time).',
    ),
    connectRetryTime: optional(
      text(duration({ minMs: 1000, maxMs: 3_600_000 })),
      'Time between attempts to connect.',
    ),
    numAllowedLocalASNumbers: optional(
      integer(0, 10),
      'How often our own AS number may stand in the AS path of a received route (default 0).',
    ),
    ttlSecurity: optional(integer(1, 254), 'Take packets only from at most this many hops away (RFC 5082).'),
    filters: optional(list(text(resourceName), { max: 100, distinct: true }), 'BGPFilters, in order.'),
    addPath: withDefault(
      oneOf(['Disabled', 'Receive', 'Send', 'Both']),
      'Disabled',
      'Exchange several paths per prefix (RFC 7911).',
    ),
    importPrefixLimit: optional(prefixLimits, 'Most prefixes taken from the peer.'),
    exportPrefixLimit: optional(prefixLimits, 'Most prefixes announced to the peer.'),
    passive: withDefault(boolean(), false, 'Wait for the peer to connect, never dial.'),
  }),
  refine(spec, report) {
    if (spec.node !== undefined && spec.nodeSelector !== undefined) {
      report(['spec', 'nodeSelector'], spec.nodeSelector, 'either node or nodeSelector, not both')
    }
    const given = remotes.filter((field) => spec[field] !== undefined)
    if (given.length !== 1) {
      report(
        ['spec', given[1] ?? 'peerIP'],
        given[1] === undefined ? undefined : spec[given[1]],
        'exactly one of peerIP, peerSelector and interface',
        given.length === 0 ? 'there is none' : `there are ${given.join(' and ')}`,
      )
    }
    if (spec.peerSelector !== undefined && spec.asNumber !== undefined) {
      report(
        ['spec', 'asNumber'],
        spec.asNumber,
        'no asNumber with peerSelector',
        'each selected node has its own',
      )
    }
    if (spec.peerIP !== undefined && spec.asNumber === undefined) {
      report(['spec', 'asNumber'], undefined, "the peer's AS number, 'internal' or 'external'")
    }
    if (spec.interface !== undefined && spec.asNumber === undefined) {
      report(['spec', 'asNumber'], undefined, "the neighbour's AS number, 'internal' or 'external'")
    }
    if (spec.localASNumber !== undefined && spec.asNumber === 'internal') {
      report(
        ['spec', 'localASNumber'],
        spec.localASNumber,
        'no localASNumber for an internal peer',
        'it is of use towards another AS only',
      )
    }
  },
})
