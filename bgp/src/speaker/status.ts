/*
 * What people and the agent get to see of peers and routes: plain data, made when somebody looks.
 */
import { type Family, formatAddress, formatIpv4Word, formatPrefix } from '@network/net'
import { formatAttributes } from '../codec/attributes.ts'
import { type AfiSafi, Role as RoleCode, formatAfiSafi, ipv4Unicast, ipv6Unicast } from '../codec/iana.ts'
import { type Negotiated } from '../fsm/negotiate.ts'
import { localPeer } from '../rib/peer.ts'
import { type Rib, type RibRoute } from '../rib/rib.ts'
import { type Role } from './options/options.ts'
import { type NegotiatedStatus, type PeerPrefixes, type PeerStatus, type RouteStatus } from './reports.ts'
import { type Peer } from './peer.ts'
import { afiSafiOf } from './families.ts'
import { type PeerRoutes } from './peer-routes.ts'

export function peerStatus(peer: Peer, routes: PeerRoutes, rib: Rib, range: string | undefined): PeerStatus {
  const { settings, negotiated } = peer
  const prefixes = (family: AfiSafi): PeerPrefixes => ({ ...rib.counters(routes.index, family) })
  const asn = negotiated?.peerAsn ?? (settings.peerAsn === 'internal' ? settings.localAsn : settings.peerAsn)
  return {
    name: settings.name,
    address: settings.address ?? '',
    interface: routes.device ?? settings.device,
    asn: typeof asn === 'number' ? asn : undefined,
    type: negotiated?.peerType ?? (settings.peerAsn === 'internal' ? 'internal' : 'external'),
    state: peer.state,
    since: peer.since,
    routerId: negotiated === undefined ? undefined : formatIpv4Word(negotiated.peerRouterId),
    localAddress: peer.socket?.localAddress === '' ? undefined : peer.socket?.localAddress,
    passive: settings.passive,
    range,
    negotiated: negotiated === undefined ? undefined : negotiatedStatus(negotiated),
    counters: { ...peer.counters, malformedUpdates: routes.faults.updates },
    faults: routes.faults.counts,
    prefixes: { ipv4: prefixes(ipv4Unicast), ipv6: prefixes(ipv6Unicast) } satisfies Record<
      Family,
      PeerPrefixes
    >,
    outLimitReached: (['ipv4', 'ipv6'] as const).filter(
      (family) =>
        prefixes(afiSafiOf(family)).advertised >= (settings.options.prefixLimit?.out?.[family] ?? Infinity),
    ),
    restarting: routes.restarting,
    lastError: peer.lastError,
    lastNotification: peer.lastNotification,
  }
}

function negotiatedStatus(negotiated: Negotiated): NegotiatedStatus {
  const restart = negotiated.gracefulRestart
  const names = (families: Iterable<AfiSafi>): readonly string[] => [...families].map(formatAfiSafi)
  return {
    families: names(negotiated.families),
    holdTimeSeconds: negotiated.holdTimeSeconds,
    keepaliveSeconds: negotiated.keepaliveSeconds,
    as4: negotiated.send.as4,
    routeRefresh: negotiated.routeRefresh,
    enhancedRouteRefresh: negotiated.enhancedRouteRefresh,
    extendedMessage: negotiated.send.extendedMessage,
    addPathReceive: names(negotiated.receive.addPath),
    addPathSend: names(negotiated.send.addPath),
    extendedNextHop: names(negotiated.send.extendedNextHop),
    gracefulRestart:
      restart === undefined
        ? undefined
        : {
            restartTimeSeconds: restart.restartTimeSeconds,
            families: names(restart.families.map(({ afiSafi }) => afiSafi)),
            notification: negotiated.gracefulNotification,
          },
    role: negotiated.peerRole === undefined ? undefined : roleNames[negotiated.peerRole],
  }
}

const roleNames: Readonly<Record<RoleCode, Role>> = {
  [RoleCode.provider]: 'provider',
  [RoleCode.routeServer]: 'route-server',
  [RoleCode.routeServerClient]: 'route-server-client',
  [RoleCode.customer]: 'customer',
  [RoleCode.peer]: 'peer',
}

export function routeStatus(route: RibRoute, peerName: string | undefined): RouteStatus {
  return {
    prefix: formatPrefix(route.prefix),
    peer: peerName,
    local: route.peer === localPeer,
    best: route.best,
    stale: route.stale,
    accepted: route.accepted,
    pathId: route.pathId,
    nextHop: route.nextHop === undefined ? undefined : formatAddress(route.nextHop),
    attributes: formatAttributes(route.attributes),
  }
}
